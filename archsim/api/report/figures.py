"""The figures of a joint report, each drawn once, for its folder and for its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from archsim.api.evaluate import evaluate
from archsim.api.map import placement
from archsim.results.mapped import MapResult
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.report import JointDesign, JointResult
from archsim.results.sensitivity import Elasticity
from archsim.results.size_curves import SIZES, SizeCurves
from reports.tables.report import recommended
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


def answer_of(result: JointResult) -> JointDesign | None:
    """Return the design whose cost is looked at more closely: the recommended one, else any.

    Args:
        result: all designs.
    """
    found = (recommended(result, case.sigma, case) for case in result.cases())
    answers = [own for own in found if own is not None]
    return next(iter([*answers, *(own for own in result.designs if own.is_priced)]), None)


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
        elasticities: of the design of :func:`answer_of`; empty for none.
    """
    yield from _joint(result)
    yield from _breakdowns(result)
    yield from _floorplans(result)
    own = answer_of(result)
    if own is not None and elasticities:
        yield Drawing(
            "sensitivity",
            f"What moves the cost of {own.label}",
            f"Elasticities of {_metric_names()} by parameter, largest first",
            partial(_sensitivity, elasticities),
            "Per cent of change per per cent of a parameter, from autograd; whole numbers and "
            "choices by a step. The values are in tables/sensitivity.csv.",
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

    for sigma in dict.fromkeys(own.sigma for own in result.designs):
        both = [
            own.is_priced and own.measured.get("accuracy") is not None for own in result.at(sigma)
        ]
        if any(both):

            def draw(sigma: float = sigma) -> Figure:
                return draw_joint(collect_joint(result, sigma))

            title = f"Accuracy against cost, sigma {sigma:g}"
            yield Drawing(f"accuracy-cost-sigma{sigma:g}", title, title, draw)


def _breakdowns(result: JointResult) -> Iterator[Drawing]:
    from reports.figures.breakdown import draw_breakdown
    from reports.tables.breakdown import breakdowns

    found = breakdowns(result.designs)
    for name, layers in (("components", False), ("layers", True)):
        if found:
            yield Drawing(
                f"breakdown-{name}",
                f"Where area, energy and time go, by {name}",
                "Stacked bars of every distinct hardware",
                partial(draw_breakdown, found, layers=layers),
            )


def _floorplans(result: JointResult) -> Iterator[Drawing]:
    from reports.figures.floorplan import collect_floorplan, draw_floorplan

    found: dict[tuple[str, str], MapResult] = {}
    for own in result.designs:
        if own.mapped is not None and own.mapped.feasible:
            found.setdefault((own.mapped.network, own.design), own.mapped)
    several = len({network for network, _ in found}) > 1
    for (network, design), mapped in found.items():

        def draw(mapped: MapResult = mapped) -> Figure:
            return draw_floorplan(collect_floorplan(mapped, placement(mapped)))

        which = f"{network}, " if several else ""
        yield Drawing(
            f"floorplan-{network}-{design}" if several else f"floorplan-{design}",
            f"Floorplan, {which}shared block: {design}",
            f"Tiles and subarrays of {network} by layer, shared block {design}; the tiles of "
            "each layer are in tables/layers.csv",
            draw,
            "" if design == "none" else "Thick frames: tiles of the shared block.",
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
        own = [each for each in result.designs if each.run == folder]
        if all(each.measured.get("accuracy") is None for each in own):
            continue
        frame = evaluate(run.folder)
        ending = f"-{place + 1}" if len(runs) > 1 else ""
        title = f"Accuracy of the methods of {run.study.name}"
        yield Drawing(
            f"accuracy{ending}", title, title, partial(draw_methods, collect_methods(frame))
        )
        if frame["sigma"].nunique() > 1 and frame["ideal_accuracy"].notna().all():
            title = f"Gap to the noise-free network against sigma, {run.study.name}"
            yield Drawing(f"gap{ending}", title, title, partial(draw_gap, collect_gap(frame)))


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
