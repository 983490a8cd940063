"""The queue at a common shared block: what each insertion asks of it, and how long it waits."""

from __future__ import annotations

from archsim.results.served import BlockQueue
from reports.tables.table import Column, Table

_COLUMNS = (
    Column("insertion", "insertion", wraps=True),
    Column("vectors", "vectors", "count"),
    Column("copies", "copies", "count"),
    Column("serve_us", "served", "number", "us"),
    Column("read_us", "crossbar", "number", "us"),
    Column("buffer_us", "buffers", "number", "us"),
    Column("wires_us", "wires", "number", "us"),
    Column("mean_wait_us", "waits,\nmean", "number", "us"),
    Column("longest_wait_us", "waits,\nlongest", "number", "us"),
)


def queue_table(queue: BlockQueue) -> Table:
    """One row per insertion, in the order in which they are served.

    Args:
        queue: of one image.
    """
    how = "fixed slots" if queue.slots else "one insertion after the other"
    return Table(
        f"Queue at the common block, {how}",
        _COLUMNS,
        tuple(tuple(visit.record().values()) for visit in queue.visits),
    )
