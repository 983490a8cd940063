"""What a fit finds: numbers with intervals, levels, how good it is, and what it could not tell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """One number of a device.

    Attributes:
        key: of the device file, or what it is.
        value: None where the measurements do not tell it.
        low: end of the 95 % interval; None without one.
        high: its other end.
        unit: ``1`` for shares of the range g_on - g_off.
        count: of the data behind it.
        of_what: what these are, e.g. ``cells``.
        reason: why there is no value; "" where there is one.
    """

    key: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    count: int
    of_what: str
    reason: str = ""

    def __post_init__(self) -> None:
        """Have no interval where the data give none, as of two cells of which one is left out."""
        ends = (self.low, self.high)
        if any(end is not None and not math.isfinite(end) for end in ends):
            object.__setattr__(self, "low", None)
            object.__setattr__(self, "high", None)


@dataclass(frozen=True)
class FittedLevel:
    """One level.

    Attributes:
        target: what was asked for: a conductance, uS, or the number of the level.
        mean: of the conductance, a share of the range.
        sigma: standard deviation of one write, a share of the range, read noise taken out.
        mean_uS: the same in uS.
        sigma_uS: the same in uS.
        writes: that it is from.
        devices: cells that it is from.
        distance: largest distance of its distribution from the normal one of this mean and spread.
        quantiles: at 33 probabilities 0 to 1, shares of the range.
    """

    target: float
    mean: Estimate
    sigma: Estimate
    mean_uS: float
    sigma_uS: float
    writes: int
    devices: int
    distance: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Fitted:
    """A fit of a table.

    Attributes:
        file: name of the table.
        rows: that were read.
        left_out: rows of other temperatures, and of before the first pulse.
        ignored: columns that are nothing here.
        devices: cells.
        target_unit: ``uS``, or ``level``.
        levels: lowest first.
        estimates: of the device, in the order of its file.
        residuals: how far data are from the laws, by law.
        notes: what to know of it.
        histogram: share of the writes of each level in each bin, ``level bin``.
        bins: their edges, shares of the range.
    """

    file: str
    rows: int
    left_out: int
    ignored: tuple[str, ...]
    devices: int
    target_unit: str
    levels: tuple[FittedLevel, ...]
    estimates: tuple[Estimate, ...]
    residuals: tuple[Estimate, ...]
    notes: tuple[str, ...]
    histogram: np.ndarray
    bins: np.ndarray

    def of(self, key: str) -> Estimate:
        """Return the number of a key.

        Args:
            key: of :attr:`estimates` or :attr:`residuals`.
        """
        return next(one for one in (*self.estimates, *self.residuals) if one.key == key)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; without the histogram."""
        values = {name: value for name, value in vars(self).items() if name not in _ARRAYS}
        for name in ("levels", "estimates", "residuals"):
            values[name] = [asdict(one) for one in getattr(self, name)]
        return {"schema": 1, **values}


_ARRAYS = ("histogram", "bins")
