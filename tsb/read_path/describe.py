"""What a calibrated network says of its converters: ranges, clipped sums, codes in use, bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tsb.read_path.layer import LayerRead
from tsb.read_path.network import ReadNetwork
from tsb.read_path.slices import FEWEST_CODES, slice_read_outs

#: Share of clipped sums beyond which a layer is warned of; codes below :data:`FEWEST_CODES`.
MOST_CLIPPED = 0.01


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
                "the range of the converter; change chip.adc.percentile, chip.adc.range or "
                "chip.adc.bits"
            )
        if self.codes_used < FEWEST_CODES and self.effective_bits is not None:
            return (
                f"layer {self.layer}: its column sums use {self.codes_used} codes of the "
                "converter; change chip.adc.range to calibrated, chip.adc.bits or "
                "chip.read.rows_at_once"
            )
        return ""


def read_outs(network: ReadNetwork) -> list[LayerReadOut]:
    """Return the converters of every layer of a calibrated network; none without converters.

    Args:
        network: calibrated.
    """
    if not network.settings.converter.bits:
        return []
    return [_read_out(name, layer) for name, layer in network.layers.items()]


def _read_out(name: str, layer: LayerRead) -> LayerReadOut:
    slices = slice_read_outs(layer.reads)
    ranges = [one for one in slices if one.low is not None and one.high is not None]
    bits = [one.effective_bits for one in slices if one.effective_bits is not None]
    used = [one.codes_used or 0 for one in slices if len(one.sums.values) >= FEWEST_CODES]
    return LayerReadOut(
        layer=name,
        ranges=tuple((one.low or 0.0, one.high or 0.0) for one in ranges),
        steps=tuple(one.step or 0.0 for one in ranges),
        clip_rate=max(one.clip_rate for one in slices),
        codes_used=min(used, default=max(one.codes_used or 0 for one in slices)),
        effective_bits=min(bits, default=None),
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
