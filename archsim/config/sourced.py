"""Physical constants that carry their unit and their source."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from archsim.config.quantity_text import in_family
from archsim.errors import Code, Problem, RejectedValueError
from archsim.units import TO_SI

#: Units that may replace each other in YAML (they measure the same thing).
_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("1", "%"),
    ("bit", "1"),  # a count may be written without its unit, but nothing else in bits
    ("ohm", "kohm"),
    ("S", "uS"),
    ("V", "mV"),
    ("m", "mm", "um", "nm"),
    ("m2", "mm2", "um2"),
    ("s", "ms", "us", "ns", "ps"),
    ("J", "mJ", "uJ", "nJ", "pJ", "fJ"),
    ("W", "mW", "uW"),
    ("A", "uA"),
    ("F", "fF", "aF"),
    ("C", "fC"),
    ("F/m", "fF/um"),
    ("J/bit", "pJ/bit"),
    ("bit/s", "Gbit/s"),
)

#: Where a JSON schema of pydantic's notes the units and the number of values of a constant.
QUANTITY_OF = "quantity_of"


def compatible_units(unit: str) -> tuple[str, ...]:
    """Return the units that measure the same thing as ``unit``, itself included."""
    for family in _FAMILIES:
        if unit in family:
            return family
    return (unit,)


def units_as_written(unit: str, length: int = 1) -> tuple[str, ...]:
    """Return all units that a constant may be written in, those of its inverse included.

    Args:
        unit: canonical unit.
        length: how many numbers the constant has; a list is not inverted.
    """
    direct = compatible_units(unit)
    inverse = (other for other in TO_SI if in_family(1.0, other, direct)[1] in direct)
    return tuple(dict.fromkeys((*direct, *inverse))) if length == 1 else direct


def _numbers(value: Any) -> Any:
    """Refuse what is no finite number or list of such, in one line; pydantic names each attempt."""
    for entry in value if isinstance(value, (list, tuple)) else (value,):
        try:
            finite = not isinstance(entry, bool) and math.isfinite(float(entry))
        except (TypeError, ValueError, OverflowError):
            finite = False
        if not finite:
            which = "" if entry is value else f"{entry!r}: "
            allowed = "a finite number"
            units = ", alone or with a known unit" if isinstance(entry, str) else ""
            said = f"{which}not a finite number; allowed: {allowed}, e.g. 0.1 or 1.0e-9{units}"
            code = Code.NOT_FINITE if isinstance(entry, float) else Code.WRONG_TYPE
            raise RejectedValueError(Problem(said, code, value=entry, allowed=allowed))
    return value


class Quantity(BaseModel):
    """A number (or a short list of numbers) with unit and source, as written in YAML.

    ``sigma`` is an optional relative standard deviation and ``range`` an optional interval in the
    same unit: what is known of the constant's uncertainty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: Annotated[float | tuple[float, ...], BeforeValidator(_numbers)] = Field(
        description="the number, or the list of numbers, in `unit`"
    )
    unit: Annotated[str, BeforeValidator(str)] = Field(
        description="of the value: the key's meaning says which are allowed; 1 for a plain number"
    )
    source: Annotated[str, Field(min_length=3)] = Field(
        description="where the number is from: a citation, a key of `sources`, or assumed with a "
        "reason"
    )
    range: tuple[float, float] | None = Field(
        default=None, description="lowest and highest plausible value, in `unit`; null: not known"
    )
    sigma: float | None = Field(
        default=None,
        ge=0,
        description="relative standard deviation of the constant; null: not known",
    )
    note: str | None = Field(default=None, description="anything else worth knowing; null: nothing")

    @property
    def si(self) -> float:
        """The value in SI; for a list use :attr:`si_values`."""
        if isinstance(self.value, tuple):
            raise TypeError("a list has no single SI value")
        return self.value * _factor(self.unit)

    @property
    def si_values(self) -> tuple[float, ...]:
        """The values in SI, one per entry."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return tuple(entry * _factor(self.unit) for entry in values)


def _factor(unit: str) -> float:
    return TO_SI.get(unit, 1.0)


def _allow_unit(value: Any) -> Any:
    """YAML reads ``unit: 1`` as a number; a bare number has no unit; pydantic judges the rest."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        allowed = f"{{value: {value:g}, unit: ..., source: ...}}"
        said = "a number without unit and source"
        raise RejectedValueError(Problem.of(Code.MISSING_KEY, problem=said, allowed=allowed))
    if isinstance(value, dict) and isinstance(value.get("unit"), int):
        return {**value, "unit": str(value["unit"])}
    return value


def _out_of_range(said: str, given: Quantity, allowed: str) -> RejectedValueError:
    text = f"{said}; allowed: {allowed}"
    return RejectedValueError(Problem(text, Code.OUT_OF_RANGE, value=given.value, allowed=allowed))


def _same_in(allowed: tuple[str, ...], given: Quantity) -> Quantity:
    """A conductance where a resistance is asked for says the resistance, and the other way."""
    if isinstance(given.value, tuple):
        return given
    value, unit = in_family(given.value, given.unit, allowed)
    if unit == given.unit:
        return given
    # An interval belongs to the value as it was written.
    return given.model_copy(update={"value": value, "unit": unit, "range": None})


class _Checked:
    """Validator of one quantity: unit family, bounds and number of entries."""

    def __init__(
        self, unit: str, minimum: float | None, maximum: float | None, length: int
    ) -> None:
        self.unit, self.minimum, self.maximum, self.length = unit, minimum, maximum, length

    def __call__(self, quantity: Quantity) -> Quantity:
        allowed = compatible_units(self.unit)
        quantity = _same_in(allowed, quantity)
        if quantity.unit not in allowed:
            said = f"unit '{quantity.unit}' does not fit; allowed: {', '.join(allowed)}"
            raise RejectedValueError(
                Problem(said, Code.UNKNOWN_NAME, "unit", quantity.unit, allowed)
            )
        entries = quantity.si_values
        if len(entries) != self.length:
            raise RejectedValueError(
                Problem(
                    f"{len(entries)} values given; allowed: exactly {self.length}",
                    Code.SHAPE_MISMATCH,
                    value=quantity.value,
                    allowed=f"exactly {self.length}",
                )
            )
        given = f"{quantity.value}" + ("" if quantity.unit == "1" else f" {quantity.unit}")
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.minimum is not None and min(entries) < self.minimum:
            allowed_text = f">= {self.minimum:g}{unit}"
            raise _out_of_range(f"{given} is too small", quantity, allowed_text)
        if self.maximum is not None and max(entries) > self.maximum:
            low = "" if self.minimum is None else f"{self.minimum:g} to "
            allowed_text = f"{low or 'at most '}{self.maximum:g}{unit}"
            raise _out_of_range(f"{given} is too large", quantity, allowed_text)
        return quantity


def checked(metadata: Iterable[Any]) -> _Checked | None:
    """Return what the type of a sourced constant demands: unit, SI bounds, number of values.

    Args:
        metadata: of the annotation that :func:`quantity` made.
    """
    checks = (getattr(entry, "func", None) for entry in metadata)
    return next((check for check in checks if isinstance(check, _Checked)), None)


def quantity(
    unit: str, *, minimum: float | None = 0.0, maximum: float | None = None, length: int = 1
) -> Any:
    """Build the annotated type of a sourced constant.

    Args:
        unit: canonical unit; any compatible unit may be written in YAML.
        minimum: smallest SI value allowed, ``None`` for any sign.
        maximum: largest SI value allowed, ``None`` for any.
        length: how many numbers the constant has.
    """
    of: JsonDict = {"units": [*units_as_written(unit, length)], "length": length}
    return Annotated[
        Quantity,
        Field(json_schema_extra={QUANTITY_OF: of}),
        BeforeValidator(_allow_unit),
        AfterValidator(_Checked(unit, minimum, maximum, length)),
    ]
