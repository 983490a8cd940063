"""How often input bits and weight digits are on: the statistics behind the read energy.

Weights are Gaussian in [-1, 1) and stored as offset code (or as magnitude on one of two columns);
inputs are bit-serial, most significant bit first, the first plane being the sign. Probabilities
follow in closed form from the normal distribution, so no trace has to be simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch

#: Codes of the ``activity`` choices in :class:`archsim.arch.design.DesignBatch`.
_UNIFORM, _RELU, _DENSE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class LevelStatistics:
    """Distribution of cell levels over all digits of the weights.

    ``level`` is the conductance level as a share of the range and ``probability`` how often a cell
    holds it, both ``*batch level``. Digits of a Gaussian weight around mid-scale all have the same
    mean, and the read energy is nearly linear in the rest, so their mixture stands for them.
    """

    level: Tensor
    probability: Tensor


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2.0)))


def _code_probability(std: Tensor, codes: Tensor, lowest: int, highest: int) -> Tensor:
    """P(round(N(0, std)) = code), tails clipped to the ends; ``... code``."""
    scaled = std.unsqueeze(-1)
    upper = torch.where(codes == highest, 1.0, _normal_cdf((codes + 0.5) / scaled))
    lower = torch.where(codes == lowest, 0.0, _normal_cdf((codes - 0.5) / scaled))
    return upper - lower


def level_statistics(*, design: DesignBatch) -> LevelStatistics:
    """Return the level distribution of cells for every design.

    Args:
        design: ``*batch``; combinations of weight bits, cell bits and encoding are evaluated once.
    """
    bits, cell, differential = torch.broadcast_tensors(
        design.weight_bits, design.cell_bits, design.is_differential.to(torch.float64)
    )
    std = design.weight_std
    most = int(2 ** float(cell.max()))
    probability = torch.zeros(
        (*torch.broadcast_shapes(bits.shape, std.shape), most),
        dtype=torch.float64,
        device=bits.device,
    )
    level = torch.zeros((*bits.shape, most), dtype=torch.float64, device=bits.device)
    # One number per combination: bits are below 100, so decimal places keep them apart.
    keys = bits * 1e4 + cell * 1e2 + differential
    for key in keys.unique().tolist():
        here = keys == key
        weight_bits, cell_bits, is_differential = key // 1e4, key % 1e4 // 1e2, key % 1e2
        table = _level_table(int(weight_bits), int(cell_bits), is_differential > 0, std)
        width = table.shape[-1]
        padded = torch.nn.functional.pad(table, (0, most - width))
        share = torch.arange(most, dtype=torch.float64, device=bits.device) / (width - 1)
        probability = torch.where(here[..., None], padded, probability)
        level = torch.where(here[..., None], share.clamp_max(1.0), level)
    return LevelStatistics(level, probability)


def _level_table(weight_bits: int, cell_bits: int, differential: bool, std: Tensor) -> Tensor:
    """Level probabilities averaged over the digits, ``... level``."""
    half = 2 ** (weight_bits - 1)
    codes = torch.arange(-half + 1, half, dtype=torch.float64, device=std.device)
    probability = _code_probability(std * half, codes, -half + 1, half - 1)
    stored = codes.abs().long() if differential else (codes + half).long()
    slices = math.ceil(weight_bits / cell_bits)
    levels = 2**cell_bits
    rows = []
    for digit in range(slices):
        shift = cell_bits * (slices - 1 - digit)
        value = (stored >> shift) % levels
        one_hot = torch.nn.functional.one_hot(value, levels).to(torch.float64)
        rows.append(probability @ one_hot)
    table = torch.stack(rows).mean(0)
    if differential:  # every second column of a pair stays off
        off = torch.nn.functional.one_hot(torch.tensor(0, device=std.device), levels)
        table = 0.5 * table + 0.5 * off
    return table


def plane_probability(*, design: DesignBatch, is_first: Tensor, padding_share: Tensor) -> Tensor:
    """Return P(input bit = 1) per bit-plane, ``*batch layer plane``, most significant first.

    The plane axis is as long as the most input bits of the batch; planes beyond a design's own
    bits have probability 0.

    Args:
        design: ``*batch``.
        is_first: 1 for layers that read the network input, ``*batch layer``.
        padding_share: share of taps that read padding, ``*batch layer``.
    """
    bits, std, first, hidden = (
        design.input_bits,
        design.input_std,
        design.first_input,
        design.hidden_input,
    )
    most = int(float(bits.max()))
    relu = _relu_planes(bits, std, most)
    sign = torch.arange(most, device=bits.device) == 0
    planes = torch.arange(most, dtype=torch.float64, device=bits.device)
    inside = planes < bits.unsqueeze(-1)
    uniform = torch.where(sign | ~inside, 0.0, 0.5)
    dense = torch.where(sign | ~inside, 0.0, 1.0)

    def choose(code: Tensor) -> Tensor:
        code = code.unsqueeze(-1)
        return torch.where(code == _UNIFORM, uniform, torch.where(code == _RELU, relu, dense))

    at_first = choose(first).unsqueeze(-2)
    elsewhere = choose(hidden + 1).unsqueeze(-2)  # hidden layers are never uniform
    first_layer = is_first.unsqueeze(-1) > 0
    probability = torch.where(first_layer, at_first, elsewhere)
    is_dense = torch.where(
        is_first > 0, (first == _DENSE).unsqueeze(-1), (hidden + 1 == _DENSE).unsqueeze(-1)
    )
    kept = torch.where(is_dense, 1.0, 1 - padding_share)
    return probability * kept.unsqueeze(-1)


def _relu_planes(bits: Tensor, std: Tensor, most: int) -> Tensor:
    """Bit probabilities of max(0, N(0, std)), rounded to the magnitude bits; ``... plane``."""
    shape = torch.broadcast_shapes(bits.shape, std.shape)
    result = torch.zeros((*shape, most), dtype=torch.float64, device=bits.device)
    for count in bits.unique().tolist():
        magnitude = int(count) - 1
        if magnitude < 1:
            continue
        half = 2**magnitude
        codes = torch.arange(0, half, dtype=torch.float64, device=bits.device)
        probability = _code_probability(std * half, codes, 0, half - 1)
        planes = [torch.zeros_like(std)]
        for plane in range(magnitude):
            on = ((codes.long() >> (magnitude - 1 - plane)) & 1).to(torch.float64)
            planes.append(probability @ on)
        table = torch.stack(planes, -1)
        padded = torch.nn.functional.pad(table, (0, most - table.shape[-1]))
        result = torch.where((bits == count).unsqueeze(-1), padded, result)
    return result
