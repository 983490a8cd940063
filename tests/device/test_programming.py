from __future__ import annotations

import pytest
import torch

from archsim.device import (
    one_shot_distribution,
    programming_energy_J,
    programming_time_s,
    pulse_distribution,
    row_pulses,
)


def test_time_of_one_subarray_by_hand():
    """128 rows of 4 pulses of 10 ns and 4 reads of 5 ns."""
    time = programming_time_s(
        row_pulses=4,
        row_reads=4,
        rows=128,
        subarrays=1,
        parallel_subarrays=1,
        pulse_width_s=10e-9,
        verify_read_time_s=5e-9,
    )
    assert float(time) == pytest.approx(128 * 60e-9)


@pytest.mark.parametrize(("parallel", "rounds"), [(1, 10), (3, 4), (10, 1), (64, 1)])
def test_subarrays_are_written_in_rounds(parallel, rounds):
    time = programming_time_s(
        row_pulses=1,
        row_reads=0,
        rows=1,
        subarrays=10,
        parallel_subarrays=parallel,
        pulse_width_s=1.0,
        verify_read_time_s=1.0,
    )
    assert float(time) == rounds


def test_a_waiting_row_takes_longer_than_its_mean_cell():
    distribution = pulse_distribution(model="redraw", sigma=0.1, tolerance=0.04, max_pulses=30)
    waits, moves_on = row_pulses(
        distribution=distribution, cells_per_row=128, row_wait=torch.tensor([True, False])
    )
    assert float(moves_on) == pytest.approx(float(distribution.stats().write_pulses))
    assert float(waits) == pytest.approx(float(distribution.slowest_of(128)))
    assert waits > moves_on
    assert float(row_pulses(distribution=distribution, cells_per_row=0, row_wait=False)) == 0


def test_one_shot_rows_take_one_pulse():
    assert float(row_pulses(distribution=one_shot_distribution(sigma=0.1), cells_per_row=128)) == 1


def test_energy_by_hand_and_batched():
    energy = programming_energy_J(
        cells=torch.tensor([1.0, 1000.0]),
        write_pulses=10,
        verify_reads=9,
        write_energy_J=0.6e-12,
        verify_read_energy_J=0.1e-12,
    )
    assert energy.tolist() == pytest.approx([6.9e-12, 6.9e-9])
