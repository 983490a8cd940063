"""What selective write-verify costs: pulses, reads and time, from the pulse distribution of a cell.

A row of a crossbar is written in parallel and waits for the slowest of its verified cells; with
cells of several classes (sigmas) its pulses are ``E[max] = sum_k 1 - prod_c F_c(k)^n_c``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.device import PulseDistribution
from archsim.errors import Code, ConfigError
from tsb.cells.weight_cells import CellModel, WeightCells
from tsb.write_verify.selective import Tiling


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
        row_pulses: pulses of all rows of all subarrays, one row after the other, each waiting for
            its slowest verified cell; None without a tiling.
        row_reads: verify reads of all rows, one per pulse of a row with verified cells.
    """

    weights: int
    verified_weights: int
    write_pulses: float
    verify_reads: float
    normalised_pulses: float
    verify_cycles: float
    row_pulses: float | None = None
    row_reads: float | None = None

    def time_s(
        self, *, pulse_width_s: float, verify_read_time_s: float, parallel_subarrays: int = 1
    ) -> float:
        """Return the time to write, s, with subarrays in parallel as far as they go round.

        Args:
            pulse_width_s: duration of a write pulse, s.
            verify_read_time_s: duration of the verify read of a row, s.
            parallel_subarrays: subarrays written at a time, at most those in use.

        Raises:
            ConfigError: the effort was computed without a tiling.
        """
        if self.row_pulses is None or self.row_reads is None:
            raise ConfigError(
                "the time needs rows: give write_effort a tiling",
                code=Code.MISSING_KEY,
                field="tiling",
            )
        busy = self.row_pulses * pulse_width_s + self.row_reads * verify_read_time_s
        return busy / parallel_subarrays


def write_effort(
    masks: Mapping[str, Tensor],
    cells: Mapping[str, WeightCells],
    cell: CellModel,
    tiling: Tiling | None = None,
) -> WriteEffort:
    """Compute the expected effort of a choice.

    Args:
        masks: True where a weight is verified, by name; or a flag per cell.
        cells: of the same tensors, from :func:`tsb.cells.weight_cells.weight_cells`.
        cell: the device.
        tiling: how the matrices lie on crossbars; None leaves the rows out.
    """
    distribution = cell.pulse_distribution()
    cell_masks = {name: cells[name].verified_cells(mask) for name, mask in masks.items()}
    written = sum(mask.numel() for mask in cell_masks.values())
    verified = sum(int(mask.sum()) for mask in cell_masks.values())
    checked = sum(float(cells[name].pulses_of(mask).sum()) for name, mask in masks.items())
    everything = sum(float(cells[name].pulses.sum()) for name in masks)
    pulses = checked + (written - verified)
    rows = [
        _rows(mask, cells[name], distribution, tiling)
        for name, mask in cell_masks.items()
        if tiling
    ]
    return WriteEffort(
        weights=written // cell.cells_per_weight,
        verified_weights=sum(int(mask.any(-1).sum()) for mask in cell_masks.values()),
        write_pulses=pulses,
        verify_reads=checked,
        normalised_pulses=pulses / everything,
        verify_cycles=checked / everything,
        row_pulses=sum(p for p, _ in rows) if tiling else None,
        row_reads=sum(r for _, r in rows) if tiling else None,
    )


def slowest_of_classes(
    distribution: PulseDistribution, counts: Float[Tensor, "group kind"]
) -> Float[Tensor, " group"]:
    """Return the expected pulses of the slowest cell of groups of independent cells.

    Args:
        distribution: pulses of a cell of each class, ``kind``.
        counts: cells of each class in each group; a group without cells takes 0 pulses.
    """
    smallest = torch.finfo(torch.float64).tiny  # a cell that cannot be done yet: log of 0
    done = torch.log((1 - distribution.survival).clamp_min(smallest))
    return (1 - torch.exp(counts.double() @ done)).sum(-1)


def _rows(
    mask: Tensor, cells: WeightCells, distribution: PulseDistribution, tiling: Tiling | None
) -> tuple[float, float]:
    """Return pulses and reads of all rows of one tensor; a row without verified cells takes one.

    Args:
        mask: a flag per cell.
        cells: of the tensor.
        distribution: of the classes of cells.
        tiling: how the matrix lies on crossbars.
    """
    if tiling is None:
        return 0.0, 0.0
    kinds = distribution.survival.shape[0]
    row = tiling.cell_rows(cells.spread.shape)
    rows = int(row.max()) + 1
    place = (row * kinds + cells.classes)[mask]
    counts = place.bincount(minlength=rows * kinds).view(rows, kinds).double()
    pulses = slowest_of_classes(distribution, counts)
    return float(pulses.clamp_min(1.0).sum()), float(pulses.sum())
