"""What no configuration may have where the cost model meets how a chip is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import get_args

from archsim.config.rule import Rule, conflict
from archsim.config.schema.device import DeviceFile
from archsim.config.schema.macro import Sensing
from archsim.config.sensing import FITTING_SENSING
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_MODEL = "chip.cost_model"
_SENSING, _KIND, _BITS = "chip.read.sensing", "chip.adc.kind", "chip.adc.bits"
_MEMORY, _ADC_MODEL = "device.memory", "chip.adc.model"
_JOINED, _CELL_BITS = "chip.read.weight_bits_per_conversion", "chip.precision.bits_per_cell"
_WEIGHT_BITS, _MUX = "chip.precision.weight_bits", "chip.crossbar.mux_ratio"
_DAC, _INPUT_BITS = "chip.read.dac_bits", "chip.precision.input_bits"
_CURRENT, _TIME = "chip.read.cell_current", "chip.read.sense_time"
_SUPPLY = "chip.read.cell_supply"
#: Memories of devices, and ways of sensing that they do not have; digital is refused for all.
_UNFIT = tuple(
    (memory, how)
    for memory in get_args(DeviceFile.model_fields["memory"].annotation)
    for how in get_args(Sensing)
    if how not in (*FITTING_SENSING[memory], "digital")
)
#: Most bits of a converter that is drawn gate by gate.
_MOST_CIRCUIT_BITS = 10
#: What only the silicon model reads, where it is not null.
SILICON_ONLY = (
    _JOINED,
    _CURRENT,
    _TIME,
    _SUPPLY,
    "chip.read.activity",
    "chip.adc.energy",
    "chip.timing.read_cycle",
    "chip.timing.clock",
)
#: Corrections that only the silicon model multiplies with; at 1 they say nothing.
SILICON_FACTORS = (
    "chip.calibration.macro_energy",
    "chip.calibration.macro_time",
    "chip.calibration.macro_area",
)
#: Those of converters as circuits, which the silicon model has none of.
CIRCUIT_FACTORS = (
    "chip.calibration.adc_energy",
    "chip.calibration.adc_area",
    "chip.calibration.adc_time",
)


def _given(settings: AbstractSettings, path: str) -> Truths:
    """Whether a number is not null: no comparison is true of one that is."""
    return settings.number(path) >= 0


def _read_by_silicon_alone(path: str) -> Rule:
    def broken(settings: AbstractSettings) -> Truths:
        return _given(settings, path) & settings.equals(_MODEL, "neurosim")

    def say(settings: PlainSettings) -> Problem:
        said = f"{path} does nothing for {_MODEL} = neurosim"
        return conflict(path, settings.number(path), said, f"null, or {_MODEL}=silicon")

    name = f"{path} without {_MODEL} = silicon"
    return Rule(name=name, reads=(_MODEL, path), broken=broken, problem=say)


def _corrects_alone(path: str, model: str, other: str) -> Rule:
    def broken(settings: AbstractSettings) -> Truths:
        corrects = _given(settings, path) & (settings.number(path) != 1)
        return corrects & settings.equals(_MODEL, other)

    def say(settings: PlainSettings) -> Problem:
        value = settings.number(path)
        said = f"{path} = {value:g} corrects nothing for {_MODEL} = {other}"
        return conflict(path, value, said, f"1, or {_MODEL}={model}")

    name = f"{path} other than 1 without {_MODEL} = {model}"
    return Rule(name=name, reads=(_MODEL, path), broken=broken, problem=say)


def _no_circuit(
    path: str, name: str, asks: Callable[[AbstractSettings], Truths], *, why: str, allowed: str
) -> Rule:
    """What no circuit of the other model does: where a setting asks for it."""

    def broken(settings: AbstractSettings) -> Truths:
        return asks(settings) & settings.equals(_MODEL, "neurosim")

    def say(settings: PlainSettings) -> Problem:
        value = settings.value(path)
        return conflict(path, value, f"{path} = {value}: {why}", f"{allowed}, or {_MODEL}=silicon")

    return Rule(name=name, reads=(_MODEL, path), broken=broken, problem=say)


def _dac_beyond_inputs(settings: AbstractSettings) -> Truths:
    return settings.number(_DAC) > settings.number(_INPUT_BITS)


def _say_dac_beyond_inputs(settings: PlainSettings) -> Problem:
    bits, most = settings.value(_DAC), settings.value(_INPUT_BITS)
    said = f"{_DAC} = {bits}: inputs have {most} bits"
    return conflict(_DAC, bits, said, f"1 to {most}")


def _published_converter(settings: AbstractSettings) -> Truths:
    return settings.differs(_ADC_MODEL, "circuit") & settings.equals(_MODEL, "silicon")


def _say_published_converter(settings: PlainSettings) -> Problem:
    name = settings.value(_ADC_MODEL)
    said = f"{_ADC_MODEL} = {name}: {_MODEL} = silicon has converters of its own"
    allowed = "circuit; say chip.adc.energy where a conversion is known"
    return conflict(_ADC_MODEL, name, said, allowed)


def _digital(settings: AbstractSettings) -> Truths:
    return settings.equals(_SENSING, "digital")


def _say_digital(settings: PlainSettings) -> Problem:
    said = f"{_SENSING} = digital: adder trees in the array are priced by archsim macro alone"
    allowed = "current, charge-sum, charge-redistribution, time-domain"
    return conflict(_SENSING, "digital", said, allowed)


def _unfit(settings: AbstractSettings) -> Truths:
    pairs = [settings.equals(_MEMORY, of) & settings.equals(_SENSING, how) for of, how in _UNFIT]
    return reduce(or_, pairs)


def _say_unfit(settings: PlainSettings) -> Problem:
    memory, how = settings.value(_MEMORY), settings.value(_SENSING)
    said = f"{_SENSING} = {how}: cells of {_MEMORY} = {memory} cannot be read so"
    return conflict(_SENSING, how, said, ", ".join(FITTING_SENSING[memory]))


def _current_elsewhere(settings: AbstractSettings) -> Truths:
    known = _given(settings, _CURRENT) | _given(settings, _TIME)
    other = settings.differs(_SENSING, "current") | settings.equals(_MEMORY, "sram")
    return known & other & settings.equals(_MODEL, "silicon")


def _say_current_elsewhere(settings: PlainSettings) -> Problem:
    path = _CURRENT if _given(settings, _CURRENT) else _TIME
    how, memory = settings.value(_SENSING), settings.value(_MEMORY)
    value = settings.number(path)
    said = (
        f"{path} = {value:g}: {memory} cells that are read by {how} draw no "
        "current while they are sensed"
    )
    return conflict(path, value, said, "null, or a resistive device with current")


def _no_time(settings: AbstractSettings) -> Truths:
    return _given(settings, _CURRENT) & settings.is_null(_TIME)


def _say_no_time(settings: PlainSettings) -> Problem:
    said = f"{_TIME} = null: {_CURRENT} alone is no energy"
    return conflict(_TIME, None, said, "{value: ..., unit: ns, source: ...}")


def _idle_supply(settings: AbstractSettings) -> Truths:
    return _given(settings, _SUPPLY) & settings.is_null(_TIME)


def _say_idle_supply(settings: PlainSettings) -> Problem:
    volts = settings.number(_SUPPLY)
    said = f"{_SUPPLY} = {volts:g} V does nothing for {_TIME} = null: no current is known"
    return conflict(_SUPPLY, volts, said, f"null, or {_TIME} beside it")


def _uneven_join(settings: AbstractSettings) -> Truths:
    joined, cell = settings.number(_JOINED), settings.number(_CELL_BITS)
    columns = -(-joined // cell)
    uneven = (joined % cell != 0) | (settings.number(_MUX) % columns != 0)
    return _given(settings, _JOINED) & (uneven | (joined > settings.number(_WEIGHT_BITS)))


def _say_uneven_join(settings: PlainSettings) -> Problem:
    joined, cell = settings.value(_JOINED), settings.value(_CELL_BITS)
    mux, weight = settings.value(_MUX), settings.value(_WEIGHT_BITS)
    fitting = [bits for bits in range(cell, weight + 1, cell) if mux % (bits // cell) == 0]
    said = (
        f"{_JOINED} = {joined}: with {cell} bits per cell, {weight}-bit weights and {mux} columns "
        "per ADC"
    )
    return conflict(_JOINED, joined, said, f"{fitting}, or null for {cell}")


SILICON_RULES: tuple[Rule, ...] = (
    *(_read_by_silicon_alone(path) for path in SILICON_ONLY),
    *(_corrects_alone(path, "silicon", "neurosim") for path in SILICON_FACTORS),
    *(_corrects_alone(path, "neurosim", "silicon") for path in CIRCUIT_FACTORS),
    _no_circuit(
        _SENSING,
        f"{_SENSING} that {_MODEL} = neurosim has no circuits for",
        lambda settings: settings.differs(_SENSING, "current"),
        why=f"{_MODEL} = neurosim has circuits for current alone",
        allowed="current",
    ),
    _no_circuit(
        _KIND,
        f"{_KIND} = ramp or oscillator without {_MODEL} = silicon",
        lambda settings: settings.equals(_KIND, "ramp") | settings.equals(_KIND, "oscillator"),
        why=f"{_MODEL} = neurosim has no circuit for it",
        allowed="flash-current, flash-voltage, sar",
    ),
    _no_circuit(
        _BITS,
        f"{_BITS} above {_MOST_CIRCUIT_BITS} without {_MODEL} = silicon",
        lambda settings: settings.number(_BITS) > _MOST_CIRCUIT_BITS,
        why=f"{_MODEL} = neurosim has circuits up to {_MOST_CIRCUIT_BITS} bits",
        allowed=f"1 to {_MOST_CIRCUIT_BITS}",
    ),
    _no_circuit(
        _DAC,
        f"{_DAC} above 1 without {_MODEL} = silicon",
        lambda settings: settings.number(_DAC) > 1,
        why=f"a DAC for every row has no price under {_MODEL} = neurosim",
        allowed="1",
    ),
    Rule(
        name=f"{_DAC} is more than {_INPUT_BITS}",
        reads=(_DAC, _INPUT_BITS),
        broken=_dac_beyond_inputs,
        problem=_say_dac_beyond_inputs,
    ),
    Rule(
        name=f"{_ADC_MODEL} is published with {_MODEL} = silicon",
        reads=(_MODEL, _ADC_MODEL),
        broken=_published_converter,
        problem=_say_published_converter,
    ),
    Rule(
        name=f"{_SENSING} = digital in a chip",
        reads=(_SENSING,),
        broken=_digital,
        problem=_say_digital,
    ),
    Rule(
        name=f"{_SENSING} that cells of {_MEMORY} do not have",
        reads=(_SENSING, _MEMORY),
        broken=_unfit,
        problem=_say_unfit,
    ),
    Rule(
        name=f"{_CURRENT} or sense_time where cells draw no current",
        reads=(_MODEL, _SENSING, _MEMORY, _CURRENT, _TIME),
        broken=_current_elsewhere,
        problem=_say_current_elsewhere,
    ),
    Rule(
        name=f"{_CURRENT} without {_TIME}",
        reads=(_CURRENT, _TIME),
        broken=_no_time,
        problem=_say_no_time,
    ),
    Rule(
        name=f"{_SUPPLY} without {_TIME}",
        reads=(_SUPPLY, _TIME),
        broken=_idle_supply,
        problem=_say_idle_supply,
    ),
    Rule(
        name=f"{_JOINED} does not fit cells, weight or columns per ADC",
        reads=(_JOINED, _CELL_BITS, _WEIGHT_BITS, _MUX),
        broken=_uneven_join,
        problem=_say_uneven_join,
    ),
)
