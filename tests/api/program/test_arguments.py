"""``archsim.program`` from Python: nonsense is an ArchsimError that names the argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import archsim
from archsim.api.program.run import CurveRequest
from archsim.errors import ArchsimError, ConfigError
from archsim.util.checks import MAX_SEED, last_seed_of, number, one_of, seed_of, whole_number
from tests.house.helpers import ROOT, run_python

TRAINED = {
    "checkpoint": ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors",
    "data_root": ROOT / "tests" / "data" / "mnist",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"design": "foo"}, "design = 'foo'; allowed: none, common, separate"),
        ({"policy": "swam"}, "policy = 'swam'; allowed: none, all, .*'swim'"),
        ({"encoding": "sign"}, "encoding = 'sign'; allowed: magnitude, offset, "),
        ({"granularity": "tile"}, "granularity = 'tile'; allowed: weight, row, subarray"),
        ({"fraction": float("nan")}, "fraction = nan; allowed: 0 to 1"),
        ({"last_layers": 0}, r"last_layers \(--last-layers\) = 0; allowed: a whole number, 1 or"),
        ({"seed": -1}, "seed = -1; allowed: a whole number, 0 to 4294967295"),
        ({"seed": 2**32}, "seed = 4294967296; allowed"),
        ({"chips": -3, **TRAINED}, r"chips \(--chips\) = -3; allowed: a whole number, 0 or more"),
        ({"test_images": 0, **TRAINED}, r"test_images \(--test-images\) = 0; allowed"),
        ({"read_after_s": -1.0, **TRAINED}, r"read_after_s \(--read-after\) = -1.0; allowed: 0 or"),
        ({"overrides": ["chip.programming.fraction=0.3"]}, "program takes --fraction"),
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ArchsimError, match=words):
        archsim.program("lenet3", **arguments)


#: In an interpreter of its own: here beartype, which users do not have, would be first.
_WRONG_TYPES = """
import archsim

for arguments in (
    {"fraction": "x"}, {"last_layers": 2.0}, {"seed": 1.5}, {"seed": True}, {"policy": 3},
    {"design": None}, {"read_after_s": "soon"}, {"granularity": 1}, {"clip_at_zero": "no"},
):
    try:
        archsim.program("lenet3", **arguments)
    except archsim.ArchsimError as error:
        print(error)
"""


def test_wrong_types_are_refused(tmp_path: Path) -> None:
    done = run_python("-c", _WRONG_TYPES, cwd=tmp_path)
    assert done.stderr == ""
    assert [line.split(";")[0] for line in done.stdout.splitlines()] == [
        "fraction = 'x'",
        "last_layers (--last-layers) = 2.0",
        "seed = 1.5",
        "seed = True",
        "policy = 3",
        "design = None",
        "read_after_s (--read-after) = 'soon'",
        "granularity = 1",
        "clip_at_zero (--clip-at-zero) = 'no'",
    ]


def test_other_settings_of_programming_are_used() -> None:
    found = archsim.program("lenet3", overrides=["chip.programming.parallel_subarrays=1"])
    assert found.resolved.chip.programming.parallel_subarrays == 1


@pytest.mark.parametrize("wrong", [{"instances": 1}, {"seed": -1}, {"seed": 2**32}])
def test_curves_check_their_numbers(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name}.* = {wrong[name]}; allowed: a whole number"):
        CurveRequest(network="lenet3", checkpoint="weights.safetensors", **wrong)


def test_seeds_of_the_range_differ_and_those_beyond_would_repeat_them() -> None:
    """Why there is a largest seed."""
    source = torch.Generator()
    first, last, beyond = (
        torch.rand(8, generator=source.manual_seed(seed)) for seed in (0, MAX_SEED, MAX_SEED + 1)
    )
    assert not torch.equal(first, last)
    assert torch.equal(first, beyond)


def test_what_is_allowed_is_returned() -> None:
    assert seed_of(MAX_SEED) == 2**32 - 1
    assert last_seed_of(MAX_SEED - 7, 8, what="chips") == MAX_SEED
    with pytest.raises(ConfigError, match="the 9 chips have seeds up to 4294967296; allowed: up"):
        last_seed_of(MAX_SEED - 7, 9, what="chips")
    assert whole_number("n", 3, 1, 3) == 3
    assert number("x", 1, 0.0, 1.0) == 1.0
    assert one_of("x", "a", ("a", "b")) == "a"
    for value in (4, 0, None, "3"):
        with pytest.raises(ConfigError, match=r"n = .*; allowed: a whole number, 1 to 3"):
            whole_number("n", value, 1, 3)
    for value in (float("inf"), 2, None):
        with pytest.raises(ConfigError, match=r"x = .*; allowed: 0 "):
            number("x", value, 0.0, 1.0 if value == 2 else None)
