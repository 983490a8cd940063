"""What a technology preset may say."""

from __future__ import annotations

from typing import Literal

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class TechnologyFile(Model):
    """Transistor, wire and ADC-fit numbers of one node."""

    name: Name
    description: str = ""
    transistor: Literal["planar", "finfet"]
    node: quantity("m", minimum=1e-9)  # type: ignore[valid-type]
    vdd: quantity("V", minimum=0.1)  # type: ignore[valid-type]
    c_gate: quantity("F/m")  # type: ignore[valid-type]
    resistance_factor: quantity("1")  # type: ignore[valid-type]
    i_on_n: quantity("A/m")  # type: ignore[valid-type]
    i_on_p: quantity("A/m")  # type: ignore[valid-type]
    i_off_n: quantity("A/m")  # type: ignore[valid-type]
    i_off_p: quantity("A/m")  # type: ignore[valid-type]
    c_junction_area: quantity("F/m2")  # type: ignore[valid-type]
    c_junction_side: quantity("F/m")  # type: ignore[valid-type]
    c_junction_channel: quantity("F/m")  # type: ignore[valid-type]
    c_fin: quantity("F")  # type: ignore[valid-type]
    w_fin_effective: quantity("m")  # type: ignore[valid-type]
    w_fin: quantity("m")  # type: ignore[valid-type]
    fin_pitch: quantity("m")  # type: ignore[valid-type]
    max_fins: quantity("1")  # type: ignore[valid-type]
    c_drain_fin: quantity("F")  # type: ignore[valid-type]
    cell_height: quantity("1")  # type: ignore[valid-type]
    gate_pitch: quantity("1")  # type: ignore[valid-type]
    gate_length: quantity("1")  # type: ignore[valid-type]
    pn_gap: quantity("1")  # type: ignore[valid-type]
    fin_edge: quantity("1")  # type: ignore[valid-type]
    metal3_pitch: quantity("1")  # type: ignore[valid-type]
    sram_cell_height: quantity("1")  # type: ignore[valid-type]
    sram_cell_width: quantity("1")  # type: ignore[valid-type]
    enlarged_inverter_fins: quantity("1", length=2)  # type: ignore[valid-type]
    enlarged_nor2_fins: quantity("1", length=2)  # type: ignore[valid-type]
    precharger_fins: quantity("1", length=2)  # type: ignore[valid-type]
    mux_driver_size: quantity("1")  # type: ignore[valid-type]
    wordline_gate_size: quantity("1")  # type: ignore[valid-type]
    transmission_gate_ratio: quantity("1")  # type: ignore[valid-type]
    metal0_width: quantity("m")  # type: ignore[valid-type]
    metal0_aspect: quantity("1")  # type: ignore[valid-type]
    metal0_resistivity: quantity("ohm*m")  # type: ignore[valid-type]
    metal1_width: quantity("m")  # type: ignore[valid-type]
    metal1_aspect: quantity("1")  # type: ignore[valid-type]
    metal1_resistivity: quantity("ohm*m")  # type: ignore[valid-type]
    c_wire: quantity("F/m")  # type: ignore[valid-type]
    wire_resistance: quantity("ohm/m", length=3)  # type: ignore[valid-type]
    v_read: quantity("V")  # type: ignore[valid-type]
    flash_time_breaks: quantity("ohm", length=2)  # type: ignore[valid-type]
    flash_time_const: quantity("s", length=3)  # type: ignore[valid-type]
    flash_time_linear: quantity("s/ohm", length=3, minimum=None)  # type: ignore[valid-type]
    flash_time_log: quantity("s", length=3, minimum=None)  # type: ignore[valid-type]
    flash_time_c0: quantity("F")  # type: ignore[valid-type]
    flash_time_slope: quantity("s")  # type: ignore[valid-type]
    flash_time_onset: quantity("ohm")  # type: ignore[valid-type]
    flash_power_breaks: quantity("ohm", length=2)  # type: ignore[valid-type]
    flash_power_const: quantity("W", length=3)  # type: ignore[valid-type]
    flash_power_linear: quantity("W/ohm", length=3, minimum=None)  # type: ignore[valid-type]
    flash_power_log: quantity("W", length=3, minimum=None)  # type: ignore[valid-type]
    flash_power_inverse: quantity("W")  # type: ignore[valid-type]
    flash_power_exponent: quantity("1")  # type: ignore[valid-type]
    sar_power_per_bit: quantity("W")  # type: ignore[valid-type]
    sar_power_base: quantity("W")  # type: ignore[valid-type]
    sar_power_inverse: quantity("W")  # type: ignore[valid-type]
    sar_power_exponent: quantity("1")  # type: ignore[valid-type]
