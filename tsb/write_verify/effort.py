"""What selective write-verify costs: pulses and reads, from the pulse distribution of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tsb.cells.weight_cells import CellModel, WeightCells


@dataclass(frozen=True, kw_only=True)
class WriteEffort:
    """Expected effort of programming a network once.

    Attributes:
        weights: all weights.
        verified_weights: weights of which at least one cell is write-verified.
        write_pulses: pulses of all cells; a cell that is not verified takes one.
        verify_reads: reads; one per pulse of a verified cell.
        verify_cycles: pulses of the verified cells alone over those of verifying everything: the
            normalised write cycles of SWIM, 0 without verification.
        normalised_pulses: all ``write_pulses``, the one of each cell that is not verified included,
            over those of verifying everything; not 0 without verification.
    """

    weights: int
    verified_weights: int
    write_pulses: float
    verify_reads: float
    normalised_pulses: float
    verify_cycles: float


def write_effort(
    masks: Mapping[str, Tensor],
    cells: Mapping[str, WeightCells],
    cell: CellModel,
) -> WriteEffort:
    """Compute the expected effort of a choice.

    Args:
        masks: True where a weight is verified, by name; or a flag per cell.
        cells: of the same tensors, from :func:`tsb.cells.weight_cells.weight_cells`.
        cell: the device.
    """
    cell_masks = {name: cells[name].verified_cells(mask) for name, mask in masks.items()}
    written = sum(mask.numel() for mask in cell_masks.values())
    verified = sum(int(mask.sum()) for mask in cell_masks.values())
    checked = sum(float(cells[name].pulses_of(mask).sum()) for name, mask in masks.items())
    everything = sum(float(cells[name].pulses.sum()) for name in masks)
    pulses = checked + (written - verified)
    return WriteEffort(
        weights=written // cell.cells_per_weight,
        verified_weights=sum(int(mask.any(-1).sum()) for mask in cell_masks.values()),
        write_pulses=pulses,
        verify_reads=checked,
        normalised_pulses=pulses / everything,
        verify_cycles=checked / everything,
    )
