"""A study on a chip that cannot hold its network: said before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.api import train as verb
from archsim.config.study import Study
from archsim.errors import ConfigError
from tests.refusals import refused, warned


class TrainingBeginsError(Exception):
    """Raised in place of the training."""


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def begins(*_: object, **__: object) -> None:
        raise TrainingBeginsError

    monkeypatch.setattr(verb, "begin_run", begins)


def study(**changes: object) -> Study:
    document: dict[str, object] = {
        "name": "small",
        "network": "lenet3",
        "data": "mnist-part",
        "sigma": [0.1],
        "backbones": {"noise": {"epochs": 1}},
        "methods": [{"name": "plain"}],
    }
    return Study.model_validate(document | changes)


@pytest.fixture
def small_chip(tmp_path: Path) -> str:
    path = tmp_path / "one-tile.yaml"
    path.write_text("extends: rram-22nm\nname: one-tile\nhierarchy: {max_tiles: 1}\n")
    return str(path)


def test_the_chip_of_the_study(tmp_path: Path) -> None:
    facts = ("'neurosim-v1.4'", "'lenet3'", "chip.hierarchy.size_check=false")
    with warned(*facts), pytest.raises(TrainingBeginsError):
        archsim.train(study(chip="neurosim-v1.4"), out=tmp_path / "run")


def test_the_chip_of_the_report(tmp_path: Path, small_chip: str) -> None:
    facts = (f"'{small_chip}'", "chip.hierarchy.max_tiles")
    with warned(*facts), pytest.raises(TrainingBeginsError):
        archsim.report(study(), run=tmp_path / "run", chip=small_chip)


@pytest.mark.filterwarnings("error")
def test_silent_where_the_network_fits(tmp_path: Path, small_chip: str) -> None:
    with pytest.raises(TrainingBeginsError):
        archsim.report(study(chip=small_chip), run=tmp_path / "run", chip="rram-22nm")


@pytest.mark.filterwarnings("error")
def test_the_policy_of_the_chip_is_not_that_of_the_study(tmp_path: Path) -> None:
    """The chip verifies more layers than LeNet-3 has; the methods of the study verify none."""
    path = tmp_path / "four.yaml"
    programming = "programming: {policy: last-layers, last_layers: 4}"
    path.write_text(f"extends: rram-22nm\nname: four\n{programming}\n")
    with pytest.raises(TrainingBeginsError):
        archsim.train(study(chip=str(path)), out=tmp_path / "run")


@pytest.mark.filterwarnings("error")
def test_an_unknown_network_is_refused_without_a_warning(tmp_path: Path) -> None:
    given = {"code": "unknown-name", "field": "study.network", "value": "lenet9"}
    with refused(ConfigError, **given, nearest="lenet3"):  # type: ignore[arg-type]
        archsim.train(study(network="lenet9"), out=tmp_path / "run")
