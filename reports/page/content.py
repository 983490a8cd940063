"""Everything that the page of the joint report shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archsim.errors import Code, ConfigError
from archsim.results.method_row import MethodRow, finite
from archsim.results.report import JointDesign, JointResult
from archsim.results.size_curves import SizeCurves
from reports.page.designs import AxisChoice, Point, axes_of, design_table, points_of
from reports.page.figure import PageFigure, from_figure
from reports.page.sources import citations, configurations, constants, names_of, said_of
from reports.tables.breakdown import Breakdown, breakdowns
from reports.tables.report import how_recommended, methods
from reports.tables.table import Cell, Column, Table

_PERCENT = 100
_NOISE_FREE = "noise-free network"


@dataclass(frozen=True)
class PageContent:
    """What the page shows, from top to bottom.

    Attributes:
        title: name of the study.
        subject: network, chip and device.
        question: what is to be decided, "" where nobody asked.
        answer: paragraphs.
        missing: what there is no result for, a sentence each.
        designs: one row per design, in the order of ``points``.
        points: the designs in the charts.
        methods: what every method is, no row where nothing is known.
        metrics: what accuracy can be drawn against.
        sigma: that is shown first; None without designs.
        notes: how the numbers are to be read.
        breakdowns: one for each distinct hardware.
        figures: drawn.
        published: published accuracies beside ours; None where there are none.
        comparisons: other published tables beside ours.
        assumptions: what costs rest on: a sentence, and the designs that it is about ("" for all).
        citations: sources of the models used.
        assumed: constants without a source; None where all have one.
        overridden: constants that the study or the user set; None for none.
        curves: of sweeps, along the size of the block and the bits of a cell.
        configurations: the configuration behind every cost.
        provenance: versions, seeds and the like: a name and a value each.
        commands: that reproduce this page.
    """

    title: str
    subject: str
    question: str
    answer: tuple[str, ...]
    missing: tuple[str, ...]
    designs: Table
    methods: Table
    points: tuple[Point, ...]
    metrics: tuple[AxisChoice, ...]
    sigma: float | None
    notes: tuple[str, ...]
    breakdowns: tuple[Breakdown, ...]
    figures: tuple[PageFigure, ...]
    published: Table | None
    comparisons: tuple[Table, ...]
    assumptions: tuple[tuple[str, str], ...]
    citations: tuple[str, ...]
    assumed: Table | None
    overridden: Table | None
    curves: tuple[SizeCurves, ...]
    configurations: Table
    provenance: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Spreads of the designs, in ascending order."""
        return tuple(sorted({point.sigma for point in self.points}))

    @property
    def has_accuracy(self) -> bool:
        """Whether anything was measured."""
        return any(point.accuracy is not None for point in self.points)


def collect(
    result: JointResult,
    *,
    answer: str | Sequence[str],
    commands: Sequence[str],
    provenance: Sequence[tuple[str, str]],
    figures: Sequence[PageFigure] = (),
    question: str = "",
    sigma: float | None = None,
    notes: Sequence[str] = (),
    comparisons: Sequence[Table] = (),
    curves: Sequence[SizeCurves] = (),
) -> PageContent:
    """Collect the page of a joint result.

    The gap to the noise-free network is drawn here where there are several sigmas; figures that
    need an engine (floorplan, sensitivity) come from outside.

    Args:
        result: the designs.
        answer: paragraphs; in a single text they are parted by empty lines.
        commands: that reproduce this page.
        provenance: versions, seeds, hashes and the like: a name and a value each.
        figures: in the order of the page.
        question: what is to be decided.
        sigma: that the page shows first; None: the first of the study.
        notes: how the numbers are to be read, before those of the designs.
        comparisons: published tables beside ours.
        curves: of sweeps.

    Raises:
        ConfigError: a sigma that no design has.
    """
    points = points_of(result)
    gap = _gap_figure(result)
    return PageContent(
        title=result.name,
        subject=result.subject,
        question=question,
        answer=_paragraphs(answer),
        missing=_missing(result),
        designs=design_table(result),
        methods=methods(result),
        points=points,
        metrics=axes_of(points),
        sigma=_first_sigma(points, sigma),
        notes=(*notes, *filter(None, [how_recommended(result)]), *_notes(result)),
        breakdowns=breakdowns(result.designs),
        figures=(*figures, *([] if gap is None else [gap])),
        published=_published(result),
        comparisons=tuple(comparisons),
        assumptions=said_of(result),
        citations=citations(result),
        assumed=constants(result, "assumed"),
        overridden=constants(result, "override"),
        curves=tuple(curves),
        configurations=configurations(result),
        provenance=tuple(provenance),
        commands=tuple(commands),
    )


def _first_sigma(points: Sequence[Point], wanted: float | None) -> float | None:
    known = list(dict.fromkeys(point.sigma for point in points))
    if wanted is None:
        return known[0] if known else None
    if wanted not in known:
        allowed = ", ".join(f"{sigma:g}" for sigma in known) or "none, there are no designs"
        raise ConfigError.of(Code.OUT_OF_RANGE, "sigma", wanted, allowed=allowed, form="g")
    return wanted


def _paragraphs(answer: str | Sequence[str]) -> tuple[str, ...]:
    parts = answer.split("\n\n") if isinstance(answer, str) else answer
    return tuple(part.strip() for part in parts if part.strip())


def _missing(result: JointResult) -> tuple[str, ...]:
    if not result.designs:
        return ("There are no designs.",)
    lines = [
        *result.reads,
        *result.gaps,
        *(f"{text[0].upper()}{text[1:]}." for text in result.warnings),
    ]
    lacks = [design for design in result.designs if finite(design.measured.accuracy) is None]
    if len(lacks) == len(result.designs):
        lines.append("No accuracy was measured: hardware and programming are all there is.")
    elif lacks:
        lines.append(f"No accuracy: {names_of(lacks)}.")
    unpriced = [design for design in result.designs if design.mapped is None]
    if len(unpriced) == len(result.designs):
        lines.append("No hardware was priced: accuracy and training are all there is.")
    elif unpriced:
        lines.append(f"No hardware cost: {names_of(unpriced)}.")
    whys: dict[str, list[JointDesign]] = {}
    for design in result.designs:
        if design.mapped is not None and not design.mapped.feasible:
            whys.setdefault(" ".join(design.mapped.infeasible_because), []).append(design)
    for why, designs in whys.items():
        lines.append(f"Cannot be built: {names_of(designs)}. {why}")
    return tuple(lines)


def _notes(result: JointResult) -> list[str]:
    """Return what the costs leave out, each note once with its designs."""
    by_note: dict[str, list[JointDesign]] = {}
    for design in result.designs:
        for note in design.notes:
            by_note.setdefault(note, []).append(design)
    return [f"{names_of(designs)}: {note}." for note, designs in by_note.items()]


def _published(result: JointResult) -> Table | None:
    """Return published accuracies beside ours, a row per method and sigma."""
    columns = (
        Column("method", "method", wraps=True),
        Column("sigma", "sigma"),
        Column("ours", "ours", "fixed", "%"),
        Column("half_width", "± chips", "fixed", "95 %"),
        Column("published", "published", "fixed", "%"),
        Column("deviation", "deviation", "signed", "points"),
        Column("source", "source", wraps=True),
    )
    rows: dict[tuple[str, str], tuple[Cell, ...]] = {}
    for design in result.designs:
        row, sigma = design.measured, f"{design.sigma:g}"
        ideal = _beside(row.ideal_accuracy, None, row.published_ideal)
        if ideal is not None:
            source = row.published_ideal_source or ""
            rows[_NOISE_FREE, "0"] = (_NOISE_FREE, "0", *ideal, source)
        ours = _beside(row.accuracy, row.half_width, row.published_accuracy)
        if ours is not None:
            source = row.published_source or ""
            rows[design.method, sigma] = (design.method, sigma, *ours, source)
    return Table("Accuracy", columns, tuple(rows.values())) if rows else None


def _beside(
    ours: float | None, half_width: float | None, theirs: float | None
) -> tuple[Cell, ...] | None:
    """Return ours, its half-width, theirs and the difference, per cent; None without one of them.

    Args:
        ours: a fraction.
        half_width: of its interval, a fraction.
        theirs: published, a fraction.
    """
    mine, published = finite(ours), finite(theirs)
    if mine is None or published is None:
        return None
    mine, published = _PERCENT * mine, _PERCENT * published
    spread = None if half_width is None else _PERCENT * half_width
    return mine, spread, published, mine - published


def _gap_figure(result: JointResult) -> PageFigure | None:
    """Draw the gap to the noise-free network against sigma, where there is more than one."""
    rows = {(design.method, design.sigma): design.measured for design in result.designs}
    whole = [
        replace(row, method=method, sigma=sigma)
        for (method, sigma), row in rows.items()
        if sigma > 0 and _has_gap(row)
    ]
    if len({row.sigma for row in whole}) < 2:
        return None
    from reports.figures.gap import collect_gap, draw_gap

    lines = collect_gap(whole)
    return from_figure(
        draw_gap(lines),
        title="Gap to the noise-free network against sigma",
        alt=f"{len(lines)} methods, both axes logarithmic; the values are in the table of designs.",
        caption="Bands: 95 % intervals over chips. The lower, the better.",
    )


def _has_gap(row: MethodRow) -> bool:
    ends = row.accuracy, row.ci95_low, row.ci95_high, row.ideal_accuracy
    return all(finite(value) is not None for value in ends)
