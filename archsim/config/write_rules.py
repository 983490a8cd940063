"""What goes together in the pulses of a device, as rows of the one table of rules."""

from __future__ import annotations

from functools import partial

from archsim.config.rule import Rule, conflict
from archsim.config.settings import AbstractSettings, Numbers, PlainSettings, Truths
from archsim.config.write_laws import LAWS, PULSE_KEYS, WriteLaw, by_law, cell_pulse
from archsim.errors import Problem

_LAW, _POWER = "device.write_law", "chip.programming.max_power"
#: Rounding that a limit of power allows for, relative.
_TINY = 1e-9


def _missing(settings: AbstractSettings, law: WriteLaw) -> Truths:
    return settings.equals(_LAW, law.name) & _any_null(settings, law.needs)


def _any_null(settings: AbstractSettings, keys: tuple[str, ...]) -> Truths:
    truths = [settings.is_null(f"device.{key}") for key in keys]
    return sum(truths[1:], start=truths[0] * 1) > 0


def _say_missing(settings: PlainSettings, law: WriteLaw) -> Problem:
    null = [f"device.{key}" for key in law.needs if settings.is_null(f"device.{key}")]
    said = f"{null[0]} = null: {_LAW} = {law.name} is {law.description}"
    return conflict(null[0], None, said, f"a number, or another {_LAW}")


def _unread(settings: AbstractSettings, law: WriteLaw) -> Truths:
    given = [settings.number(f"device.{key}", null=-1.0) >= 0 for key in law.refuses]
    return settings.equals(_LAW, law.name) & (sum(given[1:], start=given[0] * 1) > 0)


def _say_unread(settings: PlainSettings, law: WriteLaw) -> Problem:
    path = next(f"device.{key}" for key in law.refuses if not settings.is_null(f"device.{key}"))
    value = settings.number(path)
    takes = [other.name for other in LAWS if path.removeprefix("device.") not in other.refuses]
    said = f"{path} = {value:g} does nothing with {_LAW} = {law.name}: {law.description}"
    return conflict(path, value, said, f"null, or {_LAW}={' or '.join(takes)}")


def _cell_W(settings: AbstractSettings) -> Numbers:
    """Power of a pulse on one cell; not a number without resistance, which another rule refuses."""
    keys = {key: settings.number(f"device.{key}", null=0.0) for key in PULSE_KEYS}
    keys["r_on"] = settings.number("device.r_on")
    return cell_pulse(keys, partial(by_law, partial(settings.equals, _LAW))).power_W


def _cell_exceeds_power(settings: AbstractSettings) -> Truths:
    return settings.number(_POWER) < _cell_W(settings) * (1 - _TINY)


def _say_cell_exceeds_power(settings: PlainSettings) -> Problem:
    most_W, cell_W = settings.number(_POWER), _cell_W(settings)
    said = f"{_POWER} = {most_W * 1e3:.4g} mW: a pulse on one cell takes {cell_W * 1e3:.4g} mW"
    return conflict(_POWER, most_W, said, "that or more, or null")


def _of_law(law: WriteLaw) -> tuple[Rule, Rule]:
    return (
        Rule(
            name=f"{_LAW} {law.name} lacks {' or '.join(law.needs)}",
            reads=(_LAW, *(f"device.{key}" for key in law.needs)),
            broken=partial(_missing, law=law),
            problem=partial(_say_missing, law=law),
        ),
        Rule(
            name=f"{_LAW} {law.name} does not read {' or '.join(law.refuses)}",
            reads=(_LAW, *(f"device.{key}" for key in law.refuses)),
            broken=partial(_unread, law=law),
            problem=partial(_say_unread, law=law),
        ),
    )


WRITE_RULES: tuple[Rule, ...] = (
    *(rule for law in LAWS for rule in _of_law(law)),
    Rule(
        name=f"{_POWER} is below that of one cell",
        reads=(_POWER, _LAW, *(f"device.{key}" for key in PULSE_KEYS)),
        broken=_cell_exceeds_power,
        problem=_say_cell_exceeds_power,
    ),
)
