"""The write-verify figure: what is collected is right, and figure and table are written."""

from __future__ import annotations

import pandas as pd
import pytest

from archsim.errors import ConfigError, DataError
from reports.figures.write_verify_curve import (
    collect_write_verify,
    draw_write_verify,
    save_write_verify,
)
from tests.images import assert_image
from tests.refusals import refused


@pytest.fixture
def summary() -> pd.DataFrame:
    rows = [
        {
            "device": device,
            "policy": policy,
            "fraction": fraction,
            "verified_fraction": fraction,
            "verify_cycles": fraction**2,
            "normalised_pulses": 0.1 + 0.9 * fraction,
            "accuracy": 0.9 + 0.08 * fraction ** (0.5 if policy == "swim" else 1),
            "ci95_low": 0.89,
            "ci95_high": 0.99,
            "instances": 50,
        }
        for device in ("uniform", "non-uniform")
        for policy in ("random", "swim")
        for fraction in (1.0, 0.0, 0.5)  # not in order
    ]
    return pd.DataFrame(rows)


def test_curves_are_collected_in_order_and_in_per_cent(summary):
    info = collect_write_verify(summary)
    assert list(info.curves) == ["uniform", "non-uniform"]
    random, swim = info.curves["uniform"]
    assert (random.policy, swim.policy) == ("random", "swim")
    assert random.efforts["verified_fraction"] == pytest.approx((0, 50, 100))
    assert random.efforts["verify_cycles"] == pytest.approx((0, 25, 100))
    assert random.accuracy == pytest.approx((90, 94, 98))
    assert swim.low == pytest.approx((89, 89, 89))
    assert info.goals["non-uniform"] == pytest.approx(98)
    assert info.instances == 50


def test_every_curve_is_drawn_on_all_panels(summary):
    figure = draw_write_verify(collect_write_verify(summary, "lenet3 on mnist"))
    assert figure.get_suptitle().startswith("Selective write-verify of lenet3 on mnist: mean")
    assert len(figure.axes) == 6
    for axes in figure.axes:
        drawn = [line.get_label() for line in axes.get_lines()]
        assert drawn == ["random", "swim", "all verified"]
    share, cycles, pulses = figure.axes[:3]
    assert list(share.get_lines()[1].get_xdata()) == pytest.approx([0, 50, 100])
    assert list(cycles.get_lines()[1].get_xdata()) == pytest.approx([0, 25, 100])
    assert list(pulses.get_lines()[1].get_xdata()) == pytest.approx([10, 55, 100])


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_figure_and_table_are_written(summary, tmp_path, suffix):
    path = tmp_path / f"curve.{suffix}"
    save_write_verify(summary, path)
    assert_image(path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curve.csv"), summary)


def test_bad_tables_and_places_are_refused(summary, tmp_path):
    with refused(DataError, code="missing-key", field="curve", value=["ci95_low"]):
        collect_write_verify(summary.drop(columns="ci95_low"))
    with refused(DataError, code="empty", field="curve", value=[]):
        collect_write_verify(summary[:0])
    path = tmp_path / "curve.gif"
    with refused(ConfigError, code="wrong-form", field="--plot", value=str(path)):
        save_write_verify(summary, path)
