"""Energy of all reads of a layer under the silicon cost model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.bank import Bank, ones_factor
from archsim.cost.gating import line_toggles
from archsim.cost.pieces import Pieces
from archsim.cost.reads import (
    columns_per_conversion,
    converted_dummies,
    input_planes,
    mux_turns,
    rows_read,
)
from archsim.plan import MatrixLayers


@dataclass(frozen=True, eq=False)
class BankEnergy:
    """Energy of one image and one instance by component, J, ``*batch layer``."""

    array: Tensor
    adc: Tensor
    drivers: Tensor
    control: Tensor


def bank_energy(
    *,
    design: DesignBatch,
    bank: Bank,
    layers: MatrixLayers,
    pieces: Pieces,
    passes: Tensor,
    ones: Tensor,
) -> BankEnergy:
    """Add up the invocations of a layer's subarrays.

    A group of rows is read where it holds weights. Columns that hold some are converted, dummies
    with them; word lines cross all columns, also those that are not read.

    Args:
        design: ``*batch``.
        bank: of each design.
        layers: ``*batch layer``.
        pieces: PE pieces of every matrix.
        passes: over the planes of a vector, ``*batch layer``.
        ones: share of ones among the input bits, ``*batch layer``.
    """
    rows, cols = design.rows.unsqueeze(-1), design.cols.unsqueeze(-1)
    group, power = rows_read(design).unsqueeze(-1), bank.array_power.unsqueeze(-1)
    joined = columns_per_conversion(design).unsqueeze(-1)
    dummies = converted_dummies(design).unsqueeze(-1)
    turns = mux_turns(design).unsqueeze(-1)

    def over_groups(held: Tensor, exponent: Tensor | float) -> Tensor:
        """Sum over arrays and groups of rows of (rows of a group that hold weights / all)^e."""

        def of_array(used: Tensor) -> Tensor:
            whole = torch.floor(used / group)
            rest = used - whole * group
            return whole + torch.where(rest > 0, (rest / group).clamp_min(1e-9) ** exponent, 0.0)

        full = torch.floor(held / rows)
        return full * of_array(rows) + of_array(held - full * rows)

    def conversions(held_cols: Tensor) -> Tensor:
        return layers.fill * held_cols / joined + dummies * torch.ceil(held_cols / cols)

    groups = pieces.total(lambda r, c: over_groups(r, 0.0) * torch.ceil(c / cols))
    converted = pieces.total(lambda r, c: over_groups(r, 0.0) * conversions(c))
    charged = pieces.total(lambda r, c: over_groups(r, power) * conversions(c))
    currents = pieces.total(lambda r, c: r * conversions(c))
    driven = pieces.total(lambda r, c: r * torch.ceil(c / cols))
    reads = layers.vectors * passes * input_planes(design).unsqueeze(-1)
    current_J = bank.row_dc_J.unsqueeze(-1) * ones_factor(bank=bank, share=ones) * currents
    return BankEnergy(
        array=reads * (bank.array_J.unsqueeze(-1) * charged + current_J),
        adc=reads * bank.converter_J.unsqueeze(-1) * converted,
        drivers=reads * (bank.word_line_J * line_toggles(design)).unsqueeze(-1) * driven,
        control=reads * bank.control_J.unsqueeze(-1) * turns * groups,
    )
