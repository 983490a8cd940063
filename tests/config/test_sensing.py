"""Which memory can be sensed how: macros and chips say the same."""

from __future__ import annotations

from typing import get_args

import pytest

from archsim.config.macro import load_macro
from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.config.schema.macro import Memory, Sensing
from archsim.config.sensing import FITTING_SENSING
from archsim.errors import ConfigError

DEVICES = {
    "sram": "sram", "rram": "rram", "fefet": "fefet", "pcm": "pcm", "mram": "stt-mram",
}  # fmt: skip


def refusal_of_macro(memory: str, how: str) -> str | None:
    try:
        load_macro("hermes", [f"macro.memory={memory}", f"macro.sensing={how}"])
    except ConfigError as error:
        return str(error)
    return None


def refusal_of_chip(memory: str, how: str) -> str | None:
    settings = ["chip.cost_model=silicon", f"chip.read.sensing={how}"]
    try:
        resolve(device=DEVICES[memory], overrides=[*settings, "chip.precision.bits_per_cell=1"])
    except ConfigError as error:
        return str(error)
    return None


def test_every_memory_is_in_the_table() -> None:
    assert tuple(FITTING_SENSING) == get_args(Memory)
    assert tuple(DEVICES) == get_args(DeviceFile.model_fields["memory"].annotation)


@pytest.mark.parametrize("how", [how for how in get_args(Sensing) if how != "digital"])
@pytest.mark.parametrize("memory", DEVICES)
def test_a_chip_has_what_a_macro_has(memory: str, how: str) -> None:
    said = refusal_of_macro(memory, how), refusal_of_chip(memory, how)
    capacitors = how == "charge-redistribution" and memory != "sram"
    assert all((text is not None) == capacitors for text in said), said
    if capacitors:
        assert all("cannot be read so" in str(text) for text in said)
        assert all("current, charge-sum, time-domain" in str(text) for text in said)
