"""The cells of one device: their spread at each place, and the programming of a block of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.config.sourced import Quantity
from archsim.device.cell import Real, zero_conductance_level
from archsim.device.disturbance import stuck_levels
from archsim.device.level_table import LevelTable
from archsim.device.stuck import stuck_pulses
from archsim.device.variation import level_sigmas, profile_sigma
from archsim.device.weight_format import WeightFormat
from archsim.device.write_sampler import verify_cells
from archsim.errors import Code, ConfigError

#: Sampling in single precision: the same distribution (tested), five times as fast.
SAMPLE_DTYPE = torch.float32


@dataclass(frozen=True, eq=False)
class CellBlock:
    """Cells after programming: where they landed, and what it took.

    ``pulses`` and ``converged`` tell something of the verified cells only; ``stuck`` is None where
    no cell can be.
    """

    levels: Float[Tensor, "*weights side digit"]
    error: Float[Tensor, "*weights side digit"]
    pulses: Float[Tensor, "*weights side digit"]
    converged: Bool[Tensor, "*weights side digit"]
    stuck: Bool[Tensor, "*weights side digit"] | None


@dataclass(frozen=True, kw_only=True)
class ChipStreams:
    """Randomness of one tensor on one chip: device-to-device errors, and defects."""

    device: torch.Generator
    defects: torch.Generator


@dataclass(frozen=True, kw_only=True)
class CellProgrammer:
    """Programs cells of a device that hold weights in a format.

    Attributes:
        device: spread, write-verify and defects.
        weight_format: how weights lie on cells.
        clip_at_zero: a cell cannot have less than no conductance. Off by default: the closed forms
            are Gaussian.
    """

    device: DeviceFile
    weight_format: WeightFormat
    clip_at_zero: bool = False

    def __post_init__(self) -> None:
        """Check that device and format go together.

        Raises:
            ConfigError: more bits per cell than the device holds, or not those of its measured
                levels; clipping without resistances.
        """
        _ = self.levels
        most, bits = int(self.device.max_bits_per_cell.si), self.weight_format.bits_per_cell
        if bits > most:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "bits_per_cell",
                bits,
                problem=f"device '{self.device.name}' holds at most {most} per cell",
                allowed=f"1 to {most}",
            )
        if self.clip_at_zero and (self.device.r_on is None or self.device.r_off is None):
            raise ConfigError.of(
                Code.CONFLICT,
                "clip_at_zero",
                problem=f"device '{self.device.name}' has no r_on and r_off; use a "
                "resistive device or leave it off",
            )

    @cached_property
    def levels(self) -> LevelTable | None:
        """Measured levels of these cells; None for a device without."""
        table = LevelTable.of_device(self.device)
        return None if table is None else table.of_cells(self.weight_format.bits_per_cell)

    @property
    def max_pulses(self) -> int:
        """Pulse limit; 1 without write-verify."""
        loop = self.device.write_verify
        return 1 if loop is None else int(loop.max_pulses.si)

    def sigma(
        self, codes: Int[Tensor, "*weights"], digits: Int[Tensor, "*weights side digit"]
    ) -> Real:
        """Return the spread of each cell, a number where it is the same for all.

        Args:
            codes: signed codes of the weights.
            digits: levels that their cells are meant to hold.
        """
        sigma, profile = self.device.sigma_of_range, self.device.sigma_profile
        factor = profile.factor.si
        if self.levels is not None:
            spreads = torch.tensor(self.levels.sigmas, dtype=SAMPLE_DTYPE, device=codes.device)
            return spreads[digits]
        if factor == 1:
            return float(sigma)
        if profile.kind == "level":
            levels = self.weight_format.level_count
            table = level_sigmas(sigma=sigma, level_count=levels, factor=factor)
            sigmas: Tensor = table.to(codes.device, SAMPLE_DTYPE)[digits]
            return sigmas
        position = codes.abs().double() / self.weight_format.largest_code
        each = profile_sigma(position=position, sigma=sigma, factor=factor).to(SAMPLE_DTYPE)
        return each[..., None, None].expand(digits.shape)

    def program(
        self,
        codes: Int[Tensor, "*weights"],
        *,
        verified: Bool[Tensor, "*weights side digit"] | None,
        generator: torch.Generator,
        chip: ChipStreams,
    ) -> CellBlock:
        """Program the cells of some weights.

        Args:
            codes: signed codes of the weights.
            verified: cells to read and pulse on; None for no cell.
            generator: what changes from cycle to cycle; on the device of ``codes``.
            chip: what belongs to the cells.

        Raises:
            ConfigError: cells to verify on a device without write-verify.
        """
        digits = self.weight_format.encode(codes)
        sigma, top = self.sigma(codes, digits), self.weight_format.level_count - 1
        share = _number(self.device.device_to_device_share)
        cycle = sigma * math.sqrt(1 - share)
        drawn = _normal(digits.shape, generator)
        own = _normal(digits.shape, chip.device) if share > 0 else None
        fixed = None if own is None else sigma * math.sqrt(share) * own
        if self.levels is None:
            error = cycle * drawn if fixed is None else cycle * drawn + fixed
        else:
            both = drawn if own is None else math.sqrt(1 - share) * drawn + math.sqrt(share) * own
            error = self.levels.errors(digits, both)
        error = error.to(SAMPLE_DTYPE)
        pulses, converged = torch.ones_like(error), torch.ones_like(error, dtype=torch.bool)
        if verified is not None:
            error, pulses, converged = self._verify(error, cycle, fixed, verified, generator)
        stuck = self._stuck(digits, chip.defects)
        if stuck is not None:
            works = stuck.isnan()
            error = torch.where(works, error, (stuck - digits) / top)
            if verified is not None:
                taken, done = stuck_pulses(
                    error=torch.where(works, 0.0, error),
                    tolerance=self._tolerance,
                    max_pulses=self.max_pulses,
                    read_noise=self.device.verify_noise_of_range,
                    generator=generator,
                )
                pulses = torch.where(works, pulses, taken)
                converged = torch.where(works, converged, done)
        levels = digits + top * error
        if self.clip_at_zero:
            levels = levels.clamp_min(self._lowest_level)
            error = (levels - digits) / top
        return CellBlock(
            levels,
            error,
            pulses.to(SAMPLE_DTYPE),
            converged,
            None if stuck is None else ~stuck.isnan(),
        )

    def _verify(
        self,
        error: Tensor,
        cycle: Real,
        fixed: Tensor | None,
        verified: Tensor,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        loop = self.device.write_verify
        if loop is None:
            raise ConfigError(
                f"device '{self.device.name}' has no write_verify; verify nothing, or choose "
                "another device",
                code=Code.CONFLICT,
                field="device",
                value=self.device.name,
            )
        cells = verify_cells(
            model=loop.model,
            error=error,
            sigma=cycle,
            tolerance=self._tolerance,
            max_pulses=self.max_pulses,
            generator=generator,
            step_gain=None if loop.step_gain is None else loop.step_gain.si,
            step_sigma=None if loop.step_sigma is None else self.device.of_range(loop.step_sigma),
            read_noise=self.device.verify_noise_of_range,
            device_error=fixed,
            verified=verified,
        )
        return cells.error, cells.pulses, cells.converged

    @property
    def _tolerance(self) -> float:
        loop = self.device.write_verify
        return math.inf if loop is None else self.device.of_range(loop.tolerance)

    @property
    def _lowest_level(self) -> float:
        r_on, r_off = _number(self.device.r_on), _number(self.device.r_off)
        count = self.weight_format.level_count
        return float(zero_conductance_level(level_count=count, g_off_S=1 / r_off, g_on_S=1 / r_on))

    def _stuck(self, digits: Tensor, generator: torch.Generator) -> Tensor | None:
        on, off = _number(self.device.stuck_on_rate), _number(self.device.stuck_off_rate)
        if on == 0 and off == 0:
            return None
        return stuck_levels(
            shape=tuple(digits.shape),
            level_count=self.weight_format.level_count,
            stuck_on_rate=on,
            stuck_off_rate=off,
            generator=generator,
            dtype=SAMPLE_DTYPE,
        )


def _number(quantity: Quantity | None) -> float:
    """Return the SI value; 0 for what a device does not have."""
    return 0.0 if quantity is None else quantity.si


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=SAMPLE_DTYPE, device=generator.device)
