"""The scorecard of the silicon model: what its collector shows."""

from __future__ import annotations

import pytest

from archsim.results.silicon import SiliconComparison, SiliconPoint, SiliconValidation
from reports.figures.silicon import collect_silicon, draw_silicon
from reports.tables.silicon import factors, furthest, skipped


def result():
    near = SiliconPoint(1e-12, 2e-12, 0.5e-12, 8e-12)
    far = SiliconPoint(1e-12, 8e-12, 2e-12, 32e-12)
    rows = (
        SiliconComparison(2, "a", "nvm", "current", "", (), {"energy": near}, {}),
        SiliconComparison(3, "b", "nvm", "current", "", (), {"energy": far}, {"energy": "x"}),
        SiliconComparison(4, "c", "", "", "adcs is not known", (), {}, {}),
    )
    return SiliconValidation("t.csv", "calibrated", rows, False, ())


def test_summary_by_hand():
    found = result().summary("energy", "nvm")
    assert (found.n, found.coverage) == (2, 0.5)
    assert found.median_factor == pytest.approx(5.0)
    assert found.bias == pytest.approx(4.0)


def test_the_figure_has_a_panel_per_quantity_and_every_point():
    info = collect_silicon(result())
    assert [panel.metric for panel in info.panels] == ["energy", "latency", "area"]
    assert info.panels[0].points["nvm"][0] == pytest.approx((1.0, 2.0, 0.5, 8.0))
    assert "x5.00" in info.panels[0].labels["nvm"]
    assert len(draw_silicon(info).axes) == 3


def test_tables_show_factors_the_furthest_and_the_reasons():
    assert factors(result()).records()[0]["median_factor"] == pytest.approx(5.0)
    assert furthest(result()).records()[0]["macro"] == "b"
    assert skipped(result()).records()[0]["reason"] == "adcs is not known"
