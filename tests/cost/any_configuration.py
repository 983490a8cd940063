"""Configurations drawn at random over every leaf of the schema, within its own ranges."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel

from archsim.config.load import Setting, preset_names
from archsim.config.lookup import SchemaField, look_up, schema_fields
from archsim.config.resolve import Resolved, resolve
from archsim.config.silicon_rules import SILICON_FACTORS
from archsim.config.silicon_rules import SILICON_ONLY as READ_BY_SILICON
from archsim.config.sourced import Quantity, _Checked
from archsim.errors import ConfigError

#: Leaves that name files, or that are names.
_NAMES = {"name", "description", "technology", "device", "memory", "link", "levels", "insertion"}
#: Largest whole number that is drawn where the schema has no bound, and for what takes long.
_MOST, _MOST_PULSES = 64, 60
#: Bounds above twice this are those of a limit, not of a choice.
_MOST_ROWS = 4096


@dataclass(frozen=True)
class Leaf:
    """A setting and what it may be: choices, or a range."""

    path: str
    field: SchemaField
    low: float
    high: float
    length: int = 1
    whole: bool = False
    numbers: tuple[int, ...] = ()

    def draw(self, pick: random.Random) -> Any:
        """Any value: often an end of the range, else in between by its logarithm."""
        if self.field.nullable and pick.random() < 0.15:
            return None
        if self.field.kind == "choice":
            return pick.choice(self.field.choices)
        if self.field.kind == "flag":
            return pick.random() < 0.5
        if self.numbers:
            return pick.choice(self.numbers)
        values = [self._number(pick) for _ in range(self.length)]
        if self.field.kind == "constant":
            value = values if self.length > 1 else values[0]
            return {"value": value, "unit": _unit(self.path), "source": "drawn at random"}
        return values[0]

    def _number(self, pick: random.Random) -> float:
        low, high = self.low, self.high
        if pick.random() < 0.3:
            value = pick.choice((low, high))
        elif low > 0:
            value = math.exp(pick.uniform(math.log(low), math.log(high)))
        else:
            value = pick.choice((1.0, 1e-3, 1e-6)) * pick.uniform(low, high)
        value = min(max(value, low), high)
        return round(value) if self.whole else value


def _unit(path: str) -> str:
    found = _checked(path)
    return found.unit if found is not None else "1"


@cache
def _annotations() -> dict[str, Any]:
    """Annotation and metadata of every leaf, by path."""
    found: dict[str, Any] = {}

    def walk(model: type[BaseModel], prefix: str) -> None:
        for key, info in model.model_fields.items():
            found[prefix + key] = info
            for part in _types(info.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel) and part is not Quantity:
                    walk(part, f"{prefix}{key}.")

    walk(Resolved, "")
    return found


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def _metadata(path: str) -> Iterator[Any]:
    info = _annotations()[path]
    yield from info.metadata
    for part in _types(info.annotation):
        for entry in getattr(part, "__metadata__", ()):
            yield entry
            yield from getattr(entry, "metadata", ())


def _checked(path: str) -> _Checked | None:
    for entry in _metadata(path):
        if isinstance(entry, AfterValidator) and isinstance(entry.func, _Checked):
            return entry.func
    return None


def bounds(path: str) -> tuple[float, float]:
    """Smallest and largest value that the schema allows, in SI; infinite for none."""
    rule, info = _checked(path), list(_metadata(path))
    if rule is not None:
        low = -math.inf if rule.minimum is None else rule.minimum
        return low, math.inf if rule.maximum is None else rule.maximum
    numbers = [each for each in _types(_annotations()[path].annotation) if type(each) is int]
    if numbers:
        return min(numbers), max(numbers)
    lows = [getattr(each, name, -math.inf) for each in info for name in ("ge", "gt")]
    highs = [getattr(each, name, math.inf) for each in info for name in ("le", "lt")]
    return max(lows), min(highs)


@cache
def leaves() -> tuple[Leaf, ...]:
    """Every setting of a configuration that is no name."""
    found = []
    for path, field in schema_fields(Resolved).items():
        key = path.rpartition(".")[2]
        if field.kind in ("block", "list", "text") or (key in _NAMES and field.kind != "choice"):
            continue
        if field.kind == "constant":
            rule = _checked(path)
            assert rule is not None, path
            low = 0.0 if rule.minimum is None else rule.minimum
            high = _MOST_PULSES if key == "max_pulses" else rule.maximum
            found.append(Leaf(path, field, low, float(high or 0), rule.length, key in WHOLE))
        elif field.kind == "number":
            info = list(_metadata(path))
            low = max([getattr(each, "ge", -math.inf) for each in info] + [0.0])
            high = min([getattr(each, "le", math.inf) for each in info] + [math.inf])
            types = list(_types(_annotations()[path].annotation))
            numbers = tuple(each for each in types if type(each) is int)
            high = high if high <= 2 * _MOST_ROWS else _MOST
            found.append(Leaf(path, field, low, high, whole=int in types, numbers=numbers))
        else:
            found.append(Leaf(path, field, 0, 1))
    return tuple(found)


WHOLE = {"max_pulses", "max_bits_per_cell"}
#: Settings that the other cost model refuses.
SILICON_ONLY = {*READ_BY_SILICON, *SILICON_FACTORS, "chip.read.sensing", "chip.read.dac_bits"}


def any_configuration(pick: random.Random) -> tuple[Resolved, str] | None:
    """A configuration with some of its leaves drawn, and a placement; None if a rule refuses it.

    Few leaves at a time, so that what one does is not hidden behind another's refusal.
    """
    drawn = pick.sample(leaves(), pick.choice((1, 1, 2, 3, 5, 8)))
    settings = [Setting(leaf.path, leaf.draw(pick)) for leaf in drawn]
    chosen = {each.path for each in settings}
    device = pick.choice(preset_names("device"))
    for path, value in _together(device, chosen):
        settings.append(Setting(path, value))
    try:
        resolved = resolve(
            chip=pick.choice(("rram-22nm", "rram-22nm-neurosim", "neurosim-v1.4")),
            technology=pick.choice(preset_names("technology")),
            device=device,
            overrides=settings,
        )
    except ConfigError:
        return None
    return resolved, pick.choice(("none", "common", "separate"))


def _together(device: str, chosen: set[str]) -> Iterator[tuple[str, Any]]:
    """Settings that have to go with what is drawn, so that most draws are allowed."""
    cell = "chip.precision.bits_per_cell"
    if cell not in chosen:
        bits = look_up(resolve(device=device, overrides=[f"{cell}=1"]), "device.max_bits_per_cell")
        yield cell, 1 if bits.si < 2 else 2
    if "chip.precision.pad_top_slice" not in chosen:
        yield "chip.precision.pad_top_slice", True
    if chosen & SILICON_ONLY and "chip.cost_model" not in chosen:
        yield "chip.cost_model", "silicon"
    if "chip.read.pair" in chosen and "chip.precision.encoding" not in chosen:
        yield "chip.precision.encoding", "differential"
