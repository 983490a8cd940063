"""A small joint result for tests of the page: real hardware, made-up accuracies."""

from __future__ import annotations

from functools import cache
from typing import Any

from archsim.api.map import map_network
from archsim.results.mapped import MapResult
from archsim.results.method_row import MethodRow
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.report import JointDesign, JointResult
from archsim.results.size_curves import CurvePoint, SizeCurves
from reports.page import PageContent, PageFigure, collect

#: What nobody should call a method, and what somebody will.
HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>window.hacked=1</script></svg>"
SIGMAS = (0.1, 0.2)


@cache
def mapped(design: str, *overrides: str) -> MapResult:
    settings = ["tsb.copies=null", *overrides]
    return map_network("lenet3", design=design, chip="rram-22nm-neurosim", overrides=settings)


def measured(method: str, sigma: float, accuracy: float | None, **changes: object) -> MethodRow:
    row: dict[str, Any] = {"ideal_accuracy": 0.98, "chips": 8, "runs": 10, "seeds": 1}
    row |= {"images": 1000, "written_weights": 25, "tune_seconds": 1.5, "chosen": method == "TSB"}
    if accuracy is not None:
        row |= {"accuracy": accuracy, "ci95_low": accuracy - 0.004, "ci95_high": accuracy + 0.006}
    return MethodRow(method=method, sigma=sigma, **(row | changes))


def design(
    method: str,
    sigma: float = 0.1,
    place: str = "none",
    accuracy: float | None = 0.9,
    hardware: MapResult | None = None,
    notes: tuple[str, ...] = (),
    **changes: object,
) -> JointDesign:
    return JointDesign(
        method=method,
        sigma=sigma,
        placement=place,
        measured=measured(method, sigma, accuracy, **changes),
        mapped=hardware,
        base=method == "plain",
        notes=notes,
    )


def joint(*designs: JointDesign) -> JointResult:
    return JointResult("a study", "lenet3", "rram", designs)


def usual() -> JointResult:
    """Five designs at each of two sigmas: a base, a block in two places, a clone, a bad name."""
    found = []
    for sigma in SIGMAS:
        verified = mapped("none", "chip.programming.policy=all")
        found += [
            design("plain", sigma, "none", 0.95 - sigma, mapped("none")),
            design("TSB", sigma, "common", 0.96 - sigma / 2, mapped("common")),
            design("TSB", sigma, "separate", 0.96 - sigma / 2, mapped("separate")),
            design("all verified", sigma, "none", 0.97, verified),
            design(HOSTILE, sigma, "none", 0.9, mapped("none"), (f"{HOSTILE} left out",)),
        ]
    return joint(*found)


def curves() -> SizeCurves:
    """Two sizes, two bits, one placement and a design without a block; a hostile name."""
    sizes = [("none", None, 1), ("common", 2, 1), ("common", 5, 1), ("common", 2, 2)]
    points = tuple(
        CurvePoint(
            point=number,
            design=place,
            sizes={"tsb.channels": channels, "chip.precision.bits_per_cell": bits},
            accuracy=90.5 + number,
            low=90.0 + number,
            high=None,
            values=dict.fromkeys((own.key for own in shown_in(Place.CURVES)), 1.0 + number),
            command=HOSTILE,
        )
        for number, (place, channels, bits) in enumerate(sizes)
    )
    return SizeCurves(
        name=HOSTILE,
        folder="sweeps/x",
        networks=("lenet3",),
        devices=("rram",),
        axes=("tsb.channels", "chip.precision.bits_per_cell"),
        points=points,
        note=f"Of {HOSTILE}.",
        sweep={"name": "own"},
    )


def page(result: JointResult | None = None, **changes: object) -> PageContent:
    settings: dict[str, object] = {
        "answer": ["Take the TSB.", f"Not {HOSTILE}."],
        "question": "Which one?",
        "commands": ["archsim report a-study"],
        "provenance": [("seeds", "0"), (HOSTILE, HOSTILE)],
        "figures": [PageFigure("Floorplan", SVG, f"tiles {HOSTILE}", "A caption.")],
        "notes": ["Read with care."],
        "curves": [curves()],
    }
    return collect(usual() if result is None else result, **(settings | changes))
