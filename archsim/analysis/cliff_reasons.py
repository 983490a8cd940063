"""Why a total jumps between two neighbouring designs: what changed on the chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.engine import evaluate
from archsim.cost.reads import mux_turns, row_groups
from archsim.plan import MappingPlan
from archsim.results.cliffs import PIECE, RULE, SHARE, UNKNOWN

#: Share by which cycles have to change to be a reason.
_MOVED = 0.1
#: What buffers do whose bandwidth follows from their size.
_BUFFER = "lines of a buffer follow its size (chip.buffers.tile_banks and global_banks set them)"
#: Layers named in a reason; of more, the number.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Built:
    """One design and its plan, shape ``()``."""

    design: DesignBatch
    plan: MappingPlan


def explain(
    before: Built, after: Built, *, axis: str, values: tuple[int, int], largest: float, bound: float
) -> tuple[str, str]:
    """Return the kind of a jump and its reason.

    A size of tiles or PEs that the rule of the mapping changed is named first, then what comes in
    wholes; a step from n to n + 1 may change what is proportional to it by 1 / n.

    Args:
        before: the design before the step.
        after: and behind it.
        axis: what was changed.
        values: of it.
        largest: relative change of the total that jumps most.
        bound: relative change from which a step is a jump.
    """
    sizes = list(_sizes(before, after))
    pieces = [*_pieces(before, after), *_layers(before.plan, after.plan)]
    if sizes:
        return RULE, "; ".join([*sizes, *pieces])
    if pieces:
        return PIECE, "; ".join(pieces)
    step = max(values) / min(values) - 1
    if step >= bound and largest <= (1 + step) ** 2 - 1 + bound:
        return SHARE, f"{values[1]} of {axis} are {100 * (values[1] / values[0] - 1):+.0f} %"
    cycles = _cycles(before, after)
    if cycles.startswith(_BUFFER):
        return RULE, cycles
    return (PIECE, cycles) if cycles else (UNKNOWN, "nothing known changes in wholes")


#: What takes whole clock cycles for its delay.
_WHOLE_CYCLES = ("buffer", "interconnect", "adder_tree", "digital", "shift_add")


def _cycles(before: Built, after: Built) -> str:
    """The layer and component whose clock cycles changed most, of those that come in wholes."""
    costs = [evaluate(design=built.design, plan=built.plan) for built in (before, after)]
    changes = []
    for component in _WHOLE_CYCLES:
        old, new = (cost.layer_times_s[component] / cost.clock_s for cost in costs)
        place = int((new - old).abs().argmax())
        ends = float(old[place]), float(new[place])
        changes.append((abs(ends[1] - ends[0]), component, after.plan.names[place], *ends))
    most, part, layer, first, second = max(changes)
    moved = abs(second - first) > _MOVED * max(first, second)
    if not most or not moved:
        return ""
    if part == "buffer":
        return f"{_BUFFER}: {first:.0f} -> {second:.0f} cycles of {layer}"
    return (
        f"{part.replace('_', ' ')} of {layer}: {first:.0f} -> {second:.0f} clock cycles, of which "
        "a delay takes a whole number"
    )


def _sizes(before: Built, after: Built) -> Iterator[str]:
    """Sizes of tiles and PEs in crossbars along a side, and layers mapped in another way."""
    old, new = before.plan.floorplan, after.plan.floorplan
    for name, title in (
        ("tile_side", "tiles"),
        ("pe_side", "PEs"),
        ("kernel_side", "PEs of kernel positions"),
    ):
        first, second = (
            round(float(getattr(floor, name) / built.design.rows))
            for floor, built in ((old, before), (new, after))
        )
        if first != second:
            yield f"{title} of {second} x {second} crossbars, before of {first} x {first}"
    grids = _crossbars(before), _crossbars(after)
    if grids[0] != grids[1]:
        yield f"crossbars in a PE, a square of cells: {grids[1]}, before {grids[0]}"
    moved = before.plan.is_kernel != after.plan.is_kernel
    if bool(moved.any()):
        which = [name for name, own in zip(after.plan.names, moved.tolist(), strict=True) if own]
        yield f"a PE for each kernel position or not any more: {_named(which)}"


def _crossbars(built: Built) -> str:
    """Crossbars along the rows and the columns of a PE."""
    side, design = float(built.plan.floorplan.pe_side), built.design
    down, right = (-int(-side // float(length)) for length in (design.rows, design.cols))
    return f"{down} x {right}"


def _pieces(before: Built, after: Built) -> Iterator[str]:
    """Counts that come in wholes and hold for all layers."""

    def counts(built: Built) -> dict[str, Tensor]:
        design = built.design
        return {
            "cells per weight": design.columns_per_weight,
            "reads of a bit-plane": row_groups(design),
            "conversions per converter and read": mux_turns(design),
            "levels of the converter": design.adc_levels,
        }

    for (name, first), second in zip(counts(before).items(), counts(after).values(), strict=True):
        if float(first) != float(second):
            yield f"{name}: {float(first):g} -> {float(second):g}"


def _layers(before: MappingPlan, after: MappingPlan) -> Iterator[str]:
    """Tiles and copies of layers that changed, the largest change first."""
    for title, old, new in (
        ("tile", before.tiles, after.tiles),
        ("crossbar", before.subarrays_used, after.subarrays_used),
        ("copies", before.copies * before.layers.owned, after.copies * after.layers.owned),
    ):
        changed = {
            name: (round(first), round(second))
            for name, first, second in zip(after.names, old.tolist(), new.tolist(), strict=True)
            if round(first) != round(second)
        }
        if not changed:
            continue
        ordered = sorted(changed, key=lambda name: -abs(changed[name][1] - changed[name][0]))
        parts = [f"{name} {changed[name][0]} -> {changed[name][1]}" for name in ordered[:_NAMED]]
        more = len(ordered) - len(parts)
        plural = title if title == "copies" else f"{title}s"
        yield f"{plural}: {', '.join(parts)}" + (f" and {more} more layers" if more else "")
        if title == "tile":
            continue
        return


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
