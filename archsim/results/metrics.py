"""The metrics of a design, a row each: the only place where they are listed.

Totals, comparisons, reports, sweeps, curves, analyses, tables, figures and the page of reports take
their metrics from here: a new one is a row. They ask when they are called, never at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.errors import Code, ConfigError
from archsim.results.metric import Metric, Place, Shown

if TYPE_CHECKING:
    from torch import Tensor

    from archsim.config.study import Study
    from archsim.plan import MappingPlan
    from archsim.results.cost import CostBreakdown

_FIRST, _LAST = Shown(rank=-1), Shown(rank=1)


def _in(*places: Place) -> dict[Place, Shown]:
    """Return places where a metric stands in the order of the registry, under its name."""
    return dict.fromkeys(places, Shown())


def _subarrays_used(cost: CostBreakdown, plan: MappingPlan) -> Tensor:
    loads = plan.floorplan.parts / cost.chips
    return (plan.layers.over_layers(plan.subarrays_used) / loads).round()


#: Order of the JSON totals of ``archsim map``.
METRICS: tuple[Metric, ...] = (
    Metric(
        key="area_mm2",
        title="area",
        about="all circuits of all chips, and the wires between circuits",
        unit="mm2",
        direction="lower",
        of_batch=lambda cost, plan: cost.area_m2,
        shown={
            Place.CHIP: _FIRST,
            Place.SENSITIVITY: _LAST,
            Place.SENSITIVITY_FIGURE: _LAST,
            **_in(Place.UNCERTAINTY, Place.COMPARE),
            **_in(Place.SWEEP, Place.SWEEP_FRONT, Place.SWEEP_POINT),
            **_in(Place.REPORT, Place.REPORT_TABLE),
            **_in(Place.PAGE, Place.PAGE_CORE, Place.PAGE_CHART),
            **_in(Place.CURVES, Place.CURVES_FIGURE, Place.PUBLISHED),
        },
    ),
    Metric(
        key="dynamic_energy_uJ",
        title="dynamic energy",
        about="energy of one image without leakage",
        unit="uJ",
        direction="lower",
        of_batch=lambda cost, plan: cost.dynamic_energy_J,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY, Place.SWEEP, Place.PUBLISHED),
    ),
    Metric(
        key="leakage_energy_uJ",
        title="leakage energy",
        about="leakage power over the time that one image keeps the chip",
        unit="uJ",
        direction="lower",
        of_batch=lambda cost, plan: cost.leakage_energy_J,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY, Place.SWEEP),
    ),
    Metric(
        key="energy_uJ",
        title="energy",
        about="dynamic and leakage energy of one image",
        unit="uJ",
        direction="lower",
        of_batch=lambda cost, plan: cost.energy_J,
        shown={
            **_in(Place.INFERENCE, Place.SENSITIVITY, Place.SENSITIVITY_FIGURE),
            **_in(Place.UNCERTAINTY, Place.COMPARE),
            Place.SWEEP: _FIRST,
            **_in(Place.SWEEP_FRONT, Place.SWEEP_POINT, Place.REPORT, Place.REPORT_TABLE),
            **_in(Place.PAGE, Place.PAGE_CORE),
            Place.PAGE_CHART: _FIRST,
            **_in(Place.CURVES, Place.PUBLISHED),
        },
    ),
    Metric(
        key="latency_us",
        title="latency",
        about="time of one image through all layers",
        unit="us",
        direction="lower",
        of_batch=lambda cost, plan: cost.latency_s,
        shown={
            **_in(Place.INFERENCE, Place.SENSITIVITY, Place.SENSITIVITY_FIGURE),
            **_in(Place.UNCERTAINTY, Place.COMPARE),
            **_in(Place.SWEEP, Place.SWEEP_FRONT, Place.SWEEP_POINT),
            **_in(Place.REPORT, Place.REPORT_TABLE, Place.PAGE, Place.PAGE_CORE),
            Place.PAGE_CHART: _FIRST,
            **_in(Place.CURVES, Place.PUBLISHED),
        },
    ),
    Metric(
        key="period_us",
        title="period",
        about="time between images; the latency without a pipeline",
        unit="us",
        direction="lower",
        of_batch=lambda cost, plan: cost.period_s,
        shown={
            **_in(Place.INFERENCE, Place.SENSITIVITY, Place.UNCERTAINTY, Place.COMPARE),
            **_in(Place.SWEEP, Place.SWEEP_POINT),
            **_in(Place.REPORT, Place.REPORT_TABLE, Place.PAGE, Place.PAGE_CORE),
            Place.PAGE_CHART: _FIRST,
            **_in(Place.CURVES, Place.PUBLISHED),
        },
    ),
    Metric(
        key="edp_uJ_us",
        title="EDP (latency)",
        label="EDP",
        about="energy-delay product: energy times latency of one image",
        unit="uJ*us",
        direction="lower",
        of_batch=lambda cost, plan: cost.edp_Js,
        shown={
            Place.INFERENCE: Shown(),
            Place.SENSITIVITY: _FIRST,
            Place.SENSITIVITY_FIGURE: _FIRST,
            **_in(Place.UNCERTAINTY, Place.COMPARE),
            Place.OVERHEAD: Shown(title="EDP\noverhead"),
            Place.SWEEP: Shown(),
            Place.SWEEP_POINT: _FIRST,
            **_in(Place.REPORT, Place.REPORT_TABLE, Place.REPORT_FIGURE),
            **_in(Place.PAGE, Place.PAGE_CORE),
            Place.PAGE_CHART: Shown(rank=-2),
            Place.CURVES: _FIRST,
            Place.CURVES_FIGURE: _FIRST,
        },
    ),
    Metric(
        key="edp_period_uJ_us",
        title="EDP (period)",
        about="energy times period: what the paper's Table 1 calls latency",
        unit="uJ*us",
        direction="lower",
        of_batch=lambda cost, plan: cost.edp_period_Js,
        shown={
            **_in(Place.INFERENCE, Place.UNCERTAINTY),
            Place.COMPARE: Shown(title="EDP\n(period)"),
            Place.OVERHEAD: Shown(title="overhead\n(period)"),
            **_in(Place.SWEEP, Place.REPORT, Place.PAGE),
            Place.PAGE_CHART: Shown(rank=-2),
            Place.CURVES: _FIRST,
        },
    ),
    Metric(
        key="throughput_per_s",
        title="throughput",
        about="images per second",
        unit="1/s",
        direction="higher",
        of_batch=lambda cost, plan: cost.throughput_per_s,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="tops_per_W",
        title="efficiency",
        about="the network's operations on crossbars, two per multiply-accumulate, per energy",
        unit="TOPS/W",
        direction="higher",
        of_batch=lambda cost, plan: cost.ops_per_J,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="clock_ns",
        title="clock period",
        about="cycle of the whole chip, which the slowest part sets",
        unit="ns",
        direction="lower",
        of_batch=lambda cost, plan: cost.clock_s,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="leakage_power_mW",
        title="leakage power",
        about="of all chips, while nothing switches",
        unit="mW",
        direction="lower",
        of_batch=lambda cost, plan: cost.leakage_power_W,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="average_power_mW",
        title="average power",
        about="energy of an image over the time between images",
        unit="mW",
        direction="lower",
        of_batch=lambda cost, plan: cost.average_power_W,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="power_density_mW_per_mm2",
        title="power density",
        about="average power over the area of all chips",
        unit="mW/mm2",
        direction="lower",
        of_batch=lambda cost, plan: cost.power_density_W_per_m2,
        shown=_in(Place.INFERENCE, Place.UNCERTAINTY),
    ),
    Metric(
        key="subarrays",
        title="subarrays",
        about="of all tiles, used or not",
        direction="lower",
        form="count",
        is_whole=True,
        of_design=lambda mapped: mapped.subarrays,
        shown=_in(Place.CHIP),
    ),
    Metric(
        key="subarrays_used",
        title="subarrays used",
        about="that hold weights; those that are loaded part by part count once",
        direction="lower",
        form="count",
        is_whole=True,
        of_batch=_subarrays_used,
        shown={Place.CHIP: Shown(), Place.SWEEP: _LAST},
    ),
    Metric(
        key="tiles",
        title="tiles",
        about="of all chips",
        direction="lower",
        form="count",
        is_whole=True,
        of_batch=lambda cost, plan: plan.floorplan.tiles.round() * cost.chips,
        shown={Place.CHIP: _FIRST, Place.SWEEP: _LAST},
    ),
    Metric(
        key="chips",
        title="chips",
        about="that the network is spread over",
        direction="lower",
        form="count",
        is_whole=True,
        of_batch=lambda cost, plan: cost.chips,
        shown={Place.CHIP: Shown(rank=-1, unless=1.0)},
    ),
    Metric(
        key="loads_per_image",
        title="parts written per image",
        about="times that the tiles are written anew; 0 for a network that stays",
        direction="lower",
        of_design=lambda mapped: mapped.loads_per_image,
        shown={Place.CHIP: Shown(rank=-1, unless=0.0)},
    ),
    Metric(
        key="utilisation",
        title="cells used",
        about="share of the cells that hold weights",
        direction="higher",
        form="percent",
        of_design=lambda mapped: mapped.utilisation,
        shown=_in(Place.CHIP),
    ),
    Metric(
        key="weights",
        title="weights",
        about="of the network",
        direction="none",
        form="engineering",
        is_whole=True,
        of_design=lambda mapped: mapped.graph.totals.weights,
        shown=_in(Place.CHIP),
    ),
    Metric(
        key="macs",
        title="MACs on crossbars",
        about="multiply-accumulates of one image on crossbars",
        direction="none",
        form="engineering",
        is_whole=True,
        of_batch=lambda cost, plan: cost.macs,
        shown=_in(Place.CHIP),
    ),
    Metric(
        key="write_pulses",
        title="write pulses",
        about="to write every weight once, copies of layers included",
        direction="lower",
        form="engineering",
        of_batch=lambda cost, plan: cost.programming.write_pulses,
        shown={
            **_in(Place.CHIP, Place.UNCERTAINTY),
            Place.PROGRAMMING: Shown(title="write\npulses"),
            **_in(Place.SWEEP, Place.REPORT),
            Place.REPORT_TABLE: Shown(title="write\npulses"),
            **_in(Place.REPORT_FIGURE, Place.PAGE, Place.PAGE_CORE, Place.PAGE_CHART),
            **_in(Place.CURVES, Place.CURVES_FIGURE),
        },
    ),
    Metric(
        key="verify_reads",
        title="verify reads",
        about="to write every weight once",
        direction="lower",
        form="engineering",
        of_batch=lambda cost, plan: cost.programming.verify_reads,
        shown={
            **_in(Place.CHIP, Place.UNCERTAINTY),
            Place.PROGRAMMING: Shown(title="verify\nreads", alone=True),
        },
    ),
    Metric(
        key="programming_time_ms",
        title="programming time",
        about="to write every weight once, chips at the same time",
        unit="ms",
        direction="lower",
        of_batch=lambda cost, plan: cost.programming.time_s,
        shown={
            **_in(Place.CHIP, Place.UNCERTAINTY),
            Place.PROGRAMMING: Shown(title="time"),
            **_in(Place.SWEEP, Place.REPORT),
            Place.REPORT_TABLE: Shown(title="programming"),
            Place.PAGE: Shown(title="program time"),
            **_in(Place.PAGE_CORE, Place.PAGE_CHART, Place.CURVES),
        },
    ),
    Metric(
        key="programming_energy_uJ",
        title="programming energy",
        about="to write every weight once",
        unit="uJ",
        direction="lower",
        of_batch=lambda cost, plan: cost.programming.energy_J,
        shown={
            **_in(Place.CHIP, Place.UNCERTAINTY),
            Place.PROGRAMMING: Shown(title="energy"),
            **_in(Place.SWEEP, Place.REPORT),
            Place.REPORT_TABLE: Shown(title="programming"),
            Place.PAGE: Shown(title="program energy"),
            **_in(Place.PAGE_CORE, Place.PAGE_CHART, Place.CURVES),
        },
    ),
)


def shown_in(place: Place) -> tuple[Metric, ...]:
    """Return the metrics of a place, in its order.

    Args:
        place: where they are shown.
    """
    there = [metric for metric in METRICS if place in metric.shown]
    return tuple(sorted(there, key=lambda metric: metric.shown[place].rank))


def all_metrics() -> tuple[Metric, ...]:
    """Return all metrics, in the order of the JSON totals."""
    return METRICS


def metric_of(stem: str) -> Metric | None:
    """Return the metric of a name without its unit; None where there is none.

    Args:
        stem: ``edp``, see :attr:`archsim.results.metric.Metric.stem`.
    """
    return next((metric for metric in METRICS if metric.stem == stem), None)


def check_published(study: Study) -> None:
    """Refuse published costs of what is no metric, before a study is trained or reported.

    Args:
        study: which.

    Raises:
        ConfigError: with the setting, its value and what is allowed.
    """
    allowed = [metric.key for metric in shown_in(Place.PUBLISHED)]
    for index, cost in enumerate(study.published_costs):
        if cost.quantity not in allowed:
            field = f"study.published_costs.{index}.quantity"
            raise ConfigError.of(Code.UNKNOWN_NAME, field, cost.quantity, allowed=allowed)
