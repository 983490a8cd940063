"""A reference read of all crossbars: what drift compensation measures its factors by.

One plane of one input vector goes through every layer, the layers in turn, and every copy of a
layer is read, as its cells drift by themselves. As many rows are on as in a read of an image on
average. Priced are the reads and the sums of partial results, not the divisions (one per factor).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.block import add_up
from archsim.cost.engine import evaluate
from archsim.cost.reads import input_passes, input_planes
from archsim.plan import MappingPlan

_READ = ("array", "adc", "mux", "drivers", "control", "shift_add")
_READ_TIME = ("array", "shift_add")
_SUMS = "adder_tree"


@dataclass(frozen=True, eq=False)
class ReferenceRead:
    """One reference read of the whole chip, ``*batch``."""

    energy_J: Tensor
    time_s: Tensor


def reference_read(*, design: DesignBatch, plan: MappingPlan) -> ReferenceRead:
    """Price a reference read.

    Args:
        design: ``*batch``.
        plan: counts of the same batch, ``*batch layer``.
    """
    layers = plan.layers
    one = dataclasses.replace(layers, vectors=torch.ones_like(layers.vectors))
    cost = evaluate(design=design, plan=dataclasses.replace(plan, layers=one))
    planes = input_planes(design).unsqueeze(-1) * input_passes(design=design, layers=layers)
    copies = plan.copies_rows * plan.copies_cols * plan.extra_copies
    energies, times = cost.layer_energies_J, cost.layer_times_s
    energy = add_up([energies[name] for name in _READ if name in energies]) / planes
    time = add_up([times[name] for name in _READ_TIME]) / planes + times[_SUMS]
    return ReferenceRead(
        energy_J=layers.over_layers(copies * (energy + energies[_SUMS])),
        time_s=layers.over_layers(time),
    )
