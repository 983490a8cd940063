"""Axes of a sweep with their values and conditions, in the order of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.arch.design import DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.config.load import load_preset, preset_names
from archsim.config.sweep import Axis, Scalar, Sweep
from archsim.errors import Code, ConfigError, close_matches
from archsim.explore.space.condition import Condition, parse_condition

#: Settings of a sweep that are no dotted path: whole files, the network, the placement.
NAMES = ("network", "chip", "technology", "device", "tsb", "design")
#: Axes that change which layers or constants there are: worked on one value at a time.
_OUTER = ("network", "chip", "technology", "tsb", "tsb.insertion", "chip.technology")
#: Settings that have two spellings.
_SPELLINGS = (("chip.technology", "technology"), ("chip.device", "device"))
_ROOTS = ("chip", "technology", "device", "memory", "link", "tsb")


@dataclass(frozen=True)
class Dimension:
    """One independent axis, with those that follow it.

    Attributes:
        path: setting that it varies.
        values: in order.
        followers: settings that take the same values (``same_as``).
        when: condition on other axes; None always.
        measured: whether some of its values are devices with measured levels.
    """

    path: str
    values: tuple[Scalar, ...]
    followers: tuple[str, ...] = ()
    when: Condition | None = None
    measured: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def members(self) -> tuple[str, ...]:
        """All settings that it varies."""
        return (self.path, *self.followers)

    @property
    def is_outer(self) -> bool:
        """Whether it changes layers, technology or measured levels: a block has one value of it."""
        return self.measured or any(
            path in _OUTER or path.startswith(("technology.", "device.level"))
            for path in self.members
        )


def dimensions(sweep: Sweep) -> tuple[Dimension, ...]:
    """Return the axes of a sweep in the order of the points: the first varies slowest.

    Outermost are those that change layers or technology, then choices (devices, kinds of
    converters, placements), then numbers, each group in the order of the file.

    Args:
        sweep: which.

    Raises:
        ConfigError: an unknown setting, an axis that is given twice in two spellings, or a
            condition on something that is no axis or has a condition itself.
    """
    axes = []
    for path, axis in sweep.axes.items():
        _check_path(path)
        if axis.same_as is not None:
            continue
        followers = tuple(name for name, follower in sweep.axes.items() if follower.same_as == path)
        when = None if axis.when is None else parse_condition(axis.when)
        values = _values(path, axis)
        axes.append(Dimension(path, values, followers, when, _measured(path, values)))
    for one, other in _SPELLINGS:
        if one in sweep.axes and other in sweep.axes:
            raise ConfigError(
                f"sweep.axes: {one} and {other} are the same setting; keep one",
                code=Code.GIVEN_TWICE,
                field="sweep.axes",
                value=(one, other),
            )
    _check_conditions(axes)
    kinds = {parameter.path: parameter.kind for parameter in DesignBatch.parameters().values()}

    def place(dimension: Dimension) -> int:
        if dimension.is_outer:
            return 0
        chosen = dimension.path in (*NAMES, "chip.device") or kinds.get(dimension.path) in (
            "choice",
            "flag",
        )
        return 1 if chosen else 2

    return tuple(sorted(axes, key=place))


def _measured(path: str, values: tuple[Scalar, ...]) -> bool:
    if path not in ("device", "chip.device"):
        return False
    return any(load_preset("device", str(value)).get("levels") is not None for value in values)


def _check_path(path: str) -> None:
    if path in NAMES:
        return
    root = path.split(".", maxsplit=1)[0]
    if "." not in path or root not in _ROOTS:
        known = [
            *NAMES,
            *(
                parameter.path
                for parameter in DesignBatch.parameters().values()
                if "." in parameter.path
            ),
        ]
        raise ConfigError(
            f"sweep.axes: unknown setting '{path}'; allowed: {', '.join(NAMES)}, or a dotted path "
            f"below {', '.join(_ROOTS)}.{close_matches(path, known)}",
            code=Code.UNKNOWN_KEY,
            field="sweep.axes",
            value=path,
            allowed=known,
        )


def _values(path: str, axis: Axis) -> tuple[Scalar, ...]:
    if axis.values is not None:
        values = tuple(axis.values)
    else:
        numbers = axis.numbers()
        kinds = {parameter.path: parameter.kind for parameter in DesignBatch.parameters().values()}
        if kinds.get(path) == "integer" or path == "tsb.depth":
            whole = [round(number) for number in numbers]
            if axis.step is not None and whole != numbers:
                raise ConfigError(
                    f"sweep.axes.{path}: from = {axis.start:g}, step = {axis.step:g}; allowed: "
                    "whole numbers",
                    code=Code.WRONG_TYPE,
                    field=f"sweep.axes.{path}",
                    value=(axis.start, axis.step),
                    allowed="whole numbers",
                )
            numbers = list(dict.fromkeys(whole))
        values = tuple(numbers)
    _check_names(path, values)
    return values


def _check_names(path: str, values: tuple[Scalar, ...]) -> None:
    known: tuple[str, ...] | None = PLACEMENTS if path == "design" else None
    if path in ("chip", "technology", "device", "tsb"):
        known = preset_names(path)
    for value in values:
        if known is None:
            if path in NAMES and not isinstance(value, str):
                raise ConfigError(
                    f"sweep.axes.{path}: {value!r}; allowed: names",
                    code=Code.WRONG_TYPE,
                    field=f"sweep.axes.{path}",
                    value=value,
                    allowed="names",
                )
            continue
        is_file = path != "design" and str(value).endswith((".yaml", ".yml"))
        if value not in known and not is_file:
            raise ConfigError(
                f"sweep.axes.{path}: '{value}'; allowed: {', '.join(known)}."
                + close_matches(str(value), known),
                code=Code.UNKNOWN_NAME,
                field=f"sweep.axes.{path}",
                value=value,
                allowed=known,
            )


def _check_conditions(axes: list[Dimension]) -> None:
    free = {name for axis in axes if axis.when is None for name in axis.members}
    for axis in axes:
        if axis.when is not None:
            check_condition(axis.when, axes)
        for name in () if axis.when is None else axis.when.names:
            if name not in free:
                raise ConfigError(
                    f"sweep.axes.{axis.path}: when '{axis.when.text if axis.when else ''}' asks "
                    f"for '{name}'; allowed: axes without a condition of their own: "
                    f"{', '.join(sorted(free)) or 'none'}.{close_matches(name, free)}",
                    code=Code.UNKNOWN_NAME,
                    field=f"sweep.axes.{axis.path}.when",
                    value=name,
                    allowed=sorted(free),
                )


def check_condition(condition: Condition, axes: Sequence[Dimension]) -> None:
    """Refuse a text that the axis does not have: the condition would hold nowhere, or everywhere.

    Args:
        condition: on one axis or two.
        axes: of the sweep.

    Raises:
        ConfigError: names the nearest.
    """
    right = condition.right
    if condition.is_path or not isinstance(right, str):
        return
    for axis in axes:
        texts = [value for value in axis.values if isinstance(value, str)]
        if condition.left in axis.members and texts and right not in texts:
            raise ConfigError(
                f"condition '{condition.text}': {condition.left} is never '{right}'; allowed: "
                f"{', '.join(texts)}.{close_matches(right, texts)}",
                code=Code.UNKNOWN_NAME,
                field=condition.left,
                value=right,
                allowed=texts,
            )


def column_array(values: tuple[Scalar, ...]) -> np.ndarray:
    """Return the values of an axis as one array: bool, int64, float64, or objects for texts.

    Args:
        values: of one axis.
    """
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return np.asarray(values, dtype=bool)
    if kinds <= {int}:
        return np.asarray(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.asarray(values, dtype=np.float64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
