"""The figures of a joint report, each drawn once, for its folder and for its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from archsim.api.evaluate import evaluated_rows
from archsim.api.map import placement
from archsim.results.mapped import MapResult
from archsim.results.method_row import finite
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.recommend import detailed_design
from archsim.results.report import JointResult
from archsim.results.sensitivity import Elasticity
from archsim.results.size_curves import SIZES, SizeCurves
from archsim.units import exact
from tsb.study import StudyRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure, and what the page says to it.

    Attributes:
        name: of its files, without the ending.
        title: heading above it.
        alt: what it shows, for who cannot see it.
        draw: makes it.
        caption: one sentence below it, "" for none.
        on_page: whether the page shows it as a drawing; others it draws itself.
    """

    name: str
    title: str
    alt: str
    draw: Callable[[], Figure]
    caption: str = ""
    on_page: bool = False


def drawings(
    result: JointResult,
    runs: Sequence[StudyRun],
    curves: Sequence[SizeCurves],
    elasticities: Sequence[Elasticity],
) -> Iterator[Drawing]:
    """Yield all figures that the results allow.

    Args:
        result: all designs.
        runs: that they come from.
        curves: of sweeps.
        elasticities: of the design of :func:`detailed_design`; empty for none.
    """
    yield from _joint(result)
    yield from _breakdowns(result)
    yield from _floorplans(result)
    detailed = detailed_design(result)
    if detailed is not None and elasticities:
        yield Drawing(
            "sensitivity",
            f"What moves the cost of {detailed.label}",
            f"Elasticities of {_metric_names()} by parameter, largest first",
            partial(_sensitivity, elasticities),
            "Elasticity: change of a total per change of a parameter, in %/%, from autograd; whole "
            "numbers and choices by a step. The values are in tables/sensitivity.csv.",
            on_page=True,
        )
    yield from _accuracies(result, runs)
    for place, sweep in enumerate(curves):
        yield from _sizes(sweep, f"-{place + 1}" if len(curves) > 1 else "")


def _metric_names() -> str:
    *first, last = (metric.name for metric in shown_in(Place.SENSITIVITY_FIGURE))
    return f"{', '.join(first)} and {last}"


def _joint(result: JointResult) -> Iterator[Drawing]:
    from reports.figures.report import collect_joint, draw_joint

    for sigma in dict.fromkeys(design.sigma for design in result.designs):
        if any(
            design.is_priced and design.measured.accuracy is not None for design in result.at(sigma)
        ):

            def draw(sigma: float = sigma) -> Figure:
                return draw_joint(collect_joint(result, sigma))

            title = f"Accuracy against cost, sigma {sigma:g}"
            yield Drawing(f"accuracy-cost-sigma{exact(sigma)}", title, title, draw)


def _breakdowns(result: JointResult) -> Iterator[Drawing]:
    from reports.figures.breakdown import draw_breakdown
    from reports.tables.breakdown import breakdowns

    distinct = breakdowns(result.designs)
    for name, layers in (("components", False), ("layers", True)):
        if distinct:
            yield Drawing(
                f"breakdown-{name}",
                f"Where area, energy and time go, by {name}",
                "Stacked bars of every distinct hardware",
                partial(draw_breakdown, distinct, layers=layers),
            )


def _floorplans(result: JointResult) -> Iterator[Drawing]:
    from reports.figures.floorplan import collect_floorplan, draw_floorplan

    known: dict[tuple[str, str], MapResult] = {}
    for design in result.designs:
        if design.mapped is not None and design.mapped.feasible:
            known.setdefault((design.mapped.network, design.placement), design.mapped)
    several = len({network for network, _ in known}) > 1
    for (network, place), mapped in known.items():

        def draw(mapped: MapResult = mapped) -> Figure:
            return draw_floorplan(collect_floorplan(mapped, placement(mapped)))

        which = f"{network}, " if several else ""
        yield Drawing(
            f"floorplan-{network}-{place}" if several else f"floorplan-{place}",
            f"Floorplan, {which}shared block: {place}",
            f"Tiles and subarrays of {network} by layer, shared block {place}; the tiles of "
            "each layer are in tables/layers.csv",
            draw,
            "" if place == "none" else "Thick frames: tiles of the shared block.",
            on_page=True,
        )


def _sensitivity(elasticities: Sequence[Elasticity]) -> Figure:
    from reports.figures.sensitivity import collect_sensitivity, draw_sensitivity

    return draw_sensitivity(collect_sensitivity(elasticities))


def _accuracies(result: JointResult, runs: Sequence[StudyRun]) -> Iterator[Drawing]:
    from reports.figures.gap import collect_gap, draw_gap
    from reports.figures.methods import collect_methods, draw_methods

    for place, run in enumerate(runs):
        folder = str(run.folder)
        designs = [design for design in result.designs if design.run == folder]
        if all(design.measured.accuracy is None for design in designs):
            continue
        rows = evaluated_rows(run.folder)
        ending = f"-{place + 1}" if len(runs) > 1 else ""
        title = f"Accuracy of the methods of {run.study.name}"
        yield Drawing(
            f"accuracy{ending}", title, title, partial(draw_methods, collect_methods(rows))
        )
        if len({row.sigma for row in rows}) > 1 and all(
            finite(row.ideal_accuracy) is not None for row in rows
        ):
            title = f"Gap to the noise-free network against sigma, {run.study.name}"
            yield Drawing(f"gap{ending}", title, title, partial(draw_gap, collect_gap(rows)))


def _sizes(sweep: SizeCurves, ending: str) -> Iterator[Drawing]:
    from reports.figures.size_curves import collect_size_curves, draw_size_curves

    for path in sweep.axes:
        name = path.rsplit(".", 1)[-1].replace("_", "-")
        title = f"{sweep.name}: against {SIZES[path]}"
        title += f", accuracies {sweep.at_sigma}" if sweep.at_sigma else ""
        yield Drawing(
            f"size-{name}{ending}",
            title,
            title,
            partial(draw_size_curves, collect_size_curves(sweep, path)),
        )
