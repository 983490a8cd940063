"""What the axes of a sweep write into the table of parameters, each along its own axis.

A setting of the schema is written directly: each value is checked by the block that it is in, and
nothing else is resolved. A file (a device, an external memory) is resolved once per value and
writes all that it says. So a point of a sweep has what resolving it by itself would give it: files
first, then settings, as overrides come after files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import torch
from pydantic import ValidationError
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.parameters import PLACEMENT, ParameterTable
from archsim.config import rules
from archsim.config.load import Document, Setting, apply_overrides
from archsim.config.lookup import look_up, schema_fields
from archsim.config.resolve import Resolved
from archsim.config.sourced import Quantity
from archsim.config.sweep import Scalar
from archsim.errors import Code, ConfigError
from archsim.explore.space.axes import Dimension

Settings = dict[str, Scalar]
#: Settings that name a file, and the part of the configuration that it fills.
FILES = {
    "device": "device",
    "chip.device": "device",
    "chip.off_chip.memory": "memory",
    "chip.off_chip.link": "link",
}
#: Axes whose values need not differ in what a cost depends on: accuracy may.
_NAMED = ("device", "chip.device", "tsb")
#: What can be said of a setting: nothing, for the block around it is null; null only, for a plain
#: number needs a constant whose unit it takes, and there is none; or any value.
NOTHING, ONLY_NULL, ANYTHING = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Loaded:
    """A configuration that may break rules.

    Attributes:
        documents: its parts as YAML has them.
        resolved: its parts as models.
    """

    documents: Mapping[str, Document]
    resolved: Resolved


@dataclass(frozen=True, eq=False)
class Write:
    """What one setting of an axis writes.

    Attributes:
        axis: its path in the grid.
        path: of the setting: that of the axis, or one that follows it.
        order: of writing; what comes later replaces what is there.
        columns: by path of the table, ``(values,)``.
        settable: what can be said of settings of other axes, by their path, ``(values,)``.
        needs: what has to be possible to say of this setting, ``(values,)``: nothing of a file.
        at_base: what is possible to say of it at the base.
        is_alone: whether no other axis may write the same.
    """

    axis: str
    path: str
    order: int
    columns: dict[str, Tensor]
    settable: dict[str, Tensor] = field(default_factory=dict)
    needs: Tensor = field(default_factory=lambda: torch.tensor([NOTHING]))
    at_base: int = ANYTHING
    is_alone: bool = False


Load = Callable[[Mapping[str, Scalar]], Loaded]


def writes_of(
    axes: Sequence[Dimension],
    *,
    load: Load,
    settings: Settings,
    base: Loaded,
    start: ParameterTable,
    read: Collection[str] = (),
) -> tuple[Write, ...]:
    """Return what axes write, in order of writing.

    Args:
        axes: those that change neither layers nor the technology.
        load: resolves settings on top of the sweep's, and asks no rules.
        settings: of the configuration that is written into.
        base: that configuration.
        start: its table.
        read: settings that accuracies depend on, whatever they cost.

    Raises:
        ConfigError: a value that its setting may not have, an axis without effect, or axes that act
            on each other.
    """
    members = [(axis, path) for axis in axes for path in axis.members]
    files = {
        path: tuple(load({**settings, path: value}) for value in axis.values)
        for axis, path in members
        if path in FILES
    }
    units = {path: _unit(path, base, files) for _, path in members if _is_setting(path)}
    writer = _Writer(load, settings, base, start, files, units)
    written = [writer.write(axis, path) for axis, path in members]
    for axis in axes:
        if set(axis.members) & {*read}:
            continue
        writer.check_effect(axis, [write for write in written if write.axis == axis.path])
    written.sort(key=lambda write: write.order)
    _check_alone(written)
    return tuple(written)


@dataclass(frozen=True, eq=False)
class _Writer:
    """Makes writes.

    Attributes:
        load: as of :func:`writes_of`, and so on.
        settings: of the base.
        base: what is written into.
        start: its table.
        files: by setting that names one: the configuration with each value of its axis.
        units: by setting that is written directly: unit that its numbers take, "" for none.
    """

    load: Load
    settings: Settings
    base: Loaded
    start: ParameterTable
    files: Mapping[str, tuple[Loaded, ...]]
    units: Mapping[str, str]

    def write(self, axis: Dimension, path: str) -> Write:
        """Return what one setting of an axis writes."""
        if path in FILES:
            return self._file(axis, path)
        if path in self.units:
            return self._setting(axis, path)
        return self._other(axis, path)

    def _with(self, path: str, value: Scalar) -> Loaded:
        return self.load({**self.settings, path: value})

    def _below(self, root: str) -> list[str]:
        return [path for path in self.start.parameters if path.startswith(f"{root}.")]

    # --- files ------------------------------------------------------------------------------------

    def _file(self, axis: Dimension, path: str) -> Write:
        """Return all that the files of an axis say."""
        root = FILES[path]
        asked = {name: self.start.parameters[name] for name in self._below(root)}
        tables = [ParameterTable.of(loaded.resolved, "", asked) for loaded in self.files[path]]
        columns = {name: torch.stack([table.values[name] for table in tables]) for name in asked}
        settable = {
            other: torch.tensor(
                [_settable(loaded.resolved, other, unit) for loaded in self.files[path]]
            )
            for other, unit in self.units.items()
            if other.startswith(f"{root}.")
        }
        return Write(axis.path, path, 0, columns, settable)

    # --- settings of the schema -------------------------------------------------------------------

    def _setting(self, axis: Dimension, path: str) -> Write:
        """Return the values of an axis as they are; each is checked by the block around it."""
        places = _places(path, self.base, self.files)
        unit = self.units[path]
        within = next(
            (place for place in places if _settable(place.resolved, path, unit) == ANYTHING),
            self.base,
        )
        values = [self._checked(within, path, value) for value in axis.values]
        parameter = self.start.parameters.get(path)
        columns = {}
        if parameter is not None:
            columns[path] = torch.stack([parameter.encoded(value) for value in values])
        is_constant = path != PLACEMENT and schema_fields(Resolved)[path].kind == "constant"
        needs = [ONLY_NULL if is_constant and value is None else ANYTHING for value in axis.values]
        at_base = _settable(self.base.resolved, path, unit)
        needed = torch.tensor(needs)
        return Write(axis.path, path, _order(path), columns, needs=needed, at_base=at_base)

    def _checked(self, within: Loaded, path: str, value: Scalar) -> object:
        """Return a value as its block has it.

        Raises:
            ConfigError: as resolving it would say.
        """
        if path == PLACEMENT:
            return value
        block, _, key = path.rpartition(".")
        node: object = within.documents
        for part in block.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, dict):
            document = apply_overrides({"block": node}, [Setting(f"block.{key}", value)])["block"]
            try:
                model = type(look_up(within.resolved, block)).model_validate(document)
                return getattr(model, key)
            except ValidationError:
                pass  # resolving says it in our words
        return look_up(self._with(path, value).resolved, path)

    # --- anything else ----------------------------------------------------------------------------

    def _other(self, axis: Dimension, path: str) -> Write:
        """Return what changes where a path is no single setting: a block, a text, a unit."""
        entry = schema_fields(Resolved).get(path)
        loaded = [self._with(path, value) for value in axis.values]
        if entry is not None and entry.kind == "block":  # only null is one value of a block
            null = {name: self.start.parameters[name].encoded(None) for name in self._below(path)}
            if path in self.start.parameters:
                null[path] = torch.tensor(False)
            below = [other for other in self.units if other.startswith(f"{path}.")]
            settable = {other: torch.tensor([NOTHING]) for other in below}
            columns = {name: value.reshape(1) for name, value in null.items()}
            return Write(axis.path, path, _order(path), columns, settable)
        parameters = self.start.parameters
        tables = [ParameterTable.of(variant.resolved, "none", parameters) for variant in loaded]
        columns = {
            name: torch.stack([table.values[name] for table in tables])
            for name in parameters
            if name != PLACEMENT
        }
        columns = {name: column for name, column in columns.items() if self._differs(name, column)}
        return Write(axis.path, path, _order(path), columns, is_alone=True)

    # --- effect -----------------------------------------------------------------------------------

    def _differs(self, path: str, column: Tensor) -> bool:
        return not _same(column, self.start.values[path])

    def check_effect(self, axis: Dimension, written: Sequence[Write]) -> None:
        """Refuse an axis of several values that changes neither a design nor what is legal."""
        if len(axis) == 1 or axis.path in _NAMED:
            return
        columns = {path: column for write in written for path, column in write.columns.items()}
        table = self.start.written(columns)
        used = set()
        for parameter in DesignBatch.parameters().values():
            used.add(parameter.path)
            if columns.keys() & {*parameter.inputs}:
                asked = replace(parameter, needs="")  # a policy counts, whoever cannot verify
                if bool((asked.field(table) != asked.field(self.start)).any()):
                    return
        reads = {path for rule in rules.RULES for path in rule.reads} - used
        if not any(self._differs(path, columns[path]) for path in reads & columns.keys()):
            raise ConfigError(
                f"sweep.axes.{axis.path}: changes nothing that a cost depends on; leave it out",
                code=Code.UNSUPPORTED,
                field=f"sweep.axes.{axis.path}",
            )


def _is_setting(path: str) -> bool:
    entry = schema_fields(Resolved).get(path)
    return path == PLACEMENT or (entry is not None and entry.kind not in ("block", "list", "text"))


def _places(path: str, base: Loaded, files: Mapping[str, tuple[Loaded, ...]]) -> tuple[Loaded, ...]:
    """Return where a setting may be found: in the base, and in all files of its part."""
    root = path.split(".", maxsplit=1)[0]
    of_part = [loaded for name, loaded in files.items() if FILES[name] == root]
    return (base, *chain.from_iterable(of_part))


def _unit(path: str, base: Loaded, files: Mapping[str, tuple[Loaded, ...]]) -> str:
    if path == PLACEMENT:
        return ""
    values = (look_up(place.resolved, path) for place in _places(path, base, files))
    return next((value.unit for value in values if isinstance(value, Quantity)), "")


def _order(path: str) -> int:
    """Blocks before what is in them; all after files."""
    return 1 + path.count(".")


def _settable(resolved: Resolved, path: str, unit: str) -> int:
    """Return what an override can say of a setting."""
    if path == PLACEMENT:
        return ANYTHING
    block, _, key = path.rpartition(".")
    around = look_up(resolved, block)
    if around is None:
        return NOTHING
    if schema_fields(Resolved)[path].kind != "constant":
        return ANYTHING
    value = getattr(around, key)
    return ANYTHING if isinstance(value, Quantity) and value.unit == unit else ONLY_NULL


def _same(column: Tensor, value: Tensor) -> bool:
    return bool(((column == value) | ((column != column) & (value != value))).all())


def _check_alone(written: Sequence[Write]) -> None:
    for one in written:
        for other in written if one.is_alone else ():
            both = one.columns.keys() & other.columns.keys()
            if one.axis != other.axis and both:
                raise ConfigError(
                    f"sweep.axes: {one.path} and {other.path} act on each other: both change "
                    f"{', '.join(sorted(both))}; sweep one of them in a sweep of its own",
                    code=Code.CONFLICT,
                    field="sweep.axes",
                    value=(one.path, other.path),
                )


def pruned(
    written: Sequence[Write], start: ParameterTable, always: Collection[str]
) -> tuple[Write, ...]:
    """Return writes without columns that decide nothing: the rest is what a box broadcasts.

    Args:
        written: in order of writing.
        start: what they are written into.
        always: paths of the axes that every point has.
    """
    last = {
        path: place
        for place, write in enumerate(written)
        for path in write.columns
        if write.axis in always
    }
    left = [
        {path: column for path, column in write.columns.items() if place >= last.get(path, 0)}
        for place, write in enumerate(written)
    ]
    varied = {
        path
        for columns in left
        for path, column in columns.items()
        if not _same(column, start.values[path])
    }
    return tuple(
        replace(write, columns={path: columns[path] for path in columns if path in varied})
        for write, columns in zip(written, left, strict=True)
    )
