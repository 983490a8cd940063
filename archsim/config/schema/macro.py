"""What a macro preset may say: one bank of compute-in-memory as published macros report it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config.schema.base import About, Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity

Memory = Literal["sram", "edram", "rram", "pcm", "mram", "flash", "fefet"]
Sensing = Literal["current", "charge-sum", "charge-redistribution", "time-domain", "digital"]
ConverterKind = Literal["binary-search", "ramp", "flash", "oscillator"]
Scope = Literal["macro", "processor"]


class Macro(Model):
    """One bank: cells, drivers, converters, accumulation and control; all known before tape-out."""

    node_nm: float = Field(ge=1, le=500, description="process node by its name, nm")
    vdd_V: float | None = Field(
        default=None, gt=0, le=20, description="supply, V; null for the nominal one of the node"
    )
    memory: Memory = Field(description="what the cells are")
    cell_transistors: float = Field(
        default=6, ge=1, le=40, description="transistors of an SRAM or eDRAM cell; area alone"
    )
    sensing: Sensing = Field(
        description="how a column is read: current of the cells, charge summed on the bit line, "
        "charge shared among cell capacitors (C-2C ladders too), time domain, or adder trees"
    )
    rows: int = Field(ge=1, le=65536, description="word lines of the array")
    cols: int = Field(ge=1, le=65536, description="columns that a driven word line crosses")
    rows_per_bitline: float | None = Field(
        default=None, ge=1, description="cells on one bit line; null for rows"
    )
    rows_read: float | None = Field(
        default=None, ge=1, description="word lines driven at once; null for rows"
    )
    dot_product_length: float | None = Field(
        default=None, ge=1, le=1e6, description="terms of one dot product; null for rows_read"
    )
    adcs: float = Field(
        ge=1, le=1e6, description="converters (digital: outputs) at work at once in the bank"
    )
    cols_per_adc: float | None = Field(
        default=None, ge=1, description="columns that share a converter; checked, no cost"
    )
    adc_bits: float | None = Field(
        default=None,
        ge=1,
        le=16,
        description="resolution of a converter, bit; 1: comparator, a fraction: levels that are no "
        "power of two; left out for digital",
    )
    adc_kind: ConverterKind = Field(
        default="binary-search",
        description="binary-search: SAR, and where nobody says; ramp: 2^bits - 1 comparisons in "
        "turn; flash: as many at once; oscillator: a current-controlled one, whose cycles are "
        "counted",
    )
    adc_energy_fJ: float | None = Field(
        default=None, ge=0, description="known energy of one conversion, fJ; null for the formula"
    )
    input_bits_per_cycle: float = Field(
        default=1, ge=1, le=16, description="input bits that one invocation processes"
    )
    input_bits: float | None = Field(
        default=None, ge=1, le=64, description="input bits of a full product; null for one pass"
    )
    weight_bits_per_conversion: float = Field(
        default=1, ge=1, le=16, description="weight bits that one conversion reads"
    )
    bits_per_cell: float = Field(
        default=1, gt=0, le=8, description="weight bits in one cell; with cell_current_uA alone"
    )
    scope: Scope = Field(
        default="macro", description="macro, or processor: power and area of a whole chip"
    )
    cores: int = Field(default=1, ge=1, le=1_000_000, description="banks of the chip; information")
    activity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of ones among the inputs; null for a half; not calibrated",
    )
    cell_current_uA: float | None = Field(
        default=None, ge=0, le=1e6, description="mean current of a cell that is read, uA"
    )
    sense_time_ns: float | None = Field(
        default=None, gt=0, le=1e6, description="how long the current flows per invocation, ns"
    )
    cell_supply_V: float | None = Field(
        default=None,
        gt=0,
        le=20,
        description="voltage that the cells' current is drawn from, V; null for vdd_V",
    )
    cycle_ns: float | None = Field(
        default=None, gt=0, le=1e9, description="known time of an invocation, ns; null: formula"
    )


class MeasuredPoint(Model):
    """What a publication measured, beside the inputs and never an input."""

    condition: str = Field(default="", description="operating point, in words")
    settings: dict[str, float | int | str | None] = Field(
        default_factory=dict, description="keys of macro that this point has otherwise"
    )
    energy_per_invocation: quantity("J") | None = Field(  # type: ignore[valid-type]
        default=None, description="measured energy of one invocation of the bank; null: not known"
    )
    latency_per_invocation: quantity("s") | None = Field(  # type: ignore[valid-type]
        default=None, description="measured time of one invocation of the bank; null: not known"
    )
    bank_area: quantity("m2") | None = Field(  # type: ignore[valid-type]
        default=None, description="measured area of the bank; null: not known"
    )


class MacroFile(Model):
    """A macro: its design, where that is from, and what was measured."""

    name: Name
    description: About = ""
    citation: str = Field(min_length=10, description="the publication")
    input_sources: dict[str, str] = Field(
        description="where the numbers of macro are from: default, and keys that are from elsewhere"
    )
    macro: Macro
    published: tuple[MeasuredPoint, ...] = Field(
        default=(), description="measured points; none of them enters the computation"
    )
