"""One line per method, from the study alone."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.config.study import Study
from tsb.study.method_line import method_line


def line(method: dict[str, Any], **backbone: Any) -> str:
    study = Study.model_validate(
        {
            "name": "s",
            "network": "lenet3",
            "data": "mnist",
            "backbones": {"first": {}, "other": backbone},
            "tsb": {"channels": 7},
            "methods": [{"name": "m", "backbone": "other", **method}],
        }
    )
    return method_line(study, study.methods[0])


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ({}, "noise injection"),
        ({"clip": 1.5}, "noise injection, weights bounded at 1.5 rms"),
        ({"sigma": 0}, "trained without noise"),
        ({"sigma": 0.05}, "noise injection at sigma 0.05"),
        ({"objective": "neft-ovf"}, "neft-ovf"),
        ({"scaling": "column"}, "noise injection, scaled by column"),
        ({"stop_fraction": 0.3}, "noise injection, stopped after 30 % of the epochs"),
    ],
)
def test_training_is_that_of_the_methods_own_backbone(backbone, said):
    assert line({}, **backbone) == f"{said}; one pulse per cell; no repair"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        ({"write": "all"}, "all weights verified"),
        ({"write": "last-layers"}, "last layer verified"),
        ({"write": "last-layers", "last_layers": 2}, "last 2 layers verified"),
        (
            {"write": "u-swim", "fraction": 0.1},
            "10 % of the weights verified, chosen by u-swim",
        ),
        ({"copies": {"a.weight": 3}}, "one pulse per cell, averaged copies of 1 matrix"),
    ],
)
def test_writing(write, said):
    assert line(write).split("; ")[1] == said


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"corrections": "tsb"}, "shared block of 7 channels (verified)"),
        (
            {"corrections": "tsb:channels=3,depth=2", "verify": False},
            "shared block of 3 channels and depth 2 (one pulse)",
        ),
        ({"corrections": "last-layers:2", "verify": False}, "last 2 layers retrained (one pulse)"),
        ({"corrections": "low-rank:2"}, "terms of rank 2 beside linear layers (verified)"),
        (
            {"corrections": "output-match+scales+biases"},
            "outputs of linear layers matched, digital scales, digital biases",
        ),
    ],
)
def test_repair(method, said):
    assert line(method).split("; ")[2] == said
