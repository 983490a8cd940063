"""What goes together with measured levels of a device, as rows of the one table of rules."""

from __future__ import annotations

from archsim.config.rule import Rule, conflict
from archsim.config.schema.level import fitting_bits
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_LEVELS, _SHAPES = "device.levels", "device.level_shapes"
_CELL_BITS = "chip.precision.bits_per_cell"
_SIGMA, _MEMORY = "device.sigma", "device.memory"
_VERIFY, _MODEL = "device.write_verify", "device.write_verify.model"


def _measured(settings: AbstractSettings) -> Truths:
    return settings.number(_LEVELS, null=0.0) > 0


def _cell_uses_other_levels(settings: AbstractSettings) -> Truths:
    steps = 2 ** settings.number(_CELL_BITS) - 1
    return _measured(settings) & ((settings.number(_LEVELS, null=1.0) - 1) % steps != 0)


def _say_cell_uses_other_levels(settings: PlainSettings) -> Problem:
    bits, levels = settings.value(_CELL_BITS), int(settings.number(_LEVELS))
    said = f"{_CELL_BITS} = {bits}: {_LEVELS} has {levels} levels, not {2**bits} at equal steps"
    return conflict(_CELL_BITS, bits, said, fitting_bits(levels))


def _no_spread(settings: AbstractSettings) -> Truths:
    return settings.is_null(_SIGMA) & settings.is_null(_LEVELS)


def _say_no_spread(settings: PlainSettings) -> Problem:
    return conflict(_SIGMA, None, f"{_SIGMA} = null", f"a number, or {_LEVELS} that say it")


def _two_spreads(settings: AbstractSettings) -> Truths:
    return (settings.number(_SIGMA, null=-1.0) >= 0) & _measured(settings)


def _say_two_spreads(settings: PlainSettings) -> Problem:
    sigma = settings.number(_SIGMA)
    said = f"{_SIGMA} = {sigma:g}: {_LEVELS} says the spread of each level"
    return conflict(_SIGMA, sigma, said, f"null, or {_LEVELS}=null")


def _redraws(settings: AbstractSettings) -> Truths:
    verified = settings.number("device.write_verify.max_pulses", null=0.0) > 0
    return _measured(settings) & verified & settings.equals(_MODEL, "redraw")


def _say_redraws(settings: PlainSettings) -> Problem:
    said = f"{_MODEL} = redraw: pulses that land anew about measured levels are not modelled"
    return conflict(_MODEL, "redraw", said, f"incremental, or {_LEVELS}=null")


def _in_sram(settings: AbstractSettings) -> Truths:
    return _measured(settings) & settings.equals(_MEMORY, "sram")


def _say_in_sram(settings: PlainSettings) -> Problem:
    levels = int(settings.number(_LEVELS))
    return conflict(_LEVELS, levels, f"{_LEVELS} in {_MEMORY} = sram, whose cells are bits", "null")


def _other(path: str, allowed: str) -> Rule:
    """Return the rule that a choice has one value beside levels."""

    def broken(settings: AbstractSettings) -> Truths:
        return _measured(settings) & settings.differs(path, allowed)

    def problem(settings: PlainSettings) -> Problem:
        value = settings.value(path)
        return conflict(path, value, f"{path} = {value} does nothing beside {_LEVELS}", allowed)

    name = f"{path} other than {allowed} beside {_LEVELS}"
    return Rule(name=name, reads=(path, _LEVELS), broken=broken, problem=problem)


def _shapes_of_others(settings: AbstractSettings) -> Truths:
    shapes = settings.number(_SHAPES, null=0.0)
    return (shapes > 0) & (shapes != settings.number(_LEVELS, null=0.0))


def _say_shapes_of_others(settings: PlainSettings) -> Problem:
    shapes, levels = int(settings.number(_SHAPES)), int(settings.number(_LEVELS, null=0.0))
    return conflict(_SHAPES, shapes, f"{_SHAPES} = {shapes} for {levels} levels", "one per level")


def _shapes_verified(settings: AbstractSettings) -> Truths:
    verified = settings.number("device.write_verify.max_pulses", null=0.0) > 0
    return (settings.number(_SHAPES, null=0.0) > 0) & verified


def _say_shapes_verified(settings: PlainSettings) -> Problem:
    shapes = int(settings.number(_SHAPES))
    said = f"{_SHAPES} = {shapes}: write-verify starts from normal errors"
    return conflict(_SHAPES, shapes, said, f"null, or {_VERIFY}=null")


LEVEL_RULES: tuple[Rule, ...] = (
    Rule(
        name=f"{_LEVELS} has no equal steps for {_CELL_BITS}",
        reads=(_CELL_BITS, _LEVELS),
        broken=_cell_uses_other_levels,
        problem=_say_cell_uses_other_levels,
    ),
    Rule(
        name=f"neither {_SIGMA} nor {_LEVELS}",
        reads=(_SIGMA, _LEVELS),
        broken=_no_spread,
        problem=_say_no_spread,
    ),
    Rule(
        name=f"{_SIGMA} and {_LEVELS}",
        reads=(_SIGMA, _LEVELS),
        broken=_two_spreads,
        problem=_say_two_spreads,
    ),
    Rule(
        name=f"{_MODEL} = redraw with {_LEVELS}",
        reads=(_MODEL, "device.write_verify.max_pulses", _LEVELS),
        broken=_redraws,
        problem=_say_redraws,
    ),
    Rule(
        name=f"{_LEVELS} in SRAM",
        reads=(_MEMORY, _LEVELS),
        broken=_in_sram,
        problem=_say_in_sram,
    ),
    _other("device.sigma_profile.kind", "uniform"),
    _other("device.spread_reference", "range"),
    Rule(
        name=f"{_SHAPES} for another number of levels",
        reads=(_SHAPES, _LEVELS),
        broken=_shapes_of_others,
        problem=_say_shapes_of_others,
    ),
    Rule(
        name=f"{_SHAPES} with a write-verify",
        reads=(_SHAPES, "device.write_verify.max_pulses"),
        broken=_shapes_verified,
        problem=_say_shapes_verified,
    ),
)
