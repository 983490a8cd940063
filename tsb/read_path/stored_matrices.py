"""A layer's codes cut into cells, one matrix per group of channels."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.device import WeightFormat
from tsb.read_path.layer import Layer
from tsb.read_path.matrix import StoredMatrix


def stored_matrices(
    module: Layer, codes: Tensor, form: WeightFormat, errors: Tensor | None = None
) -> list[StoredMatrix]:
    """Cut the codes of a layer into cells, one matrix per group of channels.

    Args:
        module: the layer.
        codes: signed, outputs first.
        form: bits and encoding.
        errors: of cells in levels, shaped as the weights, then side and digit; None for none.
    """
    count = module.groups if isinstance(module, nn.Conv2d) else 1
    wrong: list[Tensor | None] = [None] * count
    if errors is not None:
        wrong = [part.flatten(1, -3).transpose(0, 1) for part in errors.chunk(count)]
    return [
        StoredMatrix.of_codes(part.flatten(1).T, form, part_wrong)
        for part, part_wrong in zip(codes.chunk(count), wrong, strict=True)
    ]
