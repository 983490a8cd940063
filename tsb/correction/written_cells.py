"""Parameters of corrections on the cells of a chip: codes, scale, and the error of every cell."""

from __future__ import annotations

import torch
from torch import Tensor

from tsb.correction.block_read import BlockCells
from tsb.program.cell_errors import cell_errors, stored_codes
from tsb.program.storage import WeightStorage


def cells_of(
    wanted: Tensor,
    held: Tensor | None,
    storage: WeightStorage,
    verified: Tensor,
    generator: torch.Generator | None,
) -> BlockCells:
    """Return the cells of one parameter.

    Args:
        wanted: what the cells were asked for.
        held: what they hold; None for cells without errors.
        storage: how it is put on cells.
        verified: mask of its write-verified weights.
        generator: divides the error of a weight among its cells; on the CPU.
    """
    targets = {"parameter": wanted}
    codes, scales = stored_codes(targets, storage)
    ideal = BlockCells(codes["parameter"], scales["parameter"])
    if held is None or generator is None:
        return ideal
    masks = {"parameter": verified}
    errors = cell_errors({"parameter": held}, targets, masks, storage, generator)
    return BlockCells(ideal.codes, ideal.scale, errors["parameter"])
