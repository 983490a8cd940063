"""What no configuration may have: the one table of what is legal where several settings meet.

A rule is one row of :data:`RULES`: what it reads, where it is broken, and what to say then. The
predicates use operators only, so that the same rule judges one configuration (plain values, here)
and a batch of designs (tensors, archsim/arch/rules.py). What a single setting may be stands in the
schema.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from archsim.config.buffer_rules import BUFFER_RULES
from archsim.config.encodings import STORED_ENCODINGS
from archsim.config.level_rules import LEVEL_RULES
from archsim.config.load import load_preset
from archsim.config.priced_policies import LAST_LAYERS
from archsim.config.read_rules import READ_RULES
from archsim.config.rule import Rule, conflict
from archsim.config.schema.adc import IsaacAdc
from archsim.config.schema.device import relative_to_range
from archsim.config.settings import (
    LAYERS,
    NETWORK,
    AbstractSettings,
    Numbers,
    PlainSettings,
    Truths,
)
from archsim.config.silicon_rules import SILICON_RULES
from archsim.config.technology_rules import TECHNOLOGY_RULES
from archsim.config.write_rules import WRITE_RULES
from archsim.errors import ConfigError, Problem

_WEIGHT_BITS, _CELL_BITS = "chip.precision.weight_bits", "chip.precision.bits_per_cell"
_PADDED, _ENCODING = "chip.precision.pad_top_slice", "chip.precision.encoding"
_COLS, _MUX = "chip.crossbar.cols", "chip.crossbar.mux_ratio"
_ADC_MODEL, _ADC_BITS = "chip.adc.model", "chip.adc.bits"
_MEMORY, _MOST_BITS = "device.memory", "device.max_bits_per_cell"
_R_ON, _R_OFF = "device.r_on", "device.r_off"
_SIGMA, _REFERENCE = "device.sigma", "device.spread_reference"
_STUCK_ON, _STUCK_OFF = "device.stuck_on_rate", "device.stuck_off_rate"
_PROFILE, _FACTOR = "device.sigma_profile.kind", "device.sigma_profile.factor"
_WRITE_MODEL = "device.write_verify.model"
_STEP_GAIN, _STEP_SIGMA = "device.write_verify.step_gain", "device.write_verify.step_sigma"
_ACCESS = "device.access"
_POLICY, _LAST = "chip.programming.policy", "chip.programming.last_layers"
_REWRITTEN = "chip.programming.rewritten_layers"


def broken_rules(settings: AbstractSettings) -> dict[Rule, Truths]:
    """Return, by rule, where it is broken; rules on what is not known are left out.

    Args:
        settings: of one configuration or of a batch.
    """
    known = [rule for rule in RULES if all(settings.knows(path) for path in rule.reads)]
    return {rule: rule.broken(settings) for rule in known}


def check(resolved: Any, *, network: str | None = None, layers: int | None = None) -> None:
    """Refuse a configuration that breaks a rule.

    Args:
        resolved: all its parts.
        network: name of the network that is put on it, where there is one.
        layers: of that network, with weights.

    Raises:
        ConfigError: one line per rule, with setting, value and what is allowed.
    """
    about = {} if layers is None else {LAYERS: layers, NETWORK: network}
    settings = PlainSettings(resolved, about)
    broken = [rule for rule, is_broken in broken_rules(settings).items() if is_broken]
    if broken:
        raise ConfigError.joined(rule.problem(settings) for rule in broken)


# --- precision and crossbar -----------------------------------------------------------------------


def _bits_do_not_divide(settings: AbstractSettings) -> Truths:
    rest = settings.number(_WEIGHT_BITS) % settings.number(_CELL_BITS)
    return (rest != 0) & settings.equals(_PADDED, False)


def _say_bits_do_not_divide(settings: PlainSettings) -> Problem:
    weight, cell = settings.value(_WEIGHT_BITS), settings.value(_CELL_BITS)
    divisors = [count for count in range(1, 9) if weight % count == 0]
    said = f"chip.precision: bits_per_cell = {cell} does not divide weight_bits = {weight}"
    return conflict(_CELL_BITS, cell, said, f"{divisors}, or set precision.pad_top_slice=true")


def _columns_do_not_divide(settings: AbstractSettings) -> Truths:
    return settings.number(_COLS) % settings.number(_MUX) != 0


def _say_columns_do_not_divide(settings: PlainSettings) -> Problem:
    cols, mux = settings.value(_COLS), settings.value(_MUX)
    said = f"chip.crossbar: cols = {cols} is not a multiple of mux_ratio = {mux}"
    return conflict(_COLS, cols, said, f"{mux}, {2 * mux}, {3 * mux}, ..., or another mux_ratio")


def _cells_per_weight(settings: AbstractSettings) -> Numbers:
    """Columns of a weight in its encoding."""
    bits = settings.number(_WEIGHT_BITS), settings.number(_CELL_BITS)
    return sum(
        settings.equals(_ENCODING, encoding.name) * encoding.columns(*bits)
        for encoding in STORED_ENCODINGS
    )


def _weight_does_not_fit(settings: AbstractSettings) -> Truths:
    return settings.number(_COLS) < _cells_per_weight(settings)


def _say_weight_does_not_fit(settings: PlainSettings) -> Problem:
    cols, needed = settings.value(_COLS), int(_cells_per_weight(settings))
    said = f"chip: crossbar.cols = {cols} cannot hold one weight of {needed} cells"
    return conflict(_COLS, cols, said, f">= {needed}")


def _cell_holds_less(settings: AbstractSettings) -> Truths:
    return settings.number(_CELL_BITS) > settings.number(_MOST_BITS)


def _say_cell_holds_less(settings: PlainSettings) -> Problem:
    bits, most = settings.value(_CELL_BITS), int(settings.number(_MOST_BITS))
    device = settings.value("device.name")
    said = f"{_CELL_BITS} = {bits}: device '{device}' holds at most {most} per cell"
    return conflict(_CELL_BITS, bits, said, f"1 to {most}, e.g. --set {_CELL_BITS}={most}")


# --- converter ------------------------------------------------------------------------------------


@cache
def _isaac_bits() -> float:
    return float(IsaacAdc.model_validate(load_preset("adc", "isaac")).bits.si)


def _not_the_isaac(settings: AbstractSettings) -> Truths:
    return settings.equals(_ADC_MODEL, "isaac") & (settings.number(_ADC_BITS) != _isaac_bits())


def _say_not_the_isaac(settings: PlainSettings) -> Problem:
    bits = settings.value(_ADC_BITS)
    said = f"{_ADC_BITS} = {bits}: {_ADC_MODEL} = isaac is one published converter"
    return conflict(_ADC_BITS, bits, said, f"{_isaac_bits():g}")


# --- device ---------------------------------------------------------------------------------------


def _resistances_missing(settings: AbstractSettings) -> Truths:
    missing = settings.is_null(_R_ON) | settings.is_null(_R_OFF)
    return missing & settings.differs(_MEMORY, "sram")


def _say_resistances_missing(settings: PlainSettings) -> Problem:
    missing = [path for path in (_R_ON, _R_OFF) if settings.is_null(path)]
    said = (
        f"device: r_on and r_off are required for memory = {settings.value(_MEMORY)}; "
        f"{', '.join(missing)} = null"
    )
    return conflict(missing[0], None, said, "{value: ..., unit: kohm, source: ...}")


def _resistances_not_ordered(settings: AbstractSettings) -> Truths:
    swapped = settings.number(_R_ON) >= settings.number(_R_OFF)
    return swapped & settings.differs(_MEMORY, "sram")


def _say_resistances_not_ordered(settings: PlainSettings) -> Problem:
    r_on, r_off = settings.number(_R_ON), settings.number(_R_OFF)
    said = f"device: r_on = {r_on:g} ohm is not below r_off = {r_off:g} ohm"
    return conflict(_R_ON, r_on, said, "r_on below r_off")


def _range_factor(settings: AbstractSettings) -> Numbers:
    return relative_to_range(settings.number(_R_ON), settings.number(_R_OFF))


def _spread_beyond_range(settings: AbstractSettings) -> Truths:
    beyond = settings.number(_SIGMA) * _range_factor(settings) > 1
    resistive = settings.differs(_MEMORY, "sram")
    return beyond & settings.equals(_REFERENCE, "maximum") & resistive


def _say_spread_beyond_range(settings: PlainSettings) -> Problem:
    sigma, factor = settings.number(_SIGMA), _range_factor(settings)
    said = (
        f"device: sigma = {sigma:g} of the maximum conductance is {sigma * factor:.3g} of the "
        "range g_on - g_off"
    )
    return conflict(_SIGMA, sigma, said, f"0 to {1 / factor:.3g} at this r_on and r_off")


def _stuck_share(settings: AbstractSettings) -> Numbers:
    return settings.number(_STUCK_ON, null=0.0) + settings.number(_STUCK_OFF, null=0.0)


def _too_many_stuck(settings: AbstractSettings) -> Truths:
    return _stuck_share(settings) > 1


def _say_too_many_stuck(settings: PlainSettings) -> Problem:
    share = _stuck_share(settings)
    said = f"device: stuck_on_rate + stuck_off_rate = {share:g}"
    return conflict(_STUCK_ON, share, said, "at most 1")


def _factor_without_profile(settings: AbstractSettings) -> Truths:
    return settings.equals(_PROFILE, "uniform") & (settings.number(_FACTOR) != 1)


def _say_factor_without_profile(settings: PlainSettings) -> Problem:
    factor = settings.number(_FACTOR)
    said = f"device.sigma_profile: factor = {factor:g} does nothing for kind = uniform"
    return conflict(_FACTOR, factor, said, "1, or set sigma_profile.kind to weight or level")


def _no_step(settings: AbstractSettings) -> Truths:
    missing = settings.is_null(_STEP_GAIN) | settings.is_null(_STEP_SIGMA)
    return missing & settings.equals(_WRITE_MODEL, "incremental")


def _say_no_step(settings: PlainSettings) -> Problem:
    path = _STEP_GAIN if settings.is_null(_STEP_GAIN) else _STEP_SIGMA
    said = f"{path} = null: {_WRITE_MODEL} = incremental needs step_gain and step_sigma"
    return conflict(path, None, said, f"a number, or {_WRITE_MODEL}=redraw")


def _access_of_transistor(settings: AbstractSettings) -> Truths:
    itself = settings.equals(_MEMORY, "sram") | settings.equals(_MEMORY, "fefet")
    return itself & settings.equals(_ACCESS, "1t1r")


def _say_access_of_transistor(settings: PlainSettings) -> Problem:
    memory = settings.value(_MEMORY)
    said = f"{_ACCESS} = 1t1r does nothing for {_MEMORY} = {memory}: its cell is of transistors"
    return conflict(_ACCESS, "1t1r", said, "none")


# --- programming ----------------------------------------------------------------------------------


def _asked_layers(settings: AbstractSettings) -> tuple[Truths, Truths]:
    layers = settings.number(LAYERS)
    last = settings.equals(_POLICY, LAST_LAYERS.name) & (settings.number(_LAST) > layers)
    return last, settings.number(_REWRITTEN) > layers


def _layers_missing(settings: AbstractSettings) -> Truths:
    last, rewritten = _asked_layers(settings)
    return last | rewritten


def _say_layers_missing(settings: PlainSettings) -> Problem:
    path, least = (_LAST, 1) if _asked_layers(settings)[0] else (_REWRITTEN, 0)
    value, layers = settings.value(path), settings.value(LAYERS)
    said = f"{path} = {value}: {settings.value(NETWORK)} has {layers} layers with weights"
    return conflict(path, value, said, f"{least} to {layers}")


#: A combination of a sweep that breaks several is counted under the first.
RULES: tuple[Rule, ...] = (
    *READ_RULES,
    *SILICON_RULES,
    *BUFFER_RULES,
    *TECHNOLOGY_RULES,
    *LEVEL_RULES,
    *WRITE_RULES,
    Rule(
        name=f"{_CELL_BITS} does not divide {_WEIGHT_BITS}",
        reads=(_WEIGHT_BITS, _CELL_BITS, _PADDED),
        broken=_bits_do_not_divide,
        problem=_say_bits_do_not_divide,
    ),
    Rule(
        name=f"{_COLS} is no multiple of {_MUX}",
        reads=(_COLS, _MUX),
        broken=_columns_do_not_divide,
        problem=_say_columns_do_not_divide,
    ),
    Rule(
        name=f"{_COLS} cannot hold one weight",
        reads=(_COLS, _WEIGHT_BITS, _CELL_BITS, _ENCODING),
        broken=_weight_does_not_fit,
        problem=_say_weight_does_not_fit,
    ),
    Rule(
        name=f"the device holds fewer bits than {_CELL_BITS}",
        reads=(_CELL_BITS, _MOST_BITS),
        broken=_cell_holds_less,
        problem=_say_cell_holds_less,
    ),
    Rule(
        name=f"{_ADC_BITS} is not that of {_ADC_MODEL} = isaac",
        reads=(_ADC_MODEL, _ADC_BITS),
        broken=_not_the_isaac,
        problem=_say_not_the_isaac,
    ),
    Rule(
        name=f"{_R_ON} or r_off is null in a device that needs it",
        reads=(_R_ON, _R_OFF, _MEMORY),
        broken=_resistances_missing,
        problem=_say_resistances_missing,
    ),
    Rule(
        name=f"{_R_ON} is not below {_R_OFF}",
        reads=(_R_ON, _R_OFF, _MEMORY),
        broken=_resistances_not_ordered,
        problem=_say_resistances_not_ordered,
    ),
    Rule(
        name=f"{_SIGMA} is beyond the range of conductance",
        reads=(_SIGMA, _REFERENCE, _R_ON, _R_OFF, _MEMORY),
        broken=_spread_beyond_range,
        problem=_say_spread_beyond_range,
    ),
    Rule(
        name=f"{_STUCK_ON} and stuck_off_rate are above 1 together",
        reads=(_STUCK_ON, _STUCK_OFF),
        broken=_too_many_stuck,
        problem=_say_too_many_stuck,
    ),
    Rule(
        name=f"{_FACTOR} does nothing with a uniform profile",
        reads=(_PROFILE, _FACTOR),
        broken=_factor_without_profile,
        problem=_say_factor_without_profile,
    ),
    Rule(
        name=f"{_STEP_GAIN} or step_sigma is null in an incremental write-verify",
        reads=(_WRITE_MODEL, _STEP_GAIN, _STEP_SIGMA),
        broken=_no_step,
        problem=_say_no_step,
    ),
    Rule(
        name=f"{_ACCESS} = 1t1r in a cell that is of transistors",
        reads=(_MEMORY, _ACCESS),
        broken=_access_of_transistor,
        problem=_say_access_of_transistor,
    ),
    Rule(
        name=f"{_LAST} or rewritten_layers is more than the network has",
        reads=(_POLICY, _LAST, _REWRITTEN, LAYERS),
        broken=_layers_missing,
        problem=_say_layers_missing,
    ),
)
