"""What a chip preset may say of its calibration and of the statistics of its inputs and weights."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config.schema.base import Model
from archsim.config.sourced import Quantity, quantity

_NO_CORRECTION = Quantity(value=1.0, unit="1", source="physics: no correction")


class Calibration(Model):
    """Factors from layout to silicon; each names what it corrects.

    A factor beyond a thousand, or below a thousandth, corrects nothing: it replaces the model.
    """

    shifter_wiring: quantity("1", minimum=0.1, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="area of a level shifter of I/O devices, wired, over that of its transistors"
    )
    sensing_time: quantity("1", minimum=0.01, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="read cycle of a subarray, over the sum of its circuits' delays as drawn"
    )
    register_activity: quantity("1", maximum=10.0) = Field(  # type: ignore[valid-type]
        description="share of the bits of shift-add registers that switch per clock"
    )
    buffer_activity: quantity("1", maximum=10.0) = Field(  # type: ignore[valid-type]
        description="share of the bits of a register file that switch per access"
    )
    adder_activity: quantity("1", maximum=10.0) = Field(  # type: ignore[valid-type]
        description="share of an adder's full swing that one addition switches"
    )
    control_activity: quantity("1", maximum=10.0) = Field(  # type: ignore[valid-type]
        description="share of decoders and max-pooling comparators that switches per use"
    )
    adc_energy: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="energy of conversions over that of the ADC's model; 1 for no correction"
    )
    adc_area: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="area of the ADCs over that of their model; 1 for no correction"
    )
    adc_time: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        description="time of a conversion over that of the ADC's model; 1 for no correction"
    )
    memory_energy: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        default=_NO_CORRECTION, description="of buffers of kind sram-macro and edram-macro"
    )
    memory_area: quantity("1", minimum=1e-3, maximum=1e3) = Field(  # type: ignore[valid-type]
        default=_NO_CORRECTION, description="of buffers of kind sram-macro and edram-macro"
    )
    macro_energy: quantity("1", minimum=1e-3, maximum=1e3) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="cost_model silicon: energy of reads; null for 1, known as well as published "
        "chips agree (configs/silicon)",
    )
    macro_time: quantity("1", minimum=1e-3, maximum=1e3) | None = Field(  # type: ignore[valid-type]
        default=None, description="cost_model silicon: time of reads by the formula; null as above"
    )
    macro_area: quantity("1", minimum=1e-3, maximum=1e3) | None = Field(  # type: ignore[valid-type]
        default=None, description="cost_model silicon: area of crossbars; null as above"
    )
    io_device_shifters: bool = Field(
        description="level shifters drawn with thick-oxide I/O devices"
    )


class Activity(Model):
    """Statistics of inputs and weights that decide the read energy."""

    first_layer: Literal["uniform", "relu", "dense"] = Field(
        description="bits of the first layer's inputs: uniform over their codes, or as those of "
        "hidden layers (relu: never negative)"
    )
    hidden: Literal["relu", "dense"] = Field(
        description="bits of hidden inputs: Gaussian, rectified where they are never negative, or "
        "all one"
    )
    input_std: quantity("1", minimum=1e-6, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="standard deviation of inputs before they are rectified, full scale being 1"
    )
    weight_std: quantity("1", minimum=1e-6, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="standard deviation of the Gaussian weights, full scale being 1"
    )
