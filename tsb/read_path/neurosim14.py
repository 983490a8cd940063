"""The quantised product of DNN+NeuroSim V1.4, for comparison alone.

Its converter spans the sums of the batch that is read, so that an image's result depends on the
others; and it rounds down, so that results are biased, and floating-point rounding decides which
code a sum on an edge gets: float32, in this order. Written from a description of its formula.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Bits of its weights and inputs.
_BITS = 8


def neurosim14_product(
    weights: Float[Tensor, "output row"],
    inputs: Int[Tensor, "vector row"],
    *,
    bits_per_cell: int,
    adc_bits: int,
    on_off_ratio: float,
    rows: int,
) -> Float[Tensor, "vector output"]:
    """Return the product of inputs / 255 and weights as that tool reads it.

    Args:
        weights: -1 to 1.
        inputs: codes, 0 to 255; the whole batch.
        bits_per_cell: of the cells.
        adc_bits: of the converters.
        on_off_ratio: of the cells.
        rows: of an array; rows beyond a multiple of it are left out, as there.
    """
    top, low = (1 << bits_per_cell) - 1, 1 / on_off_ratio
    codes = torch.round((2**_BITS - 1) / 2 * (weights.float() + 1)).long()
    total = torch.zeros(len(inputs), len(weights))
    for at in range(0, weights.shape[1] // rows * rows, rows):
        here = slice(at, at + rows)
        for plane in range(_BITS):
            driven = ((inputs[:, here].long() >> plane) & 1).float()
            for shift in range(0, _BITS, bits_per_cell):
                levels = ((codes[:, here] >> shift) & top).float()
                cells = (1 - low) * levels + top * low
                dummy = torch.full_like(cells, top * (1 + low) / 2)
                read = _converted(driven @ cells.T, adc_bits)
                beside = _converted(driven @ dummy.T, adc_bits)
                total += (read - beside) * 2.0**plane * float(1 << shift)
    return total / (1 - low) / 2.0 ** (2 * _BITS - 1)


def _converted(sums: Tensor, bits: int) -> Tensor:
    """Round down to one of ``2^bits`` steps between the smallest and the largest sum."""
    smallest, largest = sums.min(), sums.max()
    step = (largest - smallest) * 2.0**-bits
    if step == 0:
        return sums
    return torch.floor((sums - smallest) / step).clamp(0, 2**bits - 1) * step + smallest
