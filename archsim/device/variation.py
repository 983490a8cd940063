"""Programming spread: from the sigma of one cell to the noise of a weight, and per-cell samples.

With ``w = max_weight / (2^M - 1) * sum_j 2^(jK) g_j`` and ``g_j`` in ``[0, 2^K - 1]``, each cell
programs to ``g_j + dg``, ``dg ~ N(0, (sigma (2^K - 1))^2)``: sigma is the standard deviation of a
conductance relative to its range, g_on - g_off (the convention of Qin et al., ICCAD 2024,
arXiv 2406.06544, and of the public code of NeFT, arXiv 2305.14561). The closed forms and the
sampler are each other's test.

``differential`` means a column pair per weight, one for each sign, both cells with their own error:
the noise grows by sqrt(2) (the papers above do not count it).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.device.cell import (
    Real,
    decode_digits,
    digit_significances,
    encode_digits,
    real,
    weight_slices,
)
from archsim.shapes import PerDesign

#: Share of cells in the middle for which NeFT's profile keeps the mean variance
#: (arXiv 2305.14561, public code: sigma' = sigma / sqrt(0.4 s^2 + 0.6)).
NEFT_MIDDLE_SHARE = 0.4
#: NeFT's middle: these fractions of the range, exclusive.
NEFT_MIDDLE = (0.25, 0.75)


def profile_sigma(
    *, position: Real, sigma: Real, factor: Real, middle_share: Real = NEFT_MIDDLE_SHARE
) -> PerDesign:
    """Return the sigma at a position in the conductance range, larger in the middle.

    Outer positions get ``sigma' = sigma / sqrt(share factor^2 + 1 - share)``, middle ones
    ``factor sigma'`` (NeFT, arXiv 2305.14561): the mean variance is ``sigma^2`` when ``share`` of
    the cells lies in the middle. NeFT applies it with the position of the weight, |w| / max|W|.

    Args:
        position: 0 (off) to 1 (on), of a level or of a weight.
        sigma: root-mean-square sigma, relative to the range g_on - g_off.
        factor: sigma of the middle over that of the ends; 1 is uniform.
        middle_share: assumed share of cells in the middle.
    """
    where, ratio, share = real(position), real(factor), real(middle_share)
    outer = real(sigma) / torch.sqrt(share * ratio**2 + 1 - share)
    middle = (where > NEFT_MIDDLE[0]) & (where < NEFT_MIDDLE[1])
    return torch.where(middle, ratio * outer, outer)


def profile_sigmas(
    *, sigma: Real, factor: Real, middle_share: Real = NEFT_MIDDLE_SHARE
) -> tuple[PerDesign, PerDesign]:
    """Return the sigma of the outer positions and that of the middle ones: :func:`profile_sigma`.

    Args:
        sigma: root-mean-square sigma, relative to the range g_on - g_off, ``*batch``.
        factor: sigma of the middle over that of the ends, ``*batch``; 1 is uniform.
        middle_share: assumed share of cells in the middle.
    """
    outer, middle = (
        profile_sigma(position=where, sigma=sigma, factor=factor, middle_share=middle_share)
        for where in (0.0, sum(NEFT_MIDDLE) / 2)
    )
    return outer, middle


def middle_level_share(bits_per_cell: Real) -> PerDesign:
    """Return the share of a cell's levels that lie in the middle of its range.

    None of 2, half of 4, 8 and 16 levels.

    Args:
        bits_per_cell: K, ``*batch``.
    """
    steps = torch.exp2(real(bits_per_cell)) - 1
    low, high = NEFT_MIDDLE
    inside = torch.ceil(high * steps) - torch.floor(low * steps) - 1
    return inside / (steps + 1)


def level_sigmas(
    *,
    sigma: Real,
    level_count: int,
    factor: Real = 1.0,
    middle_share: Real = NEFT_MIDDLE_SHARE,
) -> Float[Tensor, "*batch level"]:
    """Return the sigma of each level, relative to the range g_on - g_off.

    Args:
        sigma: root-mean-square sigma, ``*batch``.
        level_count: levels per cell, at least 2.
        factor: sigma of the middle levels over that of the outer ones, ``*batch``; 1 is uniform.
        middle_share: see :func:`profile_sigma`.
    """
    position = torch.linspace(0, 1, level_count, dtype=torch.float64)
    return profile_sigma(
        position=position,
        sigma=real(sigma).unsqueeze(-1),
        factor=real(factor).unsqueeze(-1),
        middle_share=real(middle_share).unsqueeze(-1),
    )


def _pair(differential: Tensor | bool) -> Tensor:
    """Number of cells with an independent error per digit."""
    return torch.where(torch.as_tensor(differential), 2.0, 1.0).to(torch.float64)


def code_noise_std(
    *,
    sigma: Real,
    weight_bits: Real,
    bits_per_cell: Real,
    differential: Tensor | bool = False,
) -> PerDesign:
    """Return the standard deviation of a programmed code, in units of its last bit.

    ``sigma (2^K - 1) sqrt(sum_j 4^(jK))`` with the geometric sum in closed form.

    Args:
        sigma: relative to the range g_on - g_off, ``*batch``.
        weight_bits: M, ``*batch``.
        bits_per_cell: K, ``*batch``.
        differential: a pair of cells per digit (x sqrt 2).
    """
    k = real(bits_per_cell)
    slices = weight_slices(weight_bits=weight_bits, bits_per_cell=k)
    squares = (torch.exp2(2 * k * slices) - 1) / (torch.exp2(2 * k) - 1)
    return real(sigma) * (torch.exp2(k) - 1) * torch.sqrt(_pair(differential) * squares)


def weight_noise_std(
    *,
    max_weight: Real,
    sigma: Real,
    weight_bits: Real,
    bits_per_cell: Real,
    differential: Tensor | bool = False,
) -> PerDesign:
    """Return the standard deviation of a weight when every level has the same sigma.

    0.7776 sigma max_weight for M = 8, K = 2.

    Args:
        max_weight: the weight of code ``2^M - 1``, ``*batch``.
        sigma: relative to the range g_on - g_off, ``*batch``.
        weight_bits: M, ``*batch``.
        bits_per_cell: K, ``*batch``.
        differential: a pair of cells per digit (x sqrt 2).
    """
    noise = code_noise_std(
        sigma=sigma,
        weight_bits=weight_bits,
        bits_per_cell=bits_per_cell,
        differential=differential,
    )
    return real(max_weight) * noise / (torch.exp2(real(weight_bits)) - 1)


def level_probabilities(
    *, codes: Int[Tensor, "*weights"], weight_bits: int, bits_per_cell: int
) -> Float[Tensor, "digit level"]:
    """Count how often each digit of the given unsigned codes holds each level.

    Args:
        codes: unsigned codes, 0 to ``2^M - 1``; at least one.
        weight_bits: M.
        bits_per_cell: K.
    """
    digits = encode_digits(codes=codes, weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    levels = torch.arange(1 << bits_per_cell, device=codes.device)
    flat = digits.reshape(-1, digits.shape[-1], 1)
    return (flat == levels).to(torch.float64).mean(0)


def weight_noise_std_by_level(
    *,
    max_weight: Real,
    level_sigma: Float[Tensor, "*batch level"],
    level_probability: Float[Tensor, "digit level"],
    weight_bits: int,
    bits_per_cell: int,
    differential: bool = False,
) -> PerDesign:
    """Return the root-mean-square noise of weights whose levels have different sigmas.

    Variance ``(2^K - 1)^2 sum_j 4^(jK) sum_l p_jl sigma_l^2``; in a differential pair the idle
    cell adds the variance of level 0.

    Args:
        max_weight: the weight of code ``2^M - 1``, ``*batch``.
        level_sigma: sigma of each level, relative to the range g_on - g_off.
        level_probability: share of weights whose digit j (most significant first) is at level l.
        weight_bits: M.
        bits_per_cell: K.
        differential: a pair of cells per digit.
    """
    significance = digit_significances(weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    variance = level_sigma.unsqueeze(-2) ** 2
    per_digit = (level_probability * variance).sum(-1)
    if differential:
        per_digit = per_digit + variance[..., 0]
    noise = ((1 << bits_per_cell) - 1) * torch.sqrt((significance**2 * per_digit).sum(-1))
    return real(max_weight) * noise / ((1 << weight_bits) - 1)


def code_noise_std_of(
    *,
    codes: Int[Tensor, "*weights"],
    level_sigma: Float[Tensor, " level"],
    weight_bits: int,
    bits_per_cell: int,
    differential: bool = False,
) -> Float[Tensor, "*weights"]:
    """Return the noise of each given code, in units of its last bit (U-SWIM's per-cell variance).

    Args:
        codes: unsigned, or signed for ``differential``.
        level_sigma: sigma of each level, relative to the range g_on - g_off.
        weight_bits: M.
        bits_per_cell: K.
        differential: a pair of cells per digit.

    Raises:
        ValueError: a code outside its range.
    """
    magnitude = codes.abs() if differential else codes
    digits = encode_digits(codes=magnitude, weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    variance = level_sigma[digits] ** 2
    if differential:
        variance = variance + level_sigma[0] ** 2
    squares = decode_digits(digits=variance, bits_per_cell=2 * bits_per_cell)
    return ((1 << bits_per_cell) - 1) * torch.sqrt(squares)


def sample_levels(
    *,
    digits: Int[Tensor, "*cells"],
    level_sigma: Float[Tensor, " level"],
    generator: torch.Generator,
    lowest_level: float | None = None,
) -> Float[Tensor, "*cells"]:
    """Program cells once and return the levels that they land on.

    Args:
        digits: target levels.
        level_sigma: sigma of each level, relative to the range g_on - g_off; its dtype and device
            are those of the result.
        generator: source of all randomness, on the device of ``level_sigma``.
        lowest_level: clip below it, for example at
            :func:`archsim.device.cell.zero_conductance_level`; ``None`` does not clip, which keeps
            the distribution Gaussian as in the closed forms.
    """
    top = level_sigma.shape[-1] - 1
    noise = torch.randn(
        digits.shape, generator=generator, dtype=level_sigma.dtype, device=level_sigma.device
    )
    landed = digits.to(level_sigma.dtype) + top * level_sigma[digits] * noise
    return landed if lowest_level is None else landed.clamp_min(lowest_level)


def sample_codes(
    *,
    codes: Int[Tensor, "*weights"],
    level_sigma: Float[Tensor, " level"],
    weight_bits: int,
    bits_per_cell: int,
    samples: int,
    generator: torch.Generator,
    differential: bool = False,
    lowest_level: float | None = None,
) -> Float[Tensor, " sample *weights"]:
    """Program every cell of the given codes and read the codes back, in units of the last bit.

    Samples are drawn one after the other, so that two calls of n and m samples on one generator
    give the same numbers as one call of n + m. Multiply by ``max_weight / (2^M - 1)`` for weights.

    Args:
        codes: unsigned, 0 to ``2^M - 1``; for ``differential`` signed, the sign choosing the cell.
        level_sigma: sigma of each level, relative to the range g_on - g_off.
        weight_bits: M.
        bits_per_cell: K.
        samples: Monte Carlo draws.
        generator: source of all randomness.
        differential: program a positive and a negative cell per digit.
        lowest_level: see :func:`sample_levels`.

    Raises:
        ValueError: a code outside its range, or ``level_sigma`` not of ``2^K`` entries.
    """
    if level_sigma.shape[-1] != 1 << bits_per_cell:
        raise ValueError(
            f"level_sigma has {level_sigma.shape[-1]} entries; expected {1 << bits_per_cell} for "
            f"bits_per_cell = {bits_per_cell}"
        )
    parts = [(1, codes)]
    if differential:
        parts = [(1, codes.clamp_min(0)), (-1, (-codes).clamp_min(0))]
    cells = [
        (sign, encode_digits(codes=part, weight_bits=weight_bits, bits_per_cell=bits_per_cell))
        for sign, part in parts
    ]
    draws = torch.zeros((samples, *codes.shape), dtype=level_sigma.dtype, device=level_sigma.device)
    for draw in draws:
        for sign, digits in cells:
            landed = sample_levels(
                digits=digits,
                level_sigma=level_sigma,
                generator=generator,
                lowest_level=lowest_level,
            )
            draw.add_(sign * decode_digits(digits=landed, bits_per_cell=bits_per_cell))
    return draws
