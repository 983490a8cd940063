"""Everything that the page of the joint report shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.errors import Code, ConfigError
from archsim.results.report import JointDesign, JointResult
from archsim.results.size_curves import SizeCurves
from reports.page.designs import Metric, Point, design_table, half_width, metrics, points_of
from reports.page.designs import number as _number
from reports.page.figure import PageFigure, from_figure
from reports.page.sources import citations, configurations, constants, names_of, said_of
from reports.tables.breakdown import Breakdown, breakdowns
from reports.tables.report import how_recommended, methods
from reports.tables.table import Cell, Column, Table

_PERCENT = 100


@dataclass(frozen=True)
class PageContent:
    """What the page shows, from top to bottom.

    Attributes:
        title: name of the study.
        subject: network and device.
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
        commands: that make this page again.
    """

    title: str
    subject: str
    question: str
    answer: tuple[str, ...]
    missing: tuple[str, ...]
    designs: Table
    methods: Table
    points: tuple[Point, ...]
    metrics: tuple[Metric, ...]
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
        commands: that make this page again.
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
        subject=f"{result.network} on {result.device}",
        question=question,
        answer=_paragraphs(answer),
        missing=_missing(result),
        designs=design_table(result),
        methods=methods(result),
        points=points,
        metrics=metrics(points),
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
        allowed = ", ".join(f"{own:g}" for own in known) or "none, there are no designs"
        raise ConfigError.of(Code.OUT_OF_RANGE, "sigma", wanted, allowed=allowed, form="g")
    return wanted


def _paragraphs(answer: str | Sequence[str]) -> tuple[str, ...]:
    parts = answer.split("\n\n") if isinstance(answer, str) else answer
    return tuple(part.strip() for part in parts if part.strip())


def _missing(result: JointResult) -> tuple[str, ...]:
    if not result.designs:
        return ("There are no designs.",)
    lines = list(result.gaps)
    lacks = [own for own in result.designs if _number(own.measured.get("accuracy")) is None]
    if len(lacks) == len(result.designs):
        lines.append("No accuracy was measured: hardware and programming are all there is.")
    elif lacks:
        lines.append(f"No accuracy: {names_of(lacks)}.")
    unpriced = [own for own in result.designs if own.mapped is None]
    if len(unpriced) == len(result.designs):
        lines.append("No hardware was priced: accuracy and training are all there is.")
    elif unpriced:
        lines.append(f"No hardware cost: {names_of(unpriced)}.")
    whys: dict[str, list[JointDesign]] = {}
    for own in result.designs:
        if own.mapped is not None and not own.mapped.feasible:
            whys.setdefault(" ".join(own.mapped.infeasible_because), []).append(own)
    for why, designs in whys.items():
        lines.append(f"Cannot be built: {names_of(designs)}. {why}")
    return tuple(lines)


def _notes(result: JointResult) -> list[str]:
    """Return what the costs leave out, each note once with its designs."""
    found: dict[str, list[JointDesign]] = {}
    for own in result.designs:
        for note in own.notes:
            found.setdefault(note, []).append(own)
    return [f"{names_of(designs)}: {note}." for note, designs in found.items()]


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
    for own in result.designs:
        row = own.measured
        half = half_width(row.get("ci95_low"), row.get("ci95_high"))
        for method, sigma, ours, width, published in (
            ("noise-free network", "0", row.get("ideal_accuracy"), None, "published_ideal"),
            (own.method, f"{own.sigma:g}", row.get("accuracy"), half, "published_accuracy"),
        ):
            mine, theirs = _number(ours), _number(row.get(published))
            if mine is not None and theirs is not None:
                mine, theirs = _PERCENT * mine, _PERCENT * theirs
                spread = None if width is None else _PERCENT * width
                source = str(row.get(f"{published.removesuffix('_accuracy')}_source") or "")
                rows[method, sigma] = (method, sigma, mine, spread, theirs, mine - theirs, source)
    return Table("Accuracy", columns, tuple(rows.values())) if rows else None


def _gap_figure(result: JointResult) -> PageFigure | None:
    """Draw the gap to the noise-free network against sigma, where there is more than one."""
    rows = {(own.method, own.sigma): own.measured for own in result.designs}
    needed = ("accuracy", "ci95_low", "ci95_high", "ideal_accuracy")
    whole = [
        {**row, "method": method, "sigma": sigma}
        for (method, sigma), row in rows.items()
        if sigma > 0 and all(_number(row.get(key)) is not None for key in needed)
    ]
    if len({row["sigma"] for row in whole}) < 2:
        return None
    import pandas as pd

    from reports.figures.gap import collect_gap, draw_gap

    lines = collect_gap(pd.DataFrame(whole))
    return from_figure(
        draw_gap(lines),
        title="Gap to the noise-free network against sigma",
        alt=f"{len(lines)} methods, both axes logarithmic; the values are in the table of designs.",
        caption="Bands: 95 % intervals over chips. The lower, the better.",
    )
