"""The joint table of designs, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.report import Beside, Case, JointDesign, JointResult

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
    answers = [recommended(result, case.sigma, case) for case in result.cases()]
    rows: list[tuple[Cell, ...]] = []
    for own, row in zip(result.designs, result.rows(), strict=True):
        if own.sigma == sigma:
            cells = _cells(own, row, any(own is each for each in answers))
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
    rows = dict.fromkeys((own.method, own.about) for own in result.designs if own.about)
    return Table("Methods", columns, tuple(rows))


def _cells(own: JointDesign, row: dict[str, Any], is_answer: bool) -> dict[str, Any]:
    half = half_width(row)
    marks = ["recommended"] if is_answer else []
    marks += ["most accurate in validation"] if own.chosen else []
    return {
        **row,
        "label": f"{own.label} ({'; '.join(marks)})" if marks else own.label,
        "accuracy": None if row["accuracy"] is None else f"{100 * row['accuracy']:.2f}",
        "half_width": None if half is None else f"{100 * half:.2f}",
        "training_s": row["tune_seconds"],
    }


def half_width(row: dict[str, Any]) -> float | None:
    """Return half of the 95 % interval over chips, a fraction; None for a single chip.

    Args:
        row: of :meth:`archsim.results.report.JointResult.rows`.
    """
    low, high = row["ci95_low"], row["ci95_high"]
    return None if low is None or high is None else (high - low) / 2


def recommended(result: JointResult, sigma: float, case: Case | None = None) -> JointDesign | None:
    """Return the cheapest design that is as accurate as the best, as far as the run can tell.

    Candidates are no further behind the most accurate one on the validation images than the 95 %
    interval of that difference, which counts chips and images (``tsb.study.behind``); of these the
    one of the least EDP, then of a cost that leaves nothing out, then of the fewest write pulses.
    Results of before that was recorded fall back to the larger interval over chips of the two,
    without what other images would change. Test accuracies choose nothing. None where no design has
    a validation accuracy and a cost.

    Args:
        result: the joint result.
        sigma: of the study.
        case: only designs of its network and data; None: all.
    """
    known = [
        (own, row)
        for own, row in _with_rows(result, sigma, case)
        if row["validation_accuracy"] is not None and row["edp_uJ_us"] is not None
    ]
    if not known:
        return None
    best = max(known, key=lambda pair: pair[1]["validation_accuracy"])
    good = [pair for pair in known if _as_good(pair[1], best[1])]
    # What a cost leaves out (a note) may not make a design look cheaper than an equal one.
    return min(
        good,
        key=lambda pair: (pair[1]["edp_uJ_us"], bool(pair[0].notes), pair[1]["write_pulses"]),
    )[0]


def _with_rows(
    result: JointResult, sigma: float, case: Case | None
) -> list[tuple[JointDesign, dict[str, Any]]]:
    wanted = {id(own) for own in result.at(sigma, case)}
    pairs = zip(result.designs, result.rows(), strict=True)
    return [(own, row) for own, row in pairs if id(own) in wanted]


def _as_good(row: dict[str, Any], best: dict[str, Any]) -> bool:
    if row["validation_behind_noise"] is not None:
        return bool(row["validation_behind"] <= row["validation_behind_noise"])
    noise = max(half_width(row) or 0.0, half_width(best) or 0.0)
    return bool(best["validation_accuracy"] - row["validation_accuracy"] <= noise)


def how_recommended(result: JointResult) -> str:
    """Say by which rule designs are recommended, "" where none is.

    Args:
        result: the joint result.
    """
    found = [recommended(result, case.sigma, case) for case in result.cases()]
    if not any(found):
        return ""
    noise = (
        "the 95 % interval of that difference, over chips and images"
        if all(own is None or own.behind_noise is not None for own in found)
        else "the 95 % interval over chips; how many images there are is not in it, for the run is "
        "of an older version"
    )
    return (
        "Recommended, for each sigma: of the designs that are no further behind the most accurate "
        f"one on the validation images than {noise}, that of the least EDP, of equal ones first "
        "those whose cost leaves nothing out, then that of the fewest write pulses. Test "
        "accuracies choose nothing. The less is known of a difference, the more designs count as "
        "equally accurate: more chips and images make the choice stricter."
    )


def answer(result: JointResult) -> tuple[str, ...]:
    """Say which design, and why, one sentence or two per sigma; from the numbers alone.

    Args:
        result: the joint result.
    """
    said: list[str] = []
    for case in result.cases():
        own = recommended(result, case.sigma, case)
        if own is None:
            said.append(
                f"{_where(result, case)} nothing can be recommended: no design has both an "
                "accuracy on validation images and a cost."
            )
            continue
        said.append(_why(result, case, own))
    return tuple(said)


def _where(result: JointResult, case: Case) -> str:
    mixed = [getattr(case, name) for name in ("network", "data") if name in result.mixed]
    return f"At sigma {case.sigma:g}" + (f", {' on '.join(mixed)}," if mixed else "")


def _why(result: JointResult, case: Case, own: JointDesign) -> str:
    here = _with_rows(result, case.sigma, case)
    row = next(each for design, each in here if design is own)
    on = f" on {own.device}" if "device" in result.mixed else ""
    base = next((each for each in here if each[0].base and each[0].run == own.run), None)
    text = f"{_where(result, case)}, {_named(own)}{on}: {_accuracy(row)} on the test images"
    if base is not None and base[0] is not own:
        reference = base[1]
        text += (
            f" instead of {_accuracy(reference)} with {base[0].label}, for "
            f"{_times(row, reference, 'edp_uJ_us', 'EDP')}, "
            f"{_times(row, reference, 'area_mm2', 'area')} and "
            f"{_times(row, reference, 'write_pulses', 'write pulses')}"
        )
    others = [each | {"label": design.label} for design, each in here]
    text += ". " + _alternatives(others, row) + _best_on_test(others, row | {"label": own.label})
    unknown = [each["label"] for each in others if each["validation_accuracy"] is None]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        text += f" Not considered, without validation accuracy: {', '.join(unknown[:3])}{more}."
    return text


def _best_on_test(rows: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> str:
    """Say of the design that is best on the test images why it was not chosen."""
    known = [row for row in rows if row["validation_behind"] is not None]
    first = max(known, key=lambda row: row["validation_accuracy"], default=chosen)
    best = max(known, key=lambda row: (row["accuracy"] or 0.0, -row["edp_uJ_us"]), default=chosen)
    lead = (best["accuracy"] or 0.0) - (chosen["accuracy"] or 0.0)
    # Both placements of one block are as accurate.
    is_first = best["validation_accuracy"] == first["validation_accuracy"]
    if lead <= 0 or is_first or best["label"] == chosen["label"]:
        return ""
    text = (
        f" On the test images, which choose nothing, {best['label']} is best ({_accuracy(best)}); "
        f"on the validation images it is {100 * best['validation_behind']:.2f} +- "
        f"{100 * best['validation_behind_noise']:.2f} points behind the most accurate"
    )
    if _as_good(best, first):
        return f"{text}, at {_times(best, chosen, 'edp_uJ_us', 'EDP')}."
    return f"{text}, more than that noise."


def _named(own: JointDesign) -> str:
    """Return the name of a design and, in brackets, what its method is."""
    return f"{own.label} [{own.about}]" if own.about else own.label


def _alternatives(rows: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> str:
    known = [row for row in rows if row["validation_accuracy"] is not None]
    best = max(known, key=lambda row: row["validation_accuracy"])
    if best["validation_accuracy"] <= chosen["validation_accuracy"]:
        return "Nothing that was tried is more accurate on the validation images."
    cost = (
        f", at {_times(best, chosen, 'edp_uJ_us', 'EDP')} and "
        f"{_times(best, chosen, 'write_pulses', 'write pulses')}"
        if best["edp_uJ_us"] is not None
        else ", but has no cost here"
    )
    priced = best["edp_uJ_us"] is not None
    return (
        f"The most accurate on the validation images, {best['label']} ({_accuracy(best)} on the "
        f"test images){', is within the noise of it' if priced else ''}{_noise(chosen)}{cost}."
    )


def _noise(row: dict[str, Any]) -> str:
    """Say how far a design is behind, and what of that may be chance."""
    if row["validation_behind_noise"] is None:
        return ""
    return (
        f" (ahead by {100 * row['validation_behind']:.2f} +- "
        f"{100 * row['validation_behind_noise']:.2f} points on {row['validation_images']} images)"
    )


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
        Column("note", "what is not alike", wraps=True),
    )
    rows = [
        (
            f"{own.quantity}, {own.unit}" if own.unit else own.quantity,
            own.of,
            own.ours,
            f"{'' if own.bound == '=' else own.bound + ' '}{own.published:g}",
            _deviation(own),
            own.source,
            own.note,
        )
        for own in published
    ]
    return (Table("Claims and costs", columns, tuple(rows)),)


def _deviation(own: Beside) -> str | None:
    """Return the relative deviation, or whether a bound holds."""
    if own.ours is None:
        return None
    holds = {"=": False, ">": own.ours > own.published, "<": own.ours < own.published}[own.bound]
    if holds:
        return "holds"
    return f"{100 * (own.ours / own.published - 1):+.1f} %"


def _accuracy(row: dict[str, Any]) -> str:
    if row["accuracy"] is None:
        return "no accuracy"
    half = half_width(row)
    interval = "" if half is None else f" +- {100 * half:.2f}"
    return f"{100 * row['accuracy']:.2f}{interval} %"


def _times(row: dict[str, Any], reference: dict[str, Any], key: str, name: str) -> str:
    """Say how much more of a cost one design has than another."""
    if not reference[key]:
        return f"{name} that the other has none of"
    ratio = row[key] / reference[key]
    return f"the same {name}" if abs(ratio - 1) < _ALIKE else f"{ratio:.3g} times the {name}"


#: Costs that differ by less are called the same.
_ALIKE = 0.005
