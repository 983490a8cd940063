"""Exponentials, logarithms and powers as LLVM instructions: the same bits on every platform.

No library of the platform is called. An argument is reduced to a small interval, where a series of
Taylor (exponential) or of the inverse hyperbolic tangent (logarithm) is summed with fused
multiply-adds; the leading terms are carried with their rounding errors, so that results that are
whole powers are exact. Errors, in units in the last place of the exact result, measured against
mpmath by tests/compiled/test_functions.py: below 1 for ``exp``, ``exp2``, ``log`` and ``pow``,
below 2 for ``log2``, ``log1p`` and ``expm1``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from archsim.compiled.instructions import InstructionList

#: ln 2 as 32 leading bits, exact times any exponent, and the rest.
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
#: What the rounding of ln 2 to a float64 leaves out.
_LN2_LEFT = float.fromhex("0x1.abc9e3b39803fp-56")
_LOG2_E = math.log2(math.e)
#: 1 / ln 2 and what its rounding left out.
_PER_LN2 = float.fromhex("0x1.71547652b82fep+0"), float.fromhex("0x1.777d0ffda0d24p-56")
_THIRD = 1 / 3, float(Fraction(1, 3) - Fraction(1 / 3))
#: Largest and smallest argument of the exponential beyond which it is infinite and 0.
_LARGEST, _SMALLEST = 710.0, -746.0
#: exp(r) = 1 + r + r^2 q(r), |r| < 0.35.
_EXP = [1 / math.factorial(n) for n in range(2, 14)]
#: ln((1 + s) / (1 - s)) = 2 s (1 + z/3 + z^2 q(z)), z = s^2 < 0.03.
_LOG = [1 / n for n in range(5, 25, 2)]


def definitions(width: int) -> str:
    """Return all functions, for vectors of some width.

    Args:
        width: designs in a vector.
    """
    parts = []
    for name, (count, build) in _FUNCTIONS.items():
        to = InstructionList(width)
        args = [f"%x{index}" for index in range(count)]
        result = build(to, *args)
        heads = ", ".join(f"{to.type} {arg}" for arg in args)
        body = "\n".join(to.lines)
        parts.append(
            f"define internal {to.type} @archsim_{name}({heads}) #0 {{\n{body}\n"
            f"ret {to.type} {result}\n}}"
        )
    return "\n".join(parts)


def _fma(to: InstructionList, a: str, b: str, c: str) -> str:
    return to.intrinsic("fma", a, b, c)


def _neg(to: InstructionList, value: str) -> str:
    return to.new(f"fneg {to.type} {value}")


def _horner(to: InstructionList, x: str, coefficients: list[float]) -> str:
    result = to.all_of(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = _fma(to, result, x, to.all_of(coefficient))
    return result


def _sum(to: InstructionList, large: str, small: str) -> tuple[str, str]:
    """Return the rounded sum and its error; the first is the larger, or 0."""
    total = to.plain("fadd", large, small)
    return total, to.plain("fsub", small, to.plain("fsub", total, large))


def _any_sum(to: InstructionList, a: str, b: str) -> tuple[str, str]:
    """Return the rounded sum and its error, whichever is larger."""
    total = to.plain("fadd", a, b)
    of_b = to.plain("fsub", total, a)
    of_a = to.plain("fsub", total, of_b)
    rest = to.plain("fadd", to.plain("fsub", a, of_a), to.plain("fsub", b, of_b))
    return total, rest


def _product(to: InstructionList, a: str, b: str) -> tuple[str, str]:
    """Return the rounded product and its error."""
    product = to.plain("fmul", a, b)
    return product, _fma(to, a, b, _neg(to, product))


def _two_to(to: InstructionList, exponent: str) -> str:
    """Return 2 to a whole number from -1022 to 1023."""
    whole = to.new(f"fptosi {to.type} {exponent} to <{to.width} x i32>")
    wide = to.new(f"sext <{to.width} x i32> {whole} to <{to.width} x i64>")
    biased = to.new(f"add <{to.width} x i64> {wide}, {_whole(to, 1023)}")
    bits = to.new(f"shl <{to.width} x i64> {biased}, {_whole(to, 52)}")
    return to.new(f"bitcast <{to.width} x i64> {bits} to {to.type}")


def _whole(to: InstructionList, value: int) -> str:
    return f"<{', '.join([f'i64 {value}'] * to.width)}>"


def _scaled(to: InstructionList, value: str, exponent: str) -> str:
    """Multiply by 2 to a whole number, in two steps: it may be beyond that of a float64."""
    half = to.intrinsic("floor", to.plain("fmul", exponent, to.all_of(0.5)))
    first = to.plain("fmul", value, _two_to(to, half))
    return to.plain("fmul", first, _two_to(to, to.plain("fsub", exponent, half)))


def _within(to: InstructionList, x: str, low: float, high: float) -> str:
    """Return an argument within bounds; not-a-number becomes the lower one."""
    x = to.select(to.compare("oge", x, to.all_of(low)), x, to.all_of(low))
    return to.select(to.compare("ole", x, to.all_of(high)), x, to.all_of(high))


def _unless_nan(to: InstructionList, result: str, *args: str) -> str:
    for arg in args:
        result = to.select(to.compare("uno", arg, arg), arg, result)
    return result


def _reduced(to: InstructionList, x: str) -> tuple[str, str, str]:
    """Return k, r and what r's rounding left out: x = k ln 2 + r."""
    k = to.intrinsic("rint", to.plain("fmul", x, to.all_of(_LOG2_E)))
    minus = _neg(to, k)
    r = _fma(to, minus, to.all_of(_LN2_HIGH), x)
    return k, *_sum(to, r, to.plain("fmul", minus, to.all_of(_LN2_LOW)))


def _exp_rest(to: InstructionList, r: str, low: str) -> str:
    """Return exp(r + low) - 1 - r."""
    square = to.plain("fmul", r, r)
    return _fma(to, square, _horner(to, r, _EXP), low)


def _one_plus(to: InstructionList, r: str, low: str) -> str:
    """Return exp(r + low); low is below the rounding error of r."""
    total, rest = _sum(to, to.all_of(1.0), r)
    return to.plain("fadd", total, to.plain("fadd", rest, _exp_rest(to, r, low)))


def _exp(to: InstructionList, x: str) -> str:
    k, r, low = _reduced(to, _within(to, x, _SMALLEST, _LARGEST))
    return _unless_nan(to, _scaled(to, _one_plus(to, r, low), k), x)


def _exp2(to: InstructionList, x: str) -> str:
    inside = _within(to, x, -1080.0, 1030.0)
    k = to.intrinsic("rint", inside)
    rest = to.plain("fsub", inside, k)
    r, low = _product(to, rest, to.all_of(math.log(2)))
    low = _fma(to, rest, to.all_of(_LN2_LEFT), low)
    return _unless_nan(to, _scaled(to, _one_plus(to, r, low), k), x)


def _expm1(to: InstructionList, x: str) -> str:
    k, r, low = _reduced(to, _within(to, x, -40.0, _LARGEST))
    rest = to.plain("fadd", r, _exp_rest(to, r, low))
    smallest = to.select(to.compare("olt", k, to.all_of(1000.0)), k, to.all_of(1000.0))
    minus_one = to.plain("fsub", to.all_of(1.0), _two_to(to, _neg(to, smallest)))
    result = _scaled(to, to.plain("fadd", minus_one, rest), k)
    # Tiny arguments, and the sign of 0.
    tiny = to.compare("olt", to.intrinsic("fabs", x), to.all_of(1e-300))
    return _unless_nan(to, to.select(tiny, x, result), x)


def _parts(to: InstructionList, x: str) -> tuple[str, str]:
    """Return the exponent of a positive number, and its mantissa from sqrt(1/2) to sqrt(2)."""
    small = to.compare("olt", x, to.all_of(2.0**-1022))
    raised = to.select(small, to.plain("fmul", x, to.all_of(2.0**54)), x)
    whole = f"<{to.width} x i64>"
    bits = to.new(f"bitcast {to.type} {raised} to {whole}")
    shifted = to.new(f"lshr {whole} {bits}, {_whole(to, 52)}")
    short = to.new(f"trunc {whole} {shifted} to <{to.width} x i32>")
    biased = to.new(f"sitofp <{to.width} x i32> {short} to {to.type}")
    bias = to.select(small, to.all_of(1023.0 + 54.0), to.all_of(1023.0))
    exponent = to.plain("fsub", biased, bias)
    low = to.new(f"and {whole} {bits}, {_whole(to, (1 << 52) - 1)}")
    one = to.new(f"or {whole} {low}, {_whole(to, 1023 << 52)}")
    mantissa = to.new(f"bitcast {whole} {one} to {to.type}")
    large = to.compare("ogt", mantissa, to.all_of(math.sqrt(2)))
    mantissa = to.select(large, to.plain("fmul", mantissa, to.all_of(0.5)), mantissa)
    exponent = to.plain("fadd", exponent, large)
    return exponent, mantissa


def _log_of_mantissa(to: InstructionList, mantissa: str) -> tuple[str, str]:
    """Return ln of a mantissa as two numbers, to 2^-63 of itself."""
    f = to.plain("fsub", mantissa, to.all_of(1.0))
    below, below_low = _sum(to, to.all_of(2.0), f)
    s = to.plain("fdiv", f, below)
    left = _fma(to, _neg(to, s), below, f)
    left = _fma(to, _neg(to, s), below_low, left)
    s_low = to.plain("fdiv", left, below)
    z, z_low = _product(to, s, s)
    z_low = _fma(to, to.plain("fadd", s, s), s_low, z_low)
    w, w_low = _product(to, z, to.all_of(_THIRD[0]))
    w_low = _fma(to, z, to.all_of(_THIRD[1]), w_low)
    w_low = _fma(to, z_low, to.all_of(_THIRD[0]), w_low)
    w_low = _fma(to, to.plain("fmul", z, z), _horner(to, z, _LOG), w_low)
    w, w_low = _sum(to, w, w_low)
    twice = to.plain("fadd", s, s)
    p, p_low = _product(to, twice, w)
    high, low = _sum(to, twice, p)
    p_low = _fma(to, twice, w_low, p_low)
    one_more = to.plain("fadd", to.all_of(1.0), w)
    p_low = _fma(to, to.plain("fadd", s_low, s_low), one_more, p_low)
    return _sum(to, high, to.plain("fadd", low, p_low))


def _log_pair(to: InstructionList, x: str) -> tuple[str, str]:
    """Return ln of a positive number as two numbers."""
    exponent, mantissa = _parts(to, x)
    high, low = _log_of_mantissa(to, mantissa)
    total, rest = _any_sum(to, to.plain("fmul", exponent, to.all_of(_LN2_HIGH)), high)
    rest = to.plain("fadd", rest, low)
    rest = _fma(to, exponent, to.all_of(_LN2_LOW), rest)
    return _sum(to, total, rest)


def _short_log(to: InstructionList, mantissa: str) -> tuple[str, str]:
    """Return f and ln(1 + f) - f of a mantissa 1 + f."""
    f = to.plain("fsub", mantissa, to.all_of(1.0))
    s = to.plain("fdiv", f, to.plain("fadd", to.all_of(2.0), f))
    z = to.plain("fmul", s, s)
    rest = to.plain("fmul", z, _horner(to, z, [2 / 3, *(2 * c for c in _LOG)]))
    half = to.plain("fmul", to.plain("fmul", f, f), to.all_of(0.5))
    return f, to.plain("fsub", to.plain("fmul", s, to.plain("fadd", half, rest)), half)


def _at_ends(to: InstructionList, result: str, x: str) -> str:
    """Logarithms of 0, of infinity and of negative numbers."""
    result = to.select(to.compare("oeq", x, to.all_of(math.inf)), x, result)
    result = to.select(to.compare("oeq", x, to.all_of(0.0)), to.all_of(-math.inf), result)
    result = to.select(to.compare("olt", x, to.all_of(0.0)), to.all_of(math.nan), result)
    return _unless_nan(to, result, x)


def _log(to: InstructionList, x: str) -> str:
    exponent, mantissa = _parts(to, x)
    f, rest = _short_log(to, mantissa)
    low = _fma(to, exponent, to.all_of(_LN2_LOW), rest)
    high, left = _any_sum(to, to.plain("fmul", exponent, to.all_of(_LN2_HIGH)), f)
    return _at_ends(to, to.plain("fadd", high, to.plain("fadd", left, low)), x)


def _log2(to: InstructionList, x: str) -> str:
    exponent, mantissa = _parts(to, x)
    f, rest = _short_log(to, mantissa)
    value, left = _sum(to, f, rest)
    high, low = _product(to, value, to.all_of(_PER_LN2[0]))
    low = _fma(to, value, to.all_of(_PER_LN2[1]), low)
    low = _fma(to, left, to.all_of(_PER_LN2[0]), low)
    total, more = _any_sum(to, exponent, high)
    return _at_ends(to, to.plain("fadd", total, to.plain("fadd", more, low)), x)


def _log1p(to: InstructionList, x: str) -> str:
    total, left = _any_sum(to, to.all_of(1.0), x)
    value = to.call("archsim_log", total)
    inside = to.compare("olt", to.intrinsic("fabs", x), to.all_of(2.0**60))
    inside = to.logic("and", inside, to.compare("ogt", total, to.all_of(0.0)))
    correction = to.select(inside, to.plain("fdiv", left, total), to.all_of(0.0))
    result = to.plain("fadd", value, correction)
    tiny = to.compare("olt", to.intrinsic("fabs", x), to.all_of(1e-300))
    return to.select(tiny, x, result)


def _pow(to: InstructionList, x: str, y: str) -> str:
    size = to.intrinsic("fabs", x)
    high, low = _log_pair(to, size)
    product = to.plain("fmul", y, high)
    rest = _fma(to, y, low, _fma(to, y, high, _neg(to, product)))
    inside = _within(to, product, _SMALLEST, _LARGEST)
    rest = to.select(to.compare("oeq", inside, product), rest, to.all_of(0.0))
    k, r, r_low = _reduced(to, inside)
    r, r_low = _any_sum(to, r, to.plain("fadd", r_low, rest))
    result = _scaled(to, _one_plus(to, r, r_low), k)
    zero, one, infinite = to.all_of(0.0), to.all_of(1.0), to.all_of(math.inf)
    grows = to.compare("ogt", y, zero)
    result = to.select(to.compare("oeq", size, zero), to.select(grows, zero, infinite), result)
    result = to.select(to.compare("oeq", size, infinite), to.select(grows, infinite, zero), result)
    result = to.select(to.compare("oeq", size, one), one, result)
    half = to.plain("fmul", y, to.all_of(0.5))
    is_whole = to.compare("oeq", to.intrinsic("rint", y), y)
    is_odd = to.logic("and", is_whole, to.compare("une", to.intrinsic("rint", half), half))
    signed = to.new(f"bitcast {to.type} {x} to <{to.width} x i64>")
    minus = to.new(f"icmp slt <{to.width} x i64> {signed}, zeroinitializer")
    flipped = to.select(is_odd, _neg(to, result), result)
    result = to.new(f"select {to.truth} {minus}, {to.type} {flipped}, {to.type} {result}")
    finite = to.compare("ogt", x, to.all_of(-math.inf))
    negative = to.logic("and", finite, to.compare("olt", x, zero))
    impossible = to.logic("and", negative, to.negated(is_whole))
    result = to.select(impossible, to.all_of(math.nan), result)
    result = _unless_nan(to, result, x, y)
    always = to.logic("or", to.compare("oeq", y, zero), to.compare("oeq", x, one))
    return to.select(always, one, result)


_FUNCTIONS: dict[str, tuple[int, Callable[..., str]]] = {
    "exp": (1, _exp), "exp2": (1, _exp2), "expm1": (1, _expm1), "log": (1, _log),
    "log2": (1, _log2), "log1p": (1, _log1p), "pow": (2, _pow),
}  # fmt: skip
