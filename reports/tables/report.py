"""The joint table of designs, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.results.method_row import MethodRow
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.recommend import (
    SECOND_COST,
    Exclusion,
    Reason,
    Recommendation,
    recommendations,
)
from archsim.results.report import COST
from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.design_row import DesignRow
    from archsim.results.report import Behind, Beside, JointDesign, JointResult

#: Columns of the joint table before and after those of the hardware.
_MEASURED = (
    Column("accuracy", "accuracy", "text", "%"),
    Column("half_width", "+-", "text", "95 %"),
    Column("gap_closed", "closed", "percent", "%"),
)
_TRAINED = (
    Column("trained_weights", "weights\nretrained", "count"),
    Column("training_s", "training\nper chip", "number", "s"),
)


def _hardware() -> list[Column]:
    columns = []
    for metric in shown_in(Place.REPORT_TABLE):
        title = metric.title_in(Place.REPORT_TABLE)
        columns.append(Column(metric.key, title, metric.form, metric.shown_unit))
        if Place.OVERHEAD in metric.shown:
            over = metric.title_in(Place.OVERHEAD)
            columns.append(Column(metric.overhead_key, over, "points", "%"))
    return columns


def designs(result: JointResult, sigma: float) -> Table:
    """Return one row per design of one sigma.

    Args:
        result: the joint result.
        sigma: of the study.
    """
    columns = (
        Column("label", "design", wraps=True),
        *(Column(name, name) for name in result.mixed),
        *(*_MEASURED, *_hardware(), *_TRAINED),
    )
    recommended = [each.design for each in recommendations(result)]
    rows: list[tuple[Cell, ...]] = []
    for design, row in zip(result.designs, result.rows(), strict=True):
        if design.sigma == sigma:
            cells = _cells(design, row, is_recommended=design in recommended)
            rows.append(tuple(cells[column.key] for column in columns))
    return Table(f"Designs at sigma {sigma:g}", columns, tuple(rows))


def methods(result: JointResult) -> Table:
    """Return what every method is, a row each; no row where nothing is known.

    Args:
        result: the joint result.
    """
    columns = (
        Column("method", "method", wraps=True),
        Column("about", "what it is", wraps=True),
    )
    rows = dict.fromkeys((design.method, design.about) for design in result.designs if design.about)
    return Table("Methods", columns, tuple(rows))


def _cells(design: JointDesign, row: DesignRow, *, is_recommended: bool) -> dict[str, Cell]:
    marks = ["recommended"] if is_recommended else []
    marks += ["most accurate in validation"] if row.chosen else []
    label = design.label
    return {
        **row.record(),
        "label": f"{label} ({'; '.join(marks)})" if marks else label,
        "accuracy": _points(row.accuracy),
        "half_width": _points(design.measured.half_width),
        "training_s": row.tune_seconds,
    }


def _points(fraction: float | None) -> str | None:
    return None if fraction is None else f"{100 * fraction:.2f}"


def how_recommended(result: JointResult) -> str:
    """Say by which rule designs are recommended, "" where none is.

    Args:
        result: the joint result.
    """
    said = [each for each in recommendations(result) if each.design is not None]
    if not said:
        return ""
    noise = (
        "over chips alone; the run is of an older version, which did not keep its images"
        if any(Reason.NOISE_OF_CHIPS_ALONE in each.reasons for each in said)
        else "over chips and images"
    )
    return (
        "Recommended, for each sigma: the lowest EDP among the designs that are statistically tied "
        "with the most accurate one on the validation images (their difference is within its 95 % "
        f"interval, {noise}). Equal EDP: fully modelled cost first, then fewest write pulses. Test "
        "data is never used for selection. With few chips and images many designs are tied; more "
        "of them make the choice stricter."
    )


def answer(result: JointResult) -> tuple[str, ...]:
    """Say which design, and why, one sentence or two per sigma; from the numbers alone.

    Args:
        result: the joint result.
    """
    return tuple(_answer(each, result.mixed) for each in recommendations(result))


def _answer(said: Recommendation, mixed: Sequence[str]) -> str:
    design = said.design
    if design is None:
        return (
            f"{_where(said, mixed)} nothing can be recommended: no design has both an "
            "accuracy on validation images and a cost."
        )
    on = f" on {design.device}" if "device" in mixed else ""
    text = f"{_where(said, mixed)}, {_named(design)}{on}: {_accuracy(design.measured)} on the "
    text += "test images"
    if said.base is not None and said.base is not design:
        text += (
            f" instead of {_accuracy(said.base.measured)} with {said.base.label}, for "
            f"{_times(design, said.base, COST, 'EDP')}, "
            f"{_times(design, said.base, 'area_mm2', 'area')} and "
            f"{_times(design, said.base, SECOND_COST, 'write pulses')}"
        )
    return f"{text}. {_alternatives(said, design)}{_best_on_test(said, design)}{_unknown(said)}"


def _where(said: Recommendation, mixed: Sequence[str]) -> str:
    case = said.case
    if case is None:
        return "Of these designs"
    names = [getattr(case, name) for name in ("network", "data") if name in mixed]
    return f"At sigma {case.sigma:g}" + (f" for {' on '.join(names)}" if names else "")


def _named(design: JointDesign) -> str:
    """Return the name of a design and, in brackets, what its method is."""
    return f"{design.label} [{design.about}]" if design.about else design.label


def _alternatives(said: Recommendation, design: JointDesign) -> str:
    """Say what is more accurate on the validation images, and at which cost."""
    best = said.most_accurate
    if best is None or Reason.MOST_ACCURATE in said.reasons:
        return "Nothing that was tried is more accurate on the validation images."
    cost = (
        f", at {_times(best, design, COST, 'EDP')} and "
        f"{_times(best, design, SECOND_COST, 'write pulses')}"
        if best.is_priced
        else ", but has no cost here"
    )
    return (
        f"The most accurate on the validation images, {best.label} ({_accuracy(best.measured)} on "
        f"the test images){', is statistically tied with it' if best.is_priced else ''}"
        f"{_noise(design.behind) if best.is_priced else ''}{cost}."
    )


def _noise(behind: Behind | None) -> str:
    """Say how far a design is behind, and what of that may be chance."""
    if behind is None:
        return ""
    return f" (ahead by {_difference(behind)} points on {behind.images} images)"


def _difference(behind: Behind) -> str:
    return f"{100 * behind.mean:.2f} +- {100 * behind.half_width:.2f}"


def _best_on_test(said: Recommendation, design: JointDesign) -> str:
    """Say of the design that is best on the test images why it was not chosen."""
    best = said.best_on_test
    if best is None or best.behind is None:
        return ""
    text = (
        f" On the test images, which are never used to choose, {best.label} is best "
        f"({_accuracy(best.measured)}); on the validation images it is "
        f"{_difference(best.behind)} points behind the most accurate"
    )
    if said.most_accurate is not None and not said.most_accurate.is_priced:
        text += " that has a cost"
    if best in said.tied:
        return f"{text}, at {_times(best, design, COST, 'EDP')}."
    return f"{text}, more than that noise."


def _unknown(said: Recommendation) -> str:
    """Name what could not be considered."""
    labels = [
        each.design.label for each in said.excluded if each.why is Exclusion.NO_VALIDATION_ACCURACY
    ]
    if not labels:
        return ""
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return f" Not considered, without validation accuracy: {', '.join(labels[:3])}{more}."


def beside(published: Sequence[Beside]) -> tuple[Table, ...]:
    """Return published claims and costs beside ours, with the deviation and the source.

    Args:
        published: of a joint result.
    """
    if not published:
        return ()
    columns = (
        Column("quantity", "quantity", wraps=True),
        Column("of", "of", wraps=True),
        Column("ours", "ours", "number"),
        Column("published", "published"),
        Column("deviation", "deviation"),
        Column("source", "source", wraps=True),
        Column("note", "differences", wraps=True),
    )
    rows = [
        (
            f"{each.quantity}, {each.unit}" if each.unit else each.quantity,
            each.of,
            each.ours,
            f"{'' if each.bound == '=' else each.bound + ' '}{each.published:g}",
            _deviation(each),
            each.source,
            each.note,
        )
        for each in published
    ]
    return (Table("Claims and costs", columns, tuple(rows)),)


def _deviation(claim: Beside) -> str | None:
    """Return the relative deviation, or whether a bound holds."""
    ours, theirs = claim.ours, claim.published
    if ours is None:
        return None
    if {"=": False, ">": ours > theirs, "<": ours < theirs}[claim.bound]:
        return "holds"
    return f"{100 * (ours / theirs - 1):+.1f} %"


def _accuracy(measured: MethodRow) -> str:
    if measured.accuracy is None:
        return "no accuracy"
    half = measured.half_width
    interval = "" if half is None else f" +- {100 * half:.2f}"
    return f"{100 * measured.accuracy:.2f}{interval} %"


def _times(design: JointDesign, reference: JointDesign, key: str, name: str) -> str:
    """Say how much more of a cost one design has than another."""
    cost, other = design.total(key), reference.total(key)
    if cost is None or not other:
        return f"{name} that the other has none of"
    ratio = cost / other
    return f"the same {name}" if abs(ratio - 1) < _ALIKE else f"{ratio:.3g} times the {name}"


#: Costs that differ by less are called the same.
_ALIKE = 0.005
