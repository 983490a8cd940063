"""How a crossbar is read: planes, passes over them, groups of rows, turns of the ADCs."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import OFFSET_SUBTRACTIONS, SIGNED_INPUTS, DesignBatch
from archsim.config.signed_inputs import signed_format
from archsim.plan import MatrixLayers

#: Code of the activity of a first layer that is read like hidden ones.
_AS_HIDDEN = 1


def signed_layers(*, design: DesignBatch, layers: MatrixLayers) -> Tensor:
    """Return where the inputs of a layer need a sign, bool, ``*batch layer``.

    None do under ``read.idle_sign_plane``, nor the network's where ``activity.first_layer`` says
    that they are rectified.

    Args:
        design: ``*batch``.
        layers: ``*batch layer``.
    """
    rectified = (layers.is_first > 0) & (design.first_input == _AS_HIDDEN).unsqueeze(-1)
    return (layers.is_signed > 0) & ~rectified & ~design.idle_sign_plane.unsqueeze(-1)


def input_passes(*, design: DesignBatch, layers: MatrixLayers) -> Tensor:
    """Return how often the planes of a vector are read: 2 for both signs, else 1, ``*batch layer``.

    Args:
        design: ``*batch``.
        layers: ``*batch layer``.
    """
    twice = reads_as(design, "two-pass", is_first=False).unsqueeze(-1)
    twice_first = reads_as(design, "two-pass", is_first=True).unsqueeze(-1)
    both = torch.where(layers.is_first > 0, twice_first, twice)
    return 1.0 + (both & signed_layers(design=design, layers=layers)).to(torch.float64)


def reads_as(design: DesignBatch, name: str, *, is_first: bool) -> Tensor:
    """Return where inputs of either sign are read in some way, bool, ``*batch``.

    Args:
        design: ``*batch``.
        name: of the way.
        is_first: whether they are the network's own.
    """
    rules = [signed_format(rule, is_first=is_first) == name for rule in SIGNED_INPUTS]
    return torch.tensor(rules, device=design.rows.device)[design.signed_inputs]


def array_reads(
    *, design: DesignBatch, layers: MatrixLayers, rows_held: Tensor | None = None
) -> Tensor:
    """Return the reads of a crossbar for one input vector, ``*batch layer``.

    Every plane of every pass is read once per group of rows.

    Args:
        design: ``*batch``.
        layers: ``*batch layer``.
        rows_held: rows of the fullest crossbar that hold weights, ``*batch layer``: the silicon
            cost model reads groups of these alone; ``None`` for all groups.
    """
    groups = row_groups(design).unsqueeze(-1)
    if rows_held is not None and bool(design.is_silicon.any()):
        held = torch.minimum(rows_held, design.rows.unsqueeze(-1))
        used = torch.ceil(held / rows_read(design).unsqueeze(-1))
        groups = torch.where(design.is_silicon.unsqueeze(-1), used, groups)
    planes = input_planes(design).unsqueeze(-1) * groups
    return planes * input_passes(design=design, layers=layers)


def input_planes(design: DesignBatch) -> Tensor:
    """Return the planes of an input: its bits, or what a DAC takes of them at once, ``*batch``."""
    return torch.ceil(design.input_bits / design.dac_bits)


def rows_read(design: DesignBatch) -> Tensor:
    """Return the rows of a crossbar that are read at once, ``*batch``."""
    return torch.minimum(design.rows_at_once, design.rows)


def row_groups(design: DesignBatch) -> Tensor:
    """Return the reads that all rows of a crossbar take, ``*batch``."""
    return torch.ceil(design.rows / rows_read(design))


def dummy_columns(design: DesignBatch) -> Tensor:
    """Return the columns of a crossbar that subtract the offset of cells at level 0, ``*batch``.

    They hold no weights. One column of off cells serves all slices; a column that holds the code
    for zero has a cell for each.
    """
    how = design.offset_subtraction
    zero = how == OFFSET_SUBTRACTIONS.index("zero-column")
    return torch.where(zero, design.weight_slices, (how > 0).to(torch.float64))


def converted_dummies(design: DesignBatch) -> Tensor:
    """Return those of them that are converted, ``*batch``; the current of an analog one is not."""
    analog = design.offset_subtraction == OFFSET_SUBTRACTIONS.index("analog")
    return torch.where(analog, 0.0, dummy_columns(design))


def columns_per_conversion(design: DesignBatch) -> Tensor:
    """Return the columns that feed one conversion, ``*batch``.

    2 where the difference of a pair is converted, and under the silicon cost model as many more as
    one conversion reads of a weight's slices.
    """
    return (1.0 + design.analog_pair.to(torch.float64)) * columns_joined(design)


def columns_joined(design: DesignBatch) -> Tensor:
    """Return the slices of a weight that one conversion reads, ``*batch``; 1 but in silicon."""
    joined = torch.ceil(design.weight_bits_read / design.cell_bits).clamp_min(1.0)
    return torch.where(design.is_silicon, joined, 1.0)


def mux_turns(design: DesignBatch) -> Tensor:
    """Return the conversions of an ADC per read, ``*batch``.

    Its columns, or fewer where several feed one conversion; and its share of the dummy columns.
    """
    columns = design.mux_ratio / columns_per_conversion(design)
    return columns + torch.ceil(converted_dummies(design) * design.mux_ratio / design.cols)
