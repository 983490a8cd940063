"""What a calibrated network says of its converters: ranges, clipped sums, codes in use, bits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from tsb.read_path.network import ReadNetwork
from tsb.read_path.product import MatrixRead

#: Shares and counts beyond which a layer is warned of.
MOST_CLIPPED, FEWEST_CODES = 0.01, 4


@dataclass(frozen=True)
class LayerReadOut:
    """The converters of one layer over calibration images, without errors of cells.

    Attributes:
        layer: name of the weight.
        ranges: lower and upper end per slice, levels, least significant slice first.
        steps: distance of neighbouring codes per slice, levels.
        clip_rate: share of the sums that are outside of their range, the worst of the slices.
        codes_used: codes that occur, the fewest of the slices.
        effective_bits: half the base-2 logarithm of the sums' variance over the mean squared error
            of their conversion, the worst of the slices; None where nothing is lost.
    """

    layer: str
    ranges: tuple[tuple[float, float], ...]
    steps: tuple[float, ...]
    clip_rate: float
    codes_used: int
    effective_bits: float | None

    @property
    def warning(self) -> str:
        """What to say of a layer that its converters serve badly, "" for none."""
        if self.clip_rate > MOST_CLIPPED:
            return (
                f"layer {self.layer}: {100 * self.clip_rate:.3g} % of its column sums are outside "
                "the range of the converter; change adc.percentile, adc.range or adc.bits"
            )
        if self.codes_used < FEWEST_CODES:
            return (
                f"layer {self.layer}: its column sums use {self.codes_used} codes of the "
                "converter; change adc.range to calibrated, or adc.bits or read.rows_at_once"
            )
        return ""


def read_outs(network: ReadNetwork) -> list[LayerReadOut]:
    """Return the converters of every layer of a calibrated network; none without converters.

    Args:
        network: calibrated.
    """
    if not network.settings.converter.bits:
        return []
    return [
        _read_out(name, read)
        for name, layer in network.layers.items()
        for read in layer.reads[:1]
        if read.sums is not None
    ]


def _read_out(name: str, read: MatrixRead) -> LayerReadOut:
    grids, _ = read.grids_of_groups()[0]
    sums = read.sums
    if grids is None or sums is None:
        raise ValueError("nothing is converted")
    pairs = list(zip(sums, grids, strict=True))
    ratios = [one.signal_to_noise(grid) for one, grid in pairs]
    lost = [ratio for ratio in ratios if ratio > 0 and math.isfinite(ratio)]
    used = [one.codes_used(grid) for one, grid in pairs if len(one.values) >= FEWEST_CODES]
    return LayerReadOut(
        layer=name,
        ranges=tuple((grid.bottom, grid.high) for grid in grids),
        steps=tuple(grid.step for grid in grids),
        clip_rate=max(one.clip_rate(grid) for one, grid in pairs),
        codes_used=min(used, default=max(one.codes_used(grid) for one, grid in pairs)),
        effective_bits=0.5 * math.log2(min(lost)) if lost else None,
    )


def describe(network: ReadNetwork) -> dict[str, object]:
    """Return what stands beside an accuracy: mode, range rule, bits, worst clip rate, warnings.

    Args:
        network: calibrated.
    """
    converter = network.settings.converter
    layers = read_outs(network)
    return {
        "mode": "approximate" if network.approximate else "exact",
        "range": converter.range,
        "adc_bits": converter.bits,
        "encoding": network.settings.stored_format.encoding,
        "rows_at_once": network.settings.rows_read,
        "clip_rate": max((layer.clip_rate for layer in layers), default=0.0),
        "warnings": [layer.warning for layer in layers if layer.warning],
        "layers": [asdict(layer) for layer in layers],
    }
