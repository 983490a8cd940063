"""Jumps of totals for a step of one."""

from __future__ import annotations

from archsim.results.cliffs import CliffScan
from reports.tables.table import Column, Table


def heading(scan: CliffScan) -> str:
    """Say what was scanned and what was found."""
    priced = sum(len(values) for values in scan.scanned.values())
    kinds = [jump.kind for jump in scan.jumps]
    found = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"
    return (
        f"{scan.network} on {scan.chip}, shared block {scan.design}: {priced} sizes, jumps of more "
        f"than {100 * scan.threshold:g} %: {found}"
    )


def jumps(scan: CliffScan) -> Table:
    """One row per jump."""
    columns = (
        Column("axis", "axis"),
        Column("before", "from", "count"),
        Column("after", "to", "count"),
        Column("changes", "totals"),
        Column("kind", "kind"),
        Column("reason", "reason"),
    )
    rows = tuple(
        (
            jump.axis,
            jump.before,
            jump.after,
            ", ".join(f"{name} {100 * own:+.0f} %" for name, own in jump.changes.items()),
            jump.kind,
            jump.reason,
        )
        for jump in scan.jumps
    )
    return Table("Jumps", columns, rows)
