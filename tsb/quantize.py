"""Weights as they can be stored: symmetric codes of M bits, and the gradient straight through.

A weight is a sign and a magnitude code, ``|w| = max|W| / (2^M - 1) code``: the convention of
:mod:`tsb.weight_cells` (M bits for the magnitude, the sign apart), so that a trained weight is
exactly what the cells are asked to hold. Straight-through gradients: Bengio, Léonard & Courville,
arXiv 1308.3432.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from archsim.errors import ConfigError

#: Finest codes: float32 has no more significant bits.
MAX_WEIGHT_BITS = 24


def mapped_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that lie on crossbars, by parameter name, in order of definition.

    Those of all convolutions and linear layers, each once however often it is used; biases and
    batch norms are digital.

    Args:
        model: the network.
    """
    layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    owners = {id(m.weight) for m in model.modules() if isinstance(m, layers)}
    return {name: p for name, p in model.named_parameters() if id(p) in owners}


def check_weight_bits(weight_bits: int) -> None:
    """Check the number of bits.

    Raises:
        ConfigError: outside 1 to 24.
    """
    if not 1 <= weight_bits <= MAX_WEIGHT_BITS:
        raise ConfigError(f"weight_bits = {weight_bits}; allowed: 1 to {MAX_WEIGHT_BITS}")


def quantise(weight: Float[Tensor, "*weights"], weight_bits: int = 8) -> Float[Tensor, "*weights"]:
    """Round to the nearest code; no gradient. The largest weight and zero stay as they are.

    Args:
        weight: one tensor, with its own ``max|W|``; an all-zero one stays zero.
        weight_bits: M.

    Raises:
        ConfigError: ``weight_bits`` outside 1 to 24.
    """
    check_weight_bits(weight_bits)
    weight = weight.detach()
    if not weight.numel():
        return weight.clone()
    step = weight.abs().amax() / ((1 << weight_bits) - 1)
    return torch.where(step > 0, torch.round(weight / step) * step, weight)


def fake_quantise(
    weight: Float[Tensor, "*weights"], weight_bits: int = 8
) -> Float[Tensor, "*weights"]:
    """Round to the nearest code; the gradient passes as if nothing had been rounded.

    Args:
        weight: see :func:`quantise`.
        weight_bits: M.

    Raises:
        ConfigError: ``weight_bits`` outside 1 to 24.
    """
    # The bracket is exactly zero: the value is that of the code, the gradient one.
    return quantise(weight, weight_bits) + (weight - weight.detach())


def quantised_weights(weights: Mapping[str, Tensor], weight_bits: int = 8) -> dict[str, Tensor]:
    """Return every tensor rounded to its codes: what is to be programmed.

    Args:
        weights: by name, for example :func:`mapped_weights`.
        weight_bits: M.

    Raises:
        ConfigError: ``weight_bits`` outside 1 to 24.
    """
    return {name: quantise(weight, weight_bits) for name, weight in weights.items()}
