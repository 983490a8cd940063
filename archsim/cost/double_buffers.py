"""Memory that overlap asks for: two halves of a buffer, or the lines of maps that rows wait in."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from archsim.arch.design import OVERLAPS, DesignBatch
from archsim.cost.component.buffer import Buffer
from archsim.plan import MappingPlan


def has_halves(design: DesignBatch) -> Tensor:
    """Return where tile buffers, and the global one unless it holds lines, are double."""
    return design.overlap > OVERLAPS.index("none")


def in_rows(design: DesignBatch) -> Tensor:
    """Return where layers overlap row by row, bool, ``*batch``."""
    return design.overlap == OVERLAPS.index("rows")


def doubled(*, design: DesignBatch, buffer: Buffer, where: Tensor) -> Buffer:
    """Return a buffer with a second half, which adds capacity and no bandwidth.

    Args:
        design: ``*batch``.
        buffer: one half.
        where: who has a second one, bool, ``*batch``.
    """
    return dataclasses.replace(buffer, cores=(1.0 + where.to(torch.float64)) * buffer.cores)


def lines_elements(*, plan: MappingPlan) -> Tensor:
    """Return the values in the lines of all maps that rows wait in, ``*batch``.

    Those of each layer's kernel and of its next stride, of pooling windows, and of branches that
    wait for a longer one.

    Args:
        plan: counts.
    """
    layers = plan.layers
    maps = layers.map_elements * layers.instances * layers.active
    return layers.over_layers(maps * plan.kept) + plan.waiting
