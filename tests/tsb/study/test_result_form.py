"""Damaged results of a run: one error, whatever value is of another kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.config.study import Study
from archsim.errors import DataError
from tsb.study.results import method_rows
from tsb.study.units import method_units

STUDY = Study.model_validate(
    {
        "name": "s",
        "network": "lenet3",
        "data": "mnist-part",
        "sigma": [0.1],
        "chips": 2,
        "backbones": {"noise": {}},
        "methods": [{"name": "plain"}, {"name": "all", "write": "all"}],
    }
)
RESULT: dict[str, Any] = {
    "sigma": 0.1, "seed": 0, "backbone": "noise-sigma0.1-seed0",
    "accuracy": [[0.9, 0.8], [0.7, 0.9]], "images": 10, "weights": 100, "extra_weights": 0,
    "written_weights": 0, "verified_weights": 0, "digital_parameters": 0, "copied_weights": 0,
    "tune_macs": 0, "correction_macs": 0, "digital_products": 0, "kept": [True, True],
    "diverged": [False, False], "validation_accuracy": 0.8, "settings": {},
}  # fmt: skip
TRAINING = {
    "clean_accuracy": 0.9,
    "epochs": 2,
    "of_epochs": 4,
    "training_macs": 8.0,
    "seconds": 1.0,
}


def rows_of(folder: Path, damage: dict[str, Any], *, training: dict[str, Any]) -> object:
    for unit in method_units(STUDY):
        place = folder / "methods" / unit.folder
        place.mkdir(parents=True)
        result = {**RESULT, "method": unit.method, **(damage if unit.method == "all" else {})}
        (place / "result.json").write_text(json.dumps(result))
    for name in ("noise-sigma0.1-seed0", "noise-free-sigma0-seed0"):
        (folder / "backbones" / name).mkdir(parents=True)
        (folder / "backbones" / name / "result.json").write_text(
            json.dumps({**TRAINING, **training})
        )
    return method_rows(STUDY, folder)


def test_whole_results_are_read(tmp_path: Path) -> None:
    assert rows_of(tmp_path, {}, training={})


@pytest.mark.parametrize("value", ["x", [1], {"a": 1}, -1.0, 10**400, float("nan")])
@pytest.mark.parametrize("key", sorted({*RESULT, "method"}))
def test_values_of_another_kind(tmp_path: Path, key: str, value: object) -> None:
    if (key, value) in (("settings", {"a": 1}), ("backbone", "x")):
        value = 1  # what was right there
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path, {key: value}, training={})
    assert caught.value.code == "damaged-file"


@pytest.mark.parametrize("key", ["images", "weights", "tune_macs", "accuracy", "method", "sigma"])
def test_values_that_every_result_has(tmp_path: Path, key: str) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path, {key: None}, training={})
    assert caught.value.code in ("damaged-file", "wrong-file")


@pytest.mark.parametrize("value", ["x", [1], True, -1.0, float("nan")])
@pytest.mark.parametrize("key", sorted(TRAINING))
def test_values_of_another_kind_in_a_training(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path, {}, training={key: value})
    assert caught.value.code == "damaged-file"


@pytest.mark.parametrize(
    "accuracy", [[[0.9, 0.8]], [[0.9], [0.8, 0.7]], [[2.0, 0.1], [0.1, 0.1]], 0.5, [], [[]]]
)
def test_tables_that_are_none(tmp_path: Path, accuracy: object) -> None:
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path, {"accuracy": accuracy}, training={})
    assert caught.value.code == "damaged-file"
