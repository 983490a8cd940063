"""What inference sees of a programmed chip: its cells some time later, read once.

Program, drift, read. Drift needs every cell, with an exponent of its own; a read adds independent
errors to the cells, hence one normal number to each weight, exactly. Reads are not compensated for
drift: no output is rescaled, and conductances are compared with those of the time of programming.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.config.sourced import Quantity
from archsim.device import (
    ReadNoise,
    WeightFormat,
    drift_cells,
    level_conductances_S,
    program_tensor,
)
from archsim.device.read_noise import REFERENCE_S
from archsim.device.tensor_programming import ProgrammedTensor
from archsim.errors import Code, ConfigError


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """How chips are programmed and read.

    Attributes:
        device: a file of ``configs/device``.
        weight_format: bits and encoding.
        verify: masks by name, a flag per weight or per cell.
        time_s: time from programming to the read, s; up to the device's ``drift_start`` nothing
            drifts, and at 0 the noise of a read is that of a second later.
        clip_at_zero: cells whose conductance would fall below zero stay at zero; they are read
            with noise all the same.
    """

    device: DeviceFile
    weight_format: WeightFormat
    verify: Mapping[str, Tensor]
    time_s: float = 0.0
    clip_at_zero: bool = False

    def __post_init__(self) -> None:
        """Check the time, and that the device says from when on it drifts.

        Raises:
            ConfigError: a time before programming, or one that never comes; a device that drifts
                without ``drift_start`` or resistances.
        """
        if not 0 <= self.time_s < float("inf"):
            raise ConfigError(
                f"time from programming to the read = {self.time_s:g} s; allowed: 0 or more",
                code=Code.OUT_OF_RANGE,
                field="time_s",
                value=self.time_s,
                allowed="0 or more",
            )
        device = self.device
        lacks = [key for key in ("drift_start", "r_on", "r_off") if not _si(getattr(device, key))]
        if self.time_s > 0 and drifts(device) and lacks:
            raise ConfigError(
                f"device '{device.name}' drifts (drift_nu), which needs {' and '.join(lacks)}: "
                "allowed: above 0",
                code=Code.MISSING_KEY,
                field="device",
                value=lacks,
                allowed="above 0",
            )

    @property
    def drifts(self) -> bool:
        """Whether cells have drifted when they are read."""
        return drifts(self.device) and self.time_s > _si(self.device.drift_start)

    def draw(self, weights: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Program a new chip, let it drift, and read it once.

        Without drift and read noise these are the weights of
        :func:`archsim.device.program_weights` with the same generator.

        Args:
            weights: what is to be programmed, by name.
            generator: source of all randomness.
        """
        chip_seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
        return {
            name: self._draw(name, weight, chip_seed, generator) for name, weight in weights.items()
        }

    def draw_cells(
        self, weights: Mapping[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Program a new chip as :meth:`draw` does, let it drift, and return what its cells hold.

        Args:
            weights: what is to be programmed, by name.
            generator: source of all randomness.

        Returns:
            Errors in levels, ``*weights side digit``; sides are those of the encoding.
        """
        chip_seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
        return {
            name: self._cells(name, weight, chip_seed, generator)
            for name, weight in weights.items()
        }

    def _cells(
        self, name: str, weight: Tensor, chip_seed: int, generator: torch.Generator
    ) -> Tensor:
        done = self._programmed(name, weight, chip_seed, generator, keep_cells=True)
        if done.cell_errors is None:
            raise ValueError("cells were not kept")
        digits = self.weight_format.encode(self.weight_format.codes_of(weight, done.scale))
        errors = (self.weight_format.level_count - 1) * done.cell_errors.view(digits.shape)
        if not self.drifts:
            return errors
        return self._later(digits + errors, generator) - digits

    def _programmed(
        self,
        name: str,
        weight: Tensor,
        chip_seed: int,
        generator: torch.Generator,
        *,
        keep_cells: bool,
    ) -> ProgrammedTensor:
        """Program one tensor as this chip programs all."""
        return program_tensor(
            weight,
            name=name,
            device=self.device,
            generator=generator,
            chip_seed=chip_seed,
            weight_format=self.weight_format,
            verify=self.verify.get(name, False),
            clip_at_zero=self.clip_at_zero,
            keep_cells=keep_cells,
        )

    def _draw(
        self, name: str, weight: Tensor, chip_seed: int, generator: torch.Generator
    ) -> Tensor:
        done = self._programmed(name, weight, chip_seed, generator, keep_cells=self.drifts)
        held = done.weights
        if done.cell_errors is not None:
            held = self._drifted(weight, done.scale, done.cell_errors, generator)
        law, form = ReadNoise.of_device(self.device), self.weight_format
        if not law.sigma:
            return held
        noise = law.of_codes(form.codes_of(weight, done.scale), form, self.time_s or REFERENCE_S)
        normal = torch.randn(held.shape, generator=generator, dtype=held.dtype, device=held.device)
        return held + (done.scale * noise).to(held.dtype) * normal

    def _drifted(
        self, weight: Tensor, scale: float, cell_errors: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Let the cells of a programmed tensor drift, and read it without noise."""
        form = self.weight_format
        codes = form.codes_of(weight, scale)
        digits = form.encode(codes)
        landed = digits + (form.level_count - 1) * cell_errors.view(digits.shape)
        read = form.decode(self._later(landed, generator), codes)
        return (read.double() * scale).to(weight.dtype)

    def _later(self, landed: Tensor, generator: torch.Generator) -> Tensor:
        """Let cells drift.

        Args:
            landed: what they were programmed to, levels.
            generator: source of all randomness.
        """
        device, top = self.device, self.weight_format.level_count - 1
        low_S, high_S = level_conductances_S(
            level_count=2, g_off_S=1 / _si(device.r_off), g_on_S=1 / _si(device.r_on)
        ).tolist()
        step_S = (high_S - low_S) / top
        later_S = drift_cells(
            conductance=low_S + step_S * landed,
            time_s=self.time_s,
            start_s=_si(device.drift_start),
            drift_nu=_si(device.drift_nu),
            drift_nu_sigma=_si(device.drift_nu_sigma),
            generator=generator,
        )
        later: Tensor = (later_S - low_S) / step_S
        return later


def drifts(device: DeviceFile) -> bool:
    """Whether the cells of a device drift at all.

    Args:
        device: a file of ``configs/device``.
    """
    return _si(device.drift_nu) > 0 or _si(device.drift_nu_sigma) > 0


def _si(quantity: Quantity | None) -> float:
    """Return the SI value; 0 for what a device does not have."""
    return 0.0 if quantity is None else quantity.si
