"""What a `report.json` must hold to be compared."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.errors import Code, DataError
from archsim.results.report_file import SCHEMA, check_report
from tests.refusals import refused


def report(**inputs: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "designs": [], "inputs": inputs}


@pytest.mark.parametrize("inputs", [{}, {"settings": {}, "settings_of": {}}], ids=repr)
def test_settings_of_all_and_of_each_design_belong_together(inputs: dict[str, Any]) -> None:
    assert check_report(report(**inputs))["inputs"] == inputs


@pytest.mark.parametrize("name", ["settings", "settings_of"])
def test_one_without_the_other_is_damage(name: str) -> None:
    with refused(DataError, code=Code.DAMAGED_FILE, field="r.json"):
        check_report(report(**{name: {}}), "r.json")
