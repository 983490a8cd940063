"""What the joint report says in words where the most accurate design has no cost."""

from __future__ import annotations

import pytest

from archsim.results.report import JointDesign, JointResult
from reports.tables.report import answer
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
