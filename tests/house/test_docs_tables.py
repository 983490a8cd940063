"""Lists in the documentation are those of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.docs_tables import COMMAND, documents, filled, kinds


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_lists_of_a_page_are_those_of_the_program(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text) == text, f"{path.name} is behind; write it anew: {COMMAND}"


def test_corrections_are_documented() -> None:
    assert "corrections" in kinds((documents()[0].parent / "studies.md").read_text("utf-8"))


def test_a_page_that_is_behind_is_found() -> None:
    page = "before\n<!-- archsim list corrections -->\n| tsb |\n<!-- end -->\nafter\n"
    anew = filled(page)
    assert anew != page
    assert filled(anew) == anew
    assert anew.startswith("before\n")
    assert anew.endswith("<!-- end -->\nafter\n")
