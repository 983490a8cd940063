"""Weights as they can be stored: symmetric codes of M bits.

A weight is a sign and a magnitude code, ``|w| = max|W| / (2^M - 1) code``: the convention of
:mod:`tsb.cells.weight_cells` (M bits for the magnitude, the sign apart), so that a trained weight
is exactly what the cells are asked to hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.config.choices import SCALINGS
from archsim.errors import Code, ConfigError

#: Finest codes: float32 has no more significant bits.
MAX_WEIGHT_BITS = 24


def check_weight_bits(weight_bits: int) -> None:
    """Check the number of bits.

    Raises:
        ConfigError: outside 1 to 24.
    """
    if not 1 <= weight_bits <= MAX_WEIGHT_BITS:
        raise ConfigError.of(
            Code.OUT_OF_RANGE, "weight_bits", weight_bits, allowed=f"1 to {MAX_WEIGHT_BITS}"
        )


def weight_range(weight: Float[Tensor, "*weights"], scaling: str = "tensor") -> Tensor:
    """Return the largest magnitude, which the largest code stands for; broadcasts to the weight.

    Args:
        weight: one tensor, output channels first; no gradient.
        scaling: one of :data:`SCALINGS`.

    Raises:
        ConfigError: an unknown scaling.
    """
    if scaling not in SCALINGS:
        raise ConfigError(
            f"scaling = '{scaling}'; allowed: {', '.join(SCALINGS)}",
            code=Code.UNKNOWN_NAME,
            field="scaling",
            value=scaling,
            allowed=SCALINGS,
        )
    magnitude = weight.detach().abs()
    if not weight.numel() or not weight.dim():
        return magnitude.sum()
    if scaling == "tensor":
        return magnitude.amax()
    return magnitude.flatten(1).amax(1).view(-1, *(1 for _ in weight.shape[1:]))


def full_scale(weight: Tensor, scaling: str) -> Tensor:
    """Return the weight that full scale stands for; 1 where all weights are 0.

    Args:
        weight: one tensor, output channels first.
        scaling: see :func:`weight_range`.
    """
    largest = weight_range(weight, scaling)
    return torch.where(largest > 0, largest, torch.ones_like(largest))


def quantise(
    weight: Float[Tensor, "*weights"], weight_bits: int = 8, scaling: str = "tensor"
) -> Float[Tensor, "*weights"]:
    """Round to the nearest code; no gradient. The largest weight and zero stay as they are.

    Args:
        weight: one tensor, with its own ``max|W|``; an all-zero one stays zero.
        weight_bits: M.
        scaling: see :func:`weight_range`.

    Raises:
        ConfigError: ``weight_bits`` outside 1 to 24, or an unknown scaling.
    """
    check_weight_bits(weight_bits)
    weight = weight.detach()
    step = weight_range(weight, scaling) / ((1 << weight_bits) - 1)
    return torch.where(step > 0, torch.round(weight / step) * step, weight)


def quantised_weights(
    weights: Mapping[str, Tensor], weight_bits: int = 8, scaling: str = "tensor"
) -> dict[str, Tensor]:
    """Return every tensor rounded to its codes: what is to be programmed.

    Args:
        weights: by name, for example :func:`tsb.cells.stored.mapped_weights`.
        weight_bits: M.
        scaling: see :func:`weight_range`.

    Raises:
        ConfigError: ``weight_bits`` outside 1 to 24, or an unknown scaling.
    """
    return {name: quantise(weight, weight_bits, scaling) for name, weight in weights.items()}
