"""External DRAM against the currents of data sheets, published energies, and its laws."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.memory.dram import Transfer, read, write
from tests.designs import make_design

#: Published energies of whole accesses, pJ/bit: memory, bits read per row, and the value.
#: O'Connor et al. (MICRO 2017): HBM2 with 94 bytes of each row. Ha (Stanford 2018): LPDDR4 at 13
#: to 14 at little locality. Horowitz (ISSCC 2014): DDR of 2014, 1.3 to 2.6 nJ per 64 bits.
PUBLISHED = {"hbm2": (751.0, 3.92), "lpddr4": (512.0, 13.5), "ddr4": (4096.0, 20.0)}
#: How far off a published value may be; that of HBM2 is where its constants are from.
FACTORS = {"hbm2": 1.01, "lpddr4": 1.5, "ddr4": 1.5}


def chip(memory: str, *more: str) -> DesignBatch:
    return make_design(f"chip.off_chip.memory={memory}", *more)


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def moved(memory: str, bits: float) -> Transfer:
    return read(design=chip(memory), bits=number(bits))


#: Per 16-bit channel of LPDDR4-3200: mA of VDD1 (1.8 V), VDD2 and VDDQ (1.1 V); cycles of 0.625 ns.
LPDDR4 = {
    "idd0": (3.5, 45.0, 0.75), "idd2p": (1.2, 3.0, 0.75), "idd2n": (2.0, 27.0, 0.75),
    "idd3n": (2.25, 30.0, 0.75), "idd4r": (2.25, 275.0, 150.0), "idd4w": (2.25, 210.0, 55.0),
    "idd5": (10.0, 90.0, 0.75),
}  # fmt: skip
#: Per 8-bit device of DDR4-2400: mA at 1.2 V; cycles of 1 / 1.2 ns.
DDR4 = {
    "idd0": (60.75,), "idd2p": (17.0,), "idd2n": (38.25,), "idd3n": (44.0,), "idd4r": (184.5,),
    "idd4w": (168.75,), "idd5": (118.0,),
}  # fmt: skip


def mW(of: Mapping[str, tuple[float, ...]], volts: tuple[float, ...], a: str, b: str = "") -> float:
    """Power of one current of a data sheet over another."""
    less = of[b] if b else (0.0,) * len(volts)
    return sum(v * (one - two) for v, one, two in zip(volts, of[a], less, strict=True))


def row_pJ(
    of: Mapping[str, tuple[float, ...]], volts: tuple[float, ...], open_ns: float, shut_ns: float
) -> float:
    return mW(of, volts, "idd0", "idd3n") * open_ns + mW(of, volts, "idd0", "idd2n") * shut_ns


def said(memory: str, name: str) -> float:
    """A constant of a preset, SI."""
    quantity = getattr(resolve(overrides=[f"chip.off_chip.memory={memory}"]).memory, name)
    return float(quantity.si)


def test_lpddr4_is_what_its_currents_say() -> None:
    volts, cycle_ns = (1.8, 1.1, 1.1), 0.625
    per_bit = 1 / 51.2  # mW of a channel over its Gbit/s: pJ
    assert said("lpddr4", "energy_per_bit") * 1e12 == pytest.approx(
        mW(LPDDR4, volts, "idd4r", "idd3n") * per_bit, rel=2e-3
    )
    assert said("lpddr4", "write_energy_per_bit") * 1e12 == pytest.approx(
        mW(LPDDR4, volts, "idd4w", "idd3n") * per_bit, rel=2e-3
    )
    assert said("lpddr4", "row_energy") * 1e12 == pytest.approx(
        row_pJ(LPDDR4, volts, 68 * cycle_ns, 29 * cycle_ns), rel=2e-3
    )
    refresh = mW(LPDDR4, volts, "idd5", "idd2n") * 448 / 6246
    waiting = 2 * (mW(LPDDR4, volts, "idd2p") + refresh)
    assert said("lpddr4", "standby") * 1e3 == pytest.approx(waiting, rel=2e-3)
    assert said("lpddr4", "latency") * 1e9 == pytest.approx((29 + 28 + 3) * cycle_ns)


def test_ddr4_is_what_its_currents_and_its_lines_say() -> None:
    volts, cycle_ns = (1.2,), 1 / 1.2
    per_bit, lines = 1 / 19.2, 1.2**2 / 2 / (34 + 60) / 2.4e9 * 1e12
    assert said("ddr4", "energy_per_bit") * 1e12 == pytest.approx(
        mW(DDR4, volts, "idd4r", "idd3n") * per_bit + lines, rel=5e-3
    )
    assert said("ddr4", "write_energy_per_bit") * 1e12 == pytest.approx(
        mW(DDR4, volts, "idd4w", "idd3n") * per_bit + lines, rel=5e-3
    )
    row = 8 * row_pJ(DDR4, volts, 39 * cycle_ns, 16 * cycle_ns)
    assert said("ddr4", "row_energy") * 1e12 == pytest.approx(row, rel=2e-3)
    refresh = mW(DDR4, volts, "idd5", "idd2n") * 313 / 4680
    waiting = 8 * (mW(DDR4, volts, "idd2p") + refresh)
    assert said("ddr4", "standby") * 1e3 == pytest.approx(waiting, rel=2e-3)
    assert said("ddr4", "latency") * 1e9 == pytest.approx(32 * cycle_ns, rel=2e-3)


@pytest.mark.parametrize("memory", PUBLISHED)
def test_published_energies_per_bit(memory: str) -> None:
    bits, published = PUBLISHED[memory]
    ratio = float(moved(memory, bits).energy_J) / bits * 1e12 / published
    assert 1 / FACTORS[memory] < ratio < FACTORS[memory]


def test_a_transfer_by_hand() -> None:
    design = chip("hbm2")
    one = read(design=design, bits=number(81920.0))
    assert float(one.energy_J) == pytest.approx(81920 * 2.71e-12 + 10 * 909e-12, rel=1e-12)
    assert float(one.time_s) == pytest.approx(28e-9 + 81920 / 2048e9, rel=1e-12)
    small = write(design=design, bits=number(8.0))  # opens a whole row; written as it is read
    assert float(small.energy_J) == pytest.approx(8 * 2.71e-12 + 909e-12, rel=1e-12)
    nothing = read(design=design, bits=number(0.0))
    assert float(nothing.energy_J) == float(nothing.time_s) == 0


@pytest.mark.parametrize("memory", PUBLISHED)
def test_more_bits_take_more_and_each_of_them_less(memory: str) -> None:
    bits = torch.tensor([1, 100, 8192, 1e5, 1e8], dtype=torch.float64)
    whole = read(design=chip(memory), bits=bits)
    assert (whole.energy_J.diff() > 0).all()
    assert (whole.time_s.diff() > 0).all()
    assert ((whole.energy_J / bits).diff() <= 0).all()
    for index, alone in enumerate(bits):
        assert torch.equal(read(design=chip(memory), bits=alone).energy_J, whole.energy_J[index])


def test_a_memory_of_two_numbers_is_one() -> None:
    """Files of older releases: energy per bit and bandwidth alone."""
    bare = [f"memory.{name}=null" for name in ("row", "row_energy", "latency", "standby")]
    found = write(design=chip("hbm2", *bare), bits=number(1e6))
    assert float(found.energy_J) == pytest.approx(2.71e-6)
    assert float(found.time_s) == pytest.approx(1e6 / 2048e9)
