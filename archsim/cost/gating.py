"""What is not clocked: rows and columns that a small matrix leaves empty (``chip.read.gating``).

Without gating every row register, mux, shift-add and adder tree of a crossbar that holds anything
runs in every read, and word lines rise anew at every step of the column mux. With gating those of
empty rows and columns stand still, and inputs are held while the mux goes round: a row register and
its word line switch once per bit-plane. Columns are taken side by side, so a matrix of ``n``
columns uses ``ceil(n / mux_ratio)`` converters. The decoder of the mux serves all of them and runs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.reads import mux_turns


def line_toggles(design: DesignBatch) -> Tensor:
    """Return how often a word line that is on rises in one read of its plane, ``*batch``."""
    turns = mux_turns(design)
    return torch.where(design.gates_unused, torch.ones_like(turns), turns)


def running(*, design: DesignBatch, used: Tensor, there: Tensor) -> Tensor:
    """Return the instances that run: those used where the rest is gated, else all.

    Args:
        design: ``*batch``.
        used: by the layer's matrix, ``*batch layer``.
        there: in all crossbars or units that the layer occupies, ``*batch layer``.
    """
    return torch.where(design.gates_unused.unsqueeze(-1), used, there)
