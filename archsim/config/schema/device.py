"""What a device preset may say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from archsim.config.schema.base import Model
from archsim.config.sourced import Quantity, quantity
from archsim.errors import Code, Problem, RejectedValueError


class SigmaProfile(Model):
    """How the programming spread depends on the conductance."""

    kind: Literal["uniform", "weight", "level"] = Field(
        description="the same everywhere; larger in the middle of the range of weights (all cells "
        "of a weight alike: NeFT); or larger at the middle levels of each cell"
    )
    factor: quantity("1", minimum=1.0) = Field(  # type: ignore[valid-type]
        description="sigma in the middle over that at the ends; 1 for uniform"
    )

    @model_validator(mode="after")
    def _uniform_has_no_factor(self) -> SigmaProfile:
        if self.kind == "uniform" and self.factor.si != 1:
            raise ValueError(
                f"factor = {self.factor.si:g} does nothing for kind = uniform; allowed: 1, or set "
                "sigma_profile.kind to weight or level"
            )
        return self


#: Most pulses of a write-verify: twenty times what the presets consider. The closed forms tabulate
#: every pulse of every kind of cell, and the sampler goes through them one by one.
MAX_PULSES = 10_000


class WriteVerify(Model):
    """The pulse-and-read loop that brings a cell to its level."""

    model: Literal["redraw", "incremental"]
    tolerance: quantity("1")  # type: ignore[valid-type]
    max_pulses: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    step_gain: quantity("1", maximum=2.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="incremental: share of the error that a further pulse removes; above 2 the "
        "error would grow",
    )
    step_sigma: quantity("1", maximum=1.0) | None = None  # type: ignore[valid-type]

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: Quantity) -> Quantity:
        if tolerance.si <= 0:
            no_cell = "no cell is ever exactly at its level"
            raise RejectedValueError(
                Problem.of(
                    Code.OUT_OF_RANGE,
                    value=tolerance.si,
                    problem=no_cell,
                    allowed="above 0",
                    form="g",
                )
            )
        return tolerance

    @field_validator("max_pulses")
    @classmethod
    def _countable(cls, limit: Quantity) -> Quantity:
        if not limit.si.is_integer() or limit.si > MAX_PULSES:
            raise RejectedValueError(
                Problem.of(
                    Code.OUT_OF_RANGE,
                    value=limit.si,
                    allowed=f"a whole number from 1 to {MAX_PULSES}",
                    form="g",
                    more=", every pulse being worked out",
                )
            )
        return limit


class DeviceFile(Model):
    """One memory device: resistances for reading, pulses for writing, spread for accuracy."""

    name: str
    memory: Literal["sram", "rram", "fefet", "pcm", "mram"]
    description: str = ""
    max_bits_per_cell: quantity("1", minimum=1.0)  # type: ignore[valid-type]
    r_on: quantity("ohm", minimum=1.0) | None  # type: ignore[valid-type]
    r_off: quantity("ohm", minimum=1.0) | None  # type: ignore[valid-type]
    access: Literal["1t1r", "none"]
    v_write: quantity("V") | None  # type: ignore[valid-type]
    pulse_width: quantity("s")  # type: ignore[valid-type]
    write_energy: quantity("J")  # type: ignore[valid-type]
    verify_read_time: quantity("s")  # type: ignore[valid-type]
    verify_read_energy: quantity("J")  # type: ignore[valid-type]
    spread_reference: Literal["range", "maximum"] = Field(
        default="range",
        description="what sigma, tolerance, step_sigma and the read noises are relative to: "
        "g_on - g_off, which is what a weight spans, or g_on",
    )
    sigma: quantity("1", maximum=1.0)  # type: ignore[valid-type]
    sigma_profile: SigmaProfile
    device_to_device_share: quantity("1") | None = Field(  # type: ignore[valid-type]
        default=None,
        description="share of the variance sigma^2 that belongs to the cell and comes back each "
        "time that it is programmed; the rest is new in every cycle",
    )
    write_verify: WriteVerify | None
    stuck_on_rate: quantity("1") | None = None  # type: ignore[valid-type]
    stuck_off_rate: quantity("1") | None = None  # type: ignore[valid-type]
    drift_start: quantity("s") | None = None  # type: ignore[valid-type]
    drift_nu: quantity("1") | None = None  # type: ignore[valid-type]
    drift_nu_sigma: quantity("1") | None = None  # type: ignore[valid-type]
    read_noise_sigma: quantity("1", maximum=1.0) | None = None  # type: ignore[valid-type]
    verify_noise_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="noise of one verify read, soon after its pulse; null: read_noise_sigma",
    )
    retention_time: quantity("s") | None = None  # type: ignore[valid-type]
    endurance_cycles: quantity("1") | None = None  # type: ignore[valid-type]

    @property
    def range_factor(self) -> float:
        """What turns a spread of :attr:`spread_reference` into one of ``g_on - g_off``.

        ``g_on / (g_on - g_off) = 1 / (1 - r_on / r_off)`` for ``maximum``, else 1.
        """
        if self.spread_reference == "range" or self.r_on is None or self.r_off is None:
            return 1.0
        return float(1 / (1 - self.r_on.si / self.r_off.si))

    def of_range(self, spread: Quantity | None) -> float:
        """Return a spread relative to ``g_on - g_off``; 0 for what the device does not have.

        Args:
            spread: sigma, tolerance, step_sigma or read_noise_sigma of this device.
        """
        return 0.0 if spread is None else spread.si * self.range_factor

    @property
    def verify_noise_of_range(self) -> float:
        """Spread of one verify read, relative to ``g_on - g_off``."""
        own = self.verify_noise_sigma
        return self.of_range(self.read_noise_sigma if own is None else own)

    @model_validator(mode="after")
    def _shares_at_most_one(self) -> DeviceFile:
        share = self.device_to_device_share
        if share is not None and share.si > 1:
            raise ValueError(f"device_to_device_share = {share.si:g}; allowed: 0 to 1")
        rates = [rate.si for rate in (self.stuck_on_rate, self.stuck_off_rate) if rate is not None]
        if sum(rates) > 1:
            raise ValueError(f"stuck_on_rate + stuck_off_rate = {sum(rates):g}; allowed: at most 1")
        return self

    @model_validator(mode="after")
    def _resistances_ordered(self) -> DeviceFile:
        if self.memory == "sram":
            return self
        if self.r_on is None or self.r_off is None:
            raise ValueError(f"r_on and r_off are required for memory = {self.memory}")
        if self.r_on.si >= self.r_off.si:
            raise ValueError(
                f"r_on = {self.r_on.si:g} ohm is not below r_off = {self.r_off.si:g} ohm"
            )
        return self

    @model_validator(mode="after")
    def _spread_within_the_range(self) -> DeviceFile:
        if self.of_range(self.sigma) > 1:
            raise ValueError(
                f"sigma = {self.sigma.si:g} of the maximum conductance is "
                f"{self.of_range(self.sigma):.3g} of the range g_on - g_off; allowed: 0 to "
                f"{1 / self.range_factor:.3g} at this r_on and r_off"
            )
        return self
