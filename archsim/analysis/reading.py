"""Read a network exactly with each effect switched off in turn: which one limits accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from archsim.results.reading import EffectOff, LayerReading, SliceReading, WireReading
from tsb.data import Split
from tsb.monte_carlo.evaluate import one_thread
from tsb.read_path.calibration import SliceSums
from tsb.read_path.converter import ConverterGrid, full_scale
from tsb.read_path.describe import read_outs
from tsb.read_path.layer import LayerRead
from tsb.read_path.network import ReadNetwork
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings, Wires
from tsb.read_path.slices import SliceReadOut, slice_read_outs
from tsb.read_path.wire_loss import wire_loss

#: Bins of a histogram at most; whole sums get one each where there are fewer.
_BINS = 64
#: Codes of a converter with fine steps: so many for each of the real one's, at most 2^15 in all.
#: Bits of a converter that loses nothing to speak of.
_FINEST_BITS = 16
_FINER, _MOST_CODES = 255, 1 << 15
#: Images that are classified at once.
_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class ChipCells:
    """One programmed chip.

    Attributes:
        seed: of it.
        errors: of its cells in levels, by layer, ``*weights side digit``.
        tensors: its weights as single numbers, biases and batch norms, by name.
    """

    seed: int
    errors: Mapping[str, Tensor]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """Rounded weights, their codes, and the weight of one step of a code, by name."""

    weights: Mapping[str, Tensor]
    codes: Mapping[str, Tensor]
    scales: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class CalibrationImages:
    """Images that input codes and the ranges of converters are taken from."""

    inputs: Tensor
    ranges: Tensor


class _Variant(NamedTuple):
    """A network with one effect off, and whether its cells have errors."""

    key: str
    network: ReadNetwork
    errors: bool = True


@dataclass(frozen=True, eq=False)
class Reading:
    """What :func:`read_network` measures; a row of right answers is ``image``.

    Attributes:
        exact: right answers of each chip, ``chip image``.
        off: those with the read path off.
        ideal: those of rounded weights without errors, read path off.
        codes_alone: those of the same behind input codes.
        effects: each switched off in turn.
        layers: of the network.
    """

    exact: Tensor
    off: Tensor
    ideal: Tensor
    codes_alone: Tensor
    effects: tuple[EffectOff, ...]
    layers: tuple[LayerReading, ...]


def read_network(
    model: nn.Module,
    settings: ReadSettings,
    groups: Mapping[str, RowGroups],
    chips: Sequence[ChipCells],
    stored: StoredWeights,
    split: Split,
    calibration: CalibrationImages,
    *,
    said: Callable[[str], None] = lambda _: None,
) -> Reading:
    """Read chips exactly and with each effect off, all on the same images.

    Args:
        model: in evaluation mode, with its weights.
        settings: of the chip.
        groups: of rows by name of the weight, as mapped.
        chips: programmed ones, one or more.
        stored: what their cells were asked for.
        split: test images.
        calibration: training images.
        said: told of every step.

    Raises:
        ConfigError: settings that cannot be read.
        NetworkError: a layer that cannot be read, by name.
    """

    def right(variant: _Variant) -> Tensor:
        said(f"read: {variant.key}")
        errors = [chip.errors for chip in chips] if variant.errors else [{}] * len(chips)
        rows = [
            _right(variant.network.with_errors(wrong, chip=chip.seed), split, chip.seed)
            for wrong, chip in zip(errors, chips, strict=True)
        ]
        return torch.stack(rows)

    with one_thread():
        said("calibrate")
        network = ReadNetwork.of_codes(model, settings, stored.codes, stored.scales, groups)
        network.calibrate(calibration.inputs, range_images=calibration.ranges)
        exact = right(_Variant("exact", network))
        with_errors = any(bool(wrong.any()) for chip in chips for wrong in chip.errors.values())
        effects = tuple(
            _effect(variant.key, exact, right(variant))
            for variant in _variants(network, calibration, with_errors=with_errors)
        )
        lossless = _but(network, calibration, _lossless(settings))
        return Reading(
            exact=exact,
            off=torch.stack([_right_off(model, chip.tensors, split) for chip in chips]),
            ideal=_right_off(model, stored.weights, split),
            codes_alone=right(_Variant("codes", lossless, errors=False))[0],
            effects=effects,
            layers=tuple(_layers(network)),
        )


def mean_and_error(right: Tensor) -> tuple[float, float]:
    """Return the mean over chips and images, and its standard error over images.

    Args:
        right: numbers, ``chip image`` or ``image``.
    """
    by_image = right.double().mean(0) if right.dim() > 1 else right.double()
    error = by_image.std() / len(by_image) ** 0.5 if len(by_image) > 1 else torch.zeros(())
    return float(by_image.mean()), float(error)


def _effect(key: str, exact: Tensor, off: Tensor) -> EffectOff:
    gain, error = mean_and_error(off.double() - exact.double())
    return EffectOff(key=key, accuracy=float(off.double().mean()), gain=gain, gain_error=error)


def _right(network: ReadNetwork, split: Split, seed: int) -> Tensor:
    scores = network.scores(split.images, Noise(seed))
    return scores.argmax(-1) == split.labels


def _right_off(model: nn.Module, tensors: Mapping[str, Tensor], split: Split) -> Tensor:
    with torch.no_grad():
        scores = [
            torch.func.functional_call(model, dict(tensors), (part,))
            for part in split.images.split(_AT_ONCE)
        ]
    return torch.cat(scores).argmax(-1) == split.labels


# Effects off.


def _variants(
    network: ReadNetwork, calibration: CalibrationImages, *, with_errors: bool
) -> Iterator[_Variant]:
    """Yield the network with each effect off that acts."""
    settings, converter = network.settings, network.settings.converter

    def but(**changes: Any) -> ReadNetwork:
        return _but(network, calibration, settings.but(**changes))

    if converter.bits:
        yield _Variant("converter", but(converter=_no_converter(settings)))
        fitting = _fitting_range(network, but)
        if fitting is not None:
            yield _Variant("range", fitting)
        fine = (
            but(converter=replace(converter, bits=_FINEST_BITS))
            if converter.of_batches
            else _with_grids(network, _finer)
        )
        if fine is not None:
            yield _Variant("bits", fine)
    if with_errors:
        yield _Variant("cells", network, errors=False)
    if settings.wires.act:
        yield _Variant("wires", but(wires=Wires()))
    quiet = replace(converter, noise_lsb=0.0, offset_lsb=0.0)
    if settings.read_noise or (converter.bits and quiet != converter):
        yield _Variant("noise", but(read_noise=0.0, converter=quiet))
    if settings.seen_off_level and converter.bits:
        yield _Variant("off-current", but(on_off_ratio=float("inf")))
    if settings.dac_bits > 1 and settings.iv_curve != "linear":
        yield _Variant("iv-curve", but(iv_curve="linear"))


def _but(
    network: ReadNetwork, calibration: CalibrationImages, settings: ReadSettings
) -> ReadNetwork:
    """Return the network on a chip with other settings: the same input codes, ranges anew."""
    codes = {name: network.codes_of(name) for name in network.matrices}
    other = ReadNetwork.of_codes(network.model, settings, codes, network.scales, network.groups)
    inputs = {name: layer.inputs for name, layer in network.layers.items()}
    return other.calibrate(calibration.ranges, inputs=inputs)


def _lossless(settings: ReadSettings) -> ReadSettings:
    """Return the settings with nothing that loses beside input codes."""
    return settings.but(
        converter=_no_converter(settings),
        wires=Wires(),
        read_noise=0.0,
        iv_curve="linear",
        effects=(),
    )


def _no_converter(settings: ReadSettings) -> Converter:
    return replace(settings.converter, bits=0, levels="linear")


def _fitting_range(network: ReadNetwork, but: Callable[..., ReadNetwork]) -> ReadNetwork | None:
    """Return the network with ranges that fit: calibrated ones, and without clipped sums.

    None where levels are clusters of the sums, which fit by themselves.
    """
    converter = network.settings.converter
    # Nothing is clipped, but steps are wide; or rounded down.
    if converter.range.startswith("full-scale") or converter.of_batches:
        return but(converter=replace(converter, range="calibrated"))
    return _with_grids(network, _unclipped)


_Change = Callable[[ReadSettings, list[ConverterGrid]], list[ConverterGrid]]


def _with_grids(network: ReadNetwork, change: _Change) -> ReadNetwork | None:
    """Return the network with other grids of its converters; None where one has none."""
    other = network.with_errors({})
    for name, layer in other.layers.items():
        for read, before in zip(layer.reads, network.layers[name].reads, strict=True):
            found = before.grids_of_groups()
            grids = found[0][0] if len(found) == 1 else None
            changed = change(network.settings, grids or [])
            if not changed:
                return None
            read.grids = changed
    return other


def _finer(settings: ReadSettings, grids: list[ConverterGrid]) -> list[ConverterGrid]:
    """Return the same ranges with many more codes, the old ones among them."""
    del settings
    factors = [max(1, min(_FINER, _MOST_CODES // grid.steps)) for grid in grids]
    return [
        ConverterGrid(grid.low, grid.span, grid.steps * factor, grid.lowest_code * factor)
        for grid, factor in zip(grids, factors, strict=True)
    ]


def _unclipped(settings: ReadSettings, grids: list[ConverterGrid]) -> list[ConverterGrid]:
    """Return the same steps over all sums that there can be, with errors of cells too.

    All with the same number of codes, as converters have. Nothing for levels that are not even.
    """
    if any(grid.levels is not None for grid in grids):
        return []
    most = 2 * full_scale(settings, settings.rows_read)
    above = max((ceil((most - grid.high) / grid.step) for grid in grids), default=0)
    if settings.signed_sums:
        return [
            ConverterGrid(0.0, codes * grid.step, codes, -codes)
            for grid in grids
            for codes in [grid.steps + max(0, above)]
        ]
    below = max((ceil((grid.low + most / 2) / grid.step) for grid in grids), default=0)
    return [
        ConverterGrid(grid.low - below * grid.step, codes * grid.step, codes, 0)
        for grid in grids
        for codes in [below + grid.steps + max(0, above)]
    ]


# Layers.


def _layers(network: ReadNetwork) -> Iterator[LayerReading]:
    warnings = {layer.layer: layer.warning for layer in read_outs(network)}
    for name, layer in network.layers.items():
        yield _layer(name, layer, warnings.get(name, ""))


def _layer(name: str, layer: LayerRead, warning: str) -> LayerReading:
    first = layer.reads[0]
    sizes = first.groups.sizes
    return LayerReading(
        layer=name.removesuffix(".weight"),
        rows=first.matrix.rows,
        outputs=first.matrix.outputs,
        matrices=len(layer.reads),
        groups=len(first.groups),
        group_rows=(int(sizes.min()), int(sizes.max())),
        signed_inputs=layer.inputs.signed,
        slices=tuple(_slice(index, one) for index, one in enumerate(slice_read_outs(layer.reads))),
        wires=_wires(layer.reads),
        warning=warning,
    )


def _slice(index: int, one: SliceReadOut) -> SliceReading:
    edges, counts = histogram(one.sums)
    return SliceReading(
        index=index,
        low=one.low,
        high=one.high,
        step=one.step,
        codes=one.codes,
        codes_used=one.codes_used,
        clip_rate=one.clip_rate,
        effective_bits=one.effective_bits,
        sums=int(one.sums.counts.sum()),
        edges=edges,
        counts=counts,
    )


def histogram(sums: SliceSums) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return edges and counts of at most 64 bins of equal width.

    Whole sums have the same number of them in every bin, and lie in its middle where that is one.

    Args:
        sums: of a slice.
    """
    low, high = float(sums.values[0]), float(sums.values[-1])
    if np.array_equal(sums.values, np.round(sums.values)):
        width = max(1.0, float(np.ceil((high - low + 1) / _BINS)))
        bins = int(np.ceil((high - low + 1) / width))
        edges = low - 0.5 + width * np.arange(bins + 1)
    else:
        edges = np.linspace(low, high, _BINS + 1)
    counts, _ = np.histogram(sums.values, bins=edges, weights=sums.counts)
    return tuple(edges.tolist()), tuple(round(count) for count in counts.tolist())


def _wires(reads: Sequence[MatrixRead]) -> WireReading | None:
    loss = wire_loss(reads)
    if loss is None:
        return None
    places = [[None if np.isnan(one) else float(one) for one in row] for row in loss.places]
    return WireReading(mean=loss.mean, worst=loss.worst, places=tuple(tuple(row) for row in places))
