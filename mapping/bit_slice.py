"""Bit slicing: how many adjacent columns one weight takes."""

from __future__ import annotations

from torch import Tensor

from archsim.arch.design import DesignBatch


def matrix_columns(*, design: DesignBatch, weights_wide: Tensor) -> Tensor:
    """Return the cells per row of a matrix ``weights_wide`` weights wide, ``*batch layer``.

    Each weight is cut into ceil(M / K) digits of K bits in adjacent columns; encodings with two
    sides have a positive and a negative column per digit (:mod:`archsim.config.encodings`).

    Args:
        design: ``*batch``.
        weights_wide: weights per matrix row, ``*batch layer``.
    """
    return weights_wide * design.columns_per_weight.unsqueeze(-1)
