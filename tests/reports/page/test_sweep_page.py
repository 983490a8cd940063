"""The page of a sweep: which points it holds, and that a browser shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archsim.analysis import pareto
from reports.page.sweep import MOST_OTHERS, SweepRows, save_sweep_page, shown
from tests.reports.page import test_page_in_chromium as chromium

driver = chromium.driver


def sweep_rows(count: int) -> SweepRows:
    """A sweep whose accuracies are predicted, one in twenty measured."""
    source = np.random.default_rng(0)
    bits, rows = source.integers(3, 9, count), source.choice([32, 64, 128], count)
    accuracy = 0.95 - 0.5 * np.exp(2 - bits) + 0.01 * source.random(count)
    known = source.random(count) < 0.05
    frame = pd.DataFrame(
        {
            "point": np.arange(count),
            "chip.adc.bits": bits,
            "chip.crossbar.rows": rows,
            "feasible": True,
            "latency_s": 1e-6 * 2.0**bits * (1 + source.random(count)),
            "area_m2": 1e-6 * (bits + source.random(count)),
            "accuracy_mean": np.where(known, accuracy, np.nan),
            "accuracy_ci95_low": np.where(known, accuracy - 0.02, np.nan),
            "accuracy_ci95_high": np.where(known, accuracy + 0.02, np.nan),
            "accuracy_predicted": accuracy,
            "accuracy_low": accuracy - 0.05,
            "accuracy_high": accuracy + 0.03,
        }
    )
    wanted = pareto.parse_objectives("latency_s,area_m2,accuracy", list(frame.columns))
    filled = frame.assign(accuracy_mean=frame["accuracy_mean"].fillna(frame["accuracy_predicted"]))
    return SweepRows(
        name="<b>bits</b>",
        description="ADC bits x rows",
        rows=frame,
        parameters=["chip.adc.bits", "chip.crossbar.rows"],
        objectives=wanted,
        measured=pareto.pareto_front(frame, wanted).mask,
        expected=pareto.pareto_front(filled, wanted).mask,
        notes=["said of accuracies"],
        left_out=0,
        conditions=[],
        command=lambda point: f"archsim map lenet3 --set chip.adc.bits={bits[point]}",
    )


def test_a_page_holds_both_fronts_and_a_bounded_number_of_others() -> None:
    asked = sweep_rows(20_000)
    chosen = shown(asked)
    front = asked.measured | asked.expected
    assert asked.measured.sum() != asked.expected.sum()
    assert chosen[front].all()
    assert 0 < chosen[~front].sum() <= MOST_OTHERS
    assert len(set(asked.rows["chip.adc.bits"][chosen & ~front])) == 6


@pytest.mark.slow
def test_a_million_points_are_one_page_that_a_browser_brushes(driver: Any, tmp_path: Path) -> None:
    path = tmp_path / "front.html"
    save_sweep_page(sweep_rows(1_000_000), path)
    assert path.stat().st_size < 8e6
    for width, dark in ((1440, False), (320, True)):
        chromium.load(driver, path, width=width, dark=dark)
        wide = chromium.js(driver, "return document.documentElement.scrollWidth")
        assert wide <= width
        assert chromium.js(driver, "return document.querySelectorAll('#chart .point').length") > 500
    said = driver.find_element("id", "status").text
    code = driver.find_elements("css selector", "#points-table code")[0]
    assert code.get_attribute("textContent").startswith("archsim map lenet3 --set chip.adc.bits=")
    chromium.click(driver, driver.find_elements("css selector", "#brush input")[0])
    assert driver.find_element("id", "status").text != said
    chromium.click(driver, driver.find_element("id", "show-predicted"))
    marks = "return document.querySelectorAll('#points-table tbody tr').length"
    assert chromium.js(driver, marks) > 0
    kinds = driver.find_elements("css selector", "#points-table tbody td.text")
    assert "predicted" not in {kind.text for kind in kinds}
    assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
