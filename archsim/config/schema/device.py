"""What a device preset may say."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field, field_validator

from archsim.config.schema.base import About, Model
from archsim.config.schema.level import (
    LevelShape,
    MeasuredLevel,
    root_mean_square_sigma,
    table_problem,
)
from archsim.config.schema.name import Name
from archsim.config.sourced import Quantity, quantity
from archsim.config.write_laws import PULSE_KEYS, CellPulse, WriteLawName, by_law, cell_pulse
from archsim.errors import Code, Problem, RejectedValueError


def relative_to_range(r_on: Any, r_off: Any) -> Any:
    """Return what turns a spread relative to ``g_on`` into one relative to ``g_on - g_off``.

    ``g_on / (g_on - g_off) = 1 / (1 - r_on / r_off)``; 1 where the two are equal, which no device
    may have.

    Args:
        r_on: numbers, or tensors; in the same unit.
        r_off: of the same kind.
    """
    span = 1 - r_on / r_off
    return 1 / (span + (span == 0))


class SigmaProfile(Model):
    """How the programming spread depends on the conductance."""

    kind: Literal["uniform", "weight", "level"] = Field(
        description="the same everywhere; larger in the middle of the range of weights (all cells "
        "of a weight alike: NeFT); or larger at the middle levels of each cell"
    )
    factor: quantity("1", minimum=1.0, maximum=100.0) = Field(  # type: ignore[valid-type]
        description="sigma in the middle over that at the ends; 1 for uniform"
    )


#: Most pulses of a write-verify: twenty times what the presets consider. The closed forms tabulate
#: every pulse of every kind of cell, and the sampler goes through them one by one.
MAX_PULSES = 10_000


class WriteVerify(Model):
    """The pulse-and-read loop that brings a cell to its level."""

    model: Literal["redraw", "incremental"] = Field(
        description="redraw: every pulse lands anew; incremental: further pulses correct what is "
        "left of the error"
    )
    tolerance: quantity("1", maximum=1e3) = Field(  # type: ignore[valid-type]
        description="accepted error of a cell, as a share of what spread_reference says"
    )
    max_pulses: quantity("1", minimum=1.0, maximum=MAX_PULSES) = Field(  # type: ignore[valid-type]
        description="pulses after which a cell is left as it is"
    )
    step_gain: quantity("1", maximum=2.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="incremental: share of the error that a further pulse removes; above 2 the "
        "error would grow",
    )
    step_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="incremental: spread that a further pulse adds, as a share of what "
        "spread_reference says; null for redraw",
    )

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
                    more=", every pulse being computed",
                )
            )
        return limit


class ReadNoiseLaw(Model):
    """How read noise grows with time and conductance: see :mod:`archsim.device.read_noise`."""

    read_time: quantity("s", minimum=1e-9, maximum=1e-3) = Field(  # type: ignore[valid-type]
        description="t_r, the pulse of one read: noise goes with the root of ln((t + t_r) / (2 "
        "t_r)), t after programming"
    )
    exponent: quantity("1", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="power of the conductance by which the relative noise falls"
    )
    most: quantity("1", minimum=1e-3, maximum=10.0) = Field(  # type: ignore[valid-type]
        description="largest relative noise of a cell, before the growth with time"
    )


class DeviceFile(Model):
    """One memory device: resistances for reading, pulses for writing, spread for accuracy."""

    name: Name
    memory: Literal["sram", "rram", "fefet", "pcm", "mram"] = Field(
        description="what the cells are; decides circuits and which keys count"
    )
    description: About = ""
    max_bits_per_cell: quantity("bit", minimum=1.0, maximum=8.0) = Field(  # type: ignore[valid-type]
        description="most bits that a cell can hold"
    )
    cell_transistors: int = Field(
        default=6,
        strict=True,
        ge=1,
        le=40,
        description="transistors of an SRAM cell: its area under cost_model silicon",
    )
    r_on: quantity("ohm", minimum=1.0, maximum=1e12) | None = Field(  # type: ignore[valid-type]
        description="resistance of a cell at its highest conductance; null for SRAM"
    )
    r_off: quantity("ohm", minimum=1.0, maximum=1e15) | None = Field(  # type: ignore[valid-type]
        description="resistance of a cell at its lowest conductance; null for SRAM"
    )
    access: Literal["1t1r", "none"] = Field(
        description="a transistor beside each resistive cell (48 F^2), or none (4 F^2): sneak "
        "paths through half-selected cells then limit arrays, by r_off / r_on and the selector; "
        "SRAM and FeFET cells are transistors themselves and say none"
    )
    write_law: WriteLawName = Field(
        default="constant",
        description="energy of a write pulse: write_energy; voltage x current x width (joule); or "
        "write_capacitance x voltage^2 (capacitive)",
    )
    v_write: quantity("V", maximum=30.0) | None = Field(  # type: ignore[valid-type]
        description="voltage of a SET pulse; level shifters are there from 1.5 V on; null for SRAM"
    )
    write_current: quantity("A", maximum=1e-2) | None = Field(  # type: ignore[valid-type]
        default=None, description="joule: of a SET pulse; null: v_write / r_on"
    )
    # The slowest cells that are written, flash and redox ones, take ms; 1 uJ would burn a cell.
    pulse_width: quantity("s", minimum=1e-12, maximum=1.0) = Field(  # type: ignore[valid-type]
        description="of a SET pulse"
    )
    v_reset: quantity("V", maximum=30.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="voltage of a RESET pulse; null: v_write"
    )
    reset_current: quantity("A", maximum=1e-2) | None = Field(  # type: ignore[valid-type]
        default=None, description="joule: of a RESET pulse; null: its voltage / r_on"
    )
    reset_width: quantity("s", minimum=1e-12, maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="of a RESET pulse; null: pulse_width"
    )
    reset_share: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="share of the pulses that are RESETs; null: none"
    )
    write_setup_time: quantity("s", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="before every pulse: lines to the write voltage and back; null: none",
    )
    write_capacitance: quantity("F", maximum=1e-9) | None = Field(  # type: ignore[valid-type]
        default=None, description="capacitive: that a pulse charges for each cell, gate and line"
    )
    write_energy: quantity("J", maximum=1e-6) | None = Field(  # type: ignore[valid-type]
        default=None, description="constant: of a pulse on one cell"
    )
    verify_read_time: quantity("s", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="length of a cell's read pulse in one verify read; a slower ADC conversion "
        "takes its place"
    )
    verify_read_energy: quantity("J", maximum=1e-6) = Field(  # type: ignore[valid-type]
        description="energy of a cell's read pulse in one verify read; the ADC conversion comes "
        "on top"
    )
    spread_reference: Literal["range", "maximum"] = Field(
        default="range",
        description="what sigma, tolerance, step_sigma and the read noises are relative to: "
        "g_on - g_off, which is what a weight spans, or g_on",
    )
    sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        description="spread of one pulse; null where levels say it"
    )
    sigma_profile: SigmaProfile
    levels: tuple[MeasuredLevel, ...] | None = Field(
        default=None,
        description="measured levels at equal steps of the range, lowest first: mean and sigma of "
        "each; cells of K bits use 2^K of them",
    )
    level_shapes: tuple[LevelShape, ...] | None = Field(
        default=None,
        description="quantiles of the errors at each level, for cells that are not verified; "
        "null: normal",
    )
    device_to_device_share: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="share of the variance sigma^2 that belongs to the cell and comes back each "
        "time that it is programmed; the rest is new in every cycle",
    )
    write_verify: WriteVerify | None = Field(
        description="how a cell is brought to its level; null: it cannot be write-verified"
    )
    stuck_on_rate: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="share of cells stuck at the highest conductance; null: none"
    )
    stuck_off_rate: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="share of cells stuck at the lowest conductance; null: none"
    )
    drift_start: quantity("s", minimum=1e-9, maximum=1e12) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="t0 of drift, g(t) = g(t0) (t / t0)^-nu, after programming; null: no drift",
    )
    drift_nu: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="mean of nu, the exponent of drift; null: no drift"
    )
    drift_nu_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None, description="standard deviation of nu from cell to cell; null: none"
    )
    read_noise_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="standard deviation of one read of a cell, as a share of what "
        "spread_reference says; null: none",
    )
    read_noise_law: ReadNoiseLaw | None = Field(
        default=None,
        description="read_noise_sigma is then that at full conductance, 1 s after programming; "
        "null: of all cells at all times",
    )
    verify_noise_sigma: quantity("1", maximum=1.0) | None = Field(  # type: ignore[valid-type]
        default=None,
        description="noise of one verify read, soon after its pulse; null: read_noise_sigma",
    )
    # 30 000 years; more cycles than 30 of them at 1 GHz.
    retention_time: quantity("s", maximum=1e12) | None = Field(  # type: ignore[valid-type]
        default=None, description="how long a cell keeps what is written; null: not known"
    )
    endurance_cycles: quantity("1", maximum=1e18) | None = Field(  # type: ignore[valid-type]
        default=None, description="writes that a cell survives; null: not known"
    )

    @field_validator("levels")
    @classmethod
    def _rise(cls, levels: tuple[MeasuredLevel, ...] | None) -> tuple[MeasuredLevel, ...] | None:
        problem = None if levels is None else table_problem(levels)
        if problem is not None:
            raise RejectedValueError(problem)
        return levels

    @property
    def cell_pulse(self) -> CellPulse:
        """What a write pulse on one cell takes, by :attr:`write_law`."""
        values = {key: getattr(self, key) for key in PULSE_KEYS}
        return cell_pulse(
            {key: 0.0 if value is None else value.si for key, value in values.items()},
            partial(by_law, self.write_law.__eq__),
        )

    @property
    def sigma_of_range(self) -> float:
        """Spread of one pulse, relative to ``g_on - g_off``: of levels their root mean square."""
        if self.levels is not None:
            return root_mean_square_sigma(self.levels)
        return self.of_range(self.sigma)

    @property
    def range_factor(self) -> float:
        """What turns a spread of :attr:`spread_reference` into one of ``g_on - g_off``.

        :func:`relative_to_range` for ``maximum``, else 1.
        """
        if self.spread_reference == "range" or self.memory == "sram":
            return 1.0
        if self.r_on is None or self.r_off is None:
            return 1.0
        return float(relative_to_range(self.r_on.si, self.r_off.si))

    def of_range(self, spread: Quantity | None) -> float:
        """Return a spread relative to ``g_on - g_off``; 0 for what the device does not have.

        Args:
            spread: sigma, tolerance, step_sigma or read_noise_sigma of this device.
        """
        return 0.0 if spread is None else spread.si * self.range_factor

    @property
    def verify_noise_of_range(self) -> float:
        """Spread of one verify read, relative to ``g_on - g_off``."""
        sigma = self.verify_noise_sigma
        return self.of_range(self.read_noise_sigma if sigma is None else sigma)
