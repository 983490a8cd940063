"""Study files: the shipped ones are valid, and what is wrong with others is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from archsim.config.load import preset_names
from archsim.config.study import Study, load_study
from archsim.errors import ConfigError
from tests.refusals import refused
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


def noise(**changes: Any) -> dict[str, Any]:
    return {"backbones": {"noise": changes}}


def method(**changes: Any) -> dict[str, Any]:
    return {"methods": [{"name": "a", **changes}]}


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
    ("changes", "code", "field", "value", "allowed"),
    [
        ({"sigma": [-0.1]}, "out-of-range", "sigma.0", -0.1, ">= 0.0"),
        ({"sigma": [1.5]}, "out-of-range", "sigma.0", 1.5, "<= 1.0"),
        ({"sigma": []}, "out-of-range", "sigma", [], ">= 1"),
        ({"sigma": [0.1, 0.1]}, "given-twice", "sigma", [0.1, 0.1], ()),
        ({"chips": 0}, "out-of-range", "chips", 0, ">= 1"),
        ({"backbones": {}}, "out-of-range", "backbones", {}, ">= 1"),
        (noise(clip=0.5), "out-of-range", "backbones.noise.clip", 0.5, ">= 1.0"),
        (noise(stop_fraction=0), "out-of-range", "backbones.noise.stop_fraction", 0, "> 0.0"),
        ({"methods": [{"name": "a"}, {"name": "a"}]}, "given-twice", "methods", "a", ()),
        (method(backbone="b"), "unknown-name", "methods.backbone", "b", "noise"),
        (method(fraction=1.5), "out-of-range", "methods.0.fraction", 1.5, "<= 1.0"),
        (method(colour="red"), "unknown-key", "methods.0.colour", "colour", "fraction"),
        ({"seeds": [-1]}, "out-of-range", "seeds.0", -1, ">= 0"),
        (
            {"seeds": [0, 42949], "chips": 67297},
            "out-of-range",
            "seeds",
            [0, 42949],
            "0 to 42948",
        ),
        ({"baseline": "b"}, "unknown-name", "baseline", "b", "plain"),
        ({"tsb": {"channels": 0}}, "out-of-range", "tsb.channels", 0, ">= 1"),
        ({"tsb": {"channels": 5, "depth": 5}}, "out-of-range", "tsb.depth", 5, "<= 4"),
        ({"netwrok": "x"}, "unknown-key", "netwrok", "netwrok", "network"),
    ],
)
def test_bad_values(
    changes: dict[str, Any],
    code: str,
    field: str,
    value: object,
    allowed: str | tuple[str, ...],
    tmp_path: Any,
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    facts: dict[str, Any] = {"code": code, "field": f"study.{field}", "value": value}
    with refused(ConfigError, **facts, allowed=allowed):
        load_study(str(path))


def test_unknown_study() -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "study", "value": "tsb-lenet"}
    with refused(ConfigError, **facts, nearest="tsb-lenet3"):
        load_study("tsb-lenet")


def test_defaults_are_in_the_schema() -> None:
    properties = Study.model_json_schema()["properties"]
    assert properties["chips"]["default"] == 8
