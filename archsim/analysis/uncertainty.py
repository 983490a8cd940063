"""Intervals of the totals from what is known of the constants' uncertainty.

Every constant of the configuration that carries a ``sigma`` (standard deviation of its logarithm)
or a ``range`` is drawn independently, and all draws are evaluated as one batch. Its value is the
median of its draws: log-normal around it, or log-uniform below it in half of the draws and above it
in the other half, so that a value at the end of its range does not lie outside of what is drawn.
Whole numbers are choices of the designer and are not drawn. Chips of the silicon cost model have
the calibration's spread where the configuration says none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from archsim.analysis.silicon_interval import MACRO_FACTORS, macro_sigma
from archsim.analysis.totals import evaluate_totals
from archsim.arch.design import DesignBatch
from archsim.arch.parameters import quantity_at
from archsim.arch.technology import Technology
from archsim.config.resolve import Resolved
from archsim.config.sourced import Quantity
from archsim.errors import Code, ConfigError
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.metric import Metric, Place
from archsim.results.metrics import shown_in
from archsim.results.sensitivity import Interval
from archsim.units import TO_SI

#: Most draws accepted.
MAX_SAMPLES = 1_000_000
#: Why a total has no interval.
NOT_KNOWN = "no constant that it depends on has a sigma or a range"
#: An interval narrower than this share of its total is rounding.
_ROUNDING = 1e-9


def uncertain_parameters(resolved: Resolved) -> tuple[str, ...]:
    """Return the paths of all constants that carry a sigma or a range, and are used."""
    paths = [
        parameter.path
        for parameter in DesignBatch.parameters().values()
        if parameter.kind == "continuous" and _is_uncertain(quantity_at(resolved, parameter.path))
    ]
    constants = [f"technology.{Technology.key_of(name)}" for name in Technology.constant_names()]
    paths += [path for path in constants if _is_uncertain(quantity_at(resolved, path))]
    return tuple(paths)


def _is_uncertain(quantity: Quantity | None) -> bool:
    return quantity is not None and (bool(quantity.sigma) or quantity.range is not None)


def intervals(
    *,
    resolved: Resolved,
    design: str,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
    samples: int = 500,
    generator: torch.Generator,
) -> tuple[Interval, ...]:
    """Return nominal value, median and 5th to 95th percentile of metrics, in report units.

    An interval reaches to the nominal value where that lies beyond a percentile. A total that no
    drawn constant moves has none, but counts are exact.

    Args:
        resolved: configuration whose constants carry sigma or range.
        design: placement of the shared block.
        table: the network's layers.
        points: insertion points of the shared block.
        samples: draws.
        generator: source of randomness; the same seed gives the same intervals.

    Raises:
        ConfigError: too few or too many samples.
    """
    if not 20 <= samples <= MAX_SAMPLES:
        raise ConfigError.of(Code.OUT_OF_RANGE, "samples", samples, allowed=f"20 to {MAX_SAMPLES}")
    base = DesignBatch.from_resolved(resolved, design)
    drawn = _draw(base, resolved, samples, generator)
    metrics = shown_in(Place.UNCERTAINTY)
    totals = evaluate_totals(design=drawn, table=table, points=points, metrics=metrics)
    nominal = evaluate_totals(
        design=DesignBatch.stack([base]).replace(rows=base.rows.expand(1)),
        table=table,
        points=points,
        metrics=metrics,
    )
    _refuse_unsound(totals, resolved, samples)
    levels = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    return tuple(
        interval_of(
            metric,
            metric.from_column(float(nominal[metric.column][0])),
            [metric.from_column(v) for v in torch.quantile(totals[metric.column], levels).tolist()],
        )
        for metric in metrics
    )


def interval_of(metric: Metric, nominal: float, drawn: Sequence[float]) -> Interval:
    """Return the interval of one metric: see :func:`intervals`.

    Args:
        metric: which.
        nominal: its value, in its report unit.
        drawn: its 5th, 50th and 95th percentile, in that unit.
    """
    low, median, high = drawn
    low, high = min(low, nominal), max(high, nominal)
    if high - low > _ROUNDING * abs(nominal):
        return Interval(metric.key, nominal, low, median, high)
    if metric.is_count:
        return Interval(metric.key, nominal, nominal, nominal, nominal)
    return Interval(metric.key, nominal, None, None, None, because=NOT_KNOWN)


def _refuse_unsound(totals: dict[str, Tensor], resolved: Resolved, samples: int) -> None:
    """Refuse draws whose totals are no finite positive numbers: their interval is none."""
    bad = torch.zeros(samples, dtype=torch.bool)
    for values in totals.values():
        if values.dtype == torch.float64:
            bad |= ~(torch.isfinite(values) & (values >= 0))
    if not bool(bad.any()):
        return
    widest = max(
        uncertain_parameters(resolved), key=lambda path: _spread(quantity_at(resolved, path))
    )
    spread = _spread(quantity_at(resolved, widest))
    raise ConfigError(
        f"{widest}: {int(bad.sum())} of {samples} draws have totals that are no finite positive "
        f"numbers, and it is the widest of what is drawn (its logarithm spreads by {spread:.3g}); "
        "allowed: a narrower sigma or range",
        code=Code.NOT_FINITE,
        field=widest,
        value=spread,
        allowed="a narrower sigma or range",
    )


def _spread(quantity: Quantity | None) -> float:
    """Half the width of a constant's distribution, as a logarithm."""
    if quantity is None:
        return 0.0
    if quantity.sigma:
        return quantity.sigma
    low, high = quantity.range or (1.0, 1.0)
    return math.log(high / low) / 2 if low > 0 else 1.0


def _draw(
    base: DesignBatch, resolved: Resolved, samples: int, generator: torch.Generator
) -> DesignBatch:
    """Return a batch of designs with every uncertain constant drawn."""
    fields: dict[str, Tensor] = {"rows": base.rows.expand(samples)}
    for name, parameter in DesignBatch.parameters().items():
        quantity = quantity_at(resolved, parameter.path)
        if parameter.kind == "continuous" and quantity is not None and _is_uncertain(quantity):
            fields[name] = _drawn_si(quantity, samples, generator)
    if resolved.chip.cost_model == "silicon":
        for name in MACRO_FACTORS:
            if name not in fields:
                normal = torch.randn(samples, dtype=torch.float64, generator=generator)
                spread = macro_sigma(resolved=resolved, design=base, field=name)
                fields[name] = getattr(base, name) * torch.exp(spread * normal)
    constants: dict[str, Tensor] = {}
    for name in Technology.constant_names():
        quantity = quantity_at(resolved, f"technology.{Technology.key_of(name)}")
        if quantity is None or not _is_uncertain(quantity) or quantity.si_values[0] == 0:
            continue
        factor = _drawn_si(quantity, samples, generator) / quantity.si_values[0]
        value = getattr(base.technology, name)
        constants[name] = factor.reshape(-1, *(1,) * value.dim()) * value
    return base.replace(technology=base.technology.replace(**constants), **fields)


def _drawn_si(quantity: Quantity, samples: int, generator: torch.Generator) -> Tensor:
    """Draw a constant, the first of a list, SI, ``sample``; its value is the median."""
    value, scale = quantity.si_values[0], TO_SI.get(quantity.unit, 1.0)
    if quantity.sigma:
        normal = torch.randn(samples, dtype=torch.float64, generator=generator)
        return value * torch.exp(quantity.sigma * normal)
    low, high = (bound * scale for bound in quantity.range or (value, value))
    place = 2 * torch.rand(samples, dtype=torch.float64, generator=generator) - 1
    ends = torch.where(place < 0, min(low, value), max(high, value))
    # The logarithm of zero is none: from there, and to there, draws are uniform.
    straight = value + place.abs() * (ends - value)
    if value <= 0 or low <= 0:
        return straight
    return value * torch.exp(place.abs() * torch.log(ends / value))
