"""The difference of two reports, from what their report.json says."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.errors import DataError
from archsim.results.report_diff import diff
from reports.tables.report_diff import in_short, inputs, moved


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
        ("study.seeds", [0], [1]),
        ("study.methods.m.write", "none", "all"),
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


def test_settings_are_named_with_their_values_and_not_by_hashes():
    def own(bits: int, policy: str, read: str = "0.2 V") -> dict[str, Any]:
        return report(
            inputs={
                "studies": [{"name": "s"}],
                "chips": ["c"],
                "configurations": [f"hash of {bits}, {policy}"],
                "settings": {"chip.adc.bits": bits, "device.v_read": read},
                "settings_of": {
                    "m, sigma 0.1, none": {"chip.programming.policy": policy},
                    "n, sigma 0.1, none": {"chip.programming.policy": "all"},
                },
            }
        )

    found = diff(own(5, "none"), own(6, "tsb", "0.3 V"))
    assert found.inputs == (
        ("chip.adc.bits", 5, 6),
        ("device.v_read", "0.2 V", "0.3 V"),
        ("chip.programming.policy (m, sigma 0.1, none)", "none", "tsb"),
    )
    assert not found.other_backbones
    assert diff(own(5, "none"), own(5, "none")).inputs == ()


def test_a_setting_that_all_share_in_one_report_alone_is_compared_by_design():
    def own(shared: dict[str, Any], of_m: dict[str, Any], of_n: dict[str, Any]) -> dict[str, Any]:
        of = {"m, sigma 0.1, none": of_m, "n, sigma 0.1, none": of_n}
        return report(inputs={"settings": shared, "settings_of": of})

    before, after = own({"a": 1}, {}, {}), own({}, {"a": 1}, {"a": 2})
    assert diff(before, after).inputs == (("a (n, sigma 0.1, none)", 1, 2),)


def test_settings_are_compared_where_no_design_is_in_both():
    one, other = (
        report(inputs={"settings": {"device.sigma": sigma}, "settings_of": {name: {}}})
        for sigma, name in (("0.1", "a"), ("0.2", "b"))
    )
    assert diff(one, other).inputs == (("device.sigma", "0.1", "0.2"),)


def test_single_studies_of_other_names_are_compared_setting_by_setting():
    study = {"name": "t", "seeds": [1], "methods": [{"name": "m", "write": "none"}]}
    found = diff(report(), report(inputs={"studies": [study], "configurations": ["a", "b"]}))
    assert found.inputs == (("study.name", "s", "t"), ("study.seeds", [0], [1]))
    assert found.other_backbones


def test_a_study_of_one_report_alone_means_other_backbones():
    studies = [{"name": name, "backbones": {"noise": {}}} for name in "ab"]
    one, other = report(inputs={"studies": studies[:1]}), report(inputs={"studies": studies})
    assert diff(one, other).other_backbones
    assert not diff(one, one).other_backbones


def test_answers_are_paired_by_their_sigma():
    def own(**said: str) -> dict[str, Any]:
        cases = [{"sigma": float(key[1:]), "network": "l", "data": "d"} for key in said]
        return report(cases=cases, answer=list(said.values()))

    found = diff(own(s1="one", s2="two"), own(s2="two", s3="three"))
    assert found.answers == (("one", ""), ("", "three"))
