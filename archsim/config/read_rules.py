"""What no configuration may have where settings of the read path meet."""

from __future__ import annotations

from functools import reduce
from operator import or_

from archsim.config.encodings import STORED_ENCODINGS
from archsim.config.rule import Rule, conflict
from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Problem

_ROWS, _AT_ONCE = "chip.crossbar.rows", "chip.read.rows_at_once"
_PAIR, _OFFSET = "chip.read.pair", "chip.read.offset_subtraction"
_ENCODING = "chip.precision.encoding"
_ADC_KIND, _LEVELS = "chip.adc.kind", "chip.adc.levels"
#: Encodings whose weights have one column for each slice, and those with a pair of them.
_ALONE = tuple(encoding.name for encoding in STORED_ENCODINGS if encoding.sides == 1)
_PAIRS = tuple(encoding.name for encoding in STORED_ENCODINGS if encoding.sides > 1)
_PAIRED = " or ".join(_PAIRS)
_IDLE, _INPUT_BITS = "chip.read.idle_sign_plane", "chip.precision.input_bits"
#: Fewest bits of an input that has a sign.
_SIGN_AND_ONE = 2


def _more_than_rows(settings: AbstractSettings) -> Truths:
    return settings.number(_AT_ONCE) > settings.number(_ROWS)


def _say_more_than_rows(settings: PlainSettings) -> Problem:
    at_once, rows = settings.value(_AT_ONCE), settings.value(_ROWS)
    said = f"{_AT_ONCE} = {at_once}: a crossbar has {rows} rows"
    return conflict(_AT_ONCE, at_once, said, f"1 to {rows}, or null for all")


def _alone(settings: AbstractSettings) -> Truths:
    """Whether a weight has one column for each slice."""
    truths = [settings.equals(_ENCODING, name) for name in _ALONE]
    return reduce(or_, truths)


def _no_pairs(settings: AbstractSettings) -> Truths:
    return settings.equals(_PAIR, "analog") & _alone(settings)


def _say_no_pairs(settings: PlainSettings) -> Problem:
    encoding = settings.value(_ENCODING)
    said = f"{_PAIR} = analog: {_ENCODING} = {encoding} has no pairs of columns"
    return conflict(_PAIR, "analog", said, f"digital, or {_ENCODING}={_PAIRED}")


def _pairs_cancel(settings: AbstractSettings) -> Truths:
    in_pairs = reduce(or_, [settings.equals(_ENCODING, name) for name in _PAIRS])
    return settings.differs(_OFFSET, "digital") & in_pairs


def _say_pairs_cancel(settings: PlainSettings) -> Problem:
    how, encoding = settings.value(_OFFSET), settings.value(_ENCODING)
    said = f"{_OFFSET} = {how}: pairs of columns ({_ENCODING} = {encoding}) have no offset"
    return conflict(_OFFSET, how, said, f"digital, or {_ENCODING}=offset")


def _sign_alone(settings: AbstractSettings) -> Truths:
    return settings.equals(_IDLE, True) & (settings.number(_INPUT_BITS) < _SIGN_AND_ONE)


def _say_sign_alone(settings: PlainSettings) -> Problem:
    bits = settings.value(_INPUT_BITS)
    said = f"{_INPUT_BITS} = {bits}: with {_IDLE} one of them is a sign that is never on"
    return conflict(_INPUT_BITS, bits, said, f"2 to 16, or {_IDLE}=false")


def _uneven_sar(settings: AbstractSettings) -> Truths:
    return settings.equals(_ADC_KIND, "sar") & settings.differs(_LEVELS, "linear")


def _say_uneven_sar(settings: PlainSettings) -> Problem:
    levels = settings.value(_LEVELS)
    said = (
        f"{_LEVELS} = '{levels}': a successive-approximation converter ({_ADC_KIND} = sar) has "
        "even levels"
    )
    return conflict(_LEVELS, levels, said, f"linear, or {_ADC_KIND} flash-current or flash-voltage")


READ_RULES: tuple[Rule, ...] = (
    Rule(
        name=f"{_LEVELS} of a SAR are not linear",
        reads=(_ADC_KIND, _LEVELS),
        broken=_uneven_sar,
        problem=_say_uneven_sar,
    ),
    Rule(
        name=f"{_AT_ONCE} is more than {_ROWS}",
        reads=(_ROWS, _AT_ONCE),
        broken=_more_than_rows,
        problem=_say_more_than_rows,
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
