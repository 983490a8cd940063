"""An oscillator that the column's current drives, whose cycles are counted: time domain.

The calibrated converter stays, as what starts, stops and hands over a count. On top comes what the
counting itself takes: energy of half of the counts, the mean, and time of all of them.
"""

from __future__ import annotations

from torch import Tensor

from archsim.arch.silicon import SiliconConstants, silicon_converters
from archsim.cost.silicon.converter.law import ConverterLaw, calibrated_m2, once

#: Share of full scale that is counted on average.
_MEAN = 0.5


def _counts(bits: Tensor) -> Tensor:
    return 2**bits - 1


def _energy_F(bits: Tensor, constants: SiliconConstants) -> Tensor:
    counting = _MEAN * _counts(bits) * silicon_converters().oscillator_count_F
    return constants.converter_linear_F * bits + counting


def _further_delays(bits: Tensor, constants: SiliconConstants) -> Tensor:
    return _counts(bits) * silicon_converters().oscillator_delays


OSCILLATOR = ConverterLaw(
    name="oscillator",
    description="current-controlled oscillator and counter: time of 2^bits - 1 counts",
    source="Khaddam-Aljameh et al., HERMES-Core, JSSC 57 (2022), doi:10.1109/JSSC.2022.3140414; "
    "constants in configs/silicon/converters.yaml; not calibrated",
    energy_F=_energy_F,
    slowness=once,
    further_delays=_further_delays,
    area_m2=calibrated_m2,
)
