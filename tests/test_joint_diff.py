"""The difference of two reports, from what their report.json says."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.errors import DataError
from archsim.joint_diff import diff
from reports.diff_tables import in_short, inputs, moved


def test_noise_of_a_difference_is_that_of_both():
    def report(mean: float, half: float) -> dict[str, Any]:
        row = {"method": "m", "sigma": 0.1, "design": "none", "accuracy": mean}
        row |= {"ci95_low": mean - half, "ci95_high": mean + half}
        return {"schema": 1, "designs": [row]}

    inside = diff(report(0.90, 0.03), report(0.949, 0.04))  # root of sum of squares: 0.05
    outside = diff(report(0.90, 0.03), report(0.951, 0.04))
    assert [own.beyond_noise for own in (*inside.moved, *outside.moved)] == [False, True]
    assert inside.moved[0].noise == pytest.approx(0.05, rel=1e-9, abs=0)


def report(**changes: Any) -> dict[str, Any]:
    row = {"method": "m", "sigma": 0.1, "design": "none", "accuracy": 0.9, "area_mm2": 2.0}
    study = {"name": "s", "seeds": [0], "methods": [{"name": "m", "write": "none"}]}
    return {
        "schema": 1,
        "designs": [row, row | {"method": "n"}],
        "answer": ["Take m."],
        "inputs": {"studies": [study], "configurations": ["a", "b"]},
    } | changes


def test_inputs_are_named_down_to_the_setting():
    study = {"name": "s", "seeds": [1], "methods": [{"name": "m", "write": "all"}]}
    other = report(inputs={"studies": [study], "configurations": ["b", "c"]})
    found = diff(report(), other)
    assert found.inputs == (
        ("studies.s.seeds", [0], [1]),
        ("studies.s.methods.m.write", "none", "all"),
        ("configurations", "2 hashes, 1 only here", "2 hashes, 1 only here"),
    )
    assert found.other_backbones
    assert any("Other backbones" in line for line in in_short(found))
    assert len(inputs(found).rows) == 3


def test_designs_in_which_a_number_moved_alike_share_a_row():
    rows = [own | {"area_mm2": 3.0} for own in report()["designs"]]
    found = diff(report(), report(designs=rows))
    assert len(found.moved) == 2
    (row,) = moved(found).records()
    assert row["design"] == "m, sigma 0.1, none and 1 more"
    assert row["number"] == "area, mm2"
    assert row["change"] == "+50 %"
    assert not found.other_backbones


def test_answers_that_differ_are_both_said():
    found = diff(report(), report(answer=["Take n.", "And m."]))
    assert found.answers == (("Take m.", "Take n."), ("", "And m."))
    said = in_short(found)
    assert "Answer before: Take m." in said
    assert "Answer before: none" in said


def test_what_is_no_report_is_refused():
    with pytest.raises(DataError, match="schema 1"):
        diff(report(), {"schema": 2})
