"""The designs of the page: one table, and the points of its charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.results.design_row import DesignRow
from archsim.results.method_row import finite
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.recommend import recommendations
from archsim.results.report import JointDesign, JointResult
from reports.tables.table import Cell, Column, Kind, Table

#: What an accuracy can be drawn against beside the metrics: column of the rows.
_TUNE_SECONDS = "tune_seconds"
_PERCENT = 100


@dataclass(frozen=True)
class AxisChoice:
    """What can be chosen for a horizontal axis: its key in :class:`Point`, name and unit."""

    key: str
    label: str
    unit: str


def axis_choices() -> tuple[AxisChoice, ...]:
    """Return all that an accuracy can be drawn against; less is better of each."""
    return (
        *(
            AxisChoice(metric.key, metric.name, metric.shown_unit)
            for metric in shown_in(Place.PAGE_CHART)
        ),
        AxisChoice(_TUNE_SECONDS, "training on the chip", "s"),
    )


@dataclass(frozen=True)
class Point:
    """One design in the charts; accuracies in per cent, None where nothing was measured.

    Attributes:
        label: method, and the placement of the shared block where there is one.
        sigma: of one pulse, relative to the range of conductance.
        placement: of the shared block: none, common or separate.
        accuracy: mean over chips and runs.
        low: lower end of its 95 % interval.
        high: upper end.
        values: of the axes that can be chosen, in report units.
        base: whether overheads refer to it.
        chosen: whether the study chooses it.
        recommended: whether it is the answer at its sigma.
    """

    label: str
    sigma: float
    placement: str
    accuracy: float | None
    low: float | None
    high: float | None
    values: dict[str, float | None]
    base: bool
    chosen: bool
    recommended: bool


@dataclass(frozen=True)
class _Shown:
    """A column of the table: where it comes from, and whether it is shown from the start."""

    key: str
    title: str
    kind: Kind = "number"
    unit: str = ""
    share: bool = False
    core: bool = False


#: Columns before and after those of the hardware.
_MEASURED = (
    _Shown("sigma", "sigma", core=True),
    _Shown("accuracy", "accuracy", "fixed", "%", share=True, core=True),
    _Shown("half_width", "± chips", "fixed", "95 %", share=True, core=True),
    _Shown("backbone_half_width", "± seeds", "fixed", "95 %", share=True),
    _Shown("std_chip", "chips", "fixed", "std", share=True),
    _Shown("std_run", "runs", "fixed", "std", share=True),
    _Shown("worst", "worst", "fixed", "%", share=True),
    _Shown("validation_accuracy", "validation", "fixed", "%", share=True),
    _Shown("validation_behind", "behind the best", "fixed", "points", share=True),
    _Shown("validation_behind_noise", "± of that", "fixed", "95 %", share=True),
    _Shown("gap_closed", "gap closed", "percent", "%"),
)
_TRAINED = (
    _Shown("trained_weights", "trained weights", "count", core=True),
    _Shown("tune_seconds", "training", "fixed", "s/chip", core=True),
    _Shown("backbone_seconds", "backbone training", "fixed", "s"),
    _Shown("verified_weights", "verified", "count", "weights"),
    _Shown("verified_share", "verified", "fixed", "% of weights", share=True),
    _Shown("digital_parameters", "digital", "count", "numbers"),
    _Shown("chips", "chips", "count"),
    _Shown("runs", "runs", "count"),
    _Shown("seeds", "seeds", "count"),
    _Shown("images", "images", "count"),
)
#: What a table of several runs names in every row.
MIXED = ("device", "network", "data")


def _hardware() -> list[_Shown]:
    shown = []
    for metric in shown_in(Place.PAGE):
        title, core = metric.title_in(Place.PAGE), Place.PAGE_CORE in metric.shown
        shown.append(_Shown(metric.key, title, metric.form, metric.shown_unit, core=core))
        if Place.OVERHEAD in metric.shown:
            over = f"{title} overhead"
            shown.append(_Shown(metric.overhead_key, over, "points", "%", core=core))
    return shown


def _all_columns() -> tuple[_Shown, ...]:
    return (*_MEASURED, *_hardware(), *_TRAINED)


def core_columns() -> frozenset[str]:
    """Return the columns that the page shows from the start; the others come with a switch."""
    return frozenset({"design", *MIXED, *(column.key for column in _all_columns() if column.core)})


def design_table(result: JointResult) -> Table:
    """Return the designs as a table, a row each; optional columns without a value are left out.

    Args:
        result: all designs.
    """
    rows = [_cells(design, row) for design, row in zip(result.designs, result.rows(), strict=True)]
    shown = [
        column
        for column in _all_columns()
        if column.core or any(cells[column.key] is not None for cells in rows)
    ]
    columns = [Column("design", "design", wraps=True)]
    columns += [Column(name, name) for name in result.mixed]
    columns += [Column(each.key, each.title, each.kind, each.unit) for each in shown]
    cells = [tuple(row[column.key] for column in columns) for row in rows]
    return Table("Designs", tuple(columns), tuple(cells))


def _cells(design: JointDesign, row: DesignRow) -> dict[str, Cell]:
    record = {
        **row.record(),
        "half_width": design.measured.half_width,
        "backbone_half_width": design.measured.backbone_half_width,
    }
    cells: dict[str, Cell] = {"design": design.label}
    cells |= {name: getattr(design, name) for name in MIXED}
    for column in _all_columns():
        value = finite(record[column.key])
        cells[column.key] = _PERCENT * value if column.share and value is not None else value
    return cells


def axes_of(points: Sequence[Point]) -> tuple[AxisChoice, ...]:
    """Return what at least one design has a positive value of: axes are logarithmic.

    Args:
        points: of the designs.
    """
    return tuple(
        choice
        for choice in axis_choices()
        if any((point.values[choice.key] or 0) > 0 for point in points)
    )


def points_of(result: JointResult) -> tuple[Point, ...]:
    """Return the points of the charts, in the order of the designs.

    Args:
        result: all designs.
    """
    recommended = [each.design for each in recommendations(result)]
    points = []
    for design, row in zip(result.designs, result.rows(), strict=True):
        record = row.record()
        points.append(
            Point(
                label=design.label,
                sigma=design.sigma,
                placement=design.placement,
                accuracy=_per_cent(row.accuracy),
                low=_per_cent(row.ci95_low),
                high=_per_cent(row.ci95_high),
                values={axis.key: finite(record[axis.key]) for axis in axis_choices()},
                base=design.base,
                chosen=design.chosen,
                recommended=design in recommended,
            )
        )
    return tuple(points)


def _per_cent(fraction: float | None) -> float | None:
    known = finite(fraction)
    return None if known is None else _PERCENT * known


def points_table(points: Sequence[Point], known: Sequence[AxisChoice]) -> Table:
    """Return what the charts of accuracy against cost show, as a table.

    Args:
        points: of the designs.
        known: axes that can be chosen.
    """
    columns = (
        Column("design", "design", wraps=True),
        Column("sigma", "sigma", "number"),
        Column("accuracy", "accuracy", "fixed", "%"),
        Column("low", "95 % from", "fixed", "%"),
        Column("high", "to", "fixed", "%"),
        *(Column(metric.key, metric.label, "number", metric.unit) for metric in known),
    )
    rows = [
        (point.label, point.sigma, point.accuracy, point.low, point.high,
         *(point.values[metric.key] for metric in known))
        for point in points
    ]  # fmt: skip
    return Table("Accuracy and cost of every design", columns, tuple(rows))
