"""From the digits of a box of points to designs, and from designs to their rows.

Settings that change layers or technology are resolved for each of their combinations. All others
are resolved once per value: what a value changes in the design is a table along its own axis, and
a box of points is the outer product of such tables. The engine broadcasts: what depends on two of
eight axes is worked out for the pairs of their values only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from archsim.arch.design import POLICIES, DesignBatch, quantity_at
from archsim.config.resolve import Resolved, resolve, tsb_preset_for
from archsim.config.sweep import Scalar, Sweep
from archsim.errors import ConfigError
from archsim.explore.space.axes import Dimension, Grid, grid_of
from archsim.explore.space.rules import Limits
from archsim.explore.space.selection import Selection
from archsim.network import LayerGraph, LayerTable, from_graph, load_network
from archsim.network.insertion import InsertionPoint

#: Settings that are arguments of :func:`archsim.config.resolve.resolve`.
_FILES = ("chip", "technology", "device", "tsb")
Settings = dict[str, Scalar]


@dataclass(frozen=True, eq=False)
class Base:
    """What a combination of the outer axes resolves to.

    Attributes:
        graph: the network.
        table: its layers.
        points: places of the shared block.
        resolved: configuration.
        design: of that configuration, shape ``()``.
        limits: of that configuration.
        tables: what each value of every other axis changes, by axis path and field:
            ``(values,)`` tensors.
    """

    graph: LayerGraph
    table: LayerTable
    points: tuple[InsertionPoint, ...]
    resolved: Resolved
    design: DesignBatch
    limits: Limits
    tables: dict[str, dict[str, Tensor]]


@lru_cache(maxsize=16)
def load_graph(network: str, input_shape: tuple[int, ...] | None) -> LayerGraph:
    """Trace a network once per process.

    Args:
        network: zoo name or ``package.module:function``.
        input_shape: where it does not say.

    Raises:
        NetworkError: it cannot be found or traced.
    """
    return load_network(network, input_shape=input_shape)


class Space:
    """All points of a sweep: their numbers, their settings and their designs."""

    def __init__(self, sweep: Sweep) -> None:
        """Read the axes.

        Args:
            sweep: which.

        Raises:
            ConfigError: an unknown setting or a value that nothing allows.
        """
        self.sweep = sweep
        self.grid: Grid = grid_of(sweep)
        self.outer = tuple(axis for axis in self.grid.axes if axis.is_outer)
        self.inner = tuple(axis for axis in self.grid.axes if not axis.is_outer)
        self._bases: dict[tuple[int, ...], Base] = {}

    @property
    def columns(self) -> dict[str, str]:
        """Name of each setting's column: its path, with its unit where it has one."""
        base = self.base((0,) * len(self.outer))
        names = {}
        for axis in self.grid.axes:
            for path in axis.members:
                unit = _unit(base.resolved, path)
                names[path] = f"{path}_{unit.replace('/', '_per_')}" if unit else path
        return names

    def settings(self, point: int) -> Settings:
        """Return what the axes set at a point, by path; conditional ones where they apply.

        Args:
            point: its number.
        """
        digits = self.grid.digits(point)
        values = [axis.values[digit] for axis, digit in zip(self.grid.axes, digits, strict=True)]
        found: Settings = {}
        for axis, value in zip(self.grid.axes, values, strict=True):
            found |= dict.fromkeys(axis.members, value)
        tables = {name: _one(value) for name, value in found.items()}
        for axis in self.grid.axes:
            if axis.when is not None and not bool(axis.when.mask(tables).all()):
                for name in axis.members:
                    del found[name]
        return found

    def resolve(self, settings: Mapping[str, Scalar]) -> tuple[Resolved, str, LayerGraph]:
        """Resolve settings on top of the sweep's base: configuration, placement and network.

        Args:
            settings: by path.

        Raises:
            ArchsimError: what no configuration allows.
        """
        sweep = self.sweep
        shape = None if sweep.input_shape is None else tuple(sweep.input_shape)
        graph = load_graph(str(settings.get("network", sweep.network)), shape)
        files: dict[str, Any] = {name: settings.get(name, getattr(sweep, name)) for name in _FILES}
        files["tsb"] = files["tsb"] or tsb_preset_for(graph.name)
        dotted = [f"{path}={yaml_text(value)}" for path, value in settings.items() if "." in path]
        resolved = resolve(**files, overrides=[*sweep.settings, *dotted])
        return resolved, str(settings.get("design", sweep.design)), graph

    def base(self, digits: tuple[int, ...]) -> Base:
        """Return what a combination of the outer axes resolves to; worked out once.

        Args:
            digits: index into each outer axis.

        Raises:
            ArchsimError: a value that is not allowed with any value of the others.
        """
        if digits not in self._bases:
            self._bases[digits] = self._make_base(digits)
        return self._bases[digits]

    def design(self, box: Selection) -> tuple[Base, DesignBatch, Limits]:
        """Return the designs of a box: every field has the full number of axes, broadcastable.

        Args:
            box: one value of every outer axis.
        """
        axes = self.grid.axes
        digits = tuple(
            int(box.index(place).flat[0]) for place, axis in enumerate(axes) if axis.is_outer
        )
        base = self.base(digits)
        active = self.grid.active(self.grid.tables(box))
        places = {axis.path: place for place, axis in enumerate(axes)}
        fields: dict[str, Tensor] = {}
        for path, table in base.tables.items():
            index = torch.from_numpy(box.index(places[path]))
            for name, values in table.items():
                column = values[index]
                if path in active:
                    before = fields.get(name, _field(base, name))
                    column = torch.where(torch.from_numpy(active[path]), column, before)
                fields[name] = column
        return base, *finished(base, fields)

    def _make_base(self, digits: tuple[int, ...]) -> Base:
        outer: Settings = {}
        for axis, digit in zip(self.outer, digits, strict=True):
            outer |= dict.fromkeys(axis.members, axis.values[digit])
        found, helpers = self._allowed(outer, ())
        resolved, design, graph = found
        base = _design_of(resolved, design)
        # An axis that sets a field by its own path comes after those that set it otherwise.
        owners = _owners()
        ordered = sorted(self.inner, key=lambda axis: axis.path in owners)
        tables = {axis.path: self._table(axis, {**outer, **helpers}, base) for axis in ordered}
        _exact_paths_win(tables, {axis.path for axis in self.inner if axis.when is None})
        insertion = resolved.tsb.insertion
        return Base(
            graph=graph,
            table=from_graph(graph),
            points=tuple(graph.insertion_points(insertion)) if self._has_block(design) else (),
            resolved=resolved,
            design=base[0],
            limits=base[1],
            tables=tables,
        )

    def _has_block(self, design: str) -> bool:
        placements = [axis.values for axis in self.inner if "design" in axis.members]
        return any(value != "none" for value in (placements[0] if placements else (design,)))

    def _allowed(
        self, settings: Settings, own: tuple[str, ...]
    ) -> tuple[tuple[Resolved, str, LayerGraph], Settings]:
        """Resolve settings, with a value of another axis where they need one; return both.

        Whether a value goes with the base's values of other settings is not the question here: the
        combinations that are not allowed are left out point by point.
        """
        try:
            return self.resolve(settings), {}
        except ConfigError as error:
            first = error
        for axis in self.inner:
            if axis.path in own:
                continue
            for value in axis.values:
                helpers: Settings = dict.fromkeys(axis.members, value)
                try:
                    return self.resolve({**settings, **helpers}), helpers
                except ConfigError:
                    continue
        raise first

    def _table(
        self, axis: Dimension, start: Settings, base: tuple[DesignBatch, Limits]
    ) -> dict[str, Tensor]:
        """Return the fields that an axis changes, with one entry per value."""
        rows = [
            self._changed(axis, {**start, **dict.fromkeys(axis.members, value)}, start, base)
            for value in axis.values
        ]
        found = {}
        for name in (*DesignBatch.parameters(), *_LIMITS):
            before = _get(*base, name)
            column = torch.stack([row.get(name, before) for row in rows])
            if bool((column != before).any()):
                found[name] = column
        if not found and len(axis) > 1 and axis.path not in ("device", "chip.device", "tsb"):
            raise ConfigError(
                f"sweep.axes.{axis.path}: changes nothing that a cost depends on; leave it out"
            )
        return found

    def _changed(
        self,
        axis: Dimension,
        settings: Settings,
        start: Settings,
        base: tuple[DesignBatch, Limits],
    ) -> dict[str, Tensor]:
        """Return the fields that one value changes.

        Where it needs a value of another axis, what that one changes is taken out again: both
        sides of the comparison have it.
        """
        (resolved, design, _), helpers = self._allowed(settings, axis.members)
        own = _design_of(resolved, design)
        other, left_out = base, set[str]()
        if helpers:
            try:
                resolved, design, _ = self.resolve({**start, **helpers})
                other = _design_of(resolved, design)
            except ConfigError:
                left_out = {name for path, name in _owners().items() if path in helpers}
        return {
            name: _get(*own, name)
            for name in (*DesignBatch.parameters(), *_LIMITS)
            if name not in left_out and bool(_get(*own, name) != _get(*other, name))
        }


_LIMITS = tuple(entry.name for entry in dataclasses.fields(Limits))


def _get(batch: DesignBatch, limits: Limits, name: str) -> Tensor:
    value: Tensor = getattr(limits if name in _LIMITS else batch, name)
    return value


def _field(base: Base, name: str) -> Tensor:
    return _get(base.design, base.limits, name)


def _design_of(resolved: Resolved, design: str) -> tuple[DesignBatch, Limits]:
    """Return a design with the write policy that is asked for, also if its cells need no verify."""
    batch = DesignBatch.from_resolved(resolved, design)
    policy = POLICIES.index(resolved.chip.programming.policy)
    return batch.replace(write_policy=policy), Limits.of(resolved)


def finished(base: Base, fields: dict[str, Tensor]) -> tuple[DesignBatch, Limits]:
    """Return designs and limits with fields replaced.

    Args:
        base: of the designs.
        fields: that axes set, of the designs and of the limits.
    """
    limits = dataclasses.replace(
        base.limits, **{name: fields.pop(name) for name in _LIMITS if name in fields}
    )
    design = base.design.replace(**fields)
    none = torch.full_like(design.write_policy, POLICIES.index("none"))
    return design.replace(
        write_policy=torch.where(limits.can_verify, design.write_policy, none)
    ), limits


@lru_cache(maxsize=1)
def _owners() -> dict[str, str]:
    """Return the field that each path sets by itself."""
    return {own.path: name for name, own in DesignBatch.parameters().items()} | Limits.paths()


def _exact_paths_win(tables: dict[str, dict[str, Tensor]], always: set[str]) -> None:
    """A field that an axis always sets by its own path is not set by another one (``device``)."""
    owners = _owners()
    for path, fields in tables.items():
        for other in always & set(tables):
            name = owners.get(other)
            if other != path and name in fields and name is not None:
                del fields[name]


def _one(value: Scalar) -> np.ndarray:
    array = np.empty(1, dtype=object) if isinstance(value, str | None) else np.empty(1)
    array[:] = [value]
    return array.astype(bool) if isinstance(value, bool) else array


def yaml_text(value: Scalar) -> str:
    """Return a value as a setting's text says it.

    Args:
        value: of an axis.
    """
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()


def _unit(resolved: Resolved, path: str) -> str:
    if path.split(".", maxsplit=1)[0] not in Resolved.model_fields:
        return ""
    try:
        quantity = quantity_at(resolved, path)
    except AttributeError:
        return ""
    return "" if quantity is None or quantity.unit == "1" else quantity.unit
