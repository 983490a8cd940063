"""Learning curves of a run: every line is a record of an epoch, or the file is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.api.evaluate import learning_curves
from archsim.errors import Code, DataError
from tests.refusals import refused
from tests.tsb.study.test_study import study
from tsb.study import open_run
from tsb.study.units import backbone_units

GOOD: dict[str, Any] = {
    "epoch": 1,
    "loss": 0.5,
    "learning_rate": 1e-3,
    "clean_accuracy": 0.9,
    "noisy_accuracy": 0.8,
    "noisy_std": 0.01,
    "best": True,
}


def written(folder: Path, line: Any) -> Path:
    run = open_run(folder, study())
    path = run.folder / "backbones" / backbone_units(run.study)[0].folder / "curve.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(line) + "\n")
    return path


def test_a_curve_is_read(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (row,) = learning_curves(tmp_path).to_dict("records")
    assert {name: row[name] for name in GOOD} == GOOD


@pytest.mark.parametrize(
    "line",
    [
        {**GOOD, "epoch": float("nan")},
        {**GOOD, "epoch": 1.5},
        {**GOOD, "clean_accuracy": {}},
        {**GOOD, "noisy_std": None},
        {**GOOD, "more": 1},
        {name: GOOD[name] for name in GOOD if name != "best"},
        [GOOD],
    ],
    ids=repr,
)
def test_anything_else_is_damage(tmp_path: Path, line: Any) -> None:
    path = written(tmp_path, line)
    with refused(DataError, code=Code.DAMAGED_FILE, field=path):
        learning_curves(tmp_path)
