"""Rows of a box of points: settings, whether they can be built, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from archsim.analysis.copies import Aim, settled
from archsim.arch.design import DesignBatch
from archsim.config.sweep import Scalar, Sweep
from archsim.cost.engine import evaluate
from archsim.explore.space.axes import column_array
from archsim.explore.space.legal import legal_points
from archsim.explore.space.points import Base, Space
from archsim.explore.space.selection import Box, Flat, Selection
from archsim.plan import Constraint
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan

#: Points of a batch without structure: its tensors fit the cache (benchmarks/README.md).
FLAT_POINTS = 4096
#: Columns beside settings and results.
POINT, FEASIBLE, REASON, KEY = "point", "feasible", "infeasible_because", "accuracy_key"
#: Gives the accuracy key of every point, in a shape that broadcasts to the points'.
Keys = Callable[[Space, Selection], np.ndarray]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one box, with what was left out of it.

    Attributes:
        table: one row per point.
        combinations: points of the box, those left out counted too.
        forbidden: combinations that no configuration may have, by the rule that they break.
    """

    table: pa.Table
    combinations: int
    forbidden: dict[str, int]


def schema_of(space: Space, with_accuracy: bool = False) -> pa.Schema:
    """Return the columns of a sweep: the same for all parts.

    Args:
        space: of the sweep.
        with_accuracy: whether rows name their accuracy.
    """
    fields = [pa.field(POINT, pa.int64())]
    names = space.columns
    for axis in space.grid.axes:
        kind = _arrow_type(axis.values)
        fields += [pa.field(names[path], kind) for path in axis.members]
    fields += [pa.field(FEASIBLE, pa.bool_()), pa.field(REASON, _text())]
    fields += [pa.field(metric.column, pa.float64()) for metric in shown_in(Place.SWEEP)]
    if with_accuracy:
        fields.append(pa.field(KEY, _text()))
    return pa.schema(fields)


def _text() -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string())


def _arrow_type(values: tuple[Scalar, ...]) -> pa.DataType:
    """Return the type of a column; null is no value of any type."""
    known = tuple(value for value in values if value is not None)
    kind = column_array(known).dtype.kind if known else "O"
    return {"b": pa.bool_(), "i": pa.int64(), "f": pa.float64()}.get(kind, _text())


def box_rows(space: Space, box: Selection, keys: Keys | None = None) -> Rows:
    """Evaluate a box.

    Args:
        space: of the sweep.
        box: which points, with one value of every outer axis.
        keys: gives the accuracy key of every point in the box's full shape; None without.

    Raises:
        ArchsimError: a setting that is not allowed at all.
    """
    combinations = math.prod(box.shape)
    box = space.grid.narrowed(box) if isinstance(box, Box) else box
    tables = space.grid.tables(box)
    kept = space.grid.kept(box, tables)
    schema = schema_of(space, with_accuracy=keys is not None)
    if not kept.any():
        return Rows(schema.empty_table(), combinations, {})
    legal = legal_points(space, box, kept)
    rows = legal.kept.reshape(-1)
    columns = _settings(space, box, tables, rows)
    columns |= _results(legal.base, legal.design, box, rows)
    if keys is not None:
        columns[KEY] = _encoded(keys(space, box).reshape(-1)[rows])
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    return Rows(table, combinations, legal.forbidden)


def accuracy_keys(sweep: Sweep) -> Keys | None:
    """Return what names the accuracy of points; None where hardware is all that is asked.

    Args:
        sweep: which.
    """
    if sweep.fidelity != "accuracy":
        return None
    from archsim.explore.space.cases import box_keys

    return box_keys


def point_rows(space: Space, points: Iterable[int], keys: Keys | None = None) -> Rows:
    """Evaluate any points: the rows that an exhaustive sweep has of them, in order of their number.

    Args:
        space: of the sweep.
        points: numbers.
        keys: as for :func:`box_rows`.

    Raises:
        ArchsimError: a setting that is not allowed at all.
    """
    evaluated = [box_rows(space, piece, keys) for piece in _pieces(space, points)]
    forbidden: dict[str, int] = {}
    for rows in evaluated:
        for name, count in rows.forbidden.items():
            forbidden[name] = forbidden.get(name, 0) + count
    none = schema_of(space, with_accuracy=keys is not None).empty_table()
    table = pa.concat_tables([none, *(rows.table for rows in evaluated)]).unify_dictionaries()
    table = table.combine_chunks().sort_by(POINT)
    return Rows(table, sum(rows.combinations for rows in evaluated), forbidden)


def allowed_points(space: Space, points: Sequence[int]) -> np.ndarray:
    """Return which points there are and some configuration has, ``(n,)``; nothing is evaluated.

    Args:
        space: of the sweep.
        points: numbers.
    """
    good: set[int] = set()
    for piece in _pieces(space, points):
        kept = space.grid.kept(piece, space.grid.tables(piece))
        kept = legal_points(space, piece, kept).kept
        good |= set(space.grid.points(piece)[kept].tolist())
    return np.asarray([point in good for point in points], dtype=bool)


def _pieces(space: Space, points: Iterable[int]) -> Iterator[Flat]:
    """Cut points, each once, into batches with one value of every outer axis."""
    digits = space.grid.digits_of(np.unique(np.fromiter(points, dtype=np.int64)))
    outer = [place for place, axis in enumerate(space.grid.axes) if axis.is_outer]
    groups: dict[tuple[int, ...], list[int]] = {}
    for column, outer_digits in enumerate(digits[outer].T.tolist()):
        groups.setdefault(tuple(outer_digits), []).append(column)
    for columns in groups.values():
        for start in range(0, len(columns), FLAT_POINTS):
            yield Flat(digits[:, columns[start : start + FLAT_POINTS]])


def _settings(
    space: Space, box: Selection, tables: dict[str, np.ndarray], rows: np.ndarray
) -> dict[str, pa.Array]:
    names = space.columns
    active = space.grid.active(tables)
    columns = {POINT: pa.array(space.grid.points(box).reshape(-1)[rows])}
    for place, axis in enumerate(space.grid.axes):
        gone = None
        if axis.path in active:
            gone = ~np.broadcast_to(active[axis.path], box.shape).reshape(-1)[rows]
        index = np.broadcast_to(box.index(place), box.shape).reshape(-1)[rows]
        kind = _arrow_type(axis.values)
        if kind == _text():
            column = _dictionary(index, axis.values, gone)
        else:
            column = pa.array(axis.values, kind).take(pa.array(index, mask=gone))
        for path in axis.members:
            columns[names[path]] = column
    return columns


def _dictionary(index: np.ndarray, values: tuple[Scalar, ...], gone: np.ndarray | None) -> pa.Array:
    texts = [None if value is None else str(value) for value in values]
    known = list(dict.fromkeys(text for text in texts if text is not None))
    codes = np.asarray([-1 if text is None else known.index(text) for text in texts])[index]
    missing = codes < 0 if gone is None else (codes < 0) | gone
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(known, pa.string()))


def _encoded(values: np.ndarray) -> pa.Array:
    """Return texts as a dictionary column, in order of first appearance; None is null."""
    return pa.array(list(values), pa.string()).dictionary_encode()


def _results(
    base: Base, design: DesignBatch, box: Selection, rows: np.ndarray
) -> dict[str, pa.Array]:
    with torch.no_grad():
        design = settled(
            design=design, table=base.table, points=base.points, aim=Aim.of(base.resolved)
        )
        plan = compile_plan(design=design, table=base.table, points=base.points, merge_alike=True)
        cost = evaluate(design=design, plan=plan)

    def flat(values: Tensor) -> np.ndarray:
        # Fields of a box have its number of axes; a result may still lack the front ones.
        whole: np.ndarray = values.expand(box.shape).reshape(-1).numpy()[rows]
        return whole

    feasible = flat(cost.feasible)
    columns = {FEASIBLE: pa.array(feasible), REASON: _reasons(cost.constraints, flat)}
    for metric in shown_in(Place.SWEEP):
        values = flat(metric.in_column(cost, plan).double())
        columns[metric.column] = pa.array(values, mask=~feasible)
    return columns


def _reasons(constraints: tuple[Constraint, ...], flat: Callable[[Tensor], np.ndarray]) -> pa.Array:
    """Return the name of the first bound that each point breaks; null if it breaks none."""
    known: list[str] = []
    codes = None
    for constraint in constraints:
        violated = flat(constraint.violated)
        if codes is None:
            codes = np.full(len(violated), -1, dtype=np.int32)
        if not violated.any():
            continue
        codes[(codes < 0) & violated] = len(known)
        known.append(constraint.name)
    codes = np.zeros(0, dtype=np.int32) if codes is None else codes
    indices = pa.array(codes, mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(known, pa.string()))
