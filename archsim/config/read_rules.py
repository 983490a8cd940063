"""What no configuration may have where settings of the read path meet."""

from __future__ import annotations

from archsim.config.rule import Rule, conflict
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_ROWS, _AT_ONCE = "chip.crossbar.rows", "chip.read.rows_at_once"
_DAC, _PAIR, _OFFSET = "chip.read.dac_bits", "chip.read.pair", "chip.read.offset_subtraction"
_ENCODING = "chip.precision.encoding"
_IDLE, _INPUT_BITS = "chip.read.idle_sign_plane", "chip.precision.input_bits"
#: Fewest bits of an input that has a sign.
_SIGN_AND_ONE = 2


def _more_than_rows(settings: AbstractSettings) -> Truths:
    return settings.number(_AT_ONCE) > settings.number(_ROWS)


def _say_more_than_rows(settings: PlainSettings) -> Problem:
    at_once, rows = settings.value(_AT_ONCE), settings.value(_ROWS)
    said = f"{_AT_ONCE} = {at_once}: a crossbar has {rows} rows"
    return conflict(_AT_ONCE, at_once, said, f"1 to {rows}, or null for all")


def _unpriced_dac(settings: AbstractSettings) -> Truths:
    return settings.number(_DAC) > 1


def _say_unpriced_dac(settings: PlainSettings) -> Problem:
    bits = settings.value(_DAC)
    said = f"{_DAC} = {bits}: a DAC for every row has no price here"
    return conflict(_DAC, bits, said, "1")


def _no_pairs(settings: AbstractSettings) -> Truths:
    return settings.equals(_PAIR, "analog") & settings.differs(_ENCODING, "differential")


def _say_no_pairs(settings: PlainSettings) -> Problem:
    encoding = settings.value(_ENCODING)
    said = f"{_PAIR} = analog: {_ENCODING} = {encoding} has no pairs of columns"
    return conflict(_PAIR, "analog", said, f"digital, or {_ENCODING}=differential")


def _pairs_cancel(settings: AbstractSettings) -> Truths:
    return settings.differs(_OFFSET, "digital") & settings.equals(_ENCODING, "differential")


def _say_pairs_cancel(settings: PlainSettings) -> Problem:
    how = settings.value(_OFFSET)
    said = f"{_OFFSET} = {how}: pairs of columns ({_ENCODING} = differential) have no offset"
    return conflict(_OFFSET, how, said, f"digital, or {_ENCODING}=offset")


def _sign_alone(settings: AbstractSettings) -> Truths:
    return settings.equals(_IDLE, True) & (settings.number(_INPUT_BITS) < _SIGN_AND_ONE)


def _say_sign_alone(settings: PlainSettings) -> Problem:
    bits = settings.value(_INPUT_BITS)
    said = f"{_INPUT_BITS} = {bits}: with {_IDLE} one of them is a sign that is never on"
    return conflict(_INPUT_BITS, bits, said, f"2 to 16, or {_IDLE}=false")


READ_RULES: tuple[Rule, ...] = (
    Rule(
        name=f"{_AT_ONCE} is more than {_ROWS}",
        reads=(_ROWS, _AT_ONCE),
        broken=_more_than_rows,
        problem=_say_more_than_rows,
    ),
    Rule(
        name=f"{_DAC} above 1 has no price",
        reads=(_DAC,),
        broken=_unpriced_dac,
        problem=_say_unpriced_dac,
    ),
    Rule(
        name=f"{_PAIR} = analog without pairs of columns",
        reads=(_PAIR, _ENCODING),
        broken=_no_pairs,
        problem=_say_no_pairs,
    ),
    Rule(
        name=f"{_OFFSET} where pairs of columns cancel",
        reads=(_OFFSET, _ENCODING),
        broken=_pairs_cancel,
        problem=_say_pairs_cancel,
    ),
    Rule(
        name=f"{_IDLE} leaves no bit of the inputs",
        reads=(_IDLE, _INPUT_BITS),
        broken=_sign_alone,
        problem=_say_sign_alone,
    ),
)
