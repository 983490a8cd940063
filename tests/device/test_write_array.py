from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.device import WriteArray, programming_time_s
from archsim.device.write_array import crossbar_times_s, raise_row_reads, schedule_s
from archsim.errors import ConfigError
from tests.device.monte_carlo import seeded
from tests.refusals import refused


@pytest.mark.parametrize("cols", [1, 3, 8, 100])
def test_row_reads_are_those_of_a_loop_over_cells(cols):
    outputs, inputs, wide = 5, 4, 6
    reads = torch.randint(0, 50, (outputs, inputs, wide), generator=seeded()).float()
    groups = WriteArray(rows=8, cols=cols).groups(outputs * wide)
    expected = torch.zeros(-(-outputs * wide // cols), inputs)
    for o, i, c in torch.cartesian_prod(*map(torch.arange, reads.shape)).tolist():
        strip = (o * wide + c) // cols
        expected[strip, i] = max(float(expected[strip, i]), float(reads[o, i, c]))
    found = torch.zeros_like(expected)
    for top, left in ((0, 0), (0, 3), (2, 0), (2, 3)):
        place = slice(top, 2 if top == 0 else 5), slice(left, 3 if left == 0 else 4)
        raise_row_reads(found, reads[place], place, groups=groups)
    assert torch.equal(found, expected)


def test_time_of_crossbars_by_hand():
    """Rows of 3, 0 and 5 reads on crossbars of two rows: 3 + 1 and 5 pulses."""
    times = crossbar_times_s(
        torch.tensor([[3.0, 0.0, 5.0]]),
        groups=WriteArray(rows=2, cols=8).groups(8),
        rows=2,
        pulse_width_s=10.0,
        verify_read_time_s=1.0,
    )
    assert times.tolist() == [3 * 11 + 10, 5 * 11]


def test_groups_of_a_row_follow_one_another():
    """11 columns on crossbars of 8, 3 at a time: 3, 3, 2 and 3; each waits for its slowest cell."""
    groups = WriteArray(rows=2, cols=8, cells_at_once=3).groups(11)
    assert [tuple(group) for group in groups] == [(0, 0, 3), (0, 3, 6), (0, 6, 8), (1, 8, 11)]
    times = crossbar_times_s(
        torch.tensor([[4.0], [0.0], [2.0], [3.0]]),
        groups=groups,
        rows=2,
        pulse_width_s=10.0,
        verify_read_time_s=1.0,
    )
    assert times.tolist() == [44 + 10 + 22, 33]


def test_kernel_pixels_have_crossbars_of_their_own():
    """Three channels of two pixels, 10 to 15 reads: channels 0 and 1 of a pixel, then channel 2."""
    times = crossbar_times_s(
        torch.arange(10.0, 16.0).view(1, 6),
        groups=WriteArray(rows=2, cols=8).groups(8),
        rows=2,
        pulse_width_s=1.0,
        verify_read_time_s=0.0,
        pixels=2,
    )
    assert times.tolist() == [10 + 12, 11 + 13, 14, 15]
    array = WriteArray(rows=2, cols=8, kernel_layers=frozenset({"conv"}))
    shape = torch.Size((4, 3, 5, 2))
    assert (array.pixels("conv", shape), array.pixels("other", shape)) == (10, 1)


@pytest.mark.parametrize(("parallel", "time"), [(1, 20.0), (2, 11.0), (3, 7.0), (4, 6.0), (9, 6.0)])
def test_schedule_by_hand(parallel, time):
    """Two drivers: 6, 3, 2 and 5, 4, though 10 would do; three: 6, and 5 then 2, and 4 then 3.

    In the order given, with the longest last, two drivers would take 12.
    """
    times = torch.tensor([2.0, 3.0, 4.0, 5.0, 6.0])
    assert schedule_s(times, parallel=parallel) == time


@pytest.mark.parametrize("parallel", [2, 3, 4])
def test_worst_schedule_of_the_longest_first(parallel):
    """Two crossbars of each of 2 m - 1 down to m + 1 and three of m: 4 m - 1, best is 3 m."""
    sizes = [n for n in range(2 * parallel - 1, parallel, -1) for _ in range(2)] + [parallel] * 3
    times = torch.tensor(sizes, dtype=torch.float64)
    assert schedule_s(times, parallel=parallel) == 4 * parallel - 1
    assert schedule_s(times.flip(0), parallel=parallel) == 4 * parallel - 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=7), st.integers(1, 4))
def test_no_schedule_is_more_than_a_third_shorter(sizes, parallel):
    found = schedule_s(torch.tensor(sizes, dtype=torch.float64), parallel=parallel)
    best = min(
        max(sum(s for s, p in zip(sizes, place, strict=True) if p == d) for d in range(parallel))
        for place in itertools.product(range(parallel), repeat=len(sizes))
    )
    assert best <= found <= (4 / 3 - 1 / (3 * parallel)) * best * (1 + 1e-12)


@pytest.mark.parametrize("parallel", [1, 3, 10, 64])
def test_equal_crossbars_take_the_time_of_the_closed_form(parallel):
    times = crossbar_times_s(
        torch.full((10, 7), 4.0),
        groups=WriteArray(rows=7, cols=1).groups(10),
        rows=7,
        pulse_width_s=10e-9,
        verify_read_time_s=5e-9,
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


@pytest.mark.parametrize("key", ["rows", "cols", "parallel_subarrays", "cells_at_once"])
def test_empty_arrays_are_refused(key):
    with refused(ConfigError, code="out-of-range", field=key, value=0, allowed="1 or more"):
        WriteArray(**({"rows": 8, "cols": 8} | {key: 0}))
