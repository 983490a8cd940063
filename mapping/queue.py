"""The queue at a common shared block, vector by vector: what ``archsim map --queue`` writes."""

from __future__ import annotations

from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from archsim.results.schedule import BLOCK, Busy, Schedule
from archsim.results.served import BlockQueue, Served, Visit

#: Components of a layer's time by what they belong to; all others are the crossbar's.
_BUFFER, _WIRES, _UNIT = "buffer", "interconnect", "digital_unit"


def block_queue(schedule: Schedule, plan: MappingPlan, cost: CostBreakdown) -> BlockQueue:
    """Follow the vectors of one image through the common block.

    The rows are those of the event simulation. The vectors of a row are dealt to the copies in
    turn, and take equal parts of the row's time.

    Args:
        schedule: of one image.
        plan: of the network, shape ``()``.
        cost: of the same design.
    """
    rows: dict[str, list[Busy]] = {}
    for row in schedule.rows:
        if row.hardware == BLOCK and row.end_s > row.start_s:
            rows.setdefault(row.name, []).append(row)
    visits, served = [], []
    for name, own in rows.items():
        index = plan.names.index(name)
        layers = plan.layers
        vectors = round(float(layers.products[index] * layers.instances[index]))
        copies = round(float(plan.blocks[index]))
        mine = [one for row in own for one in _of_row(row, vectors, copies)]
        waits = [one.start_s - one.arrival_s for one in mine]
        times = {key: float(time[index]) for key, time in cost.layer_times_s.items()}
        read = sum(time for key, time in times.items() if key not in (_UNIT, _BUFFER, _WIRES))
        visits.append(
            Visit(
                name,
                vectors,
                copies,
                serve_s=float(cost.layer_latency_s[index]) - times[_UNIT],
                read_s=read,
                buffer_s=times[_BUFFER],
                wires_s=times[_WIRES],
                mean_wait_s=sum(waits) / len(waits),
                longest_wait_s=max(waits),
            )
        )
        served += mine
    served.sort(key=lambda one: (one.start_s, one.insertion, one.vector))
    return BlockQueue(tuple(visits), tuple(served), schedule.slots, schedule.latency_s)


def _of_row(row: Busy, vectors: int, copies: int) -> list[Served]:
    """Deal the vectors of one row of a map to the copies, round by round."""
    first, end = (place * vectors // row.rows for place in (row.row, row.row + 1))
    rounds = max(-(-(end - first) // copies), 1)
    each_s = (row.end_s - row.start_s) / rounds
    return [
        Served(
            row.name,
            row.row,
            first + place,
            place % copies,
            row.ready_s,
            row.start_s + (place // copies) * each_s,
            row.start_s + (place // copies + 1) * each_s + row.behind_s,
        )
        for place in range(end - first)
    ]
