"""Tables of a study: accuracy of every method, what it takes, and how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archsim.results.method_row import MethodRow, finite, half_width
from archsim.results.read_said import ReadSaid
from reports.tables.table import Cell, Column, Table

_VALUES = (Column("key", "key"), Column("label", ""), Column("value", ""), Column("unit", ""))


def heading(run: str, rows: Sequence[MethodRow]) -> str:
    """One line: the run, and how much is behind its numbers."""
    first = rows[0]
    coded = "" if first.encoding is None else f", weights encoded as {first.encoding}"
    return (
        f"{run}: {first.seeds} backbone{_s(first.seeds)} per point, {first.chips} "
        f"chip{_s(first.chips)} each, {first.images} test images{coded}"
    )


def read_path(rows: Sequence[MethodRow]) -> tuple[str, ...]:
    """Say how the chips behind the accuracies were read, and what their converters do badly.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
    """
    reads = [row.read for row in rows if row.read_path is not None]
    lines = [ReadSaid.pooled(same).line for same in _by_mode(reads).values()]
    warnings = dict.fromkeys(text for read in reads for text in read.warnings)
    return (*lines, *(f"Warning: {text}." for text in warnings))


def _by_mode(reads: Sequence[ReadSaid]) -> dict[str, list[ReadSaid]]:
    by_mode: dict[str, list[ReadSaid]] = {}
    for read in reads:
        by_mode.setdefault(read.mode, []).append(read)
    return by_mode


def _s(count: int | None) -> str:
    return "" if count == 1 else "s"


def _points(fraction: float | None, digits: int = 2) -> str | None:
    """Format a fraction as per cent with a fixed number of digits: columns of them compare."""
    known = finite(fraction)
    return None if known is None else f"{100 * known:.{digits}f}"


def _fixed(value: float | None, digits: int) -> str | None:
    known = finite(value)
    return None if known is None else f"{known:.{digits}f}"


def _is_known(values: Iterable[float | None]) -> bool:
    """Whether there is any number among values."""
    return any(finite(value) is not None for value in values)


def accuracy(rows: Sequence[MethodRow]) -> Table:
    """Mean, interval, spread and gap of every method.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
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
    if _is_known(row.validation_accuracy for row in rows):
        columns.insert(3, Column("validation_accuracy", "validation", unit="%", kind="number"))
    if _is_known(row.clip_rate for row in rows):
        columns.append(Column("clip_rate", "clipped", unit="%", kind="error"))
    if _is_known(row.published_accuracy for row in rows):
        columns.append(Column("published_accuracy", "published", unit="%", kind="number"))
    cells = [_accuracy_cells(row) for row in rows]
    return Table(
        "Accuracy on the test images",
        tuple(columns),
        tuple(tuple(each[column.key] for column in columns) for each in cells),
    )


def _accuracy_cells(row: MethodRow) -> dict[str, Cell]:
    return {
        "sigma": f"{row.sigma:g}",
        "method": row.method,
        "accuracy": _points(row.accuracy),
        "validation_accuracy": _points(row.validation_accuracy),
        "half_width": _points(row.half_width),
        "backbone_half_width": _points(row.backbone_half_width),
        "std_chip": _points(row.std_chip),
        "std_run": _points(row.std_run),
        "worst": _points(row.worst),
        "gain": _points(row.gain),
        "gain_half_width": _points(half_width(row.gain_low, row.gain_high)),
        "gap": _points(row.gap),
        "gap_closed": _points(row.gap_closed, 0),
        "gap_closed_half_width": _points(half_width(row.gap_closed_low, row.gap_closed_high), 0),
        "gap_shrink": _fixed(row.gap_shrink, 1),
        "clip_rate": row.clip_rate,
        "published_accuracy": _points(row.published_accuracy),
    }


def choice(rows: Sequence[MethodRow], max_verified: float | None) -> tuple[str, tuple[str, ...]]:
    """Say which method is chosen for each sigma, or why none is: a title and a line each.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
        max_verified: bound of the choice, a share of the weights; None for none.
    """
    bound = "" if max_verified is None else f", at most {100 * max_verified:g} % verified"
    lines = tuple(_choice_line(sigma, same) for sigma, same in _by_sigma(rows).items())
    return f"Chosen by validation accuracy{bound}", lines


def _by_sigma(rows: Sequence[MethodRow]) -> dict[float, list[MethodRow]]:
    by_sigma: dict[float, list[MethodRow]] = {}
    for row in rows:
        by_sigma.setdefault(row.sigma, []).append(row)
    return by_sigma


def _choice_line(sigma: float, rows: Sequence[MethodRow]) -> str:
    """Say what is chosen at one sigma, or why nothing is."""
    for row in rows:
        if row.chosen:
            return (
                f"sigma {sigma:g}: {row.method} ({_points(row.validation_accuracy)} % of the "
                f"validation images, {_points(row.accuracy)} % of the test images; "
                f"{_points(row.verified_share)} % of the weights verified)"
            )
    why = ", ".join(f"{row.method} ({row.choice_lacks})" for row in rows if row.choice_lacks)
    return f"sigma {sigma:g}: no choice; " + (
        f"not comparable: {why}" if why else "all verify more"
    )


def effort(rows: Sequence[MethodRow]) -> Table:
    """What is written, verified, stored and trained for every method, per chip.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
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
    cells = tuple(
        (
            f"{row.sigma:g}",
            row.method,
            row.extra_weights,
            row.verified_weights,
            _points(row.verified_share),
            row.digital_parameters,
            row.digital_products,
            _fixed(row.backbone_seconds, 1),
            _fixed(row.tune_seconds, 2),
            _points(row.kept_share, 0),
            _points(row.backbone_macs_share, 0),
            _points(row.tune_macs_share, 1),
        )
        for row in rows
    )
    return Table("What it takes, per chip", columns, cells)


def notes(rows: Sequence[MethodRow]) -> tuple[str, ...]:
    """How the columns of a study are to be read.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
    """
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
        if any(row.own_images for row in rows)
        else "All chips see the same test images: intervals leave out how these were sampled.",
        "Corrections are written anew in every run; digital numbers are not written to cells and "
        "have no noise.",
        "MACs: three times the forward ones of network and corrections, over those of the whole "
        "schedule of the baseline's backbone; kept: chips on which what was trained beat "
        "what it started from, on validation images.",
    ]
    places = "; ".join(dict.fromkeys(str(row.computed_on) for row in rows))
    lines.append(
        "Seconds: wall time per backbone (since it was last stopped) and per chip, of that machine "
        f"and its load ({places}); they compare with no others."
    )
    lines += _origins(rows)
    lines += _conditions(rows)
    diverged = sum(row.diverged or 0 for row in rows)
    if diverged:
        lines.append(
            f"On {diverged} chip{_s(diverged)} the training of corrections diverged and was taken "
            "back."
        )
    lost = sum(row.diverged_backbones or 0 for row in rows)
    if lost:
        lines.append(
            f"{lost} backbones stopped because their loss was not finite: their best epoch before "
            "that is used."
        )
    return (*_ideal(rows), *_encoding(rows), *lines)


def _ideal(rows: Sequence[MethodRow]) -> list[str]:
    """Say what the network reaches without noise, here and elsewhere."""
    known = [ideal for row in rows if (ideal := finite(row.ideal_accuracy)) is not None]
    if not known:
        return []
    theirs = (finite(row.published_ideal) for row in rows)
    said = next((ideal for ideal in theirs if ideal is not None), None)
    published = "" if said is None else f" (published: {100 * said:.2f} %)"
    mean = sum(known) / len(known)
    return [f"Noise-free network, 8-bit weights: {100 * mean:.2f} %{published}."]


def _encoding(rows: Sequence[MethodRow]) -> list[str]:
    """Say that the chip stores weights in another way than the accuracies assume."""
    first = rows[0]
    if first.encoding == first.chip_encoding or first.stored_noise_ratio is None:
        return []
    return [
        f"Encoding: the accuracies assume {first.encoding}, the chip stores {first.chip_encoding}, "
        f"whose weights have {first.stored_noise_ratio:.2f} times the noise."
    ]


def _origins(rows: Sequence[MethodRow]) -> list[str]:
    """Say where the results of one sigma, or their backbones, were computed in different places."""
    lines = []
    for sigma, same in _by_sigma(rows).items():
        methods: dict[str, list[str]] = {}
        backbones: dict[str, list[str]] = {}
        for row in same:
            place = f"{row.computed_on}, back end {row.backend}"
            methods.setdefault(place, []).append(row.method)
            backbones.setdefault(str(row.backbone_computed_on), []).append(row.method)
        if _mixed(methods):
            lines.append(
                f"Sigma {sigma:g} was computed in different places, {_listed(methods)}: methods "
                "differ by rounding too, and by bfloat16 where that is named."
            )
        if _mixed(backbones):
            lines.append(
                f"Backbones of sigma {sigma:g} were trained in different places, "
                f"{_listed(backbones)}: with other noise, of the same distribution."
            )
    return lines


def _mixed(places: dict[str, list[str]]) -> bool:
    return len(places) > 1 or any(";" in place for place in places)


def _listed(places: dict[str, list[str]]) -> str:
    return "; ".join(f"{place} ({', '.join(methods)})" for place, methods in places.items())


def _conditions(rows: Sequence[MethodRow]) -> list[str]:
    """When and how the cells behind the accuracies were read, where that is not at once."""
    lines = []
    if any(row.read_noise for row in rows):
        lines.append(
            "Every run reads all cells with the device's read noise, drawn once per run: it is in "
            "the standard deviation of runs."
        )
    time_s = max((row.read_after_s or 0.0 for row in rows), default=0.0)
    if time_s:
        how = {row.compensation for row in rows} - {None, "none"}
        scaled = f"outputs are compensated for it by {'/'.join(sorted(map(str, how)))}"
        lines.append(
            f"Cells are read {time_s:g} s after they were written; corrections were measured and "
            f"trained before they drifted, and {scaled if how else 'no output is rescaled'}."
        )
    if any(row.beyond_retention for row in rows):
        lines.append(
            f"{time_s:g} s is beyond the device's retention time, after which levels are lost: not "
            "modelled."
        )
    return lines


def chip_accuracy(network: str, method: str, stats: dict[str, Any], *, encoding: str) -> Table:
    """Accuracy of single chips.

    Args:
        network: its name.
        method: corrections, "" for none.
        stats: of ``AccuracyStats.to_dict``.
        encoding: of the weights on the chips' cells.
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
    rows.append(("encoding", "encoding", encoding, ""))
    return Table(f"{network}, {method or 'no correction'}", _VALUES, tuple(rows))
