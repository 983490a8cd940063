"""How far off the totals of a chip of the silicon model can be, from the calibration's spread.

The reads are off by one log-normal factor each in energy, time and area; what is around them stays.
A total grows with its factor, so its quantiles are the totals at the quantiles of the factor. Those
of the compute density come from time and area drawn together; that the two are independent of each
other is assumed, as in ``archsim macro``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from archsim.analysis.totals import evaluate_totals
from archsim.arch.design import DesignBatch
from archsim.arch.parameters import quantity_at
from archsim.arch.silicon import default_constants
from archsim.config.resolve import Resolved
from archsim.cost.bank import bank_macro
from archsim.cost.silicon.interval import Z_80, Z_90, macro_spread
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.metric import Metric
from archsim.results.metrics import all_metrics
from archsim.results.silicon_interval import SiliconInterval

#: Totals that have an interval, the correction that spreads each, and its spread's name.
_SPREAD_BY = {
    "energy_uJ": ("macro_energy", "energy"),
    "latency_us": ("macro_time", "latency"),
    "area_mm2": ("macro_area", "area"),
}
#: Names of the corrections, and of the spread of each in the calibration.
MACRO_FACTORS = dict(_SPREAD_BY.values())
_QUANTILES = (-Z_90, -Z_80, 0.0, Z_80, Z_90)
#: Shares of the chips below each bound, 90 % and 80 %.
_SHARES = (0.05, 0.10, 0.90, 0.95)
#: Equally likely values of each of two factors that are drawn together.
_STEPS = 15
#: Operations of the network per second and area, at the rate of images behind one another.
DENSITY = Metric(
    key="tops_per_mm2",
    title="density",
    about="the network's operations on crossbars per second, two per multiply-accumulate, per area",
    unit="TOPS/mm2",
    direction="higher",
    of_batch=lambda cost, plan: cost.ops_per_m2_s,
)


def silicon_intervals(
    *,
    resolved: Resolved,
    design: str,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
) -> tuple[SiliconInterval, ...]:
    """Return energy, latency, area and compute density with intervals; none under ``neurosim``.

    A ``sigma`` of ``chip.calibration.macro_energy`` and its like counts, else the calibration's.

    Args:
        resolved: configuration.
        design: placement of the shared block.
        table: the network's layers.
        points: insertion points of the shared block.
    """
    if resolved.chip.cost_model != "silicon":
        return ()
    base = DesignBatch.from_resolved(resolved, design)
    by_key = {metric.key: metric for metric in all_metrics()}
    found = []
    for key, (field, _) in _SPREAD_BY.items():
        sigma = macro_sigma(resolved=resolved, design=base, field=field)
        factors = torch.tensor([math.exp(sigma * z) for z in _QUANTILES], dtype=torch.float64)
        spread = base.replace(
            rows=base.rows.expand(len(factors)), **{field: getattr(base, field) * factors}
        )
        found.append(_interval(by_key[key], sigma, spread, table, points))
    sigmas = {entry.name: entry.sigma for entry in found}
    sigma_time, sigma_area = sigmas["latency_us"], sigmas["area_mm2"]
    found.append(_density(base, sigma_time, sigma_area, table, points))
    return tuple(found)


def _density(
    base: DesignBatch,
    sigma_time: float,
    sigma_area: float,
    table: LayerTable,
    points: Sequence[InsertionPoint],
) -> SiliconInterval:
    """Compute density with time and area of the reads at all pairs of equally likely factors."""
    shares = (torch.arange(_STEPS, dtype=torch.float64) + 0.5) / _STEPS
    z = torch.special.ndtri(shares)
    time, area = torch.meshgrid(torch.exp(sigma_time * z), torch.exp(sigma_area * z), indexing="ij")
    # The nominal design comes first.
    one = torch.ones(1, dtype=torch.float64)
    times, areas = torch.cat([one, time.flatten()]), torch.cat([one, area.flatten()])
    spread = base.replace(
        rows=base.rows.expand(len(times)),
        macro_time=base.macro_time * times,
        macro_area=base.macro_area * areas,
    )
    totals = evaluate_totals(design=spread, table=table, points=points, metrics=(DENSITY,))
    values = totals[DENSITY.column].double()
    bounds = torch.quantile(values[1:], torch.tensor(_SHARES, dtype=torch.float64))
    value, *ends = [float(DENSITY.from_column(v)) for v in (float(values[0]), *bounds.tolist())]
    low90, low80, high80, high90 = ends
    return SiliconInterval(
        name=DENSITY.key,
        unit=DENSITY.shown_unit,
        title=DENSITY.title,
        value=value,
        sigma=math.hypot(sigma_time, sigma_area),
        interval80=(low80, high80),
        interval90=(low90, high90),
    )


def macro_sigma(*, resolved: Resolved, design: DesignBatch, field: str) -> float:
    """Return the standard deviation of ln(measured / predicted) of the reads.

    Args:
        resolved: configuration; a ``sigma`` of the correction that it says counts.
        design: of the same, ``()``.
        field: of :data:`MACRO_FACTORS`.
    """
    said = quantity_at(resolved, f"chip.calibration.{field}")
    if said is not None and said.sigma is not None:
        return said.sigma
    calibrated = macro_spread(macro=bank_macro(design=design), constants=default_constants())
    return float(getattr(calibrated, MACRO_FACTORS[field]))


def _interval(
    metric: Metric,
    sigma: float,
    spread: DesignBatch,
    table: LayerTable,
    points: Sequence[InsertionPoint],
) -> SiliconInterval:
    totals = evaluate_totals(design=spread, table=table, points=points, metrics=(metric,))
    values = [float(metric.from_column(value)) for value in totals[metric.column].tolist()]
    low90, low80, value, high80, high90 = values
    return SiliconInterval(
        name=metric.key,
        unit=metric.shown_unit,
        title=metric.title,
        value=value,
        sigma=sigma,
        interval80=(low80, high80),
        interval90=(low90, high90),
    )
