"""Corrected chips read exactly: accuracies behind converters, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsb.correction.base import Carrier
from tsb.correction.block_read import BlockCells, BlockRead
from tsb.correction.corrected import CorrectedChip, own_parameters
from tsb.correction.on_read import OnRead, readable_acts
from tsb.correction.read_tuning import ReadTuning
from tsb.correction.used import ChipInUse
from tsb.correction.written_cells import cells_of
from tsb.monte_carlo.evaluate import MonteCarloResult, one_thread
from tsb.program.cell_errors import cell_errors, source_of_cells, stored_codes
from tsb.program.chip import ProgrammedChip
from tsb.program.storage import WeightStorage
from tsb.read_path.describe import describe
from tsb.read_path.effects.registry import check_back_end
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings
from tsb.read_path.substitute import crossbar_layers, float_products
from tsb.write_verify.selective import Masks, verify_none

#: Tells the seed of reads from that of the programming errors.
_READS = 0x8EAD
#: Name of the back end in results.
EXACT = "exact read path"


@dataclass(eq=False)
class ExactReader:
    """Reads the chips of one backbone.

    Attributes:
        carrier: the network, with its corrections attached.
        network: the backbone without errors, calibrated.
        products: of the layers on calibration images, before their biases, by weight name.
        images: training images for the input codes.
        range_images: how many of them the ranges of converters are taken from.
    """

    carrier: Carrier
    network: ReadNetwork
    products: dict[str, Tensor]
    images: Tensor
    range_images: int

    @classmethod
    def of_backbone(
        cls,
        carrier: Carrier,
        chip: ProgrammedChip,
        settings: ReadSettings,
        groups: Mapping[str, RowGroups],
        images: Tensor,
        *,
        range_images: int = 100,
        approximate: bool = False,
    ) -> ExactReader:
        """Calibrate input codes and converters on the backbone without errors.

        Args:
            carrier: the network, with its corrections attached, on the CPU.
            chip: any that the backbone was programmed onto.
            settings: of the chip.
            groups: of rows by layer name, as mapped.
            images: training images for the input codes.
            range_images: how many of them the ranges of converters are taken from.
            approximate: read one product and a noise instead (:mod:`tsb.read_path.approximate`).

        Raises:
            ConfigError: settings that cannot be read.
            NetworkError: a layer that cannot be read, by name.
        """
        codes, scales = stored_codes(chip.wanted, chip.storage)
        model = carrier.model
        for name, module in crossbar_layers(model).items():
            if name not in codes:  # a block with modules of its own, the identity until written
                found, steps = stored_codes({name: module.weight.detach()}, chip.storage)
                codes, scales = codes | found, scales | steps
        network = ReadNetwork.of_codes(
            model,
            settings,
            codes,
            scales,
            {f"{name}.weight": rows for name, rows in groups.items()},
        )
        check_back_end(settings, "approximate" if approximate else "exact")
        network.approximate = approximate
        few = images[:range_images]
        with one_thread():
            network.calibrate(images, range_images=few)
            products = float_products(model, few)
        return cls(carrier, network, products, images, range_images)

    @property
    def name(self) -> str:
        """Name of the back end in results."""
        return "approximate read path" if self.network.approximate else EXACT

    def tuning(
        self,
        chips: Sequence[ProgrammedChip],
        verified: Masks,
        storage: WeightStorage,
        *,
        verify: bool,
    ) -> ReadTuning:
        """Return what corrections are trained with: the chips right after programming.

        Args:
            chips: of this backbone.
            verified: masks of its write-verified weights.
            storage: how corrections in cells are written.
            verify: whether they are write-verified.
        """
        networks = []
        for chip in chips:
            source = source_of_cells(chip.seed)
            errors = cell_errors(chip.stored, chip.wanted, verified, chip.storage, source)
            networks.append(self.network.with_errors(errors, chip=chip.seed))
        stored = [chip.stored for chip in chips]
        return ReadTuning(networks, stored, self.products, storage, verify)

    def about(self) -> dict[str, object]:
        """Return what every accuracy of these chips says of how they were read."""
        return describe(self.network)

    def measure(
        self,
        used: Sequence[ChipInUse],
        images: Tensor,
        labels: Tensor,
        *,
        runs: int,
        seed: int,
        images_per_run: int | None = None,
    ) -> MonteCarloResult:
        """Measure the accuracy of every chip and run.

        Args:
            used: chips of this backbone.
            images: test images.
            labels: their classes.
            runs: how often corrections in cells are written, per chip.
            seed: of what is written, and of the choice of images.
            images_per_run: own images of every run; None takes all.

        Raises:
            ConfigError: a correction that cannot be read exactly, by name.
        """
        generator = torch.Generator().manual_seed(seed)
        chooser = torch.Generator().manual_seed(seed)
        count = images_per_run or len(images)
        by_image = None if images_per_run else torch.zeros(len(images), dtype=torch.long)
        table = []
        with one_thread():
            for in_use in used:
                read = self.chip(in_use)
                row = []
                for run in range(runs):
                    order = torch.arange(len(images))
                    if images_per_run:
                        order = torch.randperm(len(images), generator=chooser)[:count]
                    scores = read(images[order], generator, run)
                    right = scores.argmax(-1) == labels[order]
                    row.append(float(right.double().mean()))
                    if by_image is not None:
                        by_image += right
                table.append(row)
        accuracy = torch.tensor(table, dtype=torch.float64)
        return MonteCarloResult(accuracy, count, self.name, "", by_image)

    def chip(self, in_use: ChipInUse) -> Callable[[Tensor, torch.Generator, int], Tensor]:
        """Return what reads a corrected chip: images, source of what is written, number of the run.

        Args:
            in_use: one chip.

        Raises:
            ConfigError: a correction that cannot be read exactly, by name.
        """
        corrected, chip = in_use.corrected, in_use.corrected.chip
        acts = _acts(corrected)
        held = in_use.held()
        source = source_of_cells(chip.seed)
        errors = cell_errors(held, chip.wanted, in_use.verified, chip.storage, source)
        replaced = {name for act in acts for name in act.rewritten}
        network = self._with_modules(corrected).with_errors(
            {name: wrong for name, wrong in errors.items() if name not in replaced},
            chip=chip.seed,
        )
        blocks, keys_of_blocks = self._blocks(corrected, acts), _block_keys(acts)

        def read(images: Tensor, generator: torch.Generator, run: int) -> Tensor:
            noise = Noise(((chip.seed ^ _READS) << 20) + run)
            written = corrected.write(generator)
            here = self._written(network, corrected, acts, written, generator)
            cells = _cells(corrected, keys_of_blocks, written, generator)
            for name, behind in blocks.items():
                steps = [
                    block.with_cells([cells[key] for key in keys]) for keys, block in behind.blocks
                ]
                here.after[name] = _After(steps, behind.scale, noise)
            tensors = corrected.repaired(chip.tensors, written)
            others = {n: t for n, t in tensors.items() if n not in here.matrices}
            return here.scores(images, noise, tensors=others)

        return read

    def _with_modules(self, corrected: CorrectedChip) -> ReadNetwork:
        """Return the backbone calibrated anew where a block of its own modules changes inputs."""
        values = {
            name: corrected.parameters[key].detach().cpu()
            for name, key in self._modules(corrected).items()
        }
        if not values:
            return self.network
        before = self.network
        codes, scales = stored_codes(values, corrected.storage)
        held = {name: before.codes_of(name) for name in before.matrices} | {
            name: code.view(before.model.get_parameter(name).shape) for name, code in codes.items()
        }
        network = ReadNetwork.of_codes(
            before.model, before.settings, held, {**before.scales, **scales}, before.groups
        )
        network.approximate = before.approximate
        with torch.no_grad():
            old = {name: before.model.get_parameter(name).clone() for name in values}
            try:
                for name, value in values.items():
                    parameter = before.model.get_parameter(name)
                    parameter.copy_(value.view(parameter.shape))
                return network.calibrate(self.images, range_images=self.images[: self.range_images])
            finally:
                for name, value in old.items():
                    before.model.get_parameter(name).copy_(value)

    def _modules(self, corrected: CorrectedChip) -> dict[str, str]:
        """Return the parameters of blocks with modules of their own, by name of the weight."""
        keys = {}
        for name in self.network.matrices:
            if name not in corrected.chip.wanted:
                tail = name.removeprefix("shared_block.")
                keys[name] = next(k for k in corrected.parameters if k.partition(".")[2] == tail)
        return keys

    def _blocks(self, corrected: CorrectedChip, acts: Sequence[OnRead]) -> dict[str, _Behind]:
        """Return what stands behind each layer, calibrated without errors."""
        ideal = _cells(corrected, _block_keys(acts), None, None)
        behind: dict[str, _Behind] = {}
        for number, name in enumerate(self.network.layers):
            blocks: list[tuple[tuple[str, ...], BlockRead]] = []
            scale: Tensor | None = None
            for index, act in enumerate(acts):
                if name in act.blocks:
                    keys = tuple(f"{index}.{key}" for key in act.blocks[name])
                    block = BlockRead.calibrated(
                        [ideal[key] for key in keys],
                        self.products[name],
                        self.network.settings,
                        number + len(blocks) * len(self.network.layers),
                    )
                    blocks.append((keys, block))
                if name in act.scales:
                    factor = act.scales[name].cpu().double()
                    scale = factor if scale is None else scale * factor
            if blocks or scale is not None:
                behind[name] = _Behind(blocks, scale)
        return behind

    def _written(
        self,
        network: ReadNetwork,
        corrected: CorrectedChip,
        acts: Sequence[OnRead],
        written: Mapping[str, Tensor],
        generator: torch.Generator,
    ) -> ReadNetwork:
        """Put what is written in this run onto cells: rewritten layers, blocks of their own."""
        by_layer = {
            name: f"{index}.{name}" for index, act in enumerate(acts) for name in act.rewritten
        }
        by_layer |= self._modules(corrected)
        for name, key in by_layer.items():
            cells = _cells_of(corrected, key, written[key], generator)
            shape = network.model.get_parameter(name).shape
            wrong = cells.errors
            if wrong is not None:
                wrong = wrong.view(*shape, *wrong.shape[-2:])
            network = network.with_layer(name, cells.codes.view(shape), cells.scale, wrong)
        return replace(network, after={})


@dataclass(frozen=True, eq=False)
class _Behind:
    """What stands behind a layer: blocks by the names of their parameters, then a factor."""

    blocks: list[tuple[tuple[str, ...], BlockRead]]
    scale: Tensor | None


@dataclass(frozen=True, eq=False)
class _After:
    """What becomes of the products of a layer in one run."""

    blocks: Sequence[BlockRead]
    scale: Tensor | None
    noise: Noise

    def __call__(self, products: Tensor, first: int) -> Tensor:
        for block in self.blocks:
            products = block(products, self.noise, first)
        if self.scale is None:
            return products
        beside = (-1, *(1 for _ in products.shape[2:]))
        return products * self.scale.view(beside)


def _acts(corrected: CorrectedChip) -> list[OnRead]:
    return readable_acts(
        corrected.corrections, lambda index: own_parameters(corrected.parameters, index)
    )


def _block_keys(acts: Sequence[OnRead]) -> list[str]:
    """Return the names of the parameters of blocks, each once."""
    keys = [
        f"{index}.{key}"
        for index, act in enumerate(acts)
        for parameters in act.blocks.values()
        for key in parameters
    ]
    return list(dict.fromkeys(keys))


def _cells(
    corrected: CorrectedChip,
    keys: Sequence[str],
    written: Mapping[str, Tensor] | None,
    generator: torch.Generator | None,
) -> dict[str, BlockCells]:
    """Return the cells of parameters that are written; without errors if nothing is given."""
    cells = {}
    for key in keys:
        held = None if written is None else written[key]
        cells[key] = _cells_of(corrected, key, held, generator)
    return cells


def _cells_of(
    corrected: CorrectedChip, key: str, held: Tensor | None, generator: torch.Generator | None
) -> BlockCells:
    wanted = corrected.written[key]
    mask = corrected.masks.get(key, verify_none({key: wanted})[key])
    return cells_of(wanted, held, corrected.storage, mask, generator)
