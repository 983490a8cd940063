"""Numbers that README and docs print are those that the commands give."""

from __future__ import annotations

import re

import pytest

from archsim.api.map import map_network
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture
from tests.house.helpers import ROOT


def test_the_boxes_of_the_readme(run: Run) -> None:  # noqa: F811
    """Each half line of the abridged output is in the whole one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    excerpt = re.search(r"\$ archsim map --design common .*?```", text, re.S)
    assert excerpt is not None
    boxes = re.findall(r"│ (\S.*?\S)\s*│", excerpt.group())
    assert len(boxes) == 16
    printed = run("map", "--design", "common", "--format", "table").stdout
    shown = {re.sub(r"\s+", " ", line) for line in re.findall(r"│ (\S.*?\S)\s*│", printed)}
    for box in boxes:
        assert re.sub(r"\s+", " ", box) in shown


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (("policy=fraction",), 0),
        (("policy=fraction", "granularity=row"), 1),
        (("policy=all",), 2),
    ],
)
def test_programming_times_of_circuits_that_verify_rows(
    settings: tuple[str, ...], place: int
) -> None:
    text = (ROOT / "docs" / "write-verify.md").read_text(encoding="utf-8")
    section = text[text.index("## Circuits verify rows") :]
    times = [float(each.replace(" ", "")) for each in re.findall(r"([\d ]+) ms\b", section)[:3]]
    overrides = [f"chip.programming.{setting}" for setting in settings]
    found = map_network("vgg8", design="common", overrides=overrides).totals
    assert times[place] == pytest.approx(float(found["programming_time_ms"]), abs=0.5)
