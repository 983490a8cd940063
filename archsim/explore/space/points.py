"""From the digits of a box of points to their settings, and from settings to designs.

Settings that change layers or technology are resolved for each of their combinations. All others
are written into the table of parameters (writes.py), each along its own axis, and a box of points
is the outer product of what is written. The engine broadcasts: what depends on two of eight axes is
computed for the pairs of their values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.parameters import ParameterTable, quantity_at
from archsim.arch.rules import table_of
from archsim.arch.technology import Technology
from archsim.config.resolve import Resolved, load_documents, tsb_preset_for, unchecked
from archsim.config.rules import check
from archsim.config.sweep import Scalar, Sweep
from archsim.device import LevelTable
from archsim.errors import ConfigError
from archsim.explore.space.axes import Dimension
from archsim.explore.space.grid import Grid, grid_of
from archsim.explore.space.read_settings import read_paths
from archsim.explore.space.selection import Selection
from archsim.explore.space.values import forbidden_values
from archsim.explore.space.writes import Loaded, Settings, Write, pruned, writes_of
from archsim.network import LayerGraph, LayerTable, from_graph, load_network
from archsim.network.insertion import InsertionPoint
from archsim.network.own_code import check_said, is_code

#: Settings that are arguments of :func:`archsim.config.resolve.resolve`.
_FILES = ("chip", "technology", "device", "tsb")


@dataclass(frozen=True, eq=False)
class Base:
    """What a combination of the outer axes resolves to.

    Attributes:
        graph: the network.
        table: its layers.
        points: places of the shared block.
        resolved: configuration; where it is allowed with some values of other axes only, with such.
        start: settings of the configuration as it is, shape ``()``, allowed or not.
        design: of these settings.
        writes: what the values of every other axis write into them, in order of writing.
    """

    graph: LayerGraph
    table: LayerTable
    points: tuple[InsertionPoint, ...]
    resolved: Resolved
    start: ParameterTable
    design: DesignBatch
    writes: tuple[Write, ...]


@lru_cache(maxsize=16)
def load_graph(network: str, input_shape: tuple[int, ...] | None) -> LayerGraph:
    """Trace a network once per process.

    Args:
        network: zoo name or ``package.module:function``.
        input_shape: where it does not say.

    Raises:
        NetworkError: it cannot be found or traced, or is code that was not said in this call.
    """
    check_said(network)
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

    @cached_property
    def read_paths(self) -> tuple[str, ...]:
        """Settings of the exact read path that accuracies depend on; none where it is off."""
        return read_paths(self.sweep)

    @property
    def columns(self) -> dict[str, str]:
        """Name of each setting's column: its path, with its unit where it has one."""
        outer: Settings = {}
        for axis in self.outer:
            outer |= dict.fromkeys(axis.members, axis.values[0])
        first = (0,) * len(self.outer)
        known = self._bases.get(first)
        resolved = self._allowed(outer)[1].resolved if known is None else known.resolved
        names = {}
        for axis in self.grid.axes:
            for path in axis.members:
                unit = _unit(resolved, path)
                names[path] = f"{path}_{unit.replace('/', '_per_')}" if unit else path
        return names

    def settings(self, point: int) -> Settings:
        """Return what the axes set at a point, by path; conditional ones where they apply.

        Args:
            point: its number.
        """
        digits = self.grid.digits(point)
        values = [axis.values[digit] for axis, digit in zip(self.grid.axes, digits, strict=True)]
        settings: Settings = {}
        for axis, value in zip(self.grid.axes, values, strict=True):
            settings |= dict.fromkeys(axis.members, value)
        tables = {name: _one(value) for name, value in settings.items()}
        for axis in self.grid.axes:
            if axis.when is not None and not bool(axis.when.mask(tables).all()):
                for name in axis.members:
                    del settings[name]
        return settings

    def graph(self, settings: Mapping[str, Scalar]) -> LayerGraph:
        """Return the network of settings.

        Args:
            settings: by path.

        Raises:
            NetworkError: it cannot be found or traced.
        """
        shape = None if self.sweep.input_shape is None else tuple(self.sweep.input_shape)
        return load_graph(str(settings.get("network", self.sweep.network)), shape)

    def load(self, settings: Mapping[str, Scalar]) -> Loaded:
        """Resolve settings on top of the sweep's base, and ask no rules.

        Args:
            settings: by path.

        Raises:
            ArchsimError: a file that is not there, or a value that its setting may not have.
        """
        sweep = self.sweep
        files: dict[str, Any] = {name: settings.get(name, getattr(sweep, name)) for name in _FILES}
        files["tsb"] = files["tsb"] or tsb_preset_for(self._network_name(settings))
        dotted = [f"{path}={yaml_text(value)}" for path, value in settings.items() if "." in path]
        documents = load_documents(**files, overrides=[*sweep.settings, *dotted])
        return Loaded(documents, unchecked(documents))

    def _network_name(self, settings: Mapping[str, Scalar]) -> str:
        """Return what a network is called; of code without running it."""
        spec = str(settings.get("network", self.sweep.network))
        return spec.partition(":")[2] if is_code(spec) else self.graph(settings).name

    def resolve(self, settings: Mapping[str, Scalar]) -> tuple[Resolved, str, LayerGraph]:
        """Resolve settings on top of the sweep's base: configuration, placement and network.

        Args:
            settings: by path.

        Raises:
            ArchsimError: what no configuration allows.
        """
        resolved = self.load(settings).resolved
        check(resolved)
        return resolved, str(settings.get("design", self.sweep.design)), self.graph(settings)

    def base(self, digits: tuple[int, ...]) -> Base:
        """Return what a combination of the outer axes resolves to; computed once.

        Args:
            digits: index into each outer axis.

        Raises:
            ArchsimError: a value that is not allowed with any value of the others.
        """
        if digits not in self._bases:
            self._bases[digits] = self._make_base(digits)
        return self._bases[digits]

    def design(self, box: Selection) -> tuple[Base, DesignBatch, ParameterTable]:
        """Return designs and settings of a box: their fields have the full number of axes.

        Args:
            box: one value of every outer axis.
        """
        base = self.base(self._outer_digits(box))
        active = self._active(box)
        columns: dict[str, Tensor] = {}
        for write in base.writes:
            index = self._index(box, write.axis)
            for path, values in write.columns.items():
                column = values[index]
                if write.axis in active:
                    before = columns.get(path, base.start.values[path])
                    column = torch.where(active[write.axis], column, before)
                columns[path] = column
        table = base.start.written(columns)
        return base, base.design.updated(table, columns), table

    def not_settable(self, box: Selection) -> dict[str, Tensor]:
        """Return, by path, where a setting cannot be said: inside a block that is null there.

        Or because it has another unit there, or none. Settings that can be said everywhere are left
        out.

        Args:
            box: one value of every outer axis.
        """
        base = self.base(self._outer_digits(box))
        varied = {path for write in base.writes for path in write.settable}
        asked = [write for write in base.writes if write.path in varied]
        if not asked:
            return {}
        active, always = self._active(box), torch.tensor(True)
        masks = {}
        for write in asked:
            settable = torch.tensor(write.at_base)
            for other in base.writes:
                if write.path in other.settable:
                    column = other.settable[write.path][self._index(box, other.axis)]
                    settable = torch.where(active.get(other.axis, always), column, settable)
            missing = settable < write.needs[self._index(box, write.axis)]
            masks[write.path] = missing & active.get(write.axis, always)
        return {path: mask for path, mask in masks.items() if bool(mask.any())}

    def _outer_digits(self, box: Selection) -> tuple[int, ...]:
        axes = enumerate(self.grid.axes)
        return tuple(int(box.index(place).flat[0]) for place, axis in axes if axis.is_outer)

    def _active(self, box: Selection) -> dict[str, Tensor]:
        active = self.grid.active(self.grid.tables(box))
        return {path: torch.from_numpy(mask) for path, mask in active.items()}

    def _index(self, box: Selection, path: str) -> Tensor:
        (place,) = (place for place, axis in enumerate(self.grid.axes) if axis.path == path)
        return torch.from_numpy(box.index(place))

    def _make_base(self, digits: tuple[int, ...]) -> Base:
        outer: Settings = {}
        for axis, digit in zip(self.outer, digits, strict=True):
            outer |= dict.fromkeys(axis.members, axis.values[digit])
        loaded, allowed, helper = self._allowed(outer)
        helped = {**outer, **_settings_of(helper)}
        settings = outer
        if loaded is None:  # there is no configuration at all without a value of another axis
            loaded, settings = allowed, helped
        design, graph = str(self.sweep.design), self.graph(outer)
        start = table_of(loaded.resolved, design)
        writes = writes_of(
            self.inner,
            load=self.load,
            settings=settings,
            base=loaded,
            start=start,
            read=self.read_paths,
        )
        self._refuse_values(helped, helper, writes, start)
        has_block, insertion = self._has_block(design), allowed.resolved.tsb.insertion
        return Base(
            graph=graph,
            table=from_graph(graph),
            points=tuple(graph.insertion_points(insertion)) if has_block else (),
            resolved=allowed.resolved,
            start=start,
            design=DesignBatch.of(
                start,
                Technology.from_file(loaded.resolved.technology),
                LevelTable.of_device(loaded.resolved.device),
            ),
            writes=pruned(writes, start, {axis.path for axis in self.inner if axis.when is None}),
        )

    def _has_block(self, design: str) -> bool:
        placements = [axis.values for axis in self.inner if "design" in axis.members]
        return any(value != "none" for value in (placements[0] if placements else (design,)))

    def _allowed(self, settings: Settings) -> tuple[Loaded | None, Loaded, _Value | None]:
        """Return what settings resolve to, and what is allowed, with which value of another axis.

        Whether a value goes with the base's values of other settings is not the question here: the
        combinations that are not allowed are left out point by point.

        Raises:
            ConfigError: not allowed with any one value of another axis.
        """
        loaded = None
        try:
            loaded = self.load(settings)
            check(loaded.resolved)
            return loaded, loaded, None
        except ConfigError as error:
            first = error
        for axis in self.inner:
            if loaded is None and axis.when is not None:
                continue  # not every point has a value of it
            for place in range(len(axis)):
                try:
                    helped = self.load({**settings, **_settings_of((axis, place))})
                    check(helped.resolved)
                except ConfigError:
                    continue
                return loaded, helped, (axis, place)
        raise first

    def _refuse_values(
        self,
        settings: Settings,
        helper: _Value | None,
        writes: tuple[Write, ...],
        start: ParameterTable,
    ) -> None:
        """Refuse a value of an axis that no value of one other axis makes legal."""
        always = {} if helper is None else {helper[0].path: helper[1]}
        for value in forbidden_values(self.inner, writes, start, always):
            self.resolve({**settings, **_settings_of(value)})  # says which rule


#: An axis, and the place of one of its values.
_Value = tuple[Dimension, int]


def _settings_of(value: _Value | None) -> Settings:
    if value is None:
        return {}
    axis, place = value
    return dict.fromkeys(axis.members, axis.values[place])


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
