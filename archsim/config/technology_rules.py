"""What no configuration may have where numbers of a technology belong together."""

from __future__ import annotations

from archsim.config.rule import Rule, conflict
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_NODE, _TABLED_NODE = "technology.node", "technology.tabulated_node"
_VDD, _TABLED_VDD = "technology.vdd", "technology.tabulated_vdd"
_VDD_MIN, _VDD_MAX = "technology.vdd_min", "technology.vdd_max"
_THRESHOLD, _KIND = "technology.v_threshold", "technology.transistor"
_GATE = "technology.c_gate"
_FINS = ("technology.c_fin", "technology.w_fin_effective", "technology.fin_pitch")
_ADC_MODEL = "chip.adc.model"
#: Rounding that two equal numbers may differ by, relative.
_TINY = 1e-9
#: Volts that any supply is above the threshold: below it the alpha-power law does not hold.
_OVERDRIVE = 0.1


def _torn_from_node(settings: AbstractSettings) -> Truths:
    node, tabled = settings.number(_NODE), settings.number(_TABLED_NODE)
    return (node > tabled * (1 + _TINY)) | (node < tabled * (1 - _TINY))


def _say_torn_from_node(settings: PlainSettings) -> Problem:
    node, tabled = settings.number(_NODE) * 1e9, settings.number(_TABLED_NODE) * 1e9
    said = (
        f"{_NODE} = {node:g} nm: transistors, wires and converters of this technology are those "
        f"of {tabled:g} nm"
    )
    allowed = f"{tabled:g}, or another technology, e.g. --technology 7nm-lstp"
    return conflict(_NODE, settings.number(_NODE), said, allowed)


def _supply_out_of_range(settings: AbstractSettings) -> Truths:
    vdd = settings.number(_VDD)
    low, high = settings.number(_VDD_MIN), settings.number(_VDD_MAX)
    return (vdd < low * (1 - _TINY)) | (vdd > high * (1 + _TINY))


def _say_supply_out_of_range(settings: PlainSettings) -> Problem:
    low, high = settings.number(_VDD_MIN), settings.number(_VDD_MAX)
    vdd = settings.number(_VDD)
    said = f"{_VDD} = {vdd:g} V is outside of what this technology is made for"
    return conflict(_VDD, vdd, said, f"{low:g} to {high:g} V")


def _below_threshold(settings: AbstractSettings) -> Truths:
    least = settings.number(_THRESHOLD) + _OVERDRIVE * (1 - _TINY)
    return (settings.number(_VDD_MIN) < least) | (settings.number(_TABLED_VDD) < least)


def _say_below_threshold(settings: PlainSettings) -> Problem:
    threshold = settings.number(_THRESHOLD)
    low = min(settings.number(_VDD_MIN), settings.number(_TABLED_VDD))
    said = (
        f"{_THRESHOLD} = {threshold:g} V: vdd_min and tabulated_vdd must be above it by "
        f"{_OVERDRIVE:g} V"
    )
    return conflict(_THRESHOLD, threshold, said, f"at most {low - _OVERDRIVE:.3g} V")


def _missing_transistor(settings: AbstractSettings) -> Truths:
    planar = settings.equals(_KIND, "planar") & (settings.number(_GATE) <= 0)
    fins = settings.number(_FINS[0]) <= 0
    for path in _FINS[1:]:
        fins = fins | (settings.number(path) <= 0)
    return planar | (settings.equals(_KIND, "finfet") & fins)


def _say_missing_transistor(settings: PlainSettings) -> Problem:
    kind = settings.value(_KIND)
    needed = (_GATE,) if kind == "planar" else _FINS
    missing = next(path for path in needed if settings.number(path) <= 0)
    said = f"{missing} = 0: a {kind} technology needs it"
    return conflict(missing, 0.0, said, "above 0")


def _published_converter(settings: AbstractSettings) -> Truths:
    vdd, tabled = settings.number(_VDD), settings.number(_TABLED_VDD)
    moved = (vdd > tabled * (1 + _TINY)) | (vdd < tabled * (1 - _TINY))
    return moved & settings.differs(_ADC_MODEL, "circuit")


def _say_published_converter(settings: PlainSettings) -> Problem:
    model, tabled = settings.value(_ADC_MODEL), settings.number(_TABLED_VDD)
    said = f"{_VDD} = {settings.number(_VDD):g} V: {_ADC_MODEL} = {model} knows no supply"
    allowed = f"{tabled:g} V, or {_ADC_MODEL}=circuit"
    return conflict(_VDD, settings.number(_VDD), said, allowed)


TECHNOLOGY_RULES: tuple[Rule, ...] = (
    Rule(
        name=f"{_NODE} is not that of the technology's numbers",
        reads=(_NODE, _TABLED_NODE),
        broken=_torn_from_node,
        problem=_say_torn_from_node,
    ),
    Rule(
        name=f"{_VDD} is out of the technology's range",
        reads=(_VDD, _VDD_MIN, _VDD_MAX),
        broken=_supply_out_of_range,
        problem=_say_supply_out_of_range,
    ),
    Rule(
        name=f"{_THRESHOLD} is too near to the supply",
        reads=(_THRESHOLD, _VDD_MIN, _TABLED_VDD),
        broken=_below_threshold,
        problem=_say_below_threshold,
    ),
    Rule(
        name=f"{_KIND} without numbers of such transistors",
        reads=(_KIND, _GATE, *_FINS),
        broken=_missing_transistor,
        problem=_say_missing_transistor,
    ),
    Rule(
        name=f"{_VDD} with a published converter",
        reads=(_VDD, _TABLED_VDD, _ADC_MODEL),
        broken=_published_converter,
        problem=_say_published_converter,
    ),
)
