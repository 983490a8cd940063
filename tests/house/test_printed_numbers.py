"""Numbers that README and docs print are those that the commands give."""

from __future__ import annotations

import re

import pytest

from archsim.api.map import map_network
from tests.house.helpers import ROOT


def test_the_example_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.S)
    assert example is not None
    exec(compile(example[1], "README.md", "exec"), {})
    assert capsys.readouterr().out == example[2]


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
    found = map_network(
        "vgg8", design="common", chip="rram-22nm-neurosim", overrides=["tsb.copies=1", *overrides]
    ).totals
    assert times[place] == pytest.approx(float(found["programming_time_ms"]), abs=0.5)
