"""How rows of a network flow over the layers of a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowStage:
    """One place of a matrix in the flow of rows: plan row ``row`` with ``share`` of its vectors.

    ``reads`` are (earlier stage, rows of it that must be there, for each own row). Stages with the
    same ``queue`` (unless -1) share hardware; with ``unit`` digital work follows on the unit that
    all share. A row of a ``recurrent`` stage needs the result of the one before.
    """

    row: int
    rows: int
    share: float
    reads: tuple[tuple[int, tuple[int, ...]], ...]
    queue: int
    unit: bool
    recurrent: bool
