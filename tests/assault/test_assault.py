"""A seeded part of the assault: damaged inputs of every kind, and a few kills."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
import yaml

from tests.assault import odd
from tests.assault.fuzz import HANG_S, OUTCOMES, Fuzz
from tests.assault.kills import Kills
from tests.forks import Server

#: Of the kinds that need no training.
INPUTS = 70


def test_damaged_inputs_are_read_or_refused(tmp_path: Path) -> None:
    fuzz = Fuzz(tmp_path, with_runs=False)
    fuzz.run(INPUTS, seed=7)
    assert fuzz.failures == []
    total = fuzz.total
    assert total["done"] + total["refused"] == INPUTS
    assert total["refused"] > INPUTS / 3
    assert total["done"] > 3
    assert len(fuzz.counts) == 7


@pytest.mark.parametrize("what", ["wait", *OUTCOMES[2:]])
def test_what_goes_wrong_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The assault itself: each thing that it looks for is counted as such."""
    fuzz = Fuzz(tmp_path, with_runs=False)
    monkeypatch.setattr("tests.assault.fuzz.HANG_S", 1)
    monkeypatch.setattr("tests.assault.fuzz.WAIT_S", 2)

    def wrong(*arguments: object, **options: object) -> None:
        if what == "internal error":
            raise ZeroDivisionError
        if what == "hang":
            while True:
                pass
        if what == "wait":
            threading.Event().wait()
        if what == "code run":
            __import__(odd.CODE.partition(":")[0])
        Path("../escaped").touch()

    monkeypatch.setattr("archsim.api.map.map_network", wrong)
    fuzz.inputs.kinds = {"map": lambda place, rng: ["map", "lenet3"]}
    fuzz.run(1, seed=0)
    assert fuzz.total["hang" if what == "wait" else what] == 1
    assert len(fuzz.failures) == 1
    assert "map" in fuzz.slowest[1]
    assert HANG_S == 60


def test_the_same_seed_gives_the_same_damage() -> None:
    def damaged() -> list[object]:
        rng = random.Random(3)
        text, document = yaml.safe_dump({"a": {"b": [1, 2]}}), {"a": [1, {"b": None}]}
        return [
            odd.damaged_yaml(text, rng),
            odd.damaged_bytes(b"0123456789", rng),
            repr(odd.damaged_document(document, rng)),
            odd.damaged_table("a,b\n1,2\n", rng),
        ]

    assert damaged() == damaged()


@pytest.mark.parametrize("content", [b'{"a": 1, "b": [1, {"c": 2}]}', b'{"a": 1}\n{"a": 2}\n', b""])
def test_damage_is_made_whatever_the_file_and_changes_no_other(content: bytes) -> None:
    before = repr(odd.VALUES)
    for seed in range(300):
        assert isinstance(odd.damaged_json(content, random.Random(seed)), bytes)
    assert repr(odd.VALUES) == before


def test_a_killed_sweep_goes_on_to_the_same_bytes(tmp_path: Path, forks: Server) -> None:
    kills = Kills(tmp_path, forks, ("sweep",))
    kills.run("sweep", 3, seed=7)
    assert kills.failures == []
    assert kills.counts["sweep"]["kills"] == 3
    assert len(kills.whole["sweep"]) > 5
