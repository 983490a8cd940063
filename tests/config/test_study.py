"""Study files: the shipped ones are valid, and what is wrong with others is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from archsim.config.load import preset_names
from archsim.config.study import Study, load_study
from archsim.errors import ConfigError
from tsb.correction import parse_corrections
from tsb.data.sources import dataset_names
from tsb.study.units import chip_seeds

SMALL: dict[str, Any] = {
    "name": "x",
    "network": "lenet3",
    "data": "mnist",
    "backbones": {"noise": {}},
    "methods": [{"name": "plain"}],
}


@pytest.mark.parametrize("name", preset_names("study"))
def test_shipped_studies(name: str) -> None:
    study = load_study(name)
    assert study.name == name
    assert study.description
    assert study.data in dataset_names()
    for method in study.methods:
        parse_corrections(method.corrections, {"tsb": study.tsb.options()})


def test_overrides() -> None:
    study = load_study("tsb-lenet3", ["study.chips=2", "study.sigma=[0.3]"])
    assert (study.chips, study.sigma) == (2, [0.3])


def test_largest_seed_of_a_study() -> None:
    settings = ["study.seeds=[42949]", "study.chips=67296"]
    assert chip_seeds(load_study("tsb-lenet3", settings), 42949)[-1] == 2**32 - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": [-0.1]}, "study.sigma.0 = -0.1: .*greater than or equal to 0"),
        ({"sigma": [1.5]}, "study.sigma.0 = 1.5: .*less than or equal to 1"),
        ({"sigma": []}, "study.sigma: .*at least 1"),
        ({"sigma": [0.1, 0.1]}, "a value is given twice"),
        ({"chips": 0}, "study.chips = 0"),
        ({"backbones": {}}, "study.backbones"),
        ({"backbones": {"noise": {"clip": 0.5}}}, "study.backbones.noise.clip = 0.5"),
        ({"backbones": {"noise": {"stop_fraction": 0}}}, "stop_fraction = 0"),
        ({"backbones": {"noise": {"objective": "nosie"}}}, "objective = 'nosie'"),
        ({"methods": [{"name": "a"}, {"name": "a"}]}, "the name 'a' is given twice"),
        ({"methods": [{"name": "a", "backbone": "b"}]}, "backbone = 'b' of 'a'; allowed: noise"),
        ({"methods": [{"name": "a", "fraction": 1.5}]}, "study.methods.0.fraction = 1.5"),
        ({"methods": [{"name": "a", "colour": "red"}]}, "unknown key 'colour'"),
        ({"seeds": [-1]}, "study.seeds.0 = -1"),
        ({"seeds": [0, 42949], "chips": 67297}, "allowed with 67297 chips: 0 to 42948"),
        ({"baseline": "b"}, "baseline = 'b'; allowed: plain"),
        ({"tsb": {"channels": 0}}, "study.tsb.channels = 0"),
        ({"tsb": {"channels": 5, "depth": 5}}, "study.tsb.depth = 5"),
        ({"netwrok": "x"}, "unknown key 'netwrok'.*Did you mean 'network'"),
    ],
)
def test_bad_values(changes: dict[str, Any], message: str, tmp_path: Any) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    with pytest.raises(ConfigError, match=message):
        load_study(str(path))


def test_unknown_study() -> None:
    with pytest.raises(ConfigError, match=r"unknown study 'tsb-lenet'.*Did you mean 'tsb-lenet3'"):
        load_study("tsb-lenet")


def test_defaults_are_in_the_schema() -> None:
    properties = Study.model_json_schema()["properties"]
    assert properties["chips"]["default"] == 8
