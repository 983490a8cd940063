"""A fit from a file: two passes, numbers with intervals, levels with the shape of their errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from archsim.config.schema.level import QUANTILES
from archsim.device.fit.estimate import Numbers, intervals, rate
from archsim.device.fit.fitted import Estimate, Fitted, FittedLevel
from archsim.device.fit.rows import ReadTable
from archsim.device.fit.scan import Scan, scan
from archsim.device.fit.sums import BINS, DRIFTS_ABOVE, Sums, sums_of
from archsim.errors import Code, DataError

#: Distance from a normal distribution that is worth a note.
_NOT_NORMAL = 0.05
#: What errors at which cells were left, and pulsed on, may overlap by, relative.
_OVERLAP = 0.1


def fit_measurements(path: Path | str, *, temperature_K: float | None = None) -> Fitted:
    """Fit a device to a table of reads of its cells, which is read twice, in pieces.

    Args:
        path: CSV with the columns of :mod:`archsim.device.fit.columns`, rows sorted by device,
            level, cycle, pulse and time.
        temperature_K: takes the rows within 2 K of it, K; None takes all, which must be as near
            each other.

    Raises:
        DataError: a file that is no such table; one level or one cell; numbers that are not
            finite, or negative; rows that are not sorted.
    """
    if temperature_K is not None and not 0 < temperature_K < 2000:
        raise DataError.of(
            Code.OUT_OF_RANGE, "temperature", temperature_K, allowed="above 0 to 2000 K"
        )
    table = ReadTable(Path(path), temperature_K)
    found = scan(table)
    sums = sums_of(table, found)
    best, low, high = intervals(sums, found)
    return Fitted(
        file=table.path.name,
        rows=table.rows,
        left_out=table.left_out,
        ignored=table.ignored,
        devices=table.devices,
        target_unit="uS" if "target" in table.columns else "level",
        levels=tuple(_levels(table, found, sums, best, low, high)),
        estimates=tuple(_estimates(found, sums, best, low, high)),
        residuals=tuple(_residuals(sums, best)),
        notes=tuple(_notes(table, found, sums, best)),
        histogram=sums.histogram / np.maximum(sums.histogram.sum(1, keepdims=True), 1),
        bins=BINS,
    )


def _levels(
    table: ReadTable, found: Scan, sums: Sums, best: Numbers, low: Numbers, high: Numbers
) -> Iterator[FittedLevel]:
    span_uS = (found.high_S - found.low_S) * 1e6
    totals = sums.without(None).level
    scale = 1e6 if "target" in table.columns else 1.0
    for place, target in enumerate(found.targets):
        writes, devices = int(totals["writes"][place]), int(totals["devices"][place])
        if devices < 2:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                table.path,
                problem=f"level {target * scale:g} was written to {devices} working cells",
                allowed="2 or more",
            )
        mean, sigma = best.mean[place], best.sigma[place]
        quantiles, distance = _shape(sums.histogram[place], mean, sigma)
        yield FittedLevel(
            target=float(target * scale),
            mean=Estimate(
                f"levels.{place}.mean",
                mean,
                low.mean[place],
                high.mean[place],
                "1",
                writes,
                "writes",
            ),
            sigma=Estimate(
                f"levels.{place}.sigma",
                sigma,
                max(low.sigma[place], 0.0),
                high.sigma[place],
                "1",
                writes,
                "writes",
            ),
            mean_uS=found.low_S * 1e6 + mean * span_uS,
            sigma_uS=sigma * span_uS,
            writes=writes,
            devices=devices,
            distance=distance,
            quantiles=quantiles,
        )


def _shape(counts: np.ndarray, mean: float, sigma: float) -> tuple[tuple[float, ...], float]:
    """Return quantiles of counted writes, and how far they are from a normal distribution."""
    filled = np.flatnonzero(counts)
    below = np.cumsum(counts) / counts.sum()
    edges = BINS[filled[0] : filled[-1] + 2]
    shares = np.concatenate([[0.0], below[filled[0] : filled[-1] + 1]])
    quantiles = np.interp(np.linspace(0.0, 1.0, QUANTILES), shares, edges)
    if not sigma > 0:
        return tuple(quantiles.tolist()), 0.0
    normal = stats.norm.cdf(BINS[1:], mean, sigma)
    return tuple(quantiles.tolist()), float(np.abs(below - normal).max())


@dataclass(frozen=True)
class _Builder:
    """Estimates from numbers and the ends of their intervals."""

    best: Numbers
    low: Numbers
    high: Numbers

    def __call__(
        self,
        key: str,
        name: str,
        count: float,
        of_what: str,
        reason: str,
        most: float = math.inf,
    ) -> Estimate:
        """Return the estimate of a number, within what it may be.

        Args:
            key: of the device file.
            name: of the number.
            count: of data.
            of_what: what they are.
            reason: why there is none, if there is none.
            most: largest value that it may have; the smallest is 0.
        """
        value = getattr(self.best, name)
        if not math.isfinite(value):
            return Estimate(key, None, None, None, "1", int(count), of_what, reason)
        low, high = max(getattr(self.low, name), 0.0), min(getattr(self.high, name), most)
        return Estimate(key, min(max(value, 0.0), most), low, high, "1", int(count), of_what)


def _estimates(
    found: Scan, sums: Sums, best: Numbers, low: Numbers, high: Numbers
) -> Iterator[Estimate]:
    each = sums.without(None).numbers
    level = sums.without(None).level

    of = _Builder(best, low, high)
    for key, conductance, place in (("r_on", found.high_S, -1), ("r_off", found.low_S, 0)):
        writes = int(level["writes"][place])
        yield Estimate(key, 1 / conductance, None, None, "ohm", writes, "writes")
    repeats = float((level["writes"] - level["devices"]).sum())
    yield of(
        "device_to_device_share",
        "device_share",
        repeats,
        "repeated writes",
        "no cell was written twice to one level (column cycle)",
        most=1.0,
    )
    yield from _verify_estimates(of, sums, each)
    yield rate("stuck_on_rate", each["stuck_on"], each["judged"])
    yield rate("stuck_off_rate", each["stuck_off"], each["judged"])
    drifts = each["drift_count"]
    why = f"no write above {DRIFTS_ABOVE:g} of the range was read at two times (column time)"
    start = found.start_s if drifts else math.nan
    none = why if not drifts else ""
    yield Estimate(
        "drift_start", start if drifts else None, None, None, "s", int(drifts), "writes", none
    )
    yield of("drift_nu", "nu", drifts, "writes", why)
    yield of("drift_nu_sigma", "nu_sigma", drifts, "writes", why)
    yield of(
        "read_noise_sigma",
        "read_noise",
        each["read_dof"] or each["drift_dof"],
        "repeated reads",
        "no point was read twice, and no drift at three times",
    )


def _verify_estimates(of: _Builder, sums: Sums, each: dict[str, float]) -> Iterator[Estimate]:
    pairs, key = each["pairs"], "write_verify"
    why = "no cell got a second pulse (column pulse)"
    if not pairs:
        for name in ("tolerance", "max_pulses", "step_gain", "step_sigma"):
            yield Estimate(f"{key}.{name}", None, None, None, "1", 0, "pulses", why)
        return
    stopped, pulsed = sums.largest_stopped, sums.smallest_pulsed
    middle = (stopped + pulsed) / 2
    # A range that is fitted itself moves errors a little, so that the two may overlap.
    if stopped > 0 and stopped - pulsed <= _OVERLAP * middle:
        ends = min(stopped, pulsed), max(stopped, pulsed)
        yield Estimate(f"{key}.tolerance", middle, *ends, "1", int(pairs), "pulses")
    else:
        said = f"cells were left at errors up to {stopped:.3g}, and pulsed on from {pulsed:.3g}"
        yield Estimate(f"{key}.tolerance", None, None, None, "1", int(pairs), "pulses", said)
    most = float(sums.most_pulses)
    yield Estimate(f"{key}.max_pulses", most, None, None, "1", int(each["cycles"]), "cycles")
    yield of(f"{key}.step_gain", "gain", pairs, "pulses", why, 2.0)
    yield of(f"{key}.step_sigma", "step_sigma", pairs, "pulses", why, 1.0)
    yield of("mean_pulses", "pulses", each["cycles"], "cycles", why)


def _residuals(sums: Sums, best: Numbers) -> Iterator[Estimate]:
    each = sums.without(None).numbers
    if math.isfinite(best.drift_residual):
        count = int(each["drift_dof"])
        yield Estimate("drift", best.drift_residual, None, None, "1", count, "of ln g")
        if each["read_dof"]:
            expected = best.drift_expected
            yield Estimate("drift_of_read_noise", expected, None, None, "1", count, "of ln g")
    if each["pairs"] and each["pair_yy"] > 0:
        kept = 1 - best.gain
        left = each["pair_yy"] - 2 * kept * each["pair_xy"] + kept**2 * each["pair_xx"]
        share = 1 - left / each["pair_yy"]
        yield Estimate("step_explained", share, None, None, "1", int(each["pairs"]), "of e'^2")


def _notes(table: ReadTable, found: Scan, sums: Sums, best: Numbers) -> Iterator[str]:
    if table.ignored:
        yield f"Columns that are nothing here: {', '.join(table.ignored)}."
    if table.left_out:
        yield f"{table.left_out} rows of other temperatures or of pulse 0 were left out."
    if not math.isfinite(best.read_noise):
        yield "Read noise is not told from the spread of writes: it is part of sigma."
    elif not sums.without(None).numbers["read_dof"]:
        yield "Read noise is what the drift law leaves: no point was read twice."
    if "target" not in table.columns:
        yield "Levels without a target: r_on and r_off are the means of the ends."
    steps = best.mean - found.position(np.arange(len(best.mean)))
    if float(np.abs(steps).max()) > 0.5 / (len(steps) - 1):
        yield "Levels are farther than half a step from equal steps: weights read back off."
    if sums.most_pulses > 1:
        yield "sigma is that after the first pulse; write_verify brings it down."
    worst = [
        _shape(row, m, s)[1]
        for row, m, s in zip(sums.histogram, best.mean, best.sigma, strict=True)
    ]
    if max(worst) > _NOT_NORMAL:
        place = int(np.argmax(worst))
        yield (
            f"Level {place} is not normal: its distribution is {max(worst):.3g} away from that; "
            "--quantiles keeps its shape."
        )
    blocks = int(sums.used.sum())
    if blocks < 20:
        yield f"Intervals are from {blocks} blocks of cells: more cells make them narrower."
