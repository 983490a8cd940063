"""Conditions on the axes of a sweep: ``design != none``, ``chip.crossbar.cols >= chip.adc.bits``.

One comparison each, of an axis with a value or with another axis. Nothing is executed. Conditions
on results, which know units, are constraints: archsim/explore/space/constraint.py.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from archsim.errors import Code, ConfigError

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"^\s*([A-Za-z_][\w.-]*)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*$")
_DOTTED = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)+")
_MOST_CHARACTERS = 500

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Condition:
    """One comparison of an axis with a value or another axis.

    Attributes:
        text: as it was written.
        left: path of the axis.
        operator: one of ``< <= > >= == !=``.
        right: a value; or a path where ``is_path``.
        is_path: whether the right side is another axis.
    """

    text: str
    left: str
    operator: str
    right: Scalar
    is_path: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the axes."""
        return (self.left, str(self.right)) if self.is_path else (self.left,)

    def mask(self, table: Mapping[str, Any]) -> Any:
        """Return where the condition holds; a missing value (null) never fulfils it.

        Args:
            table: values by path: arrays of one shape, or of shapes that broadcast.

        Raises:
            ConfigError: values that cannot be compared.
        """
        values = np.asarray(table[self.left])
        other = np.asarray(table[str(self.right)] if self.is_path else self.right)
        self._check_kinds(_kind(values), _kind(other))
        known = ~(_missing(values) | _missing(other))
        if known.all():
            return np.asarray(_OPERATORS[self.operator](values, other), dtype=bool)
        values, other, known = np.broadcast_arrays(values, other, known)
        holds = np.zeros(known.shape, dtype=bool)
        holds[known] = _OPERATORS[self.operator](values[known], other[known])
        return holds

    def _check_kinds(self, one: str, other: str) -> None:
        if one == other == "number" or (one == other and self.operator in ("==", "!=")):
            return
        allowed = "== and != between values of one kind" if one != "number" else "a number"
        raise ConfigError(
            f"condition '{self.text}': {self.left} is a {one}, compared with a {other}; allowed: "
            f"{allowed}",
            code=Code.WRONG_TYPE,
            field="condition",
            value=self.text,
            allowed=allowed,
        )


def _kind(values: np.ndarray) -> str:
    if values.dtype == object:
        known = [value for value in values.flat if value is not None]
        return _kind(np.asarray(known[0])) if known else "number"
    return {"b": "truth value", "U": "text"}.get(values.dtype.kind, "number")


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype != object:
        return np.zeros(values.shape, dtype=bool)
    return np.asarray([value is None for value in values.flat]).reshape(values.shape)


def parse_condition(text: str) -> Condition:
    """Read one condition.

    Args:
        text: ``path operator value`` or ``path operator path``; values as in YAML, texts with or
            without quotes; what has dots between words is a path.

    Raises:
        ConfigError: anything else.
    """
    match = _FORM.match(text) if len(text) <= _MOST_CHARACTERS else None
    if match is None:
        raise ConfigError(
            f"condition '{text[:80]}': allowed: axis, one of < <= > >= == !=, value or axis; e.g. "
            "'design != none' or 'chip.crossbar.cols >= chip.crossbar.rows'",
            code=Code.WRONG_FORM,
            field="condition",
            value=text,
        )
    name, sign, right = match.groups()
    is_path = _DOTTED.fullmatch(right) is not None
    return Condition(
        text=text.strip(),
        left=name,
        operator=sign,
        right=right if is_path else _value(text, right),
        is_path=is_path,
    )


def _value(text: str, right: str) -> Scalar:
    try:
        value = yaml.safe_load(right)
    except (yaml.YAMLError, ValueError, RecursionError):
        value = None
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 takes 1e-9 for a text
        except ValueError:
            return value
    if isinstance(value, bool | int | float):
        return value
    raise ConfigError(
        f"condition '{text[:80]}': '{right[:40]}' is no value; allowed: a number, a text, true or "
        "false, or the path of another axis",
        code=Code.WRONG_FORM,
        field="condition",
        value=right,
    )
