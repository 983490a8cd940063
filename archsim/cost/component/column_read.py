"""Energy of converting a column, averaged over weights and inputs in closed form.

The conductance of a column is a sum over rows that are on with probability p and carry a random
level; it is taken as log-normal with the exact first two moments, given that at least one row is
on. DNN+NeuroSim V1.4 draws such columns instead (docs/validation.md). The log-shaped static power
of a flash ADC is then evaluated at the geometric mean, parts proportional to conductance at the
arithmetic mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.activity import LevelStatistics
from archsim.cost.component.adc import AdcBank, column_power_W, supply_power
from archsim.cost.component.crossbar import CellArray

#: Stands for probability zero where a logarithm needs a positive number.
_NEVER = 1e-12


@dataclass(frozen=True, eq=False)
class BranchMoments:
    """First two moments of a row's conductance seen from the ADC, ``*batch layer``."""

    mean_S: Tensor
    square_S2: Tensor


def branch_moments(
    *,
    design: DesignBatch,
    array: CellArray,
    levels: LevelStatistics,
    rows_used: Tensor,
    cols_used: Tensor,
) -> BranchMoments:
    """Average a cell in series with its access device and the mean length of its lines.

    Args:
        design: ``*batch``.
        array: the crossbar, ``*batch``.
        levels: level distribution, ``*batch level``.
        rows_used: rows of the subarray that hold weights, ``*batch layer``.
        cols_used: columns that hold weights, ``*batch layer``.
    """
    technology = design.technology
    wire = technology.metal0_ohm_per_m * technology.metal0_width_m
    # The reference measures the row pitch with the cell height, and both in wire widths.
    along_row = (wire * array.cell_height).unsqueeze(-1) * (cols_used + 1) / 2
    along_col = (wire * array.cell_width).unsqueeze(-1) * (rows_used + 1) / 2
    series = (array.r_series_ohm.unsqueeze(-1) + along_row + along_col)[..., None]
    g_off, g_on = (1 / design.r_off_ohm)[..., None], (1 / design.r_on_ohm)[..., None]
    conductance = g_off + levels.level * (g_on - g_off)
    branch = 1 / (1 / conductance.unsqueeze(-2) + series)
    weight = levels.probability.unsqueeze(-2)
    nvm_mean = (weight * branch).sum(-1)
    nvm_square = (weight * branch**2).sum(-1)
    # SRAM: every active row conducts alike, whatever it stores.
    cell = (1 / (array.r_access_ohm + wire * array.cell_width))[..., None]
    is_sram = design.is_sram[..., None]
    return BranchMoments(
        torch.where(is_sram, cell, nvm_mean), torch.where(is_sram, cell**2, nvm_square)
    )


def column_energy_J(
    *,
    design: DesignBatch,
    adc: AdcBank,
    moments: BranchMoments,
    rows_used: Tensor,
    probability: Tensor,
) -> Tensor:
    """Return the ADC energy of one used column for one input vector, ``*batch layer``.

    Args:
        design: ``*batch``.
        adc: the ADC bank.
        moments: ``*batch layer``.
        rows_used: rows that hold weights, ``*batch layer``.
        probability: P(bit = 1), ``*batch layer plane``; reads of planes that a design with fewer
            input bits lacks find no row on, and are taken out again.
    """
    p = probability.clamp(_NEVER, 1.0)
    used = rows_used.clamp_min(1.0)[..., None]
    mean, square = moments.mean_S.unsqueeze(-1), moments.square_S2.unsqueeze(-1)
    some = -torch.expm1(used * torch.log1p(-p.clamp_max(1 - 1e-15)))
    # A plane that is never on adds nothing, so that padding planes of a batch change no row.
    busy = torch.where(probability > 0, some, 0.0)
    expected = used * p
    total = expected * mean
    given = total / some
    ln_mean = torch.log(given)

    def ln_geometric() -> Tensor:
        # E[G^2 | busy] / E[G | busy]^2 of a sum of independent rows
        second = (expected * (square - p * mean**2) + total**2) / (given * total)
        return ln_mean - 0.5 * torch.log(second.clamp_min(1.0))

    power = column_power_W(design=design, ln_geometric_S=ln_geometric, ln_mean_S=ln_mean, axes=2)
    window, reference = adc.window_s[..., None, None], adc.reference_W[..., None, None]
    converting = (window * (power + reference)).clamp_min(0.0)
    empty = _idle_J(design, adc)[..., None, None]
    per_plane = empty + busy * (converting - empty)
    # Planes beyond a design's own input bits are padding of the axis: taken out again.
    missing = probability.shape[-1] - design.input_bits
    switched = (design.input_bits * adc.switched_J).unsqueeze(-1)
    rest = switched + (per_plane[..., 0] - (missing * empty[..., 0, 0]).unsqueeze(-1))
    energy = per_plane[..., 1:].sum(-1) + rest
    return _published_or(design, adc, energy)


def empty_energy_J(*, design: DesignBatch, adc: AdcBank) -> Tensor:
    """Return the ADC energy of a column and an input vector with no row on, ``*batch 1``.

    Args:
        design: ``*batch``.
        adc: the ADC bank.
    """
    energy = design.input_bits * (adc.switched_J + _idle_J(design, adc))
    return _published_or(design, adc, energy.unsqueeze(-1))


def _idle_J(design: DesignBatch, adc: AdcBank) -> Tensor:
    """Energy of a conversion while no row is on, without what is switched, ``*batch``."""
    power = design.adc_empty_power_W * supply_power(design.technology)
    return (adc.window_s * (power + adc.reference_W)).clamp_min(0.0)


def _published_or(design: DesignBatch, adc: AdcBank, energy: Tensor) -> Tensor:
    """The published energy where a design has such a model; calibrated, ``*batch layer``."""
    if adc.published_J is not None:
        published = (design.input_bits * adc.published_J).unsqueeze(-1)
        energy = torch.where((design.adc_model > 0).unsqueeze(-1), published, energy)
    return design.adc_energy.unsqueeze(-1) * energy
