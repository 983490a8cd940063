"""What no configuration may have where a kind of buffer does not read a setting."""

from __future__ import annotations

from archsim.config.rule import Rule, conflict
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_KIND, _PORTS = "chip.buffers.kind", "chip.buffers.ports"
#: Corrections of compiled memories; at 1 they say nothing.
MEMORY_FACTORS = ("chip.calibration.memory_energy", "chip.calibration.memory_area")


def _no_ports(settings: AbstractSettings) -> Truths:
    return (settings.number(_PORTS) > 1) & settings.differs(_KIND, "sram-macro")


def _say_no_ports(settings: PlainSettings) -> Problem:
    ports, kind = settings.value(_PORTS), settings.value(_KIND)
    said = f"{_PORTS} = {ports}: cells of {_KIND} = {kind} have one port"
    return conflict(_PORTS, ports, said, f"1, or {_KIND}=sram-macro")


def _corrects_compiled_alone(path: str) -> Rule:
    def broken(settings: AbstractSettings) -> Truths:
        drawn = settings.equals(_KIND, "register-file") | settings.equals(_KIND, "sram")
        return (settings.number(path) != 1) & drawn

    def say(settings: PlainSettings) -> Problem:
        kind, value = settings.value(_KIND), settings.number(path)
        said = f"{path} = {value:g} corrects nothing for {_KIND} = {kind}"
        return conflict(path, value, said, f"1, or {_KIND}=sram-macro, edram-macro")

    name = f"{path} other than 1 without a compiled memory"
    return Rule(name=name, reads=(_KIND, path), broken=broken, problem=say)


BUFFER_RULES: tuple[Rule, ...] = (
    Rule(
        name=f"{_PORTS} above 1 in cells that have one",
        reads=(_KIND, _PORTS),
        broken=_no_ports,
        problem=_say_no_ports,
    ),
    *(_corrects_compiled_alone(path) for path in MEMORY_FACTORS),
)
