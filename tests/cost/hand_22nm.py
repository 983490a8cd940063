"""What the cost tests take as known of 22 nm, and the areas of one tile, priced by hand.

The numbers of the standard blocks are those printed in the specification for 22 nm, with four
digits: 5e-4. The arithmetic that puts them together is here and in the tests, which need more
digits where a small term must show: gates are worked out from their device widths (planar cells of
28F, of which 20.9F hold devices).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

PRINTED = 5e-4

F, V = 22e-9, 0.85
V_READ, V_ACCESS = 0.55, 1.1
RHO = 791.9 / 600.2
C_GATE = 1.2 * 5.245e-10 + 8.004e-10
ROWS = COLS = 128
MUX, ADCS = 8, 16
R_ON, R_OFF = 1e5, 1.7e6
# Register bit: energy, area, height, width. Adder: energies of the first and of further bits, area.
E_D, A_D, H_D, W_D = 1.4110e-15, 1.23596e-12, 0.616e-6, 2.0064e-6
E_1, E_2, A_F = 1.135e-15, 1.063e-15, 1.390e-12
# Wires: energy per metre of PE buses and of trees; repeater width and height.
E_BUS, E_TREE, W_REP, H_REP = 117.4e-12, 97.04e-12, 0.836e-6, 0.616e-6
#: A chip on which nothing is left to chance; its tile is 4 x 4 crossbars as 2 x 2 PEs of 2 x 2.
SETTINGS = (
    "chip.adc.kind=sar",
    "chip.hierarchy.kernel_per_pe=false",
    "chip.hierarchy.duplication=none",
    "chip.timing.pipeline=false",
    "chip.activity.first_layer=dense",
    "chip.activity.weight_std=1e-6",
    "chip.buffers.tile_core=32",
    "chip.buffers.tile_line=32",
    "chip.buffers.global_core=1024",
    "chip.buffers.global_line=1024",
    "device.v_write=1.2",
    "device.pulse_width=10",
    "device.write_energy=0.6",
)


def pass_gate_drain_F(width_n: float, width_p: float, height: float) -> float:
    """Drain capacitance of an n and p pair folded into a cell of ``height``."""
    u = 1 + V / 0.9
    c_j, c_sw, c_dc = 1e-3 * u**-0.5, 2.5e-10 * u**-0.33, 0.5e-10 * u**-0.33
    usable = height - 7.1 * F
    folds_p = math.ceil(width_p / (usable * width_p / (width_n + width_p)) - 1e-9)
    total = 0.0
    for width in (width_n, width_p):
        limit = usable * width / (width_n + width_p)
        folds = max(math.ceil(width / limit - 1e-9), 1)
        tall = min(width, limit)
        length = 2.8 * F * (math.ceil((folds + 1) / 2) if folds > 1 else 1)
        side = 2 * length + tall * (2 if folds_p % 2 == 0 else 1)
        total += length * tall * c_j + side * c_sw + folds * tall * c_dc
    return total


class Subarray:
    """One subarray, from the sides of the specification's worked example; um where it says so."""

    width_um = COLS * 12 * 0.022
    height_um = ROWS * 4 * 0.022
    sar_um2 = 0.616 * 2 * 3.8 * 0.022 * (269 + 109 * 4 + 209 + 73 * 4)
    # word-line driver, source-line switch, mux, decoder, shift-adds
    areas_um2: ClassVar = {
        "array": height_um * width_um,
        "adc": ADCS * sar_um2,
        "mux": 4.928 * width_um + 4.928 * 9.6492,
        "drivers": 11.264 * 26.752 + 5.2844 * width_um,
        "shift_add": (9.4518 + 17.0131) * width_um,
    }
    used_um2 = sum(areas_um2.values())
    box_height_um = 5.2844 + height_um + 4.928 + ADCS * sar_um2 / width_um + 9.4518 + 17.0131
    box_width_um = width_um + 26.752
    # Without white space the sides shrink alike until the box holds the blocks and nothing else.
    shrink = math.sqrt(used_um2 / (box_height_um * box_width_um))
    side_v_m = box_height_um * shrink * 1e-6
    side_h_m = box_width_um * shrink * 1e-6


def pe_m2() -> dict[str, float]:
    """2 x 2 subarrays, 32 adders of 20 bits, registers of 1024 and 16 x 21 bits."""
    tall, wide = 2 * Subarray.side_v_m, 2 * Subarray.side_h_m
    column = min(math.floor(tall / H_D), 1024)
    row = min(math.floor(wide / W_D), 336)
    return {
        "subarrays": 4 * Subarray.used_um2 * 1e-12,
        "adder_tree": 32 * 20 * A_F,
        "buffer": tall * math.ceil(1024 / column) * W_D + wide * math.ceil(336 / row) * H_D,
    }


def areas_m2() -> dict[str, float]:
    """One tile of 2 x 2 PEs, and the chip around it."""
    pe = pe_m2()
    pe_side = math.sqrt(sum(pe.values()))
    # Buffers for four PEs: 128 and 1408 / 32 = 44 cores of 32 bits; a one-line decoder has no area.
    tile = {
        **{name: 16 * area * 1e-12 for name, area in Subarray.areas_um2.items()},
        "adder_tree": 4 * pe["adder_tree"] + 64 * 21 * A_F,
        "buffer": 4 * pe["buffer"] + (128 + 44) * 32 * A_D,
        # H-tree over 2 x 2 PEs: no bundles but the trunk, 1024 wires in 16 layers
        "interconnect": 1024 / 16 * H_REP * pe_side,
    }
    tile_side = math.sqrt(sum(tile.values()))
    tile["buffer"] += 1024 * A_D
    tile["interconnect"] += 2048 / 4 * (W_REP + H_REP) * tile_side
    tile["digital"] = 64 * 8 * A_D + 64 * 58.71e-12
    return {**tile, "white_space": 0.0}


def lengths_m() -> tuple[float, float]:
    """Sides of a PE and of the tile."""
    pe_side = math.sqrt(sum(pe_m2().values()))
    chip = areas_m2()
    tile = sum(chip.values()) - chip["digital"] - 1024 * A_D
    # The bus area hangs on the side of the tile: A + k sqrt(A) is known, solve for the side.
    k = 2048 / 4 * (W_REP + H_REP)
    return pe_side, (-k + math.sqrt(k**2 + 4 * tile)) / 2


#: Off-current per width, of n and p alike; share of the states in which a NAND or NOR leaks.
I_OFF, LEAKS = 1e-4, {"nand": (0.48, 0.31), "nor": (0.95, 0.62)}
#: Junctions at the supply, per area, side and channel; wires.
C_J, C_SW, C_DC = (
    1e-3 * (1 + V / 0.9) ** -0.5,
    2.5e-10 * (1 + V / 0.9) ** -0.33,
    5e-11 * (1 + V / 0.9) ** -0.33,
)
C_WIRE = 2e-10


@dataclass(frozen=True)
class Gate:
    """A gate whose devices are not folded: kind, inputs, widths of one n and one p device, m."""

    kind: str
    inputs: int
    n: float
    p: float

    @property
    def big(self) -> Gate:
        """The gate that fills its cell, with devices in the same proportion."""
        scale = 20.9 * F / (self.n + self.p)
        return Gate(self.kind, self.inputs, scale * self.n, scale * self.p)

    @property
    def in_F(self) -> float:
        return C_GATE * (self.n + self.p)

    @property
    def out_F(self) -> float:
        """Drains of 2.8F: one in series for each input, in parallel one for each two."""
        series, parallel = self.inputs, (self.inputs + 1) // 2
        odd = self.inputs % 2
        sides = {
            "inverter": ((self.n, 1, 1), (self.p, 1, 1)),
            "nand": ((self.n, series, 1), (self.p, parallel, odd)),
            "nor": ((self.p, series, 1), (self.n, parallel, odd)),
        }
        return sum(
            drains * 2.8 * F * width * C_J
            + (2 * drains * 2.8 * F + ends * width) * C_SW
            + width * C_DC
            for width, drains, ends in sides[self.kind]
        )

    @property
    def leakage_A(self) -> float:
        if self.kind == "inverter":
            return I_OFF * (self.n + self.p) / 2
        share = LEAKS[self.kind][0 if self.inputs == 2 else 1]
        return share * self.inputs * I_OFF * (self.p if self.kind == "nand" else self.n)


def decoder_nor(inputs: int) -> Gate:
    """A NOR of a row decoder."""
    return Gate("nor", inputs, 2 * F, inputs * 2 * F * RHO).big


INVERTER = Gate("inverter", 1, 2 * F, 2 * F * RHO)
DRIVER = Gate("inverter", 1, 4 * F, 4 * F * RHO)
NAND2 = Gate("nand", 2, 4 * F, 2 * F * RHO).big
NAND3 = Gate("nand", 3, 6 * F, 2 * F * RHO).big
NOR2 = Gate("nor", 2, 8 * F, 2 * F * RHO).big


def register_J() -> float:
    """One clocked bit: 8 inputs and 10 outputs of minimum inverters."""
    return V**2 * (8 * INVERTER.in_F + 10 * INVERTER.out_F)


def register_W() -> float:
    """Leakage of one bit: 8 minimum inverters."""
    return V * 8 * INVERTER.leakage_A


def adder_W() -> float:
    """Leakage of one bit of an adder: 9 NANDs."""
    return V * 9 * NAND2.leakage_A


def add_J(bits: int) -> float:
    """One addition at an activity of 0.15: 14 inputs and 7 outputs of NANDs, then 13 and 7."""
    first, more = (0.15 * V**2 * (n * NAND2.in_F + 7 * NAND2.out_F) for n in (14, 13))
    return first + (bits - 1) * more


def decode_J(address: int) -> float:
    """Choosing one of 2^address lines: pairs of address bits, NORs above two, two drivers."""
    pairs, odd, lines = address // 2, address % 2, 2**address
    nor = decoder_nor(math.ceil(address / 2)) if address > 2 else None
    nor_in, nor_out = (nor.in_F, nor.out_F) if nor else (0.0, 0.0)
    inverter = INVERTER.big
    return V**2 * (
        2 * pairs * (inverter.in_F + 2 * NAND2.in_F)
        + odd * (inverter.in_F + nor_in * lines / 2)
        + pairs * (NAND2.out_F + nor_in * lines / 4)
        + nor_out
        + inverter.in_F
        + 2 * (DRIVER.in_F + DRIVER.out_F)
    )


def decoder_W(address: int) -> float:
    """Leakage of a decoder of more than two address bits."""
    nor = decoder_nor(math.ceil(address / 2))
    return V * (
        address * INVERTER.big.leakage_A
        + 4 * (address // 2) * NAND2.leakage_A
        + 2**address * (nor.leakage_A + 2 * DRIVER.leakage_A)
    )


def memory_J_per_bit(line: int, address: int = 0) -> tuple[float, float]:
    """Reading and writing a bit of a register file with lines of ``line`` bits.

    Half of the bits of a line change; a read keeps a twentieth of the decoder busy, a write all.
    """
    store = 0.5 * register_J()
    return store + 0.05 * decode_J(address) / line, store + decode_J(address) / line
