"""A correction: parameters of its own, and what they do to the tensors of a network.

All corrections are pure functions from tensors by name to tensors by name, so that they can be
chained, differentiated and mapped over chips. What is linear in the output of a layer (a shared
block before a batch norm, a scale, a low-rank term) is folded into the layer's weights: training it
costs no extra pass over feature maps.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from archsim.errors import Code, NetworkError
from archsim.network.graph import LayerGraph
from archsim.network.insertion import InsertionPoint
from archsim.network.layer import MvmLayer
from tsb.cells.stored import layer_names, mapped_weights, stored_network
from tsb.correction.needs import Needs, Unpriced
from tsb.correction.on_read import OnRead, Unread

#: Modules that give more than a map.
_SEVERAL_OUTPUTS = (nn.RNNBase, nn.MultiheadAttention)
#: Parameters and buffers of a network, or parameters of a correction, by name.
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class Carrier:
    """A model that corrections act on, and where they may.

    Attributes:
        model: private copy, in evaluation mode; shared blocks that cannot be folded are added.
        layers: its graph.
        rule: where shared blocks go: see :meth:`LayerGraph.insertion_points`.
        reading: lets the model compute what one chip reads, with biases of some tensors, after some
            corrections; None where what its cells hold is all that is known.
    """

    model: nn.Module
    layers: LayerGraph
    rule: str = "default"
    reading: Callable[[Tensors, OnRead | None], AbstractContextManager[None]] | None = None

    def as_read(self, tensors: Tensors, act: OnRead | None = None) -> AbstractContextManager[None]:
        """Let the model compute what the chip reads, for what is measured on it.

        Args:
            tensors: of the corrected network; biases are taken from them.
            act: what the measuring correction does so far.
        """
        return nullcontext() if self.reading is None else self.reading(tensors, act)

    @property
    def points(self) -> tuple[InsertionPoint, ...]:
        """Places for a shared block, in order of execution.

        Raises:
            NetworkError: the network has none.
        """
        return self.layers.insertion_points(self.rule)

    def place(self, point: InsertionPoint) -> nn.Module:
        """The module whose output a shared block follows: a map, or tokens (channels last).

        Args:
            point: one of :attr:`points`.

        Raises:
            NetworkError: no module gives that map, or gives it as one of several outputs.
        """
        modules: dict[str, nn.Module] = dict(self.model.named_modules())
        module = modules.get(point.name)
        if module is None or isinstance(module, _SEVERAL_OUTPUTS):
            raise NetworkError(
                f"a shared block is trained behind modules that give one map or tokens; "
                f"'{point.name}' of network '{self.layers.name}' is none of these (archsim map can "
                "price it); allowed: insertion 'pattern:NAMES' with names of such modules",
                code=Code.UNSUPPORTED,
                field=point.name,
                value=self.layers.name,
                allowed="insertion 'pattern:NAMES' with names of such modules",
            )
        return module

    def folds(self, point: InsertionPoint) -> bool:
        """Whether a block behind a module can be folded into the module's own weight.

        Args:
            point: one of :attr:`points`.

        Raises:
            NetworkError: as :meth:`place`, or a layer whose matrix is stored otherwise.
        """
        module = self.place(point)
        folded = nn.Linear if point.channels_last else nn.Conv2d
        return isinstance(module, folded) and self.acts_on(point.name)

    def layer(self, weight: str) -> MvmLayer:
        """Return the layer that a weight belongs to.

        Args:
            weight: its name.
        """
        name = (layer_names(self.model) or {}).get(weight, weight.removesuffix(".weight"))
        return next(layer for layer in self.layers.layers if layer.name == name)

    def outputs(self, weight: str) -> int:
        """Numbers that a layer puts out per image: channels times pixels.

        Args:
            weight: name of its weight.
        """
        layer = self.layer(weight)
        return layer.out_channels * layer.out_height * layer.out_width

    def weights(self) -> tuple[str, ...]:
        """Names of the network's weights on crossbars, in order; those of a block are not in it."""
        return tuple(mapped_weights(self.model))

    def module_names(self, kind: type[nn.Module]) -> list[str]:
        """Names of the modules of a kind whose ``weight`` is one of :meth:`weights`.

        Modules that the network does not use are not among them.

        Args:
            kind: class of modules with a weight.

        Raises:
            NetworkError: the matrix of one is stored otherwise.
        """
        found = (name for name, m in self.model.named_modules() if isinstance(m, kind))
        return [name for name in found if self.acts_on(name)]

    def acts_on(self, module: str) -> bool:
        """Whether a module's ``weight`` is one of :meth:`weights`; False where it is not used.

        Args:
            module: its name.

        Raises:
            NetworkError: its matrix is stored otherwise, so that nothing can be folded into it.
        """
        layer_of = layer_names(self.model) or {}
        if f"{module}.weight" not in layer_of and module in layer_of.values():
            raise NetworkError(
                f"layer '{module}' of network '{self.layers.name}' is part of a tensor, shares it "
                "with something else, or is computed: nothing is folded into it",
                code=Code.UNSUPPORTED,
                field=module,
                value=self.layers.name,
            )
        return f"{module}.weight" in layer_of


def make_carrier(model: nn.Module, layers: LayerGraph, *, rule: str = "default") -> Carrier:
    """Return a carrier with a copy of a model.

    Args:
        model: of the network; not changed.
        layers: graph of the same network.
        rule: where shared blocks go.
    """
    own = stored_network(copy.deepcopy(model), layers).eval()
    return Carrier(model=own, layers=layers, rule=rule)


class Correction(ABC):
    """One way to repair a chip: one class in one file, in :mod:`tsb.correction.registry`.

    Subclasses are dataclasses whose fields with :func:`tsb.correction.options.option` are what
    users may choose. All attributes are declared, also where they are None or false: the registry
    takes no class that leaves one out.

    Attributes:
        name: in methods and tables.
        description: what it is, in one line for people.
        citation: publication that it is from; None where there is none.
        in_cells: whether its parameters are programmed onto crossbars (noisy, and counted in the
            write budget) or held in digital memory.
        trained: whether its parameters are trained; else :meth:`start` measures them.
        starts_as_identity: whether its first parameters leave the network as it is, bit for bit.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    citation: ClassVar[str | None]
    in_cells: ClassVar[bool]
    trained: ClassVar[bool]
    starts_as_identity: ClassVar[bool]

    @abstractmethod
    def words(self) -> str:
        """Return what it is with its options, in a phrase for people."""

    @abstractmethod
    def hardware(self) -> Needs | Unpriced:
        """Return what it needs on the chip, or why that has no price."""

    def attach(self, carrier: Carrier) -> None:
        """Add modules to the carrier that cannot be folded; called once."""
        del carrier

    @abstractmethod
    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the first parameters of one chip.

        Args:
            carrier: what is corrected.
            tensors: of the chip, as the corrections before this one left them.
            wanted: the weights that the chip was asked for.
            images: unlabelled, ``image channel height width``, for calibration.

        Raises:
            NetworkError: the network has nothing that this correction could act on.
        """

    @abstractmethod
    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """Return all tensors of the network, corrected; pure and differentiable.

        Args:
            tensors: of the chip, as the corrections before this one left them.
            parameters: of this correction.
        """

    @abstractmethod
    def on_read(self, parameters: Tensors) -> OnRead | Unread:
        """Return what it does where a chip is read exactly, or why that cannot be.

        Biases and batch norms, which are no weights on crossbars, need nothing here: they are taken
        from :meth:`apply`.

        Args:
            parameters: of this correction.
        """

    def digital_products(self, carrier: Carrier) -> int:
        """Multiplications per image that the correction adds in digital logic.

        Args:
            carrier: what it is attached to.
        """
        del carrier
        return 0

    def macs(self, carrier: Carrier) -> int:
        """Multiply-adds per image and forward pass that the correction adds, as a chip does them.

        Training it here takes fewer where it is folded into the weights once per batch.

        Args:
            carrier: what it is attached to.
        """
        return self.digital_products(carrier)

    def replaced(self) -> tuple[str, ...]:
        """Names of backbone weights that are written again instead of being corrected."""
        return ()


def device_of(tensors: Tensors) -> torch.device:
    """Return where the tensors of a network or correction are.

    Args:
        tensors: at least one, all on one device.
    """
    return next(iter(tensors.values())).device


def spread_over(vector: Tensor, weight: Tensor) -> Tensor:
    """Return one number per output channel so that it multiplies a weight.

    Args:
        vector: ``out``.
        weight: ``out ...``.
    """
    return vector.view(-1, *(1 for _ in weight.shape[1:]))


def matrix_times(matrix: Tensor, weight: Tensor) -> Tensor:
    """Mix the output channels of a weight.

    Args:
        matrix: ``new out``.
        weight: ``out ...``.
    """
    mixed: Tensor = torch.tensordot(matrix, weight, dims=1)
    return mixed
