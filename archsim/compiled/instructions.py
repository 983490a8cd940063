"""What an instruction is in LLVM's language, for a vector of designs.

Rounding is that of the eager engine: no operation is fused or reordered, and not-a-number passes
``min`` and ``max`` as in PyTorch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

#: Comparisons; only "not equal" holds for not-a-number.
COMPARISONS = {"gt": "ogt", "ge": "oge", "lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_PLAIN = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
#: Instructions that LLVM has a vector form of on every processor.
_ROUNDING = {"ceil": "ceil", "floor": "floor", "trunc": "trunc", "rint": "rint", "sqrt": "sqrt",
             "abs": "fabs"}  # fmt: skip
#: Functions of :mod:`archsim.compiled.functions`.
_CALLED = frozenset({"exp", "exp2", "expm1", "log", "log2", "log1p"})


def number(value: float) -> str:
    """Return a float64 as LLVM writes it: its bits.

    Args:
        value: any.
    """
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return f"0x{bits:016X}"


@dataclass(eq=False)
class InstructionList:
    """Instructions in order, of vectors of ``width`` designs.

    Attributes:
        width: designs in a vector.
        lines: so far.
    """

    width: int
    lines: list[str] = field(default_factory=list)
    _count: int = 0
    _known: dict[tuple[str, str], str] = field(default_factory=dict)
    _truths: set[str] = field(default_factory=set)

    @property
    def type(self) -> str:
        """LLVM's type of a vector of numbers."""
        return f"<{self.width} x double>"

    @property
    def truth(self) -> str:
        """LLVM's type of a vector of truth values."""
        return f"<{self.width} x i1>"

    def all_of(self, value: float) -> str:
        """Return a vector of one number."""
        return f"<{', '.join([f'double {number(value)}'] * self.width)}>"

    def new(self, text: str) -> str:
        """Add an instruction and return the name of its result."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"{name} = {text}")
        return name

    def plain(self, instruction: str, one: str, other: str) -> str:
        """Add an instruction of two numbers."""
        return self.new(f"{instruction} {self.type} {self.as_number(one)}, {self.as_number(other)}")

    def compare(self, predicate: str, one: str, other: str) -> str:
        """Compare numbers."""
        one, other = self.as_number(one), self.as_number(other)
        return self._is_truth(self.new(f"fcmp {predicate} {self.type} {one}, {other}"))

    def logic(self, instruction: str, one: str, other: str) -> str:
        """Combine truth values."""
        one, other = self.as_truth(one), self.as_truth(other)
        return self._is_truth(self.new(f"{instruction} {self.truth} {one}, {other}"))

    def negated(self, value: str) -> str:
        """Negate a truth value."""
        ones = f"<{', '.join(['i1 true'] * self.width)}>"
        return self._is_truth(self.new(f"xor {self.truth} {self.as_truth(value)}, {ones}"))

    def select(self, condition: str, one: str, other: str) -> str:
        """Choose numbers by a truth value."""
        chosen = f"{self.type} {self.as_number(one)}, {self.type} {self.as_number(other)}"
        return self.new(f"select {self.truth} {self.as_truth(condition)}, {chosen}")

    def call(self, function: str, *args: str) -> str:
        """Call a function of vectors."""
        said = ", ".join(f"{self.type} {self.as_number(arg)}" for arg in args)
        return self.new(f"call {self.type} @{function}({said})")

    def intrinsic(self, name: str, *args: str) -> str:
        """Call a function that LLVM knows."""
        return self.call(f"llvm.{name}.v{self.width}f64", *args)

    def as_number(self, value: str) -> str:
        """Return 1 and 0 for a truth value; numbers as they are."""
        if value not in self._truths:
            return value
        return self._once("n", value, lambda: self.select(value, self.all_of(1), self.all_of(0)))

    def as_truth(self, value: str) -> str:
        """Return whether a number is not 0; truth values as they are."""
        if value in self._truths:
            return value
        return self._once("t", value, lambda: self.compare("une", value, self.all_of(0)))

    def _once(self, kind: str, value: str, make: Callable[[], str]) -> str:
        key = kind, value
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _is_truth(self, name: str) -> str:
        self._truths.add(name)
        return name


def emit(lines: InstructionList, name: str, args: list[str], exponent: float | None = None) -> str:
    """Add an instruction and return its result.

    Args:
        lines: to which.
        name: of the instruction.
        args: names of vectors.
        exponent: of ``pow`` where it is one number.

    Raises:
        KeyError: an unknown instruction.
    """
    if name in _PLAIN:
        return lines.plain(_PLAIN[name], *args)
    if name in COMPARISONS:
        return lines.compare(COMPARISONS[name], *args)
    if name in _ROUNDING:
        return lines.intrinsic(_ROUNDING[name], *args)
    if name in _CALLED:
        return lines.call(f"archsim_{name}", *args)
    if name == "pow":
        return _power(lines, args, exponent)
    return _OTHERS[name](lines, *args)


def _power(lines: InstructionList, args: list[str], exponent: float | None) -> str:
    base, one = args[0], lines.all_of(1)
    if exponent is None or exponent not in _SHORT:
        return lines.call("archsim_pow", *args)
    return _SHORT[exponent](lines, base, one)


#: Exponents that PyTorch computes without a power.
_SHORT: dict[float, Callable[[InstructionList, str, str], str]] = {
    0.5: lambda to, x, one: to.intrinsic("sqrt", x),
    2.0: lambda to, x, one: to.plain("fmul", x, x),
    3.0: lambda to, x, one: to.plain("fmul", to.plain("fmul", x, x), x),
    -0.5: lambda to, x, one: to.plain("fdiv", one, to.intrinsic("sqrt", x)),
    -1.0: lambda to, x, one: to.plain("fdiv", one, x),
    -2.0: lambda to, x, one: to.plain("fdiv", one, to.plain("fmul", x, x)),
}


def _extreme(predicate: str) -> Callable[[InstructionList, str, str], str]:
    def emitted(lines: InstructionList, one: str, other: str) -> str:
        # Not-a-number on the left stays: no comparison with it holds.
        chosen = lines.compare(predicate, one, other)
        if not other.startswith("<"):
            chosen = lines.logic("or", chosen, lines.compare("uno", other, other))
        return lines.select(chosen, other, one)

    return emitted


def _whole_and_rest(lines: InstructionList, one: str, other: str) -> tuple[str, str]:
    """Return floor(one / other) and what is left, exactly, by one correction of the quotient."""
    whole = lines.intrinsic("floor", lines.plain("fdiv", one, other))
    minus = lines.new(f"fneg {lines.type} {whole}")
    rest = lines.intrinsic("fma", minus, other, one)
    # A quotient that was rounded up to a whole number is one too large.
    wrong = lines.compare("olt", lines.plain("fmul", rest, other), lines.all_of(0))
    less = lines.plain("fsub", whole, lines.all_of(1))
    more = lines.plain("fadd", rest, other)
    return lines.select(wrong, less, whole), lines.select(wrong, more, rest)


def _rounded(lines: InstructionList, value: str) -> str:
    short = f"<{lines.width} x float>"
    rounded = lines.new(f"fptrunc {lines.type} {lines.as_number(value)} to {short}")
    return lines.new(f"fpext {short} {rounded} to {lines.type}")


_OTHERS: dict[str, Callable[..., str]] = {
    "max": _extreme("olt"),
    "min": _extreme("ogt"),
    "and": lambda to, a, b: to.logic("and", a, b),
    "or": lambda to, a, b: to.logic("or", a, b),
    "not": InstructionList.negated,
    "select": lambda to, c, a, b: to.select(c, a, b),
    "neg": lambda to, a: to.new(f"fneg {to.type} {to.as_number(a)}"),
    "truth": lambda to, a: to.compare("une", a, to.all_of(0)),
    "copy": lambda to, a: a,
    "float32": _rounded,
    "floordiv": lambda to, a, b: _whole_and_rest(to, a, b)[0],
    "mod": lambda to, a, b: _whole_and_rest(to, a, b)[1],
}
