"""What a chip preset may say about its read path: the array, its conditions, the converter."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from archsim.config.schema.base import WHOLE, Model
from archsim.config.schema.macro import Sensing
from archsim.config.sourced import Quantity, quantity
from archsim.errors import Code, Problem, RejectedValueError

_IDEAL = Quantity(
    value=0.0, unit="ohm", source="physics: wires without loss, in the accuracy half alone"
)
#: Finest converter of a chip.
_MOST_BITS = 14


class Crossbar(Model):
    """The cell array, how many columns share an ADC, and its wires."""

    rows: int = Field(strict=True, ge=1, le=4096, description="word lines per crossbar")
    cols: int = Field(strict=True, ge=1, le=4096, description="bit lines per crossbar")
    mux_ratio: Annotated[Literal[1, 2, 4, 8, 16, 32, 64], WHOLE] = Field(
        description="columns per ADC"
    )
    wire_ohm: quantity("ohm", maximum=1e4) | None = Field(  # type: ignore[valid-type]
        default=_IDEAL,
        description="resistance of a wire from one cell to the next, for the accuracy half: 0 for "
        "ideal wires, null for metal 0 over the pitch of a cell, as the cost half always counts",
    )
    wire_model: Literal["driven", "gated"] | None = Field(
        default=None,
        description="accuracy half: word lines that carry the current of their cells, or that only "
        "gate them; null goes by device.access: none is driven, 1t1r gated; no cost",
    )


class Adc(Model):
    """The analog-to-digital converter at the end of the columns."""

    kind: Literal["flash-current", "flash-voltage", "sar", "ramp", "oscillator"] = Field(
        description="current-mode flash, voltage-mode flash, successive approximation; or a ramp "
        "(single slope) or a counting oscillator, which cost_model silicon alone has; there a "
        "flash is one kind"
    )
    bits: int = Field(
        strict=True,
        ge=1,
        le=_MOST_BITS,
        description="resolution; levels = 2^bits: 1 for a comparator, more than 10 under "
        "cost_model silicon alone; levels that are no power of two in archsim macro alone",
    )
    energy: quantity("J", maximum=1e-6) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon: known energy of a conversion; null for the formula",
    )
    model: Literal["circuit", "andrulis2024", "zigzag-imc", "isaac"] = Field(
        default="circuit",
        description="the circuit model of this kind, or a published closed form (configs/adc)",
    )
    range: Literal[
        "full-scale", "full-scale-used", "calibrated", "unit-step", "learned", "neurosim-v1.4"
    ] = Field(
        default="calibrated",
        description="which column sums the levels span, for the accuracy half: all rows on, all "
        "used rows on, percentiles of calibration images, one level a step, trained ends, or the "
        "artefact of the batch's extremes, rounded down; references are programmable per layer, so "
        "no cost",
    )
    percentile: float = Field(
        default=99.9,
        gt=50,
        le=100,
        description="range calibrated: percentile of the sums at the upper end, its complement at "
        "the lower one; no cost",
    )
    snap: bool = Field(
        default=True,
        description="range calibrated: round the span up to an odd whole number of levels, where "
        "no sum lies halfway between two codes; no cost",
    )
    slice_ranges: Literal["free", "power-of-two"] = Field(
        default="free",
        description="range calibrated: each slice of a weight has a range of its own, or ranges "
        "are powers of two apart, so that shifts alone add up their codes; no cost",
    )
    levels: str = Field(
        default="linear",
        min_length=1,
        max_length=200,
        description="where the levels lie: linear, lloyd-max (clusters of calibration sums), or "
        "the path of a table; a flash converter costs the same, a SAR must be linear",
    )
    noise_lsb: float = Field(
        default=0.0,
        ge=0,
        le=64,
        description="standard deviation of a conversion's noise, in steps; no cost",
    )
    offset_lsb: float = Field(
        default=0.0,
        ge=0,
        le=64,
        description="standard deviation of the converters' offsets, in steps, one for each ADC of "
        "mux_ratio columns; no cost",
    )

    @field_validator("bits", mode="before")
    @classmethod
    def _whole(cls, bits: object) -> object:
        """Refuse levels that are no power of two: digital sums and the accuracy half have none."""
        if not isinstance(bits, float) or not 1 < bits < _MOST_BITS or bits.is_integer():
            return bits
        said = (
            f"the converters of a chip have 2^bits levels with whole bits; allowed: "
            f"{math.ceil(bits)} with the levels above left unused, or one bank alone, which may "
            "have a fraction: archsim macro ... --set macro.adc_bits"
        )
        raise RejectedValueError(Problem(said, Code.WRONG_TYPE, allowed=f"{math.ceil(bits)}"))


class Read(Model):
    """Read conditions of the array, and how its inputs and sums are formed."""

    voltage: quantity("V", minimum=0.01, maximum=5.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="bit-line read voltage; null takes the technology's"
    )
    access_voltage: quantity("V", minimum=0.01, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="gate voltage of the access transistors during a read"
    )
    access_resistance_ratio: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="on-resistance of the access transistor over that of the cell"
    )
    adc_empty_power: quantity("W", maximum=1e-3) = Field(  # type: ignore[valid-type]
        description="ADC power per column while no row is active"
    )
    signed_inputs: Literal["zero-point", "two-pass", "sign-plane", "by-layer"] = Field(
        default="zero-point",
        description="inputs of either sign: shifted to codes that are never negative; positive and "
        "negative part read one after the other; two's complement, whose top plane is the sign; or "
        "the network's own shifted, and hidden ones (shared blocks) in two passes. Inputs that are "
        "never negative use all their bits as magnitude",
    )
    idle_sign_plane: bool = Field(
        default=False,
        description="artefact: inputs that are never negative have a sign plane too, never on",
    )
    dac_bits: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=8,
        description="bits of an input that a row is driven with at once",
    )
    iv_curve: str = Field(
        default="linear",
        pattern=r"^(linear|(cubic|sinh): *[0-9]*\.?[0-9]+)$",
        description="current of a cell against the voltage of its row, where dac_bits is above 1: "
        "linear, 'cubic: a' for (v - a v^3) / (1 - a), 'sinh: k' for sinh(k v) / sinh(k); for the "
        "accuracy half, no cost",
    )
    rows_at_once: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=4096,
        description="rows of a crossbar that are read at once, the others following in further "
        "reads; null for all",
    )
    offset_subtraction: Literal[
        "digital", "off-column", "zero-column", "analog", "middle-column"
    ] = Field(
        default="digital",
        description="how the conductance of cells at level 0 is taken out of a sum: by arithmetic; "
        "by a converted column of off cells, of the code for zero, or of cells half-way up; or by "
        "that current before the converter",
    )
    pair: Literal["digital", "analog"] = Field(
        default="digital",
        description="pairs of columns: each column has its turn at the ADC, or their difference is "
        "converted once",
    )
    gating: Literal["none", "used"] = Field(
        default="none",
        description="what a crossbar clocks: all its rows and columns, and word lines anew at "
        "every step of the mux; or what holds weights, with inputs held while the mux goes round",
    )
    sensing: Sensing = Field(
        default="current",
        description="how a column is read: the current of its cells; charge summed on the bit "
        "line; charge shared among capacitors of the cells (C-2C ladders too); time domain; adder "
        "trees in the array (archsim macro alone). All but current under cost_model silicon alone",
    )
    weight_bits_per_conversion: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=16,
        description="cost_model silicon: bits of a weight that one conversion reads, from as many "
        "columns as they take; null for those of a cell",
    )
    cell_current: quantity("A", maximum=1e-2) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon, sensing current: mean current of a cell that is read; "
        "null for the read voltage times the mean conductance, where sense_time is known",
    )
    cell_supply: quantity("V", minimum=0.01, maximum=10.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon: voltage that this current is drawn from; null for the "
        "supply",
    )
    sense_time: quantity("s", maximum=1e-3) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon, sensing current: how long the current flows; null for the "
        "charge per row that published chips draw",
    )
    activity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="cost_model silicon: share of ones among the inputs; null for what published "
        "chips are measured with, or with a known current for that of the layer; not calibrated",
    )
