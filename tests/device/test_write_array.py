from __future__ import annotations

import pytest
import torch

from archsim.device import WriteArray, programming_time_s
from archsim.device.write_array import crossbar_times_s, raise_row_reads, schedule_s
from archsim.errors import ConfigError
from tests.device.monte_carlo import seeded


@pytest.mark.parametrize("side_apart", [False, True])
@pytest.mark.parametrize("cols", [1, 3, 8, 100])
def test_row_reads_are_those_of_a_loop_over_cells(side_apart, cols):
    outputs, inputs, sides, slices = 5, 4, 2, 3
    reads = torch.randint(0, 50, (outputs, inputs, sides, slices), generator=seeded()).float()
    planes, wide = (2, slices) if side_apart else (1, sides * slices)
    expected = torch.zeros(planes, -(-outputs * wide // cols), inputs)
    for o, i, s, j in torch.cartesian_prod(*map(torch.arange, reads.shape)).tolist():
        plane = s if side_apart else 0
        column = o * wide + (j if side_apart else s * slices + j)
        held = expected[plane, column // cols, i]
        expected[plane, column // cols, i] = max(float(held), float(reads[o, i, s, j]))
    found = torch.zeros_like(expected)
    for top, left in ((0, 0), (0, 3), (2, 0), (2, 3)):
        place = slice(top, 2 if top == 0 else 5), slice(left, 3 if left == 0 else 4)
        raise_row_reads(found, reads[place], place, cols=cols, side_apart=side_apart)
    assert torch.equal(found, expected)


def test_time_of_crossbars_by_hand():
    """Rows of 3, 0 and 5 reads on crossbars of two rows: 3 + 1 and 5 pulses."""
    times = crossbar_times_s(
        torch.tensor([[[3.0, 0.0, 5.0]]]), rows=2, pulse_width_s=10.0, verify_read_time_s=1.0
    )
    assert times.tolist() == [3 * 11 + 10, 5 * 11]


def test_kernel_pixels_have_crossbars_of_their_own():
    """Three channels of two pixels, 10 to 15 reads: channels 0 and 1 of a pixel, then channel 2."""
    times = crossbar_times_s(
        torch.arange(10.0, 16.0).view(1, 1, 6),
        rows=2,
        pulse_width_s=1.0,
        verify_read_time_s=0.0,
        pixels=2,
    )
    assert times.tolist() == [10 + 12, 11 + 13, 14, 15]
    array = WriteArray(rows=2, cols=8, kernel_layers=frozenset({"conv"}))
    shape = torch.Size((4, 3, 5, 2))
    assert (array.pixels("conv", shape), array.pixels("other", shape)) == (10, 1)


@pytest.mark.parametrize(("parallel", "time"), [(1, 14.0), (2, 9.0), (3, 8.0), (4, 7.0), (9, 7.0)])
def test_schedule_by_hand(parallel, time):
    """Two drivers: 2 then 7, and 1 then 4; three: 2, 1 then 7, and 4."""
    assert schedule_s(torch.tensor([2.0, 1.0, 4.0, 7.0]), parallel=parallel) == time


@pytest.mark.parametrize("parallel", [1, 3, 10, 64])
def test_equal_crossbars_take_the_time_of_the_closed_form(parallel):
    times = crossbar_times_s(
        torch.full((1, 10, 7), 4.0), rows=7, pulse_width_s=10e-9, verify_read_time_s=5e-9
    )
    closed = programming_time_s(
        row_pulses=4,
        row_reads=4,
        rows=7,
        subarrays=10,
        parallel_subarrays=parallel,
        pulse_width_s=10e-9,
        verify_read_time_s=5e-9,
    )
    assert schedule_s(times, parallel=parallel) == pytest.approx(float(closed), rel=1e-12)


def test_nothing_takes_no_time():
    assert schedule_s(torch.zeros(0), parallel=4) == 0


@pytest.mark.parametrize("key", ["rows", "cols", "parallel_subarrays"])
def test_empty_arrays_are_refused(key):
    with pytest.raises(ConfigError, match=f"{key} = 0; allowed: 1 or more"):
        WriteArray(**({"rows": 8, "cols": 8} | {key: 0}))
