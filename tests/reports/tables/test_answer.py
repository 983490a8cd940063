"""What the joint report and a sweep say in words: every branch, by the numbers and names in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas
import pytest

from archsim.results.answers import Cheapest
from archsim.results.report import Beside, JointDesign, JointResult
from reports.tables.report import answer, beside, how_recommended
from reports.tables.sweep import answer as sweep_answer
from tests.results.test_recommend import design


def said(*designs: JointDesign) -> str:
    (text,) = answer(JointResult("s", "lenet3", "rram", designs))
    return text


def test_a_difference_is_said_to_the_design_that_it_was_measured_to() -> None:
    """Distances are to the best design with a cost: 0.70 points are not those to ``costless``."""
    behind = design("cheap", 0.94, edp=1.0, behind=0.007)
    best = design("dear", 0.947, edp=9.0, behind=0.0, noise=0.0)
    assert "0.70 +- 1.00" in said(behind, best)
    text = said(behind, best, design("costless", 0.96, edp=None))
    assert "costless" in text
    assert "0.70" not in text


@pytest.mark.parametrize("costless", [False, True])
def test_the_best_on_test_images_is_behind_the_best_that_has_a_cost(costless: bool) -> None:
    lucky = design("lucky", 0.80, behind=0.15, measured={"accuracy": 1.0})
    designs = [lucky, design("best", 0.95, edp=2.0, behind=0.0, noise=0.0)]
    more = [design("costless", 0.96, edp=None)] if costless else []
    text = said(*designs, *more)
    assert "lucky" in text
    assert "15.00 +- 1.00 points behind the most accurate" in text
    assert ("behind the most accurate that has a cost" in text) == costless


def test_nothing_can_be_recommended() -> None:
    none = design("a", None, network="lenet3")
    _, text = answer(JointResult("s", "n", "d", (design("b", network="vgg8"), none)))
    assert text.startswith("At sigma 0.1 for lenet3 nothing can be recommended")
    text = said(design("a", None), design("b", 0.9, edp=None))
    assert text.startswith("At sigma 0.1 nothing can be recommended")
    assert "both an accuracy on validation images and a cost" in text
    assert how_recommended(JointResult("s", "n", "d", (design("a", None),))) == ""


def test_only_one_design() -> None:
    text = said(design("alone", 0.9, measured={"ci95_low": 0.8877, "ci95_high": 0.9123}))
    assert text == (
        "At sigma 0.1, alone: 90.00 +- 1.23 % on the test images. "
        "Nothing that was tried is more accurate on the validation images."
    )


def test_costs_beside_the_base() -> None:
    """EDP three times, write pulses within 0.5 %: the same; a base without any has none."""
    best = design("best", 0.95, edp=3.0, behind=0.0, noise=0.0, pulses=1.004)
    text = said(design("plain", 0.90, edp=1.0, behind=0.05), best)
    assert "best: 90.00 % on the test images instead of 90.00 % with plain, for " in text
    assert "for 3 times the EDP, the same area and the same write pulses." in text
    more = design("best", 0.95, edp=3.0, behind=0.0, noise=0.0, pulses=1.006)
    assert "and 1.01 times the write pulses." in said(design("plain", 0.9, behind=0.05), more)
    none = design("plain", 0.90, edp=0.0, behind=0.05)
    assert "for EDP that the other has none of, the same area" in said(none, best)
    # The base itself is not compared with itself.
    assert "instead of" not in said(design("plain", 0.95, behind=0.0, noise=0.0))


def test_what_a_method_is_and_where() -> None:
    """Devices, networks and data are named where they differ among the designs."""
    one = design("one", 0.9, device="rram", network="lenet3", data="mnist", about="what it does")
    two = design("two", 0.9, device="pcm", network="vgg8", data="mnist")
    texts = answer(JointResult("s", "n", "d", (one, two)))
    assert texts[0].startswith("At sigma 0.1 for lenet3, one [what it does] on rram: ")
    assert texts[1].startswith("At sigma 0.1 for vgg8, two on pcm: ")
    other = design("two", 0.9, device="rram", network="vgg8", data="cifar10")
    first, _ = answer(JointResult("s", "n", "d", (one, other)))
    assert first.startswith("At sigma 0.1 for lenet3 on mnist, one [what it does]: ")


def test_the_more_accurate_and_what_it_costs() -> None:
    cheap = design("cheap", 0.94, edp=1.0, behind=0.007, pulses=2.0)
    dear = design("dear", 0.947, edp=9.0, behind=0.0, noise=0.0, pulses=3.0)
    text = said(cheap, dear)
    assert (
        "validation images, dear (90.00 % on the test images), is statistically tied with it"
        in text
    )
    assert "(ahead by 0.70 +- 1.00 points on 9 images)" in text
    assert text.endswith(", at 9 times the EDP and 1.5 times the write pulses.")
    text = said(cheap, design("free", 0.96, edp=None))
    assert "free (90.00 % on the test images), but has no cost here." in text
    assert "within the noise" not in text


@pytest.mark.parametrize("within", [True, False])
def test_why_the_best_on_test_images_was_not_chosen(within: bool) -> None:
    behind = 0.009 if within else 0.02
    lucky = design("lucky", 0.94, edp=4.0, behind=behind, measured={"accuracy": 0.99})
    text = said(lucky, design("best", 0.95, edp=2.0, behind=0.0, noise=0.0))
    assert "On the test images, which are never used to choose, lucky is best (99.00 %)" in text
    assert text.endswith(", at 2 times the EDP." if within else ", more than that noise.")


@pytest.mark.parametrize(
    ("count", "named"), [(1, "u0."), (3, "u0, u1, u2."), (4, "u0, u1, u2 and 1 more.")]
)
def test_designs_without_validation_accuracy_are_named(count: int, named: str) -> None:
    text = said(design("known", 0.9), *(design(f"u{k}", None) for k in range(count)))
    assert text.endswith(f" Not considered, without validation accuracy: {named}")


def test_no_accuracy_on_test_images() -> None:
    assert ": no accuracy on the test images." in said(design("a", measured={"accuracy": None}))


@pytest.mark.parametrize("older", [True, False])
def test_by_which_noise_designs_are_chosen(older: bool) -> None:
    designs = (design("a", 0.9, behind=None if older else 0.0),)
    text = how_recommended(JointResult("s", "n", "d", designs))
    assert ("the run is of an older version" in text) == older
    assert ("over chips and images" in text) != older


@pytest.mark.parametrize(
    ("bound", "ours", "shown"),
    [
        ("=", 2.2, "+10.0 %"),
        ("=", 1.9, "-5.0 %"),
        (">", 2.2, "holds"),
        (">", 2.0, "+0.0 %"),
        (">", 1.9, "-5.0 %"),
        ("<", 1.9, "holds"),
        ("<", 2.2, "+10.0 %"),
        ("=", None, None),
    ],
)
def test_deviation_of_a_published_number(bound: str, ours: float | None, shown: str | None) -> None:
    claim = Beside(
        quantity="energy", of="a", unit="mJ", published=2.0, bound=bound, ours=ours, source="them"
    )
    ((row,),) = (table.rows for table in beside([claim]))
    assert row[:3] == ("energy, mJ", "a", ours)
    assert row[3:5] == ("2" if bound == "=" else f"{bound} 2", shown)
    assert beside([]) == ()


def cheapest(**changes: Any) -> Cheapest:
    meets: Mapping[str, int] = {}
    own: dict[str, Any] = {
        "column": "edp_Js",
        "position": None,
        "design": None,
        "designs": 2000,
        "infeasible": 100,
        "not_evaluated": 0,
        "qualified": 0,
        "meets": meets,
        "nearest": {},
    }
    return Cheapest(**(own | changes))


def test_the_cheapest_of_a_sweep() -> None:
    best = pandas.Series({"edp_Js": 2.5e-9, "point": 41})
    text = sweep_answer(cheapest(position=3, design=best, qualified=1900), "area < 50 mm2")
    assert text.startswith("Least EDP with area < 50 mm2: 2.5 ")
    assert text.endswith(" at point 41, of 1,900 designs.")
    assert sweep_answer(cheapest(position=3, design=best), "").startswith("Least EDP: ")


def test_why_a_sweep_has_no_cheapest() -> None:
    assert sweep_answer(cheapest(), "") == "No feasible design."
    meets = {"area < 1 mm2": 0, "edp < 1": 1500}
    text = sweep_answer(cheapest(meets=meets), "both")
    assert text == "No feasible design with both: 0 with area < 1 mm2; 1,500 with edp < 1."
    one = cheapest(meets={"area < 1 mm2": 0}, nearest={"area < 1 mm2": ("area_m2", 2e-6, 7)})
    text = sweep_answer(one, "area < 1 mm2")
    assert text.startswith("No feasible design with area < 1 mm2: the least ")
    assert text.endswith(" 2 mm2 at point 7.")
    more = cheapest(meets={"area > 9 mm2": 0}, nearest={"area > 9 mm2": ("area_m2", 2e-6, 7)})
    assert ": the most " in sweep_answer(more, "area > 9 mm2")
    left = cheapest(not_evaluated=1234)
    assert sweep_answer(left, "") == "No feasible design: 1,234 are not evaluated."
    none = cheapest(infeasible=2000)
    assert sweep_answer(none, "") == "No feasible design: none is feasible."
