"""Tables of a study: accuracy of every method, what it takes, and how to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    import pandas

_VALUES = (Column("key", "key"), Column("label", ""), Column("value", ""), Column("unit", ""))


def heading(run: str, frame: pandas.DataFrame) -> str:
    """One line: the run, and how much is behind its numbers."""
    first = frame.iloc[0]
    return (
        f"{run}: {first['seeds']} backbone{_s(first['seeds'])} per point, {first['chips']} "
        f"chip{_s(first['chips'])} each, {first['images']} test images"
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _value(value: Any) -> float | None:
    """Return a number of a frame, None where there is none."""
    return None if value is None or value != value else float(value)


def _points(value: Any, digits: int = 2) -> str | None:
    """Format a fraction as per cent with a fixed number of digits: columns of them compare."""
    number = _value(value)
    return None if number is None else f"{100 * number:.{digits}f}"


def _seconds(value: Any, digits: int) -> str | None:
    number = _value(value)
    return None if number is None else f"{number:.{digits}f}"


def _half(low: Any, high: Any) -> float | None:
    ends = _value(low), _value(high)
    return None if ends[0] is None or ends[1] is None else (ends[1] - ends[0]) / 2


def accuracy(frame: pandas.DataFrame) -> Table:
    """Mean, interval, spread and gap of every method.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.
    """
    columns = [
        Column("sigma", "sigma"),
        Column("method", "method"),
        Column("accuracy", "accuracy", unit="%", kind="number"),
        Column("half_width", "+- chips", unit="95 %", kind="number"),
        Column("backbone_half_width", "+- seeds", unit="95 %", kind="number"),
        Column("std_chip", "chips", unit="std", kind="number"),
        Column("std_run", "runs", unit="std", kind="number"),
        Column("worst", "worst", unit="%", kind="number"),
        Column("gain", "gain", unit="points", kind="number"),
        Column("gain_half_width", "+- chips", unit="95 %", kind="number"),
        Column("gap", "gap", unit="points", kind="number"),
        Column("gap_closed", "closed", unit="%", kind="number"),
        Column("gap_closed_half_width", "+- seeds", unit="95 %", kind="number"),
        Column("gap_shrink", "shrunk", unit="times", kind="number"),
    ]
    if bool(frame["validation_accuracy"].notna().any()):
        columns.insert(3, Column("validation_accuracy", "validation", unit="%", kind="number"))
    published = "published_accuracy" in frame and bool(frame["published_accuracy"].notna().any())
    if published:
        columns.append(Column("published_accuracy", "published", unit="%", kind="number"))
    rows = [_accuracy_row(row) for row in frame.to_dict("records")]
    cells = tuple(tuple(row[column.key] for column in columns) for row in rows)
    return Table("Accuracy on the test images", tuple(columns), cells)


def _accuracy_row(row: dict[Any, Any]) -> dict[str, Cell]:
    shrink = _value(row["gap_shrink"])
    return {
        "sigma": f"{row['sigma']:g}",
        "method": str(row["method"]),
        "accuracy": _points(row["accuracy"]),
        "validation_accuracy": _points(row["validation_accuracy"]),
        "half_width": _points(_half(row["ci95_low"], row["ci95_high"])),
        "backbone_half_width": _points(_half(row["ci95_backbone_low"], row["ci95_backbone_high"])),
        "std_chip": _points(row["std_chip"]),
        "std_run": _points(row["std_run"]),
        "worst": _points(row["worst"]),
        "gain": _points(row["gain"]),
        "gain_half_width": _points(_half(row["gain_low"], row["gain_high"])),
        "gap": _points(row["gap"]),
        "gap_closed": _points(row["gap_closed"], 0),
        "gap_closed_half_width": _points(_half(row["gap_closed_low"], row["gap_closed_high"]), 0),
        "gap_shrink": None if shrink is None else f"{shrink:.1f}",
        "published_accuracy": _points(row.get("published_accuracy")),
    }


def choice(frame: pandas.DataFrame, max_verified: float | None) -> tuple[str, tuple[str, ...]]:
    """Say which method is chosen for each sigma, or why none is: a title and a line each.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.
        max_verified: bound of the choice, a share of the weights; None for none.
    """
    bound = "" if max_verified is None else f", at most {100 * max_verified:g} % verified"
    lines = tuple(_choice_line(own) for _, own in frame.groupby("sigma", sort=False))
    return f"Chosen by validation accuracy{bound}", lines


def _choice_line(rows: pandas.DataFrame) -> str:
    """Say what is chosen at one sigma, or why nothing is."""
    sigma = f"sigma {rows['sigma'].iloc[0]:g}:"
    for row in rows[rows["chosen"]].to_dict("records"):
        return (
            f"{sigma} {row['method']} ({_points(row['validation_accuracy'])} % of the validation "
            f"images, {_points(row['accuracy'])} % of the test images; "
            f"{_points(row['verified_share'])} % of the weights verified)"
        )
    lacks = rows[rows["choice_lacks"] != ""].to_dict("records")
    why = ", ".join(f"{row['method']} ({row['choice_lacks']})" for row in lacks)
    return f"{sigma} no choice; " + (f"not comparable: {why}" if why else "all verify more")


def effort(frame: pandas.DataFrame) -> Table:
    """What is written, verified, stored and trained for every method, per chip.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.
    """
    columns = (
        Column("sigma", "sigma"),
        Column("method", "method"),
        Column("extra_weights", "extra", unit="weights", kind="count"),
        Column("verified_weights", "verified", unit="weights", kind="count"),
        Column("verified_share", "verified", unit="% of all", kind="number"),
        Column("digital_parameters", "digital", unit="numbers", kind="count"),
        Column("digital_products", "digital", unit="mults/image", kind="count"),
        Column("backbone_seconds", "wall time", unit="s per backbone", kind="number"),
        Column("tune_seconds", "wall time", unit="s per chip", kind="number"),
        Column("kept_share", "kept", unit="% of chips", kind="number"),
        Column("backbone_macs_share", "backbone", unit="% of MACs", kind="number"),
        Column("tune_macs_share", "training", unit="% of MACs", kind="number"),
    )
    rows = tuple(
        (
            f"{row['sigma']:g}",
            str(row["method"]),
            int(row["extra_weights"]),
            int(row["verified_weights"]),
            _points(row["verified_share"]),
            int(row["digital_parameters"]),
            int(row["digital_products"]),
            _seconds(row["backbone_seconds"], 1),
            _seconds(row["tune_seconds"], 2),
            _points(row["kept_share"], 0),
            _points(row["backbone_macs_share"], 0),
            _points(row["tune_macs_share"], 1),
        )
        for row in frame.to_dict("records")
    )
    return Table("What it takes, per chip", columns, rows)


def notes(frame: pandas.DataFrame) -> tuple[str, ...]:
    """How the columns of a study are to be read.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.
    """
    ideal = frame["ideal_accuracy"].dropna()
    lines = [
        "Intervals are Student's t: '+- chips' over the chips of these backbones, '+- seeds' over "
        "backbones, each trained anew with its chips: two or three seeds say little.",
        "Standard deviations: 'chips' between the chips of one backbone, 'runs' between writings "
        "of the corrections on one chip.",
        "Gain: the difference to the baseline on the same chips, with the interval of the pairs.",
        "Gap: noise-free accuracy minus accuracy, in points; closed and shrunk compare it with the "
        "baseline's, and are unreliable where the gap is as small as its interval.",
        "Every run has its own test images, the same for all methods: their luck is in the "
        "intervals and in the standard deviations."
        if bool(frame["own_images"].any())
        else "All chips see the same test images: how lucky these are is not in the interval.",
        "Corrections are written anew in every run; digital numbers are not written to cells and "
        "have no noise.",
        "MACs: three times the forward ones of network and corrections, over those of the whole "
        "schedule of the baseline's backbone; kept: chips on which what was trained beat "
        "what it started from, on validation images.",
    ]
    lines.append(
        "Seconds: wall time per backbone (since it was last stopped) and per chip, of that machine "
        f"and its load ({'; '.join(dict.fromkeys(frame['computed_on']))}); they compare with no "
        "others."
    )
    lines += _origins(frame)
    lines += _conditions(frame)
    if len(ideal):
        known = frame["published_ideal"].dropna()
        published = f" (published: {100 * known.iloc[0]:.2f} %)" if len(known) else ""
        lines.insert(
            0, f"Noise-free network, 8-bit weights: {100 * ideal.mean():.2f} %{published}."
        )
    diverged = int(frame["diverged"].sum())
    if diverged:
        lines.append(
            f"On {diverged} chip{_s(diverged)} the training of corrections diverged and was taken "
            "back."
        )
    lost = int(frame["diverged_backbones"].sum())
    if lost:
        lines.append(
            f"{lost} backbones stopped because their loss was not finite: their best epoch before "
            "that is used."
        )
    return tuple(lines)


def _origins(frame: pandas.DataFrame) -> list[str]:
    """Say where the results of one sigma, or their backbones, were computed in different places."""
    found = []
    for sigma, rows in frame.groupby("sigma", sort=False):
        methods: dict[str, list[str]] = {}
        backbones: dict[str, list[str]] = {}
        for row in rows.to_dict("records"):
            place = f"{row['computed_on']}, back end {row['backend']}"
            methods.setdefault(place, []).append(str(row["method"]))
            backbones.setdefault(str(row["backbone_computed_on"]), []).append(str(row["method"]))
        if _mixed(methods):
            found.append(
                f"Sigma {sigma:g} was computed in different places, {_listed(methods)}: methods "
                "differ by rounding too, and by bfloat16 where that is named."
            )
        if _mixed(backbones):
            found.append(
                f"Backbones of sigma {sigma:g} were trained in different places, "
                f"{_listed(backbones)}: with other noise, of the same law."
            )
    return found


def _mixed(places: dict[str, list[str]]) -> bool:
    return len(places) > 1 or any(";" in place for place in places)


def _listed(places: dict[str, list[str]]) -> str:
    return "; ".join(f"{place} ({', '.join(methods)})" for place, methods in places.items())


def _conditions(frame: pandas.DataFrame) -> list[str]:
    """When and how the cells behind the accuracies were read, where that is not at once."""
    found = []
    if bool(frame["read_noise"].any()):
        found.append(
            "Every run reads all cells with the device's read noise, drawn once per run: it is in "
            "the standard deviation of runs."
        )
    time_s = float(frame["read_after_s"].max())
    if time_s:
        found.append(
            f"Cells are read {time_s:g} s after they were written; corrections were measured and "
            "trained before they drifted, and no output is rescaled."
        )
    if bool(frame["beyond_retention"].any()):
        found.append(
            f"{time_s:g} s is beyond the device's retention time, after which levels are lost: not "
            "modelled."
        )
    return found


def chip_accuracy(network: str, method: str, stats: dict[str, Any]) -> Table:
    """Accuracy of single chips.

    Args:
        network: its name.
        method: corrections, "" for none.
        stats: of ``AccuracyStats.to_dict``.
    """
    labels = {
        "mean": "accuracy",
        "ci95_low": "95 % from",
        "ci95_high": "to",
        "std_chip": "std of chips",
        "std_run": "std of runs",
        "worst": "worst",
    }
    rows: list[tuple[Cell, ...]] = [
        (key, label, _points(stats[key]), "%")
        for key, label in labels.items()
        if stats[key] is not None
    ]
    rows += [(key, key, f"{int(stats[key]):,}", "") for key in ("chips", "runs", "images")]
    return Table(f"{network}, {method or 'no correction'}", _VALUES, tuple(rows))
