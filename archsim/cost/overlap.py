"""What works at the same time within one image (``chip.timing.overlap``).

``buffers``: with two halves in every tile buffer and in the global buffer, the arrays read one
vector while the buffers and wires move the next and the digital units finish the one before. A
layer then takes the time of the busiest of the four, and for one vector that of the others.

``rows``: a layer starts when the rows that its kernel needs are there, as in ISAAC (Shafiee et al.,
ISCA 2016, doi:10.1109/ISCA.2016.12) or Stream (Symons et al., IEEE TC 2024,
doi:10.1109/TC.2024.3477938). All rows of a layer take equally long. With ``need`` as in
:class:`archsim.plan.RowStage`,

    finish[l, r] = t_l + max(finish[l, r - 1], max over sources s of finish[s, need(r)])

is the longest path through rows of layers. ``finish`` of a whole layer is a running maximum of
``ready(r) - r t_l``: no loop over rows and no branch on a value, for any batch of designs.

What layers share (the common block, the digital unit, a matrix that is used again) serves them in
the order of the network, one whole map after the other; or, all in fixed time slots in proportion
to their work, so that each takes as long as the whole queue. A design takes the faster of the two.
All layers share the global buffer and wires: what they move there takes at least its whole time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.double_buffers import has_halves, in_rows
from archsim.cost.layer_cycles import LayerCycles
from archsim.plan import MappingPlan, RowStage

#: Queue of the digital unit; others are those of stages.
_UNIT = -2


def layer_times_s(
    *, design: DesignBatch, plan: MappingPlan, cycles: LayerCycles, clock_s: Tensor
) -> Tensor:
    """Return the time of every layer alone, without the digital unit, s, ``*batch layer``.

    Args:
        design: ``*batch``.
        plan: counts.
        cycles: by component.
        clock_s: period of the clock, ``*batch``.
    """
    own = cycles.total - cycles.digital_unit
    clock = clock_s.unsqueeze(-1)
    if not bool(has_halves(design).any()):
        return own * clock
    compute = cycles.array + cycles.shift_add + cycles.adder_tree
    moving = torch.maximum(cycles.buffer, cycles.interconnect)
    busiest = torch.maximum(torch.maximum(compute, moving), cycles.digital)
    in_turn = torch.ceil(plan.layers.vectors / plan.copies - 1e-9).clamp_min(1.0)
    together = busiest + (own - busiest) / in_turn
    # What a recurrent layer reads next depends on what it has just computed.
    recurrent = [False] * len(plan.names)
    for stage in plan.stages:
        recurrent[stage.row] = recurrent[stage.row] or stage.recurrent
    alone = torch.tensor(recurrent, device=own.device) | ~has_halves(design).unsqueeze(-1)
    return torch.where(alone, own, together) * clock


@dataclass(frozen=True, eq=False)
class LayerTimes:
    """Time of every row of the plan, s, ``*batch layer``: on its own hardware and on the unit."""

    own_s: Tensor
    unit_s: Tensor


def image_latency_s(
    *, design: DesignBatch, plan: MappingPlan, work: LayerTimes, least_s: Tensor
) -> Tensor:
    """Return the time of one image through all layers, s, ``*batch``.

    Args:
        design: ``*batch``.
        plan: counts and stages.
        work: times of the layers, each alone.
        least_s: time for which the global buffer or the global wires are busy, ``*batch``: a bound
            of the latency where layers overlap, who waits for whom there is not followed.
    """
    serial = plan.layers.over_layers(work.own_s + work.unit_s)
    rows = in_rows(design)
    least = torch.where(has_halves(design), least_s, 0.0)
    if not bool(rows.any()):
        return torch.maximum(serial, least)
    latency = _through_rows(design, plan, work, in_slots=False)
    if _shares(plan):
        latency = torch.minimum(latency, _through_rows(design, plan, work, in_slots=True))
    return torch.maximum(torch.where(rows, latency, serial), least)


def _shares(plan: MappingPlan) -> bool:
    """Whether several stages may share hardware."""
    return any(stage.queue >= 0 or stage.unit for stage in plan.stages)


def _through_rows(
    design: DesignBatch, plan: MappingPlan, work: LayerTimes, *, in_slots: bool
) -> Tensor:
    """The latency with one of the two ways to share hardware, ``*batch``."""
    queues = _Queues(design, plan, work, in_slots=in_slots)
    finish: list[Tensor] = []
    for stage in plan.stages:
        done = queues.serve(stage, _ready(stage, finish, work.own_s))
        if stage.unit:
            done = queues.serve_unit(stage, done)
        finish.append(done)
    last = finish[0][..., -1]
    for done in finish[1:]:
        last = torch.maximum(last, done[..., -1])
    return last


def _ready(stage: RowStage, finish: list[Tensor], like: Tensor) -> Tensor:
    """When each row has all that it needs, s, ``*batch row``."""
    ready = like.new_zeros(stage.rows)
    for source, needs in stage.reads:
        place = torch.tensor(needs, device=like.device) - 1
        ready = torch.maximum(ready, finish[source][..., place])
    return ready


class _Queues:
    """The hardware, with the time from which each shared piece is free."""

    def __init__(
        self, design: DesignBatch, plan: MappingPlan, work: LayerTimes, *, in_slots: bool
    ) -> None:
        self._plan, self._work, self._in_slots = plan, work, in_slots
        self._free: dict[int, Tensor] = {}
        blocks = torch.tensor([kind == "tsb" for kind in plan.kinds], device=work.own_s.device)
        self._depth = torch.where(blocks, design.tsb_depth.unsqueeze(-1), 1.0)
        self._shared = (plan.layers.shared > 0) | ~blocks
        self._block_s = plan.layers.over_layers(
            torch.where(plan.layers.shared > 0, work.own_s / self._depth, 0.0)
        )
        self._unit_s = plan.layers.over_layers(work.unit_s)

    def serve(self, stage: RowStage, ready: Tensor) -> Tensor:
        """When each row is done on the hardware of its layer, ``*batch row``."""
        row = stage.row
        # The layers of a deep block are crossbars in a row, each of which takes its share.
        depth = self._depth[..., row]
        time = stage.share * self._work.own_s[..., row] / depth
        if stage.recurrent:
            time = time + stage.share * self._work.unit_s[..., row]
        queued = self._shared[..., row] & (stage.queue >= 0)
        is_block = self._plan.kinds[row] == "tsb"
        if self._in_slots and is_block:
            time, queued = torch.where(queued & (time > 0), self._block_s, time), queued & False
        done = self._one_by_one(stage, ready, time, queued, stage.queue)
        return done + ((depth - 1) * time / stage.rows).unsqueeze(-1)

    def serve_unit(self, stage: RowStage, ready: Tensor) -> Tensor:
        """When the digital unit is through with each row, ``*batch row``."""
        if stage.recurrent:
            return ready
        time = stage.share * self._work.unit_s[..., stage.row]
        if self._in_slots:
            time = torch.where(time > 0, self._unit_s, time)
        queued = torch.full_like(time, not self._in_slots, dtype=torch.bool)
        return self._one_by_one(stage, ready, time, queued, _UNIT)

    def _one_by_one(
        self, stage: RowStage, ready: Tensor, time: Tensor, queued: Tensor, queue: int
    ) -> Tensor:
        each = (time / stage.rows).unsqueeze(-1)
        count = torch.arange(stage.rows, dtype=time.dtype, device=time.device)
        if queue in self._free:
            free = torch.where(queued, self._free[queue], 0.0)
            ready = torch.maximum(ready, free.unsqueeze(-1))
        done = torch.cummax(ready - each * count, -1).values + each * (count + 1)
        if queue != -1:
            before = self._free.get(queue, torch.zeros_like(time))
            self._free[queue] = torch.where(queued, done[..., -1], before)
        return done
