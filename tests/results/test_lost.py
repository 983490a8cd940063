"""Accuracy that is lost: rounding is none, one image in a great many is."""

from __future__ import annotations

import pytest

from archsim.results.lost import accuracy_lost
from archsim.results.programmed import MeasuredAccuracy


def test_rounding_is_no_loss_and_no_gain() -> None:
    mean = sum([0.1] * 10) / 10  # 1.4e-17 below 0.1
    assert mean != 0.1
    assert (accuracy_lost(0.1, mean), accuracy_lost(mean, 0.1)) == (0.0, 0.0)
    assert str(accuracy_lost(mean, 0.1)) == "0.0"


@pytest.mark.parametrize("images", [1, 300, 10**9])
def test_one_image_counts_either_way(images: int) -> None:
    one = 1 / images
    assert accuracy_lost(0.5 + one, 0.5) == pytest.approx(one, rel=1e-6)
    assert accuracy_lost(0.5, 0.5 + one) == pytest.approx(-one, rel=1e-6)


def test_a_measured_accuracy_says_it() -> None:
    mean = sum([0.1] * 10) / 10
    measured = MeasuredAccuracy(
        ideal=mean, mean=0.1, ci95_low=None, ci95_high=None, worst=0.1, chips=10, images=10,
        data="digits",
    )  # fmt: skip
    assert measured.loss == 0.0
