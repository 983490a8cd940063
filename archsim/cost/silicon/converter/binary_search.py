"""Successive approximation, and what a macro has of which nobody says: the calibrated converter."""

from __future__ import annotations

from archsim.cost.silicon.converter.law import (
    ConverterLaw,
    calibrated_F,
    calibrated_m2,
    nothing,
    once,
)

BINARY_SEARCH = ConverterLaw(
    name="binary-search",
    description="SAR: one comparison per bit; also the mean of published macros, few of which say",
    source="archsim calibration, configs/silicon/calibrated.yaml; specification, section 3",
    energy_F=calibrated_F,
    slowness=once,
    further_delays=nothing,
    area_m2=calibrated_m2,
)
