"""What the costs on the page rest on: assumptions, constants, publications, configurations."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.config.resolve import Constant, SourceKind
from archsim.results.report import JointDesign, JointResult
from reports.tables.assumptions import assumptions
from reports.tables.table import Column, Table

#: Names in a sentence before the rest is counted.
_MOST_NAMES = 6
#: Parts of a configuration that a network on a single chip does not use.
_OFF_CHIP = ("memory", "link")


def names_of(designs: Sequence[JointDesign]) -> str:
    """Return the names of designs, each once, the rest counted.

    Args:
        designs: of a joint result.
    """
    labels = list(dict.fromkeys(design.label for design in designs))
    more = len(labels) - _MOST_NAMES
    listed = ", ".join(labels[:_MOST_NAMES])
    return f"{listed} and {more} more" if more > 0 else listed


def said_of(result: JointResult) -> tuple[tuple[str, str], ...]:
    """Return what costs rest on: a sentence, and the designs that it is about ("" for all).

    Args:
        result: all designs.
    """
    priced = [design for design in result.designs if design.mapped is not None]
    known: dict[int, tuple[str, ...]] = {}
    designs_of: dict[str, list[JointDesign]] = {}
    for design in priced:
        if design.mapped is None:
            continue
        if id(design.mapped) not in known:
            known[id(design.mapped)] = assumptions(design.mapped)
        for line in known[id(design.mapped)]:
            designs_of.setdefault(line, []).append(design)
    return tuple(
        (line, "" if len(designs) == len(priced) else names_of(designs))
        for line, designs in sorted(designs_of.items(), key=lambda entry: -len(entry[1]))
    )


def _used(result: JointResult) -> list[tuple[JointDesign, tuple[Constant, ...]]]:
    """Return the constants behind each cost, without those of parts that the design has not."""
    used = []
    known: dict[str, tuple[Constant, ...]] = {}
    for design in result.designs:
        if design.mapped is None:
            continue
        alone = round(float(design.mapped.plan.floorplan.parts)) == 1
        key = f"{design.mapped.resolved.config_hash} {alone}"
        if key not in known:
            known[key] = design.mapped.resolved.constants(_OFF_CHIP if alone else ())
        used.append((design, known[key]))
    return used


def citations(result: JointResult) -> tuple[str, ...]:
    """Return the publications and tools behind exactly the models used, sorted.

    Args:
        result: all designs.
    """
    cited = {each.source for _, used in _used(result) for each in used if each.kind == "cited"}
    return tuple(sorted(cited | set(result.sources), key=str.casefold))


def constants(result: JointResult, kind: SourceKind) -> Table | None:
    """Return the constants of one kind of source: each value once, with its designs.

    Args:
        result: all designs.
        kind: of the source.
    """
    columns = (
        Column("constant", "constant"),
        Column("value", "value"),
        Column("range", "range"),
        Column("note", "note", wraps=True),
        Column("designs", "designs", wraps=True),
    )
    everyone = _used(result)
    designs_of: dict[tuple[str, str, str, str], list[JointDesign]] = {}
    for design, used in everyone:
        for each in used:
            if each.kind == kind:
                key = (each.path, each.value, each.range, each.note)
                designs_of.setdefault(key, []).append(design)
    rows = tuple(
        (*key, "all" if len(designs) == len(everyone) else names_of(designs))
        for key, designs in designs_of.items()
    )
    if not rows:
        return None
    # What says nothing in any row is no column.
    told = [column.key for place, column in enumerate(columns) if any(row[place] for row in rows)]
    return Table("Constants", columns, rows).select(told)


def configurations(result: JointResult) -> Table:
    """Return the configuration behind every cost, with the command that maps it.

    Args:
        result: all designs.
    """
    columns = (
        Column("config_hash", "configuration"),
        Column("chip", "chip"),
        Column("technology", "technology"),
        Column("sigma", "sigma"),
        Column("designs", "designs", wraps=True),
        Column("command", "command that maps it", wraps=True),
    )
    labels_of: dict[tuple[str, str, str, str, str], list[str]] = {}
    for design in result.designs:
        if design.mapped is not None:
            resolved = design.mapped.resolved
            key = (
                resolved.config_hash,
                resolved.chip.name,
                resolved.technology.name,
                f"{design.sigma:g}",
                design.command,
            )
            labels_of.setdefault(key, []).append(design.label)
    rows = tuple(
        (*key[:-1], ", ".join(dict.fromkeys(labels)), key[-1]) for key, labels in labels_of.items()
    )
    return Table("Configurations", columns, rows)
