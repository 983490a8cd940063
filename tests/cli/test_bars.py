"""Bars of `archsim train` and `archsim report`: one for each stage."""

from __future__ import annotations

from archsim.cli.train_command import _bars_of
from tsb.study.run import Step
from tsb.study.work import PHASES


def test_every_stage_has_a_bar():
    def step(stage: str, phase: str | None = None) -> Step:
        return Step(stage=stage, unit="u", epoch=None, accuracy=None, done=0, total=1, phase=phase)

    assert _bars_of(step("backbones")) == ("train",)
    assert _bars_of(step("methods", "program")) == ("program",)
    assert _bars_of(step("methods")) == ("program", "repair", "evaluate") == PHASES
    assert _bars_of(step("map")) == ("map",)
    assert _bars_of(step("report")) == ("report",)
