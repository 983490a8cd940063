"""Graphs of the built-in networks are those that tracing gives, or they are not used."""

from __future__ import annotations

import json

import pytest

from archsim.network import load_network
from archsim.network.kept import shipped, write_shipped
from archsim.network.kept.graph_data import to_text

_MEND = "run: python -m archsim.network.kept.write_shipped"


@pytest.mark.parametrize("name", ["lenet3-bn", "resnet20"])
def test_a_file_is_what_tracing_gives(name: str) -> None:
    text = (shipped.FOLDER / f"{name}.json").read_text()
    assert text == to_text(write_shipped.traced(name)), _MEND


def test_default_options_are_read_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("traced")

    monkeypatch.setattr("archsim.network.load._zoo_graph", refused)
    plain = load_network("vgg8")
    assert load_network("vgg8", input_shape=(3, 32, 32)) is plain
    assert load_network("vgg8", name="mine").name == "mine"
    with pytest.raises(AssertionError, match="traced"):
        load_network("vgg8", num_classes=11)
    with pytest.raises(AssertionError, match="traced"):
        load_network("vgg8", input_shape=(3, 64, 64))


def test_files_of_another_source_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "zoo_source", lambda: "another")
    shipped.is_fresh.cache_clear()
    assert shipped.shipped_graph("vgg8") is None
    shipped.is_fresh.cache_clear()


def test_a_damaged_file_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("graphs")
    data = json.loads((shipped.FOLDER / "lenet3.json").read_text())
    del data["ops"][0]  # what reads it has no input then
    (folder / "lenet3.json").write_text(json.dumps(data))
    monkeypatch.setattr(shipped, "FOLDER", folder)
    shipped._graph.cache_clear()
    assert shipped._graph("lenet3") is None
    assert shipped._graph("vgg8") is None
    shipped._graph.cache_clear()
