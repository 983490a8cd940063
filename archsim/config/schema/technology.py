"""What a technology preset may say.

Ranges are those of silicon from 130 nm to 3 nm, with an order of magnitude to spare on either side:
what lies outside is no technology but a slip of a unit or of a digit.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config.schema.base import About, Model
from archsim.config.sourced import quantity

#: A resistance that no column has: a piece of a fit that is not used.
_NEVER = 1e30
#: Coefficients of the fits to SPICE, of either sign; what they give is checked with the result.
_FIT = 1e6


class TechnologyFile(Model):
    """Transistor, wire and ADC-fit numbers of one node."""

    name: str = Field(description="of the preset, as a chip names it")
    description: About = ""
    transistor: Literal["planar", "finfet"] = Field(
        description="planar bulk devices or FinFETs; decides whether widths in F or whole fins "
        "count"
    )
    node: quantity("m", minimum=1e-9, maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="feature size F by its name; lengths that are plain numbers below are "
        "multiples of it"
    )
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
    vdd_min: quantity("V", minimum=0.1, maximum=5.0) = Field(  # type: ignore[valid-type]
        description="lowest supply allowed: below it the alpha-power law does not hold"
    )
    vdd_max: quantity("V", minimum=0.1, maximum=5.0) = Field(  # type: ignore[valid-type]
        description="highest supply allowed, against breakdown of the gate oxide"
    )
    v_threshold: quantity("V", minimum=0.05, maximum=1.5) = Field(  # type: ignore[valid-type]
        description="threshold Vth: with alpha, how currents and delays follow vdd"
    )
    alpha: quantity("1", minimum=1.0, maximum=2.0) = Field(  # type: ignore[valid-type]
        description="of the saturation current, (Vdd - Vth)^alpha: 1 at full velocity saturation, "
        "2 for long channels"
    )
    dibl: quantity("1", maximum=0.5) = Field(  # type: ignore[valid-type]
        description="drop of the threshold per volt of supply, V/V: how leakage follows vdd"
    )
    subthreshold_swing: quantity("V", minimum=0.05, maximum=0.3) = Field(  # type: ignore[valid-type]
        description="per decade of current; 0.06 V is the limit of a classical device at 300 K"
    )
    c_gate: quantity("F/m", maximum=1e-7) = Field(  # type: ignore[valid-type]
        description="gate capacitance per width of a planar transistor, overlap and fringe included"
    )
    resistance_factor: quantity("1", minimum=0.1, maximum=20.0) = Field(  # type: ignore[valid-type]
        description="effective on-resistance of a switching transistor over vdd / i_on"
    )
    i_on_n: quantity("A/m", minimum=1.0, maximum=1e5) = Field(  # type: ignore[valid-type]
        description="on-current of an n-channel transistor per width, at tabulated_vdd"
    )
    i_on_p: quantity("A/m", minimum=1.0, maximum=1e5) = Field(  # type: ignore[valid-type]
        description="on-current of a p-channel transistor per width, at tabulated_vdd"
    )
    i_off_n: quantity("A/m", minimum=1e-9, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="leakage of an n-channel transistor per width when off, at tabulated_vdd"
    )
    i_off_p: quantity("A/m", minimum=1e-9, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="leakage of a p-channel transistor per width when off, at tabulated_vdd"
    )
    c_junction_area: quantity("F/m2", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="junction capacitance per area of drain, to the substrate"
    )
    c_junction_side: quantity("F/m", maximum=1e-7) = Field(  # type: ignore[valid-type]
        description="junction capacitance per length of the drain's outer edge"
    )
    c_junction_channel: quantity("F/m", maximum=1e-7) = Field(  # type: ignore[valid-type]
        description="junction capacitance per length of the drain's edge at the gate"
    )
    c_fin: quantity("F", maximum=1e-14) = Field(  # type: ignore[valid-type]
        description="gate capacitance of one fin; 0 for planar"
    )
    w_fin_effective: quantity("m", maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="width of channel that one fin has, both sides and top; 0 for planar"
    )
    w_fin: quantity("m", maximum=1e-7) = Field(  # type: ignore[valid-type]
        description="drawn width of a fin, seen from above; 0 for planar"
    )
    fin_pitch: quantity("m", maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="distance from fin to fin, centre to centre; 0 for planar"
    )
    max_fins: quantity("1", minimum=1.0, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="fins of one finger in a standard cell of nominal height; 1 for planar"
    )
    c_drain_fin: quantity("F", maximum=1e-14) = Field(  # type: ignore[valid-type]
        description="drain capacitance of an SRAM access transistor of one fin; 0 for planar"
    )
    cell_height: quantity("1", minimum=12.0, maximum=200.0) = Field(  # type: ignore[valid-type]
        description="height of a standard cell, in F"
    )
    gate_pitch: quantity("1", minimum=1.0, maximum=50.0) = Field(  # type: ignore[valid-type]
        description="contacted gate pitch, in F"
    )
    gate_length: quantity("1", minimum=0.1, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="drawn gate length, in F"
    )
    pn_gap: quantity("1", maximum=50.0) = Field(  # type: ignore[valid-type]
        description="gap between n and p devices in a standard cell, in F"
    )
    fin_edge: quantity("1", maximum=50.0) = Field(  # type: ignore[valid-type]
        description="height that a standard cell of FinFETs loses at its edge, in F; 0 for planar"
    )
    metal3_pitch: quantity("1", minimum=0.1, maximum=50.0) = Field(  # type: ignore[valid-type]
        description="pitch of the third metal, in F: address lines beside decoders and multiplexers"
    )
    sram_cell_height: quantity("1", minimum=1.0, maximum=200.0) = Field(  # type: ignore[valid-type]
        description="height of an SRAM cell, along the bit line, in F"
    )
    sram_cell_width: quantity("1", minimum=1.0, maximum=200.0) = Field(  # type: ignore[valid-type]
        description="width of an SRAM cell, along the word line, in F"
    )
    enlarged_inverter_fins: quantity("1", length=2, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="fins of the n and of the p device of an inverter that fills its footprint; 0 "
        "for planar"
    )
    enlarged_nor2_fins: quantity("1", length=2, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="fins of the n and of the p device of a two-input NOR that fills its "
        "footprint; 0 for planar"
    )
    precharger_fins: quantity("1", length=2, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="fins of the two p devices that precharge and equalise an SRAM bit line; 0 "
        "for planar"
    )
    mux_driver_size: quantity("1", minimum=1.0, maximum=1e4) = Field(  # type: ignore[valid-type]
        description="width of the n device of the inverter that drives the column "
        "multiplexers, in units of 4 F"
    )
    wordline_gate_size: quantity("1", minimum=1.0, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="width of the gates that drive word lines, over the minimum of 2 F"
    )
    transmission_gate_ratio: quantity("1", minimum=0.01, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="on-resistance of an SRAM transmission gate over that of the line it switches"
    )
    metal0_width: quantity("m", minimum=1e-9, maximum=1e-5) = Field(  # type: ignore[valid-type]
        description="width of the wires of the lowest metal: bit lines"
    )
    metal0_aspect: quantity("1", minimum=0.1, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="height over width of the wires of the lowest metal"
    )
    metal0_resistivity: quantity("ohm*m", minimum=1e-9, maximum=1e-5) = Field(  # type: ignore[valid-type]
        description="of the lowest metal at its width, barrier and scattering included"
    )
    metal1_width: quantity("m", minimum=1e-9, maximum=1e-5) = Field(  # type: ignore[valid-type]
        description="width of the wires of the next metal: word lines"
    )
    metal1_aspect: quantity("1", minimum=0.1, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="height over width of the wires of the next metal"
    )
    metal1_resistivity: quantity("ohm*m", minimum=1e-9, maximum=1e-5) = Field(  # type: ignore[valid-type]
        description="of the next metal at its width, barrier and scattering included"
    )
    c_wire: quantity("F/m", minimum=1e-11, maximum=1e-8) = Field(  # type: ignore[valid-type]
        description="capacitance of a wire per length, the same for all classes"
    )
    wire_resistance: quantity("ohm/m", length=3, minimum=1e2, maximum=1e10) = Field(  # type: ignore[valid-type]
        description="of buses and trees per length: short wires, those from 1e4 F, those from 1e5 F"
    )
    v_read: quantity("V", minimum=0.01, maximum=5.0) = Field(  # type: ignore[valid-type]
        description="bit-line read voltage, where chip.read.voltage is null"
    )
    flash_time_breaks: quantity("ohm", length=2, maximum=_NEVER) = Field(  # type: ignore[valid-type]
        description="fit to SPICE of a current-mode flash ADC's time, const + linear R + log ln(R "
        "/ 1 ohm): values of the reference's resistance R between its three pieces; 1e30 for none"
    )
    flash_time_const: quantity("s", length=3, maximum=1e-3) = Field(  # type: ignore[valid-type]
        description="constant term of that time, one per piece"
    )
    flash_time_linear: quantity("s/ohm", length=3, minimum=-_FIT, maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="factor of R in that time, one per piece"
    )
    flash_time_log: quantity("s", length=3, minimum=-_FIT, maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="factor of ln(R / 1 ohm) in that time, one per piece"
    )
    flash_time_c0: quantity("F", minimum=1e-18, maximum=1e-9) = Field(  # type: ignore[valid-type]
        description="capacitance of column and comparators C0 at which that time was fitted; C "
        "beyond it adds slope (R - onset) / (100 kohm - onset) (C - C0) / C0, where R is above "
        "onset"
    )
    flash_time_slope: quantity("s", maximum=1e-3) = Field(  # type: ignore[valid-type]
        description="slope in the added time: what one more C0 adds at R = 100 kohm"
    )
    flash_time_onset: quantity("ohm", maximum=9e4) = Field(  # type: ignore[valid-type]
        description="onset in the added time: R up to which a larger column adds none; below the "
        "100 kohm at which the slope is anchored"
    )
    flash_power_breaks: quantity("ohm", length=2, maximum=_NEVER) = Field(  # type: ignore[valid-type]
        description="fit to SPICE of the power of one comparator of a current-mode flash ADC, "
        "const + linear R + log ln(R / 1 ohm): values of the column's resistance R between its "
        "three pieces; 1e30 for none. R is taken at 0.5 V of read voltage"
    )
    flash_power_const: quantity("W", length=3, maximum=1.0) = Field(  # type: ignore[valid-type]
        description="constant term of that power, one per piece"
    )
    flash_power_linear: quantity("W/ohm", length=3, minimum=-_FIT, maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="factor of R in that power, one per piece"
    )
    flash_power_log: quantity("W", length=3, minimum=-_FIT, maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="factor of ln(R / 1 ohm) in that power, one per piece"
    )
    flash_power_inverse: quantity("W", maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="A in A (R / 1 ohm)^-exponent, added to the power of all comparators of a "
        "column together; 0 where the fit has no such term"
    )
    flash_power_exponent: quantity("1", maximum=3.0) = Field(  # type: ignore[valid-type]
        description="exponent in flash_power_inverse (R / 1 ohm)^-exponent"
    )
    sar_power_per_bit: quantity("W", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="fit to SPICE of a SAR ADC's power, per_bit b + base + inverse (R / 1 "
        "ohm)^-exponent, with b bits and the column's resistance R at 0.5 V: factor of b"
    )
    sar_power_base: quantity("W", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="constant term of the power of a SAR ADC"
    )
    sar_power_inverse: quantity("W", maximum=_FIT) = Field(  # type: ignore[valid-type]
        description="factor of (R / 1 ohm)^-exponent in the power of a SAR ADC"
    )
    sar_power_exponent: quantity("1", maximum=3.0) = Field(  # type: ignore[valid-type]
        description="exponent of R in the power of a SAR ADC"
    )
