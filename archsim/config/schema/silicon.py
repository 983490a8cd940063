"""What the constants of the silicon model may say: calibrated on published chips, and nodes."""

from __future__ import annotations

from pydantic import Field

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity

#: Nodes that the table of bit cells and supplies has, and that of gate delays.
BIT_CELL_NODES, DELAY_NODES = 18, 12


class NodesFile(Model):
    """What changes from node to node: bit cell (so wire pitch), supply and gate delay."""

    name: Name
    description: str = ""
    node: quantity("m", length=BIT_CELL_NODES)  # type: ignore[valid-type]
    bit_cell: quantity("m2", length=BIT_CELL_NODES)  # type: ignore[valid-type]
    supply: quantity("V", length=BIT_CELL_NODES)  # type: ignore[valid-type]
    delay_node: quantity("m", length=DELAY_NODES)  # type: ignore[valid-type]
    delay: quantity("s", length=DELAY_NODES)  # type: ignore[valid-type]
    reference_node: quantity("m")  # type: ignore[valid-type]
    threshold: quantity("V")  # type: ignore[valid-type]
    least_overdrive: quantity("V")  # type: ignore[valid-type]
    alpha: quantity("1")  # type: ignore[valid-type]
    highest_supply: quantity("1")  # type: ignore[valid-type]


class ConvertersFile(Model):
    """What kinds of converters take that the calibration has no chip of."""

    name: Name
    description: str = ""
    oscillator_count: quantity("F")  # type: ignore[valid-type]
    oscillator_delays: quantity("1")  # type: ignore[valid-type]


class EnergyConstants(Model):
    """Energy per invocation, at 28 nm and 1 V."""

    converter_linear: quantity("F")  # type: ignore[valid-type]
    converter_thermal: quantity("F")  # type: ignore[valid-type]
    array_current: quantity("F")  # type: ignore[valid-type]
    array_charge_sum: quantity("F")  # type: ignore[valid-type]
    array_redistribution: quantity("F")  # type: ignore[valid-type]
    dc_charge: quantity("C")  # type: ignore[valid-type]
    dc_mram: quantity("1")  # type: ignore[valid-type]
    dc_input_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    dc_weight_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    word_line: quantity("F")  # type: ignore[valid-type]
    fixed: quantity("F")  # type: ignore[valid-type]
    input_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    weight_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    phase_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    processor: quantity("1")  # type: ignore[valid-type]
    digital: quantity("F")  # type: ignore[valid-type]
    digital_pitch_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    digital_processor: quantity("1")  # type: ignore[valid-type]
    highest_nvm_supply: quantity("V")  # type: ignore[valid-type]


class LatencyConstants(Model):
    """Time per invocation, at 28 nm and the nominal supply."""

    base: quantity("s")  # type: ignore[valid-type]
    rows_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    inputs_exponent: quantity("1", minimum=None)  # type: ignore[valid-type]
    sram_current: quantity("1")  # type: ignore[valid-type]
    nvm_current: quantity("1")  # type: ignore[valid-type]
    charge_sum: quantity("1")  # type: ignore[valid-type]
    redistribution: quantity("1")  # type: ignore[valid-type]
    digital: quantity("1")  # type: ignore[valid-type]


class AreaConstants(Model):
    """Area of a bank, at 28 nm; cells as multiples of the 6T bit cell of the node."""

    sram_cell: quantity("1")  # type: ignore[valid-type]
    nvm_cell: quantity("1")  # type: ignore[valid-type]
    converter: quantity("m2")  # type: ignore[valid-type]
    digital: quantity("m2")  # type: ignore[valid-type]
    fixed: quantity("m2")  # type: ignore[valid-type]
    processor: quantity("1")  # type: ignore[valid-type]


class SpreadConstants(Model):
    """Standard deviation of ln(measured / predicted): what the intervals are made of."""

    sram_current: quantity("1")  # type: ignore[valid-type]
    redistribution: quantity("1")  # type: ignore[valid-type]
    charge_sum: quantity("1")  # type: ignore[valid-type]
    nvm: quantity("1")  # type: ignore[valid-type]
    digital: quantity("1")  # type: ignore[valid-type]


class SiliconFile(Model):
    """One set of constants for all chips; none belongs to a chip."""

    name: Name
    description: str = Field(min_length=10, description="calibrated on how many chips")
    energy: EnergyConstants
    latency: LatencyConstants
    area: AreaConstants
    energy_spread: SpreadConstants
    latency_spread: SpreadConstants
    area_spread: SpreadConstants
