"""Time and energy of writing an array, from the pulses of a cell.

The cells of a row are written in parallel, rows one after the other, subarrays in parallel up to a
limit (power of the write drivers). Each subarray goes on at its own pace; the small spread between
subarrays, sums over many rows, is neglected.
"""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.device.cell import Real, real
from archsim.device.write_verify import PulseDistribution
from archsim.shapes import PerDesign


def row_pulses(
    *, distribution: PulseDistribution, cells_per_row: Real, row_wait: Tensor | bool = True
) -> PerDesign:
    """Return the pulses for which a row occupies its drivers, on average.

    Args:
        distribution: pulses of one cell, ``*batch``.
        cells_per_row: cells written in parallel, ``*batch``.
        row_wait: the row waits for its slowest cell; else (drivers move on) the mean of a cell.
    """
    mean = torch.where(real(cells_per_row) > 0, distribution.survival.sum(-1), 0.0)
    return torch.where(torch.as_tensor(row_wait), distribution.slowest_of(cells_per_row), mean)


def programming_time_s(
    *,
    row_pulses: Real,
    row_reads: Real,
    rows: Real,
    subarrays: Real,
    parallel_subarrays: Real,
    pulse_width_s: Real,
    verify_read_time_s: Real,
) -> PerDesign:
    """Return the time to write equal subarrays, s.

    Args:
        row_pulses: pulses per row, from :func:`row_pulses`.
        row_reads: verify reads per row: ``row_pulses``, or 0 without verification.
        rows: used rows per subarray.
        subarrays: subarrays to write.
        parallel_subarrays: subarrays written at the same time, at least 1.
        pulse_width_s: duration of a write pulse, s.
        verify_read_time_s: duration of the verify read of a whole row, s.
    """
    rounds = torch.ceil(real(subarrays) / real(parallel_subarrays))
    per_row = real(row_pulses) * real(pulse_width_s) + real(row_reads) * real(verify_read_time_s)
    return rounds * real(rows) * per_row


def programming_energy_J(
    *,
    cells: Real,
    write_pulses: Real,
    verify_reads: Real,
    write_energy_J: Real,
    verify_read_energy_J: Real,
) -> PerDesign:
    """Return the energy to write cells, J: a cell that is done takes no further pulse.

    Args:
        cells: cells to write.
        write_pulses: mean pulses per cell.
        verify_reads: mean verify reads per cell.
        write_energy_J: energy of one pulse on one cell, J.
        verify_read_energy_J: energy of one verify read of one cell, J.
    """
    per_cell = real(write_pulses) * real(write_energy_J)
    per_cell = per_cell + real(verify_reads) * real(verify_read_energy_J)
    return real(cells) * per_cell
