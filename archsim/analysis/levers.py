"""Settings of a chip that change its cost and leave what it computes as it is.

A row per setting, with the values that are tried. What the read path sees (:mod:`tsb.read_path`:
rows, bits, encodings, voltages, wires) is none of them: its accuracy would have to be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.rules import broken, table_of
from archsim.config.resolve import Resolved
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan


@dataclass(frozen=True)
class Lever:
    """One setting: the factors that its number is tried at, or (no factor) its other choices.

    What lengthens wires that lose voltage is seen by the read path (``along_wires``).
    """

    path: str
    factors: tuple[float, ...] = ()
    only_with_block: bool = False
    along_wires: bool = False


_BOTH, _MORE = (0.5, 2.0), (2.0,)
LEVERS = (
    Lever("chip.crossbar.cols", _BOTH, along_wires=True),
    Lever("chip.crossbar.mux_ratio", _BOTH),
    Lever("chip.adc.kind"),
    Lever("chip.read.gating"),
    Lever("chip.hierarchy.duplication"),
    Lever("chip.hierarchy.copies", _MORE),
    Lever("chip.hierarchy.linear_copies", _MORE),
    Lever("chip.hierarchy.speed_up_degree", _BOTH),
    Lever("chip.timing.pipeline"),
    Lever("chip.timing.overlap"),
    Lever("chip.interconnect.kind"),
    Lever("chip.interconnect.max_width", _BOTH),
    Lever("chip.buffers.kind"),
    Lever("chip.buffers.global_core", _BOTH),
    Lever("chip.buffers.global_line", _BOTH),
    Lever("chip.buffers.global_banks", _BOTH),
    Lever("chip.buffers.tile_core", _BOTH),
    Lever("chip.buffers.tile_line", _BOTH),
    Lever("chip.buffers.tile_banks", _BOTH),
    Lever("chip.digital.mac_units", _BOTH),
    Lever("tsb.copies", only_with_block=True),
)


@dataclass(frozen=True)
class Tried:
    """One setting at another value."""

    path: str
    value: float | str
    code: Tensor


def tried(resolved: Resolved, placement: str) -> tuple[Tried, ...]:
    """Return every value of :data:`LEVERS` but the chip's own.

    Args:
        resolved: configuration.
        placement: of the shared block.
    """
    settings = table_of(resolved, placement)
    wire = resolved.chip.crossbar.wire_ohm
    has_wires = wire is None or wire.si > 0
    found = []
    for lever in LEVERS:
        if lever.only_with_block and placement == "none":
            continue
        if lever.along_wires and has_wires:
            continue
        parameter, own = settings.parameters[lever.path], settings.values[lever.path]
        for factor in lever.factors:
            number = float(own) * factor
            # Null is NaN: the chip has a rule in place of the number.
            if number >= 1 and number == round(number):
                found.append(Tried(lever.path, number, torch.tensor(number, dtype=own.dtype)))
        choices = parameter.choices or ("false", "true")
        if not lever.factors and parameter.kind in ("choice", "flag"):
            codes = [torch.tensor(code, dtype=own.dtype) for code in range(len(choices))]
            pairs = zip(choices, codes, strict=True)
            found += [Tried(lever.path, name, code) for name, code in pairs if code != own]
        if parameter.words:
            words = {name: torch.tensor(code, dtype=own.dtype) for name, code in parameter.words}
            # "auto" has to be found first.
            found += [
                Tried(lever.path, name, code)
                for name, code in words.items()
                if name != "auto" and code != own
            ]
    return tuple(found)


def priced(
    resolved: Resolved,
    placement: str,
    table: LayerTable,
    points: Sequence[InsertionPoint],
) -> tuple[tuple[Tried, ...], CostBreakdown]:
    """Price the chip and every legal change of one setting: row 0 is the chip itself.

    Args:
        resolved: configuration, nothing in it left to be found.
        placement: of the shared block.
        table: the network's layers.
        points: where the shared block goes.
    """
    settings = table_of(resolved, placement)
    changes = tried(resolved, placement)
    count = len(changes) + 1
    columns = {}
    for path in {change.path for change in changes}:
        columns[path] = settings.values[path].repeat(count)
    for place, change in enumerate(changes, start=1):
        columns[change.path][place] = change.code
    settings = settings.written(columns)
    legal = torch.ones(count, dtype=torch.bool)
    for mask in broken(settings, layers=len(table)).values():
        legal &= ~mask
    legal[0] = True
    design = DesignBatch.from_resolved(resolved, placement).updated(settings, list(columns))
    with torch.no_grad():
        chosen = design.index(legal)
        plan = compile_plan(design=chosen, table=table, points=points, merge_alike=True)
        cost = evaluate(design=chosen, plan=plan)
    kept = [change for change, good in zip(changes, legal[1:].tolist(), strict=True) if good]
    return tuple(kept), cost
