"""Tables on a terminal, in a pipe and in a text file: rich, and never a cut number."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from archsim.cli.output import deliver
from reports.tables.table import Column, Table

#: Width where nobody says: a pipe or a file.
DEFAULT_WIDTH = 120
#: Least width of a column whose text may be wrapped.
_NARROWEST = 18
_UNLIMITED = 10_000


def present(draw: Callable[[Console], None], out: Path | None) -> None:
    """Draw on a terminal; into a pipe or a file write plain text.

    Raises:
        DataError: the file cannot be written.
    """
    if out is None and sys.stdout.isatty():
        draw(Console(highlight=False))
        return
    paper = io.StringIO()
    width = _piped_width() if out is None else DEFAULT_WIDTH
    draw(Console(file=paper, width=width, color_system=None, highlight=False))
    lines = paper.getvalue().splitlines()
    deliver("".join(f"{line.rstrip()}\n" for line in lines), out)


def _piped_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else DEFAULT_WIDTH


def show(console: Console, part: RenderableType) -> None:
    """Print one part whole, wider than the console if that is what its numbers need."""
    width = console.width
    try:
        console.width = max(width, _measure(console, part).minimum)
        console.print(part, crop=False)
    finally:
        console.width = width


def _measure(console: Console, part: RenderableType) -> Measurement:
    """Return the widths between which ``part`` can be drawn whole, and without wrapping."""
    return Measurement.get(console, console.options.update(width=_UNLIMITED), part)


def first_that_fits(console: Console, choices: Sequence[RenderableType]) -> RenderableType:
    """Return the first of several layouts that the console can hold, else the last."""
    for choice in choices:
        if _measure(console, choice).maximum <= console.width:
            return choice
    return choices[-1]


def grid(table: Table, *, last_is_sum: bool = False, group_by: str | None = None) -> Group:
    """Draw a table under its title: text to the left, numbers to the right and never broken.

    Args:
        table: what to draw.
        last_is_sum: set the last row apart.
        group_by: column whose repeated values are shown once, each group set apart.
    """
    drawn = _frame()
    for column in table.columns:
        title = f"{column.title}\n{column.unit}" if column.unit else column.title
        widest = _widest(table, column)
        drawn.add_column(
            title,
            justify="left" if column.kind == "text" else "right",
            overflow="fold",
            no_wrap=not column.wraps,
            min_width=min(widest, _NARROWEST) if column.wraps else widest,
        )
    texts = table.texts()
    groups = [row[_place(table, group_by)] for row in texts] if group_by else [""] * len(texts)
    for index, row in enumerate(texts):
        following = groups[index + 1] if index + 1 < len(texts) else None
        ends = following is not None and following != groups[index]
        if group_by and index and groups[index - 1] == groups[index]:
            row[_place(table, group_by)] = ""
        drawn.add_row(
            *map(Text, row), end_section=ends or (last_is_sum and index == len(texts) - 2)
        )
    return Group(Text(table.title, style="bold"), drawn)


def _frame() -> RichTable:
    return RichTable(
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def _widest(table: Table, column: Column) -> int:
    place = table.columns.index(column)
    cells = [*(row[place] for row in table.texts()), column.title, column.unit]
    return max(len(line) for cell in cells for line in cell.splitlines() or [""])


def _place(table: Table, key: str | None) -> int:
    return [column.key for column in table.columns].index(str(key))


def figures(table: Table) -> Panel:
    """Draw label, value and unit under each other in a box."""
    inside = RichTable.grid(padding=(0, 1, 0, 0))
    inside.add_column()
    inside.add_column(justify="right", no_wrap=True)
    inside.add_column(style="dim")
    for row in table.select(("label", "value", "unit")).texts():
        inside.add_row(*map(Text, row))
    return Panel(inside, title=table.title, title_align="left", expand=False)


def side_by_side(parts: Sequence[RenderableType]) -> RichTable:
    """Put boxes next to each other."""
    row = RichTable.grid(padding=(0, 1, 0, 0))
    for _ in parts:
        row.add_column()
    row.add_row(*parts)
    return row


def bullets(title: str, lines: Sequence[str]) -> Group:
    """List sentences under a title; long ones wrap behind the dash."""
    listed = RichTable.grid(padding=(0, 1, 0, 0))
    listed.add_column()
    listed.add_column(overflow="fold")
    for line in lines:
        listed.add_row("-", Text(line))
    return Group(Text(title, style="bold"), listed)


def stack(first: RenderableType, *others: RenderableType) -> Group:
    """Put parts under each other with an empty line between them."""
    return Group(first, *map(gap, others))


def gap(part: RenderableType) -> Padding:
    """Put an empty line above a part."""
    return Padding(part, (1, 0, 0, 0), expand=False)
