"""Measured levels in the cost engine: energy of reads, pulses of writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.cost.activity import level_statistics
from archsim.cost.bank import bank_macro
from archsim.cost.component.column_read import branch_moments
from archsim.cost.component.crossbar import crossbar
from archsim.device import LevelTable, pulse_distribution
from archsim.errors import ConfigError
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price
from tests.device.measured import MEANS, SIGMAS, measured_file

TABLE = make_table(Conv(size=1, inputs=200, outputs=48))
CHIP = "rram-22nm-neurosim"
#: The silicon cost model with a cell current that follows from the conductances.
SILICON = (
    "chip.cost_model=silicon",
    "chip.hierarchy.kernel_per_pe=false",
    "chip.read.sense_time={value: 5, unit: ns, source: assumed}",
)


def designed(*settings: str, device: str = "rram") -> DesignBatch:
    """One design without copies."""
    return make_design("chip.hierarchy.duplication=none", *settings, chip=CHIP, device=device)


def moments_of(design: DesignBatch) -> tuple[float, float]:
    """First two moments of the conductance of a row."""
    found = branch_moments(
        design=design,
        array=crossbar(design=design),
        levels=level_statistics(design=design),
        rows_used=torch.tensor([128.0], dtype=torch.float64),
        cols_used=torch.tensor([128.0], dtype=torch.float64),
    )
    return float(found.mean_S), float(found.square_S2)


def priced(*settings: str, device: str = "rram") -> CostBreakdown:
    """The one layer."""
    return price(designed(*settings, device=device), TABLE)[1]


def test_levels_along_a_line_are_a_device_of_another_range(tmp_path: Path) -> None:
    """Means 0.1 + 0.8 l / 3 are the equal steps of a device of other resistances, exactly."""
    means = [0.1 + 0.8 * level / 3 for level in range(4)]
    mine = designed(*SILICON, device=measured_file(tmp_path, means=means, sigmas=SIGMAS))
    off, on = 1 / 1700.0, 1 / 100.0
    low, high = (1 / (off + share * (on - off)) for share in (0.1, 0.9))
    access = float(mine.access_ratio) * 100.0 / high
    settings = (f"device.r_on={high}", f"device.r_off={low}")
    other = designed(*SILICON, *settings, f"chip.read.access_resistance_ratio={access}")
    for one, same in zip(moments_of(mine), moments_of(other), strict=True):
        assert one == near(same)
    current = bank_macro(design=mine).cell_current_A
    assert float(current) == near(float(bank_macro(design=other).cell_current_A))


@pytest.mark.parametrize("settings", [(), SILICON], ids=["neurosim", "silicon"])
def test_higher_levels_take_more_energy(tmp_path: Path, settings: tuple[str, ...]) -> None:
    """With either cost model; spreads alone cost nothing to read."""
    tables = ([0.0, 0.1, 0.2, 0.3], [0.0, 1 / 3, 2 / 3, 1.0], [0.7, 0.8, 0.9, 1.0])
    devices = [measured_file(tmp_path / str(i), means=means) for i, means in enumerate(tables)]
    energies = [float(priced(*settings, device=file).dynamic_energy_J) for file in devices]
    assert energies == sorted(energies)
    assert energies[0] < energies[2]
    assert energies[1] == near(float(priced(*settings).dynamic_energy_J))


def test_statistics_hold_the_measured_means(tmp_path: Path) -> None:
    """Of every design of a batch, the levels of its own bits per cell."""
    design = designed(device=measured_file(tmp_path))
    both = design.replace(bits_per_cell=torch.tensor([1.0, 2.0]))
    level = level_statistics(design=both).level
    assert level[1].tolist() == pytest.approx(list(MEANS))
    assert level[0, :2].tolist() == pytest.approx([MEANS[0], MEANS[3]])


@pytest.mark.parametrize("pair", [False, True])
def test_pulses_are_those_of_all_levels(tmp_path: Path, pair: bool) -> None:
    """The mean over equally likely levels, and an idle cell at level 0 beside each in a pair."""
    encoding = "separate-sign" if pair else "offset"
    settings = ("chip.programming.policy=all", f"chip.precision.encoding={encoding}")
    device = measured_file(tmp_path)
    design = designed(*settings, device=device)
    table = design.cell_levels
    assert table is not None
    pulses = (
        pulse_distribution(
            model="incremental",
            sigma=torch.tensor(table.sigmas, dtype=torch.float64),
            mean=torch.tensor(table.biases, dtype=torch.float64),
            tolerance=design.write_tolerance,
            max_pulses=design.max_pulses,
            step_gain=design.step_gain,
            step_sigma=design.step_sigma,
        )
        .stats()
        .write_pulses
    )
    expected = pulses.mean()
    if pair:
        expected = (expected + pulses[0]) / 2
    cost = priced(*settings, device=device)
    cells = 200 * 48 * float(design.columns_per_weight)
    assert float(cost.programming.write_pulses) / cells == pytest.approx(float(expected), rel=1e-6)


def test_rows_of_a_batch_are_single_designs(tmp_path: Path) -> None:
    """Designs with other bits per cell in one batch cost what each costs alone."""
    device = measured_file(tmp_path)
    alone = [
        designed(
            "chip.programming.policy=all", f"chip.precision.bits_per_cell={bits}", device=device
        )
        for bits in (1, 2)
    ]
    both = price(DesignBatch.stack(alone), TABLE)[1]
    for place, design in enumerate(alone):
        one = price(design, TABLE)[1]
        assert both.dynamic_energy_J[place] == near(float(one.dynamic_energy_J))
        assert both.programming.write_pulses[place] == near(float(one.programming.write_pulses))


def test_a_batch_has_one_table(tmp_path: Path) -> None:
    """Designs of devices with and without levels are refused as one batch, by name."""
    mine = designed(device=measured_file(tmp_path))
    assert isinstance(mine.cell_levels, LevelTable)
    with pytest.raises(ConfigError, match=r"device\.levels"):
        DesignBatch.stack([mine, designed()])
