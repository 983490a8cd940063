"""Sweeps over devices some of which have measured levels: each point is what map gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.arch.design import DesignBatch
from archsim.errors import ConfigError
from tests.device.measured import measured_file
from tests.explore.space.pair_check import assert_as_resolved, box_of
from tests.explore.sweeps import space_of


def test_points_have_the_levels_of_their_device(tmp_path: Path) -> None:
    """With a device axis, bits per cell beside it; those that a table lacks are illegal."""
    devices = ["rram", measured_file(tmp_path)]
    axes = {"device": devices, "chip.precision.bits_per_cell": [1, 2]}
    space = space_of(axes, chip="rram-22nm-neurosim")
    assert_as_resolved(space, range(4))
    for point in range(4):
        resolved, design, _ = space.resolve(space.settings(point))
        one = DesignBatch.from_resolved(resolved, design)
        assert space.design(box_of(space, point))[1].cell_levels == one.cell_levels


def test_the_spread_of_a_table_is_no_axis(tmp_path: Path) -> None:
    """A sweep of device.sigma would change nothing, and is refused."""
    space = space_of(
        {"device.sigma": [0.05, 0.1]}, chip="rram-22nm-neurosim", device=measured_file(tmp_path)
    )
    with pytest.raises(ConfigError, match=r"device\.sigma"):
        space.design(box_of(space, 0))
