"""The joint table of designs, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.tables import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.joint import JointDesign, JointResult

#: Columns of the joint table: key of a row, title, kind and unit.
_COLUMNS = (
    Column("label", "design", wraps=True),
    Column("accuracy", "accuracy", "text", "%"),
    Column("half_width", "+-", "text", "95 %"),
    Column("gap_closed", "closed", "percent", "%"),
    Column("area_mm2", "area", "number", "mm2"),
    Column("energy_uJ", "energy", "number", "uJ"),
    Column("latency_us", "latency", "number", "us"),
    Column("period_us", "period", "number", "us"),
    Column("edp_uJ_us", "EDP", "number", "uJ us"),
    Column("edp_overhead_pct", "EDP\noverhead", "points", "%"),
    Column("write_pulses", "write\npulses", "engineering"),
    Column("programming_time_ms", "programming", "number", "ms"),
    Column("programming_energy_uJ", "programming", "number", "uJ"),
    Column("trained_weights", "weights\nretrained", "count"),
    Column("training_s", "training\nper chip", "number", "s"),
)


def designs(result: JointResult, sigma: float) -> Table:
    """Return one row per design of one sigma.

    Args:
        result: the joint result.
        sigma: of the study.
    """
    rows: list[tuple[Cell, ...]] = []
    for own, row in zip(result.designs, result.rows(), strict=True):
        if own.sigma == sigma:
            cells = _cells(own, row)
            rows.append(tuple(cells[column.key] for column in _COLUMNS))
    return Table(f"Designs at sigma {sigma:g}", _COLUMNS, tuple(rows))


def _cells(own: JointDesign, row: dict[str, Any]) -> dict[str, Any]:
    half = half_width(row)
    return {
        **row,
        "label": own.label + (" (chosen)" if own.chosen else ""),
        "accuracy": None if row["accuracy"] is None else f"{100 * row['accuracy']:.2f}",
        "half_width": None if half is None else f"{100 * half:.2f}",
        "training_s": row["tune_seconds"],
    }


def half_width(row: dict[str, Any]) -> float | None:
    """Return half of the 95 % interval over chips, a fraction; None for a single chip.

    Args:
        row: of :meth:`archsim.joint.JointResult.rows`.
    """
    low, high = row["ci95_low"], row["ci95_high"]
    return None if low is None or high is None else (high - low) / 2


def recommended(result: JointResult, sigma: float) -> JointDesign | None:
    """Return the cheapest design that is as accurate as the best, as far as the run can tell.

    Candidates are within the larger interval of the most accurate one on the validation images;
    of these the one of the least EDP, then of the fewest write pulses. Test accuracies choose
    nothing. None where no design has a validation accuracy and a cost.

    Args:
        result: the joint result.
        sigma: of the study.
    """
    known = [
        (own, row)
        for own, row in zip(result.designs, result.rows(), strict=True)
        if own.sigma == sigma
        and row["validation_accuracy"] is not None
        and row["edp_uJ_us"] is not None
    ]
    if not known:
        return None
    best = max(known, key=lambda pair: pair[1]["validation_accuracy"])
    good = [pair for pair in known if _as_good(pair[1], best[1])]
    return min(good, key=lambda pair: (pair[1]["edp_uJ_us"], pair[1]["write_pulses"]))[0]


def _as_good(row: dict[str, Any], best: dict[str, Any]) -> bool:
    noise = max(half_width(row) or 0.0, half_width(best) or 0.0)
    return bool(best["validation_accuracy"] - row["validation_accuracy"] <= noise)


def answer(result: JointResult) -> tuple[str, ...]:
    """Say which design, and why, one sentence or two per sigma; from the numbers alone.

    Args:
        result: the joint result.
    """
    said: list[str] = []
    for sigma in dict.fromkeys(own.sigma for own in result.designs):
        own = recommended(result, sigma)
        if own is None:
            said.append(
                f"At sigma {sigma:g} nothing can be recommended: no design has both an accuracy on "
                "validation images and a cost."
            )
            continue
        said.append(_why(result, own))
    return tuple(said)


def _why(result: JointResult, own: JointDesign) -> str:
    rows = {id(each): row for each, row in zip(result.designs, result.rows(), strict=True)}
    row = rows[id(own)]
    here = result.at(own.sigma)
    base = next((each for each in here if each.base), None)
    text = f"At sigma {own.sigma:g}, {own.label}: {_accuracy(row)} on the test images"
    if base is not None and base is not own:
        reference = rows[id(base)]
        text += (
            f" instead of {_accuracy(reference)} without any repair ({base.label}), for "
            f"{_times(row, reference, 'edp_uJ_us', 'EDP')}, "
            f"{_times(row, reference, 'area_mm2', 'area')} and "
            f"{_times(row, reference, 'write_pulses', 'write pulses')}"
        )
    others = [rows[id(each)] | {"label": each.label} for each in here]
    text += ". " + _alternatives(others, row)
    unknown = sum(each["validation_accuracy"] is None for each in others)
    if unknown:
        text += (
            f" {unknown} of {len(others)} designs have no validation accuracy (runs of an older "
            "version) and were not considered."
        )
    return text


def _alternatives(rows: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> str:
    known = [row for row in rows if row["validation_accuracy"] is not None]
    best = max(known, key=lambda row: row["validation_accuracy"])
    if best["validation_accuracy"] <= chosen["validation_accuracy"]:
        return "Nothing that was tried is more accurate on the validation images."
    cost = (
        f", at {_times(best, chosen, 'edp_uJ_us', 'EDP')} and "
        f"{_times(best, chosen, 'write_pulses', 'write pulses')}"
        if best["edp_uJ_us"] is not None
        else ""
    )
    return (
        f"The most accurate on the validation images, {best['label']} ({_accuracy(best)} on the "
        f"test images), is within the noise of it{cost}."
    )


def _accuracy(row: dict[str, Any]) -> str:
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
