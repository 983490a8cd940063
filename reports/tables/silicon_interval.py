"""Table of the intervals of a chip's totals under the silicon model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from archsim.results.silicon_interval import SiliconInterval
from reports.tables.table import Column, Table

#: Normal quantile of 90 % between two bounds.
_Z_90 = 1.6448536269514722

_COLUMNS = (
    Column("name", "total"),
    Column("value", "predicted"),
    Column("interval80", "80 % of chips"),
    Column("interval90", "90 % of chips"),
    Column("factor90", "reads x/:"),
)


def silicon_intervals(found: Sequence[SiliconInterval]) -> Table:
    """Energy, latency, area and density with what the calibration on chips leaves open."""
    rows = [
        (
            entry.title,
            f"{entry.value:.4g} {entry.unit}",
            _between(entry.interval80),
            _between(entry.interval90),
            f"{math.exp(_Z_90 * entry.sigma):.3g}",
        )
        for entry in found
    ]
    title = "Known as well as published chips agree; reads within x/: in 90 % of them"
    return Table(title, _COLUMNS, tuple(rows))


def _between(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:.3g} to {high:.3g}"
