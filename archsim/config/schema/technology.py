"""What a technology preset may say.

Ranges are those of silicon from 130 nm to 3 nm, with an order of magnitude to spare on either side:
what lies outside is no technology but a slip of a unit or of a digit.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config.schema.base import Model
from archsim.config.sourced import quantity

#: A resistance that no column has: a piece of a fit that is not used.
_NEVER = 1e30
#: Coefficients of the fits to SPICE, of either sign; what they give is checked with the result.
_FIT = 1e6


class TechnologyFile(Model):
    """Transistor, wire and ADC-fit numbers of one node."""

    name: str
    description: str = ""
    transistor: Literal["planar", "finfet"]
    node: quantity("m", minimum=1e-9, maximum=1e-6)  # type: ignore[valid-type]
    tabulated_node: quantity("m", minimum=1e-9, maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="node that all numbers of the file are of; node must be the same"
    )
    vdd: quantity("V", minimum=0.1, maximum=5.0) = Field(  # type: ignore[valid-type]
        description="supply: delays follow the alpha-power law, energies its square, leakage the "
        "threshold that it lowers (DIBL); sizes are those for tabulated_vdd"
    )
    tabulated_vdd: quantity("V", minimum=0.1, maximum=5.0) = Field(  # type: ignore[valid-type]
        description="supply at which currents, times and powers of the file are"
    )
    vdd_min: quantity("V", minimum=0.1, maximum=5.0)  # type: ignore[valid-type]
    vdd_max: quantity("V", minimum=0.1, maximum=5.0)  # type: ignore[valid-type]
    v_threshold: quantity("V", minimum=0.05, maximum=1.5)  # type: ignore[valid-type]
    alpha: quantity("1", minimum=1.0, maximum=2.0) = Field(  # type: ignore[valid-type]
        description="of the saturation current, (Vdd - Vth)^alpha: 1 at full velocity saturation, "
        "2 for long channels"
    )
    dibl: quantity("1", maximum=0.5)  # type: ignore[valid-type]
    subthreshold_swing: quantity("V", minimum=0.05, maximum=0.3) = Field(  # type: ignore[valid-type]
        description="per decade of current; 0.06 V is the limit of a classical device at 300 K"
    )
    c_gate: quantity("F/m", maximum=1e-7)  # type: ignore[valid-type]
    resistance_factor: quantity("1", minimum=0.1, maximum=20.0)  # type: ignore[valid-type]
    i_on_n: quantity("A/m", minimum=1.0, maximum=1e5)  # type: ignore[valid-type]
    i_on_p: quantity("A/m", minimum=1.0, maximum=1e5)  # type: ignore[valid-type]
    i_off_n: quantity("A/m", minimum=1e-9, maximum=1e3)  # type: ignore[valid-type]
    i_off_p: quantity("A/m", minimum=1e-9, maximum=1e3)  # type: ignore[valid-type]
    c_junction_area: quantity("F/m2", maximum=1.0)  # type: ignore[valid-type]
    c_junction_side: quantity("F/m", maximum=1e-7)  # type: ignore[valid-type]
    c_junction_channel: quantity("F/m", maximum=1e-7)  # type: ignore[valid-type]
    c_fin: quantity("F", maximum=1e-14)  # type: ignore[valid-type]
    w_fin_effective: quantity("m", maximum=1e-6)  # type: ignore[valid-type]
    w_fin: quantity("m", maximum=1e-7)  # type: ignore[valid-type]
    fin_pitch: quantity("m", maximum=1e-6)  # type: ignore[valid-type]
    max_fins: quantity("1", minimum=1.0, maximum=100.0)  # type: ignore[valid-type]
    c_drain_fin: quantity("F", maximum=1e-14)  # type: ignore[valid-type]
    cell_height: quantity("1", minimum=12.0, maximum=200.0)  # type: ignore[valid-type]
    gate_pitch: quantity("1", minimum=1.0, maximum=50.0)  # type: ignore[valid-type]
    gate_length: quantity("1", minimum=0.1, maximum=10.0)  # type: ignore[valid-type]
    pn_gap: quantity("1", maximum=50.0)  # type: ignore[valid-type]
    fin_edge: quantity("1", maximum=50.0)  # type: ignore[valid-type]
    metal3_pitch: quantity("1", minimum=0.1, maximum=50.0)  # type: ignore[valid-type]
    sram_cell_height: quantity("1", minimum=1.0, maximum=200.0)  # type: ignore[valid-type]
    sram_cell_width: quantity("1", minimum=1.0, maximum=200.0)  # type: ignore[valid-type]
    enlarged_inverter_fins: quantity("1", length=2, maximum=100.0)  # type: ignore[valid-type]
    enlarged_nor2_fins: quantity("1", length=2, maximum=100.0)  # type: ignore[valid-type]
    precharger_fins: quantity("1", length=2, maximum=100.0)  # type: ignore[valid-type]
    mux_driver_size: quantity("1", minimum=1.0, maximum=1e4)  # type: ignore[valid-type]
    wordline_gate_size: quantity("1", minimum=1.0, maximum=1e3)  # type: ignore[valid-type]
    transmission_gate_ratio: quantity("1", minimum=0.01, maximum=10.0)  # type: ignore[valid-type]
    metal0_width: quantity("m", minimum=1e-9, maximum=1e-5)  # type: ignore[valid-type]
    metal0_aspect: quantity("1", minimum=0.1, maximum=10.0)  # type: ignore[valid-type]
    metal0_resistivity: quantity("ohm*m", minimum=1e-9, maximum=1e-5)  # type: ignore[valid-type]
    metal1_width: quantity("m", minimum=1e-9, maximum=1e-5)  # type: ignore[valid-type]
    metal1_aspect: quantity("1", minimum=0.1, maximum=10.0)  # type: ignore[valid-type]
    metal1_resistivity: quantity("ohm*m", minimum=1e-9, maximum=1e-5)  # type: ignore[valid-type]
    c_wire: quantity("F/m", minimum=1e-11, maximum=1e-8)  # type: ignore[valid-type]
    wire_resistance: quantity(  # type: ignore[valid-type]
        "ohm/m", length=3, minimum=1e2, maximum=1e10
    )
    v_read: quantity("V", minimum=0.01, maximum=5.0)  # type: ignore[valid-type]
    flash_time_breaks: quantity("ohm", length=2, maximum=_NEVER)  # type: ignore[valid-type]
    flash_time_const: quantity("s", length=3, maximum=1e-3)  # type: ignore[valid-type]
    flash_time_linear: quantity(  # type: ignore[valid-type]
        "s/ohm", length=3, minimum=-_FIT, maximum=_FIT
    )
    flash_time_log: quantity("s", length=3, minimum=-_FIT, maximum=_FIT)  # type: ignore[valid-type]
    flash_time_c0: quantity("F", minimum=1e-18, maximum=1e-9)  # type: ignore[valid-type]
    flash_time_slope: quantity("s", maximum=1e-3)  # type: ignore[valid-type]
    flash_time_onset: quantity("ohm", maximum=9e4) = Field(  # type: ignore[valid-type]
        description="below the 100 kohm at which the slope is anchored"
    )
    flash_power_breaks: quantity("ohm", length=2, maximum=_NEVER)  # type: ignore[valid-type]
    flash_power_const: quantity("W", length=3, maximum=1.0)  # type: ignore[valid-type]
    flash_power_linear: quantity(  # type: ignore[valid-type]
        "W/ohm", length=3, minimum=-_FIT, maximum=_FIT
    )
    flash_power_log: quantity("W", length=3, minimum=-_FIT, maximum=_FIT)  # type: ignore[valid-type]
    flash_power_inverse: quantity("W", maximum=_FIT)  # type: ignore[valid-type]
    flash_power_exponent: quantity("1", maximum=3.0)  # type: ignore[valid-type]
    sar_power_per_bit: quantity("W", maximum=1.0)  # type: ignore[valid-type]
    sar_power_base: quantity("W", maximum=1.0)  # type: ignore[valid-type]
    sar_power_inverse: quantity("W", maximum=_FIT)  # type: ignore[valid-type]
    sar_power_exponent: quantity("1", maximum=3.0)  # type: ignore[valid-type]
