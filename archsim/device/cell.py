"""One memory cell: its conductance levels, and the digits of a weight that they hold.

A weight code of ``weight_bits`` (M) bits is cut into ``weight_slices`` digits of ``bits_per_cell``
(K) bits, most significant first; digit ``j`` is stored as one of the ``2^K`` conductance levels of
one cell. Where K does not divide M the top cell keeps unused levels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.shapes import PerDesign

#: A parameter of the device: a number, or a tensor that broadcasts over ``*batch``.
Real = Tensor | float | int


def real(value: Real) -> Tensor:
    """Return ``value`` as a float64 tensor; gradients pass through."""
    return torch.as_tensor(value, dtype=torch.float64)


def broadcast(*values: Real) -> tuple[Tensor, ...]:
    """Return all values as float64 tensors of their common shape."""
    tensors: list[Tensor] = list(torch.broadcast_tensors(*map(real, values)))
    return tuple(tensors)


def level_count(*, bits_per_cell: Real) -> PerDesign:
    """Return the number of levels of a cell, ``2^K``.

    Args:
        bits_per_cell: K, ``*batch``.
    """
    return torch.exp2(real(bits_per_cell))


def weight_slices(*, weight_bits: Real, bits_per_cell: Real) -> PerDesign:
    """Return the number of cells that hold one unsigned weight, ``ceil(M / K)``.

    Args:
        weight_bits: M, ``*batch``.
        bits_per_cell: K, ``*batch``.
    """
    return torch.ceil(real(weight_bits) / real(bits_per_cell))


def conductance_S(*, level: Real, level_count: Real, g_off_S: Real, g_on_S: Real) -> PerDesign:
    """Return the conductance of a level; levels are equally spaced from ``g_off_S`` to ``g_on_S``.

    Args:
        level: 0 to ``level_count - 1``; a programmed cell may lie between or beyond.
        level_count: levels per cell, at least 2.
        g_off_S: conductance of level 0, S.
        g_on_S: conductance of the highest level, S.
    """
    low, high = real(g_off_S), real(g_on_S)
    return low + real(level) / (real(level_count) - 1) * (high - low)


def level_conductances_S(
    *, level_count: int, g_off_S: Real, g_on_S: Real
) -> Float[Tensor, "*batch level"]:
    """Return the conductances of all levels, S, lowest first.

    Args:
        level_count: levels per cell, at least 2.
        g_off_S: conductance of level 0, S, ``*batch``.
        g_on_S: conductance of the highest level, S, ``*batch``.
    """
    low, high = real(g_off_S).unsqueeze(-1), real(g_on_S).unsqueeze(-1)
    levels = torch.arange(level_count, dtype=torch.float64)
    return conductance_S(level=levels, level_count=level_count, g_off_S=low, g_on_S=high)


def zero_conductance_level(*, level_count: Real, g_off_S: Real, g_on_S: Real) -> PerDesign:
    """Return the (negative) level at which the conductance is zero: no cell can go below.

    Args:
        level_count: levels per cell, at least 2.
        g_off_S: conductance of level 0, S.
        g_on_S: conductance of the highest level, S.
    """
    low = real(g_off_S)
    return -low / (real(g_on_S) - low) * (real(level_count) - 1)


def digit_significances(*, weight_bits: int, bits_per_cell: int) -> Float[Tensor, " digit"]:
    """Return the weight ``2^(jK)`` of each digit in the code, most significant first.

    Args:
        weight_bits: M.
        bits_per_cell: K.
    """
    slices = -(-weight_bits // bits_per_cell)
    exponent = bits_per_cell * torch.arange(slices - 1, -1, -1, dtype=torch.float64)
    return torch.exp2(exponent)


def encode_digits(
    *, codes: Int[Tensor, "*weights"], weight_bits: int, bits_per_cell: int
) -> Int[Tensor, "*weights digit"]:
    """Cut unsigned integer codes into the levels of their cells, most significant digit first.

    Args:
        codes: unsigned codes, 0 to ``2^M - 1``.
        weight_bits: M.
        bits_per_cell: K.

    Raises:
        ValueError: a code outside its range.
    """
    if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= 1 << weight_bits):
        raise ValueError(
            f"codes span {int(codes.min())} to {int(codes.max())}; allowed: 0 to "
            f"{(1 << weight_bits) - 1} for weight_bits = {weight_bits}"
        )
    slices = -(-weight_bits // bits_per_cell)
    shifts = bits_per_cell * torch.arange(slices - 1, -1, -1, device=codes.device)
    return (codes.long().unsqueeze(-1) >> shifts) & ((1 << bits_per_cell) - 1)


def decode_digits(
    *, digits: Float[Tensor, "*weights digit"] | Int[Tensor, "*weights digit"], bits_per_cell: int
) -> Float[Tensor, "*weights"] | Int[Tensor, "*weights"]:
    """Add digits up to codes, ``sum_j 2^(jK) g_j``: the inverse of :func:`encode_digits`.

    Args:
        digits: levels, most significant first; real-valued where cells were programmed with error.
        bits_per_cell: K.
    """
    slices = digits.shape[-1]
    shifts = bits_per_cell * torch.arange(slices - 1, -1, -1, device=digits.device)
    significance = (torch.ones_like(shifts) << shifts).to(digits.dtype)
    return (digits * significance).sum(-1)
