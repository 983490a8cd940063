"""Where area, energy and time of the mapped designs go: per component and per layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from archsim.results.breakdown import BROKEN_DOWN, PARTS, BrokenDown
from archsim.results.mapped import MapResult
from archsim.results.report import JointDesign
from reports.tables.table import Cell, Column, Table

#: What the layers do not account for, and the one of the components.
REST, LEAKAGE = "rest of the chip", "leakage"
#: A rest smaller than this share of the total is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Part:
    """A component or a layer: its values in the order of :data:`BROKEN_DOWN`, in its units.

    Attributes:
        name: for people.
        values: of each metric; leakage is a part of its own.
        shared_block: whether it is one of the tiny shared block.
    """

    name: str
    values: tuple[float, ...]
    shared_block: bool = False


@dataclass(frozen=True)
class Breakdown:
    """What designs with the same hardware have in common.

    Attributes:
        designs: their places in ``JointResult.designs``.
        labels: their names, each once.
        totals: of :data:`BROKEN_DOWN`; both kinds of parts add up to them.
        components: circuit blocks of which one costs something.
        layers: of the network and of the shared block.
    """

    designs: tuple[int, ...]
    labels: tuple[str, ...]
    totals: tuple[float, ...]
    components: tuple[Part, ...]
    layers: tuple[Part, ...]


def breakdowns(designs: Sequence[JointDesign]) -> tuple[Breakdown, ...]:
    """Collect one breakdown for each distinct one among feasible designs.

    Programming is not broken down, so designs that differ in it alone share one.

    Args:
        designs: of a joint result.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    parts_of: dict[tuple[object, ...], tuple[tuple[Part, ...], tuple[Part, ...]]] = {}
    for place, design in enumerate(designs):
        if design.mapped is None or not design.mapped.feasible:
            continue
        parts = _components(design.mapped), _layers(design.mapped)
        key = tuple((p.name, *(f"{v:.9g}" for v in p.values)) for kind in parts for p in kind)
        groups.setdefault(key, []).append(place)
        parts_of.setdefault(key, parts)
    return tuple(
        Breakdown(
            tuple(places),
            tuple(dict.fromkeys(designs[place].label for place in places)),
            _sums(parts_of[key][0]),
            *parts_of[key],
        )
        for key, places in groups.items()
    )


def _sums(parts: Iterable[Part]) -> tuple[float, ...]:
    return tuple(map(sum, zip(*(part.values for part in parts), strict=True)))


def _values(row: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(float(row[key]) for key in PARTS)


def leakage_of(mapped: MapResult) -> tuple[Part, ...]:
    """Return what the components of a chip lack of its totals, nothing where that is rounding.

    Args:
        mapped: a feasible design.
    """
    return _rest(LEAKAGE, mapped, _named_components(mapped))


def rest_of(mapped: MapResult) -> tuple[Part, ...]:
    """Return what the layers of a chip lack of its totals, nothing where that is rounding.

    Args:
        mapped: a feasible design.
    """
    return _rest(REST, mapped, _named_layers(mapped))


def _components(mapped: MapResult) -> tuple[Part, ...]:
    return (*_named_components(mapped), *leakage_of(mapped))


def _layers(mapped: MapResult) -> tuple[Part, ...]:
    return (*_named_layers(mapped), *rest_of(mapped))


def _named_components(mapped: MapResult) -> tuple[Part, ...]:
    return tuple(
        Part(name.replace("_", " "), _values(row))
        for name, row in mapped.breakdown_rows().items()
        if any(row[key] for key in PARTS)
    )


def _named_layers(mapped: MapResult) -> tuple[Part, ...]:
    return tuple(
        Part(str(row["name"]), _values(row), shared_block=row["kind"] == "tsb")
        for row in mapped.layer_rows()
    )


def _rest(name: str, mapped: MapResult, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return what is missing to the totals, nothing where that is rounding."""
    sums, totals = _sums(parts), mapped.totals
    missing = []
    for key, known in zip(PARTS, sums, strict=True):
        whole = float(totals[key] or 0)
        missing.append(whole - known if abs(whole - known) > _ROUNDING * whole else 0.0)
    return (Part(name, tuple(missing)),) if any(missing) else ()


def part_column(part: BrokenDown) -> Column:
    """Return the column of a metric that is broken down.

    Args:
        part: which.
    """
    return Column(part.key, part.title, "number", part.unit)


def parts_table(title: str, groups: Sequence[Breakdown], *, layers: bool) -> Table:
    """Return all breakdowns as one table, a row per part.

    Args:
        title: of the table.
        groups: what to list.
        layers: layers, not components.
    """
    columns = (
        Column("designs", "designs", wraps=True),
        Column("part", "layer" if layers else "component"),
        *map(part_column, BROKEN_DOWN),
    )
    rows: list[tuple[Cell, ...]] = [
        (", ".join(group.labels), part.name, *part.values)
        for group in groups
        for part in (group.layers if layers else group.components)
    ]
    return Table(title, columns, tuple(rows))
