"""Settings of a design that the silicon cost model alone reads."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from archsim.arch.field import names, parameter
from archsim.arch.technology import Technology

SENSINGS = names("chip.read.sensing")
#: Stands for what the designer does not know, and the model has a formula for; no setting can be
#: negative. A number, so that equal designs stay one.
UNKNOWN = -1.0


@dataclass(frozen=True, eq=False)
class AbstractSiliconSettings:
    """Technology and cost model of a design, and what the silicon model knows of its reading.

    Some numbers may be :data:`UNKNOWN`.
    """

    technology: Technology
    is_silicon: Tensor = parameter("chip.cost_model", "flag")
    sensing: Tensor = parameter("chip.read.sensing", "choice")
    dac_bits: Tensor = parameter("chip.read.dac_bits", "integer", default=1.0)
    weight_bits_read: Tensor = parameter(
        "chip.read.weight_bits_per_conversion", "integer", fallback="chip.precision.bits_per_cell"
    )
    cell_current_A: Tensor = parameter("chip.read.cell_current", default=UNKNOWN)
    cell_supply_V: Tensor = parameter("chip.read.cell_supply", default=UNKNOWN)
    sense_time_s: Tensor = parameter("chip.read.sense_time", default=UNKNOWN)
    read_activity: Tensor = parameter("chip.read.activity", default=UNKNOWN)
    conversion_J: Tensor = parameter("chip.adc.energy", default=UNKNOWN)
    read_cycle_s: Tensor = parameter("chip.timing.read_cycle", default=UNKNOWN)
    chip_clock_s: Tensor = parameter("chip.timing.clock", default=UNKNOWN)
    cell_transistors: Tensor = parameter("device.cell_transistors", default=6.0)
    macro_energy: Tensor = parameter("chip.calibration.macro_energy", default=1.0)
    macro_time: Tensor = parameter("chip.calibration.macro_time", default=1.0)
    macro_area: Tensor = parameter("chip.calibration.macro_area", default=1.0)
