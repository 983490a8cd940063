"""When each row of each layer runs: an event simulation of one image on one design.

Nothing is summed up beforehand: a server takes its next row when the rows that this row needs have
come out of their servers and the hardware is free. It is the oracle of the closed form in
:mod:`archsim.cost.overlap`, and what the picture of a schedule shows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archsim.plan import RowStage
from archsim.results.schedule import BLOCK, UNIT, Busy, Schedule


@dataclass(frozen=True)
class LayerWork:
    """One row of a plan for one image.

    Attributes:
        name: of the layer or insertion.
        own_s: time on its own hardware, s.
        unit_s: time on the digital unit, s.
        depth: layers of a deep shared block, which are crossbars one behind the other.
        shared: whether it is an insertion of the common block.
        is_block: whether it is an insertion of any shared block.
    """

    name: str
    own_s: float
    unit_s: float = 0.0
    depth: int = 1
    shared: bool = False
    is_block: bool = False


#: A server, and how many of its rows must be out for each own row.
_Read = tuple[int, Sequence[int]]


@dataclass
class _Server:
    """Hardware that works on the rows of one stage, in order."""

    name: str
    hardware: str
    rows: int
    each_s: float
    behind_s: float
    reads: list[_Read]
    queue: object = None
    begun: int = 0
    outs_s: list[float] = field(default_factory=list)
    free_s: float = 0.0
    readers: set[int] = field(default_factory=set)


def simulate(stages: Sequence[RowStage], work: Sequence[LayerWork]) -> Schedule:
    """Run one image, with layers that overlap row by row.

    Args:
        stages: of the plan, each behind those that it reads.
        work: by row of the plan.

    Returns:
        The faster of both ways to deal out shared hardware.
    """
    runs = []
    for slots in (False, True):
        run = _Run(_servers(stages, work, slots=slots))
        run.go()
        rows = sorted(run.rows, key=lambda row: (row.start_s, row.end_s))
        runs.append(Schedule(tuple(rows), slots))
    return min(runs, key=lambda run: run.latency_s)


def in_turn(work: Sequence[LayerWork]) -> Schedule:
    """Run one image, one layer after the other."""
    rows, now = [], 0.0
    for layer in work:
        own = BLOCK if layer.shared else layer.name
        for hardware, time in ((own, layer.own_s), (UNIT, layer.unit_s)):
            if time > 0:
                rows.append(Busy(layer.name, hardware, 0, 1, now, now + time, ready_s=now))
                now += time
    return Schedule(tuple(rows), slots=False)


def _servers(
    stages: Sequence[RowStage], work: Sequence[LayerWork], *, slots: bool
) -> list[_Server]:
    """A server per stage, and one for the digital unit behind those that need it."""
    block_s = sum(layer.own_s / layer.depth for layer in work if layer.shared)
    unit_s = sum(layer.unit_s for layer in work)
    servers: list[_Server] = []
    last: list[int] = []  # the server that a stage's rows come out of
    for stage in stages:
        layer = work[stage.row]
        time = stage.share * layer.own_s / layer.depth
        time += stage.share * layer.unit_s if stage.recurrent else 0.0
        queue: object = stage.queue if stage.queue >= 0 else None
        if layer.is_block and not layer.shared:
            queue = None
        if slots and layer.shared and time > 0:
            time, queue = block_s, None
        each = time / stage.rows
        hardware = BLOCK if layer.shared else layer.name
        reads: list[_Read] = [(last[source], needs) for source, needs in stage.reads]
        behind = (layer.depth - 1) * each
        servers.append(_Server(layer.name, hardware, stage.rows, each, behind, reads, queue))
        if stage.unit and not stage.recurrent:
            time = stage.share * layer.unit_s
            time = unit_s if slots and time > 0 else time
            rows = range(1, stage.rows + 1)
            reads = [(len(servers) - 1, rows)]
            queue = None if slots else UNIT
            servers.append(
                _Server(layer.name, UNIT, stage.rows, time / stage.rows, 0.0, reads, queue)
            )
        last.append(len(servers) - 1)
    return servers


class _Run:
    """All servers, the events to come and what has run so far."""

    def __init__(self, servers: list[_Server]) -> None:
        self.servers = servers
        self.rows: list[Busy] = []
        self._events: list[tuple[float, int, int]] = []
        self._waiting: dict[object, list[int]] = {}
        for index, server in enumerate(servers):
            for source, _ in server.reads:
                servers[source].readers.add(index)
            if server.queue is not None:
                self._waiting.setdefault(server.queue, []).append(index)

    def go(self) -> None:
        """Work off all events."""
        for index in range(len(self.servers)):
            self._begin(index, 0.0)
        while self._events:
            now, comes_out, index = heapq.heappop(self._events)
            if comes_out:
                self.servers[index].outs_s.append(now)
                others: Iterable[int] = sorted(self.servers[index].readers)
            else:
                others = self._freed(index)
            for other in others:
                self._begin(other, now)
        if any(server.begun < server.rows for server in self.servers):  # pragma: no cover
            raise AssertionError("a row waits for ever")

    def _begin(self, index: int, now: float) -> None:
        """Take the next row if all that it needs is there and the hardware is free."""
        server = self.servers[index]
        if server.begun == server.rows or server.free_s > now:
            return
        came = [(self.servers[source].outs_s, need[server.begun]) for source, need in server.reads]
        if any(len(outs_s) < need for outs_s, need in came):
            return
        if server.queue is not None and self._waiting[server.queue][0] != index:
            return
        end = now + server.each_s
        place = (server.name, server.hardware, server.begun, server.rows)
        ready = max((outs_s[need - 1] for outs_s, need in came if need), default=0.0)
        self.rows.append(Busy(*place, now, end, server.behind_s, ready))
        server.free_s = end
        server.begun += 1
        heapq.heappush(self._events, (end, 0, index))
        heapq.heappush(self._events, (end + server.behind_s, 1, index))

    def _freed(self, index: int) -> list[int]:
        """Who may begin now that the hardware of a server is free."""
        server = self.servers[index]
        if server.queue is None or server.begun < server.rows:
            return [index]
        waiting = self._waiting[server.queue]
        if waiting[0] == index:
            waiting.pop(0)
        return waiting[:1]
