"""Where a prediction is far off: what the model lacks that would explain it."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.arch.macro import MacroBatch
from archsim.results.silicon import SiliconPoint

#: From this factor on a point is far off.
_FAR = 3.0


def missing(design: MacroBatch, points: Mapping[str, SiliconPoint]) -> dict[str, str]:
    """Return, for each quantity that is more than a factor of three off, the likely mechanism.

    A guess from what the row says, in words; no number depends on it.

    Args:
        design: shape ``()``.
        points: by quantity.
    """
    found = {}
    for name, point in points.items():
        ratio = point.predicted / point.measured
        if 1 / _FAR < ratio < _FAR:
            continue
        found[name] = _EXPLAIN[name](design, points, ratio)
    return found


def _energy(design: MacroBatch, points: Mapping[str, SiliconPoint], ratio: float) -> str:
    latency = points.get("latency")
    if ratio < 1:
        if latency is not None and latency.predicted * _FAR < latency.measured:
            return "a slow cycle: cell, bias and leakage currents flow for longer"
        if bool(design.is_processor):
            return "power of the whole chip: memories and datapaths beside the banks"
        if bool(design.is_sensing("charge-redistribution", "charge-sum", "time-domain")):
            return "converter kind and input DACs: a row does not tell them"
        return "read current: cell resistance and clamp voltage are not told"
    if float(design.phases) > 1:
        return "sparse inputs: the published peak has upper bits that are mostly zero"
    if bool(design.is_non_volatile):
        return "read current or sparsity of the published peak, neither of which is told"
    return "swing of bit lines or size of capacitors, or a peak with sparse data"


def _latency(design: MacroBatch, points: Mapping[str, SiliconPoint], ratio: float) -> str:
    if ratio < 1:
        return "clock chosen below what the circuits allow, or a converter that steps or counts"
    return "pipelined, or several banks at work: published is work over throughput"


def _area(design: MacroBatch, points: Mapping[str, SiliconPoint], ratio: float) -> str:
    if ratio < 1:
        return "area of a chip or test circuits counted in, or rounded density of the source"
    return "dense cells under shared periphery, or a bank smaller than the array that is told"


_EXPLAIN = {"energy": _energy, "latency": _latency, "area": _area}
