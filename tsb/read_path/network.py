"""A network as a chip reads it: its layers on crossbars read exactly, the rest digital."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archsim.config.signed_inputs import signed_format
from archsim.errors import Code, ConfigError, NetworkError
from tsb.read_path.approximate import moments_of, sampled
from tsb.read_path.inputs import Codes, Ends, InputCodes
from tsb.read_path.layer import NUMBERS_PER_LAYER, Layer, LayerRead, unfolded
from tsb.read_path.learned_ranges import learn_ranges
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings
from tsb.read_path.stored_matrices import stored_matrices
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of
from tsb.read_path.wires import driven_levels


@dataclass(eq=False)
class ReadNetwork:
    """A network whose layers are read from crossbars.

    Attributes:
        model: in evaluation mode, on the CPU.
        settings: of the chip.
        matrices: weights on cells by layer, one matrix per group of channels.
        scales: weight of one step of a code, by layer.
        groups: rows that are read at once, by layer, one per group of channels.
        layers: ready to be read; filled by :meth:`calibrate`.
        after: what becomes of the products of some layers before their biases are added, by name:
            products, number of the first image.
        chip: seed of what is fixed by the chip beside its cells: the offsets of its converters.
        approximate: whether matrices are read as one product and a noise, whose moments are
            measured by :meth:`calibrate`.
    """

    model: nn.Module
    settings: ReadSettings
    matrices: dict[str, list[StoredMatrix]]
    scales: dict[str, Tensor]
    groups: Mapping[str, RowGroups]
    layers: dict[str, LayerRead] = field(default_factory=dict)
    after: dict[str, Callable[[Tensor, int], Tensor]] = field(default_factory=dict)
    chip: int = 0
    approximate: bool = False

    @classmethod
    def of_weights(
        cls,
        model: nn.Module,
        settings: ReadSettings,
        groups: Mapping[str, RowGroups] | None = None,
        *,
        errors: Mapping[str, Tensor] | None = None,
    ) -> ReadNetwork:
        """Put a network's weights onto crossbars.

        Args:
            model: in evaluation mode; weights as they are to be stored, with one scale per tensor.
            settings: of the chip.
            groups: of the rows by layer, as mapped; None cuts them in their order.
            errors: of cells in levels by layer, ``output row side digit``, most significant digit
                first; None for none.

        Raises:
            NetworkError: a layer that cannot be read, by name.
        """
        form = settings.stored_format
        stored = {
            name: form.quantise(module.weight.detach(), name=name)
            for name, module in crossbar_layers(model).items()
        }
        return cls.of_codes(
            model,
            settings,
            {name: codes for name, (codes, _) in stored.items()},
            {name: torch.tensor(scale) for name, (_, scale) in stored.items()},
            groups,
            errors=errors,
        )

    @classmethod
    def of_codes(
        cls,
        model: nn.Module,
        settings: ReadSettings,
        codes: Mapping[str, Tensor],
        scales: Mapping[str, Tensor],
        groups: Mapping[str, RowGroups] | None = None,
        *,
        errors: Mapping[str, Tensor] | None = None,
    ) -> ReadNetwork:
        """Put codes of weights onto crossbars.

        Args:
            model: in evaluation mode.
            settings: of the chip.
            codes: signed, by layer, shaped as the weights.
            scales: weight of one step, by layer: one number, or one per output.
            groups: of the rows by layer, as mapped; None cuts them in their order.
            errors: of cells in levels by layer, ``output row side digit``.

        Raises:
            NetworkError: a layer that cannot be read, by name.
        """
        matrices: dict[str, list[StoredMatrix]] = {}
        cut: dict[str, RowGroups] = {}
        for name, module in crossbar_layers(model).items():
            wrong = None if errors is None else errors[name]
            matrices[name] = stored_matrices(module, codes[name], settings.stored_format, wrong)
            rows = matrices[name][0].rows
            cut[name] = (
                RowGroups.in_order(rows, rows=settings.rows, rows_at_once=settings.rows_at_once)
                if groups is None or name not in groups
                else groups[name]
            )
        double = {name: scale.double() for name, scale in scales.items()}
        return cls(model, settings, matrices, double, cut)

    def with_errors(self, errors: Mapping[str, Tensor], *, chip: int = 0) -> ReadNetwork:
        """Return the network on another chip: the same codes and ranges, cells with errors.

        Args:
            errors: of cells in levels by layer, shaped as the weights, then side and digit; layers
                that are not in it have none.
            chip: seed of the offsets of its converters.
        """
        other = replace(self, chip=chip)
        for name in self.matrices:
            codes = self.codes_of(name)
            other = other.with_layer(name, codes, self.scales[name], errors.get(name))
        return other

    def with_layer(
        self, name: str, codes: Tensor, scale: Tensor, errors: Tensor | None
    ) -> ReadNetwork:
        """Return the network with other cells in one layer: its input codes and ranges stay.

        Args:
            name: of the weight.
            codes: signed, outputs first.
            scale: weight of one step, one number or one per output.
            errors: of cells in levels, ``output row side digit``; None for none.
        """
        module = crossbar_layers(self.model)[name]
        cells = stored_matrices(module, codes, self.settings.stored_format, errors)
        chip = replace(
            self,
            matrices={**self.matrices, name: cells},
            scales={**self.scales, name: scale.double()},
            layers=dict(self.layers),
            after=dict(self.after),
        )
        if name in self.layers:
            before = self.layers[name]
            layer = chip._layer(name, before.number, before.inputs, with_errors=True)
            for read, ideal in zip(layer.reads, before.reads, strict=True):
                read.grids, read.sums, read.moments = ideal.grids, ideal.sums, ideal.moments
            chip.layers[name] = layer
        return chip

    def with_converter(self, converter: Converter, range_images: Tensor) -> ReadNetwork:
        """Return the network without errors behind other converters: its sums are known.

        Args:
            converter: whose range is taken from the sums of the calibration.
            range_images: of the calibration, for ranges that are learned from there.

        Raises:
            ConfigError: the network has not been calibrated.
        """
        other = replace(self, settings=self.settings.but(converter=converter), layers={})
        for name, layer in self.layers.items():
            made = other._layer(name, layer.number, layer.inputs, with_errors=True)
            for read, known in zip(made.reads, layer.reads, strict=True):
                read.calibrate(known.sums or [])
            other.layers[name] = made
        if converter.range == "learned":
            learn_ranges(other, range_images)
        return other

    def codes_of(self, name: str) -> Tensor:
        """Return the codes of a layer, ``output row``.

        Args:
            name: of its weight.
        """
        return torch.cat([torch.from_numpy(matrix.codes.T) for matrix in self.matrices[name]])

    # Calibration.

    def calibrate(
        self,
        images: Tensor,
        *,
        range_images: Tensor | None = None,
        inputs: Mapping[str, InputCodes] | None = None,
    ) -> ReadNetwork:
        """Set input codes and converter ranges from images, and return the network.

        Input codes come from the float network; ranges from sums without errors behind layers that
        lose nothing.

        Args:
            images: for the input codes, ``image ...``.
            range_images: for the ranges; None takes ``images``.
            inputs: codes of some layers that are known; the others are measured.

        Raises:
            ConfigError: no images, or settings that cannot be.
        """
        if not len(images):
            raise ConfigError.of(Code.OUT_OF_RANGE, "calibration images", 0, allowed="1 or more")
        known = dict(inputs or {})
        modules = crossbar_layers(self.model)
        measured = self._input_ends(images) if set(modules) - set(known) else {}
        self.layers = {}
        for number, name in enumerate(modules):
            codes = known.get(name) or InputCodes.of_range(
                *measured[name],
                bits=self.settings.input_bits,
                signed_inputs=signed_format(self.settings.signed_inputs, is_first=number == 0),
            )
            self.layers[name] = self._layer(name, number, codes, with_errors=True)
        if self.settings.converter.bits:
            self._calibrate_converters(images if range_images is None else range_images)
        return self

    def _layer(self, name: str, number: int, codes: InputCodes, *, with_errors: bool) -> LayerRead:
        reads = []
        for group, matrix in enumerate(self.matrices[name]):
            held = matrix if with_errors else _without_errors(matrix)
            cells = None
            if self.settings.wires.act and self.settings.wires.model.startswith("driven"):
                cells = driven_levels(held, self.groups[name], self.settings)
            reads.append(
                MatrixRead(
                    matrix=held,
                    settings=self.settings,
                    groups=self.groups[name],
                    cells=cells,
                    sign_plane=codes.signed == "sign-plane",
                    chip=self.chip,
                    number=number * NUMBERS_PER_LAYER + 2 * group,
                )
            )
        return LayerRead(name, reads, codes, self.scales[name], number)

    def _input_ends(self, images: Tensor) -> dict[str, tuple[float, float]]:
        """Return the range of each layer's inputs in the float network."""
        seen: dict[str, Ends] = {}
        names = {module: name for name, module in crossbar_layers(self.model).items()}
        plain: dict[Layer, Any] = {module: type(module).forward for module in names}

        def watch(module: Layer, activations: Tensor, first: int) -> Tensor:
            del first
            seen.setdefault(names[module], Ends(self.settings.input_percentile)).add(activations)
            result: Tensor = plain[module](module, activations)
            return result

        with torch.no_grad(), in_place_of(dict.fromkeys(names, watch)):
            for part in images.split(IMAGES_AT_ONCE):
                self.model(part)
        missing = [name for name in names.values() if name not in seen]
        if missing:
            raise NetworkError(
                f"layer '{missing[0]}' has weights on crossbars and is never read",
                code=Code.UNSUPPORTED,
                field=missing[0],
            )
        return {name: seen[name].found() for name in names.values()}

    def _calibrate_converters(self, images: Tensor) -> None:
        """Set converter ranges from sums without errors, behind layers that lose nothing."""
        lossless = self.settings.but(converter=replace(self.settings.converter, bits=0))
        exact = {
            name: replace(layer, reads=[_ideal(read, lossless) for read in layer.reads])
            for name, layer in self.layers.items()
        }
        names = {module: name for name, module in crossbar_layers(self.model).items()}
        counters = {name: [read.counter() for read in layer.reads] for name, layer in exact.items()}
        samples: dict[tuple[str, int], list[Codes]] = {}

        def watch(module: Layer, activations: Tensor, first: int) -> Tensor:
            layer = exact[names[module]]
            for codes in layer.inputs.encode(activations):
                groups = unfolded(module, codes, layer.inputs.zero)
                for number, vectors in enumerate(groups):
                    counters[layer.name][number].add(vectors)
                    kept = samples.setdefault((layer.name, number), [])
                    if self.approximate:
                        kept.append(sampled(vectors, sum(map(len, kept))))
            return layer(module, activations, None, first)

        with torch.no_grad(), in_place_of(dict.fromkeys(names, watch)):
            for part in images.split(IMAGES_AT_ONCE):
                self.model(part)
        for name, layer in self.layers.items():
            for read, counter in zip(layer.reads, counters[name], strict=True):
                read.calibrate(counter.slices())
        if self.settings.converter.range == "learned":
            learn_ranges(self, images)
        if self.approximate:
            self._measure_moments(samples)

    def _measure_moments(self, samples: Mapping[tuple[str, int], list[Codes]]) -> None:
        """Set what converters lose on average and by chance, from some input vectors."""
        for (name, number), kept in samples.items():
            read = self.layers[name].reads[number]
            if not read.exact:
                ideal = _calibrated(read, self.settings)
                read.moments = moments_of(ideal, np.concatenate(kept), name)

    # Reading.

    def scores(
        self,
        images: Tensor,
        noise: Noise | None = None,
        *,
        first_image: int = 0,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the outputs of the network, as the chip reads it.

        Args:
            images: ``image ...``.
            noise: seed of the reads; None where nothing is drawn.
            first_image: number of the first image, for the noise.
            tensors: that replace parameters and buffers of the model, such as biases.

        Raises:
            ConfigError: no images.
        """
        names = {module: name for name, module in crossbar_layers(self.model).items()}

        def read(module: Layer, activations: Tensor, first: int) -> Tensor:
            name = names[module]
            return self.layers[name](module, activations, noise, first, self.after.get(name))

        if not len(images):
            raise ConfigError.of(Code.OUT_OF_RANGE, "images", 0, allowed="1 or more")
        if not self.layers:
            raise ConfigError(
                "a network is read before it was calibrated; allowed: after calibrate(images)",
                code=Code.MISSING_KEY,
                field="calibration images",
                allowed="calibrate(images) first",
            )
        results, at = [], first_image
        with torch.no_grad(), in_place_of(dict.fromkeys(names, read)) as first:
            for part in images.split(IMAGES_AT_ONCE):
                first[0] = at
                replaced = dict(tensors or {})
                results.append(torch.func.functional_call(self.model, replaced, (part,)))
                at += len(part)
        return torch.cat(results)


def _without_errors(matrix: StoredMatrix) -> StoredMatrix:
    return replace(matrix, errors=None)


def _ideal(read: MatrixRead, settings: ReadSettings) -> MatrixRead:
    """Return a matrix without errors of its cells; wires stay."""
    matrix, cells = _without_errors(read.matrix), read.cells
    if cells is not None and read.matrix.errors is not None:
        cells = driven_levels(matrix, read.groups, settings)
    return MatrixRead(
        matrix=matrix,
        settings=settings,
        groups=read.groups,
        cells=cells,
        sign_plane=read.sign_plane,
    )


def _calibrated(read: MatrixRead, settings: ReadSettings) -> MatrixRead:
    """Return a calibrated matrix without errors of its cells."""
    ideal = _ideal(read, settings)
    ideal.grids, ideal.sums = read.grids, read.sums
    return ideal
