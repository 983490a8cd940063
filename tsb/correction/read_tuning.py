"""Scores of a chip that is read exactly, with gradients of its corrections: straight-through.

What converters do is a staircase. Forward, every layer gives what the chip reads: the backbone with
the errors of its cells, and what the corrections write (blocks, rewritten layers) with errors that
are drawn for the step, each through its own input codes and converters. Backward, it is the plain
product of the weights, as if nothing had been rounded (Bengio et al., arXiv 1308.3432). What is
measured instead of trained (batch norms, outputs that are matched) is measured on the same reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from tsb.correction.base import Correction
from tsb.correction.block_read import BlockCells, BlockRead, mixed_by
from tsb.correction.corrected import own_parameters
from tsb.correction.on_read import OnRead, readable_acts
from tsb.correction.written_cells import cells_of
from tsb.program.storage import WeightStorage
from tsb.read_path.layer import Layer
from tsb.read_path.network import ReadNetwork
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of
from tsb.write_verify.selective import verify_all, verify_none

#: Steps after which input codes and ranges of blocks are set anew: their weights have moved.
_STEPS_PER_RANGE = 25
#: What a layer computes: its name, itself, its activations.
_Through = Callable[[str, Layer, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ReadTuning:
    """The chips that corrections are trained for, as they are read.

    Attributes:
        networks: of each chip, with the errors of its cells.
        stored: weights of each chip as its cells hold them, by name.
        products: of the layers on calibration images, before their biases, by weight name.
        storage: how corrections in cells are written.
        verify: whether they are write-verified.
    """

    networks: Sequence[ReadNetwork]
    stored: Sequence[Mapping[str, Tensor]]
    products: Mapping[str, Tensor]
    storage: WeightStorage
    verify: bool
    _blocks: dict[tuple[int, str], tuple[int, BlockRead]] = field(default_factory=dict)

    def scores(
        self,
        chip: int,
        corrections: Sequence[Correction],
        wanted: Mapping[str, Tensor],
        written: Mapping[str, Tensor],
        tensors: Mapping[str, Tensor],
        images: Tensor,
        *,
        seed: int = 0,
        step: int = 0,
    ) -> Tensor:
        """Return the scores of one chip, with gradients to the parameters of its corrections.

        Args:
            chip: number of the chip.
            corrections: attached, in order.
            wanted: parameters of this chip, by ``index.name``.
            written: the same as they are written, with gradients.
            tensors: of the corrected network: biases and batch norms are taken from them.
            images: ``image ...``.
            seed: divides the errors of what is written among its cells.
            step: of the training: ranges of blocks are kept for some steps.
        """
        acts = readable_acts(corrections, lambda index: own_parameters(written, index))
        generator = torch.Generator().manual_seed(seed)
        cells = _Written(self, wanted, written, generator)
        network, stored = self.networks[chip], self.stored[chip]
        rewritten = {
            name: f"{index}.{name}" for index, act in enumerate(acts) for name in act.rewritten
        }
        for name in network.matrices:
            if name not in stored:  # of a block with modules of its own
                tail = name.removeprefix("shared_block.")
                rewritten[name] = next(key for key in written if key.partition(".")[2] == tail)
        chip_now = network
        for name, key in rewritten.items():
            chip_now = cells.onto(chip_now, name, key)
        blocks = {
            (name, index): self._block(chip, name, index, act, cells, step)
            for name in network.layers
            for index, act in enumerate(acts)
            if name in act.blocks
        }

        def through(name: str, module: Layer, activations: Tensor) -> Tensor:
            weight = tensors[name] if name in rewritten else stored[name]
            plain = _plain(module, activations, weight)
            products = _read_as(plain, chip_now.layers[name].scaled(module, activations.detach()))
            for index, act in enumerate(acts):
                if name in act.blocks:
                    plain = products
                    for key in act.blocks[name]:
                        plain = mixed_by(written[f"{index}.{key}"], plain)
                    read = blocks[name, index](products.detach(), None, 0)
                    products = _read_as(plain, read)
                if name in act.scales:
                    products = products * _beside(act.scales[name], products)
            return products

        return self._run(chip, tensors, images, through)

    @contextmanager
    def reading(
        self, chip: int, tensors: Mapping[str, Tensor], acts: Sequence[OnRead]
    ) -> Iterator[None]:
        """Let the network compute what a chip reads, to measure on it.

        Args:
            chip: number of the chip.
            tensors: whose biases are added.
            acts: of the corrections so far; their scales act, blocks are still the identity.
        """
        network = self.networks[chip]

        def through(name: str, module: Layer, activations: Tensor) -> Tensor:
            read = network.layers[name].scaled(module, activations.detach()).to(activations.dtype)
            for act in acts:
                if name in act.scales:
                    read = read * _beside(act.scales[name], read)
            return read

        with _computing(network, through, tensors):
            yield

    def _run(
        self, chip: int, tensors: Mapping[str, Tensor], images: Tensor, through: _Through
    ) -> Tensor:
        network = self.networks[chip]
        others = {name: t for name, t in tensors.items() if name not in network.matrices}
        at_once = len(images) if torch.is_grad_enabled() else IMAGES_AT_ONCE
        with _computing(network, through, tensors):
            parts = [
                torch.func.functional_call(network.model, others, (part,))
                for part in images.split(at_once)
            ]
        return torch.cat(parts)

    def _block(
        self, chip: int, name: str, index: int, act: OnRead, cells: _Written, step: int
    ) -> BlockRead:
        """Return a block with the cells of this step, behind ranges of some steps ago at most."""
        keys = [f"{index}.{key}" for key in act.blocks[name]]
        place, since = (chip, f"{index} {name}"), step - step % _STEPS_PER_RANGE
        if place not in self._blocks or self._blocks[place][0] != since:
            number = list(self.networks[chip].layers).index(name)
            ideal = [cells.of(key, ideal=True) for key in keys]
            settings = self.networks[chip].settings
            made = BlockRead.calibrated(ideal, self.products[name], settings, number)
            self._blocks[place] = (since, made)
        return self._blocks[place][1].with_cells([cells.of(key) for key in keys])


class _Written:
    """The cells of what is written in one step, each drawn once."""

    def __init__(
        self,
        tuning: ReadTuning,
        wanted: Mapping[str, Tensor],
        written: Mapping[str, Tensor],
        generator: torch.Generator,
    ) -> None:
        self.tuning, self.generator = tuning, generator
        self.wanted = {key: value.detach().cpu() for key, value in wanted.items()}
        self.held = {key: value.detach().cpu() for key, value in written.items()}
        self.known: dict[str, BlockCells] = {}

    def of(self, key: str, *, ideal: bool = False) -> BlockCells:
        """Return the cells of a parameter, with the errors of this step or without."""
        wanted = self.wanted[key]
        mask = (verify_all if self.tuning.verify else verify_none)({key: wanted})[key]
        storage = self.tuning.storage
        if ideal:
            return cells_of(wanted, None, storage, mask, None)
        if key not in self.known:
            self.known[key] = cells_of(wanted, self.held[key], storage, mask, self.generator)
        return self.known[key]

    def onto(self, network: ReadNetwork, name: str, key: str) -> ReadNetwork:
        """Return the network with a parameter in place of the weights of a layer."""
        cells, shape = self.of(key), network.model.get_parameter(name).shape
        wrong = cells.errors
        if wrong is not None:
            wrong = wrong.view(*shape, *wrong.shape[-2:])
        return network.with_layer(name, cells.codes.view(shape), cells.scale, wrong)


@contextmanager
def _computing(
    network: ReadNetwork, through: _Through, tensors: Mapping[str, Tensor]
) -> Iterator[None]:
    """Let the layers of a network compute something else, then add the biases of some tensors."""
    names = {module: name for name, module in crossbar_layers(network.model).items()}

    def layer(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        products = through(names[module], module, activations)
        bias = tensors.get(f"{names[module].removesuffix('.weight')}.bias")
        return products if bias is None else products + _beside(bias, products)

    with in_place_of(dict.fromkeys(names, layer)):
        yield


def _read_as(plain: Tensor, read: Tensor) -> Tensor:
    """Return what was read, with the gradient of the plain product."""
    return plain + (read.to(plain.dtype) - plain).detach()


def _plain(module: Layer, activations: Tensor, weight: Tensor) -> Tensor:
    """Return the product of a layer before its bias."""
    if isinstance(module, nn.Linear):
        return functional.linear(activations, weight)
    padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
    return functional.conv2d(
        activations, weight, None, module.stride, padding, module.dilation, module.groups
    )


def _beside(vector: Tensor, products: Tensor) -> Tensor:
    """Shape one number per output so that it goes with maps or vectors."""
    return vector.view(-1, 1, 1) if products.dim() == 4 else vector
