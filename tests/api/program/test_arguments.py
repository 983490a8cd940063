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
from tests.refusals import refused, tells

TRAINED = {
    "checkpoint": ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors",
    "data_root": ROOT / "tests" / "data" / "mnist",
}


@pytest.mark.parametrize(
    ("arguments", "code", "field", "allowed"),
    [
        ({"design": "foo"}, "unknown-name", "design", ["none", "common", "separate"]),
        ({"policy": "swam"}, "unknown-name", "policy", ["none", "all", "swim"]),
        ({"encoding": "sign"}, "unknown-name", "encoding", ["magnitude", "offset"]),
        ({"granularity": "tile"}, "unknown-name", "granularity", ["weight", "row", "subarray"]),
        ({"fraction": float("nan")}, "not-finite", "fraction", "0 to 1"),
        ({"last_layers": 0}, "out-of-range", "last_layers (--last-layers)", "1 or more"),
        ({"seed": -1}, "out-of-range", "seed", "0 to 4294967295"),
        ({"seed": 2**32}, "out-of-range", "seed", "0 to 4294967295"),
        ({"chips": -3, **TRAINED}, "out-of-range", "chips (--chips)", "0 or more"),
        ({"test_images": 0, **TRAINED}, "out-of-range", "test_images (--test-images)", "1 or more"),
        (
            {"read_after_s": -1.0, **TRAINED},
            "out-of-range",
            "read_after_s (--read-after)",
            "0 or more",
        ),
    ],
)
def test_nonsense_is_refused(
    arguments: dict[str, Any], code: str, field: str, allowed: str | list[str]
) -> None:
    value = next(iter(arguments.values()))
    with refused(ArchsimError, code=code, field=field, value=value, allowed=allowed):
        archsim.program("lenet3", **arguments)


def test_settings_of_other_commands_are_refused() -> None:
    with pytest.raises(ArchsimError) as caught:
        archsim.program("lenet3", overrides=["chip.programming.fraction=0.3"])
    tells(str(caught.value), "'chip.programming.fraction=0.3':", "--fraction")


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
    field = {"instances": "instances (--instances)"}.get(name, name)
    facts: dict[str, Any] = {"code": "out-of-range", "field": field, "value": wrong[name]}
    with refused(ConfigError, **facts, allowed="a whole number"):
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
    facts: dict[str, Any] = {"code": "out-of-range", "field": "seed", "value": MAX_SEED - 7}
    with refused(ConfigError, **facts, allowed=f"up to {MAX_SEED}", says=[str(MAX_SEED + 1)]):
        last_seed_of(MAX_SEED - 7, 9, what="chips")
    assert whole_number("n", 3, 1, 3) == 3
    assert number("x", 1, 0.0, 1.0) == 1.0
    assert one_of("x", "a", ("a", "b")) == "a"
    for value in (4, 0, None, "3"):
        code = "out-of-range" if isinstance(value, int) else "wrong-type"
        with refused(ConfigError, code=code, field="n", value=value, allowed="1 to 3"):
            whole_number("n", value, 1, 3)
    for value in (float("inf"), 2, None):
        code = {2: "out-of-range", None: "wrong-type"}.get(value, "not-finite")
        with refused(ConfigError, code=code, field="x", value=value, allowed="0"):
            number("x", value, 0.0, 1.0 if value == 2 else None)
