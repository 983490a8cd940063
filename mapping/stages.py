"""The stages that rows of a network go through, one behind the other on a chip.

A stage is a matrix at one place of the network, or an insertion of the shared block; operations
that compute nothing on hardware of their own hand on their rows. Places that share hardware (a
matrix that is used again, the common block) are in one queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.network.flow import Flow, FlowNode, Lines, window_needs
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.plan import RowStage

#: Queue of the insertions of a common shared block; matrices that are used again count from 0.
BLOCK_QUEUE = 10**9
_Needs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Streams:
    """Stages, and the lines that must be kept for them.

    ``kept`` has one share of the input map for each layer and insertion; ``waiting`` counts values.
    """

    stages: tuple[RowStage, ...]
    kept: tuple[float, ...]
    waiting: float


def stream(table: LayerTable, points: Sequence[InsertionPoint], rows_of: Sequence[int]) -> Streams:
    """Return the stages of a network.

    Args:
        table: the backbone's layers; one behind the other where it does not say how rows flow.
        points: of the shared block.
        rows_of: the plan's row of every layer and then of every insertion.
    """
    flow = table.flow or _chain(table)
    work = (table.digital_macs + table.digital_operations > 0).tolist()
    after = {point.after: index for index, point in enumerate(points)}
    uses = [sum(node.layer == index for node in flow.nodes) for index in range(len(table))]
    walk = _Condensed(rows_of, work, uses)
    for node in flow.nodes:
        walk.add(node)
        if node.name in after:
            walk.insert(rows_of[len(table) + after[node.name]])
    # A block works on a row while it takes in the next.
    block = tuple(min(1.0, 2.0 / max(point.height, 1)) for point in points)
    return Streams(tuple(walk.stages), (*flow.kept, *block), flow.waiting)


class _Condensed:
    """Stages so far, and what each operation's rows need of them."""

    def __init__(self, rows_of: Sequence[int], work: Sequence[bool], uses: Sequence[int]) -> None:
        self.rows_of, self.work, self.uses = rows_of, work, uses
        self.stages: list[RowStage] = []
        self._needs: list[dict[int, _Needs]] = []

    def add(self, node: FlowNode) -> None:
        """Follow one operation; one with a matrix is a stage."""
        needs: dict[int, _Needs] = {}
        for source, wanted in node.reads:
            for stage, own in self._needs[source].items():
                here = own[np.asarray(wanted) - 1]
                needs[stage] = np.maximum(needs[stage], here) if stage in needs else here
        self._needs.append(needs)
        if node.layer >= 0:
            again = self.uses[node.layer] > 1
            self._stage(
                node.rows,
                needs,
                row=self.rows_of[node.layer],
                share=node.share,
                queue=node.layer if again else -1,
                unit=self.work[node.layer],
                recurrent=node.recurrent,
            )

    def insert(self, row: int) -> None:
        """Put a shared block behind the last operation."""
        needs = self._needs[-1]
        rows = max((len(own) for own in needs.values()), default=1)
        self._stage(rows, needs, row=row, share=1.0, queue=BLOCK_QUEUE, unit=False, recurrent=False)

    def _stage(
        self,
        rows: int,
        needs: dict[int, _Needs],
        *,
        row: int,
        share: float,
        queue: int,
        unit: bool,
        recurrent: bool,
    ) -> None:
        reads = tuple((stage, tuple(own.tolist())) for stage, own in sorted(needs.items()))
        self.stages.append(RowStage(row, rows, share, reads, queue, unit, recurrent))
        self._needs[-1] = {len(self.stages) - 1: np.arange(1, rows + 1, dtype=np.int64)}


def _chain(table: LayerTable) -> Flow:
    """The flow of layers one behind the other, as their sizes say."""
    nodes: list[FlowNode] = []
    kept: list[float] = []
    column = {
        name: [round(value) for value in getattr(table, name).tolist()]
        for name in (
            *("in_height", "in_width", "out_height", "out_width"),
            *("kernel_h", "kernel_w", "stride_h", "stride_w", "padding_h", "padding_w"),
        )
    }
    before: Lines | None = None
    for index, name in enumerate(table.names):
        size = {key: values[index] for key, values in column.items()}
        axis, side = ("height", "h") if size["in_height"] > 1 else ("width", "w")
        lines = size[f"in_{axis}"]
        kernel, stride = size[f"kernel_{side}"], size[f"stride_{side}"]
        own = Lines(size["out_height"] if size["out_height"] > 1 else size["out_width"])
        reads: tuple[tuple[int, tuple[int, ...]], ...] = ()
        if before is not None:
            needs = window_needs(
                own=own,
                source=before,
                kernel=kernel,
                stride=stride,
                padding=size[f"padding_{side}"],
                pooled=before.lines / lines,
            )
            reads = ((index - 1, tuple(needs.tolist())),)
        kept.append(min(1.0, (kernel + stride) / lines))
        nodes.append(FlowNode(name, index, own.rows, 1.0, reads))
        before = own
    return Flow(tuple(nodes), tuple(kept), 0.0)
