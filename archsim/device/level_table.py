"""Measured levels: where the cells of each level lie after one write, and how widely.

A table has N levels, asked for at equal steps of the range g_on - g_off, lowest first. Cells of K
bits use every (N - 1) / (2^K - 1)-th of them, both ends included. What a cell lands on is

    mean_l + sigma_l f_l(z),    z ~ N(0, 1),

with f_l(z) = z for normal errors. Where a level has quantiles, f_l(z) = F_l^-1(Phi(z)), its
empirical distribution with mean 0 and variance 1: quantiles give the shape, mean and sigma place
and width. A share of the variance of z belongs to the cell (``device_to_device_share``): a Gaussian
copula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.config.schema.level import QUANTILES, fitting_bits
from archsim.errors import Code, ConfigError


@dataclass(frozen=True, kw_only=True)
class LevelTable:
    """Levels of a cell, shares of the range g_on - g_off.

    Attributes:
        means: of the conductance of each level, lowest first; 0 is g_off, 1 is g_on.
        sigmas: standard deviation of each.
        quantiles: of each level at :data:`QUANTILES` equally spaced probabilities, 0 and 1
            included; none for normal errors.
    """

    means: tuple[float, ...]
    sigmas: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of_device(cls, device: DeviceFile) -> LevelTable | None:
        """Return all levels of a device; None where it has no table.

        Args:
            device: a file of ``configs/device``.
        """
        if device.levels is None:
            return None
        return cls(
            means=tuple(level.mean.si for level in device.levels),
            sigmas=tuple(level.sigma.si for level in device.levels),
            quantiles=tuple(shape.quantiles.si_values for shape in device.level_shapes or ()),
        )

    @classmethod
    def of_json(cls, values: Any) -> LevelTable | None:
        """Return a table as a file of a chip has it; None for null.

        Args:
            values: of ``dataclasses.asdict``.
        """
        if values is None:
            return None
        return cls(
            means=tuple(values["means"]),
            sigmas=tuple(values["sigmas"]),
            quantiles=tuple(map(tuple, values["quantiles"])),
        )

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self.means)

    def of_cells(self, bits_per_cell: int) -> LevelTable:
        """Return the ``2^K`` levels that cells of K bits use.

        Args:
            bits_per_cell: K.

        Raises:
            ConfigError: the table has no such levels at equal steps.
        """
        steps = (1 << bits_per_cell) - 1
        stride, rest = divmod(len(self) - 1, steps)
        if rest or not stride:
            raise ConfigError.of(
                Code.CONFLICT,
                "bits_per_cell",
                bits_per_cell,
                problem=f"device.levels has {len(self)} levels",
                allowed=fitting_bits(len(self)),
            )
        return LevelTable(
            means=self.means[::stride],
            sigmas=self.sigmas[::stride],
            quantiles=self.quantiles[::stride],
        )

    @property
    def biases(self) -> tuple[float, ...]:
        """Mean error of each level: its mean less its equal step."""
        top = len(self) - 1
        return tuple(mean - place / top for place, mean in enumerate(self.means))

    def errors(
        self, digits: Int[Tensor, "*cells"], normal: Float[Tensor, "*cells"]
    ) -> Float[Tensor, "*cells"]:
        """Return errors of cells, relative to the range, in the number format of ``normal``.

        Args:
            digits: levels that were asked for.
            normal: one standard normal number per cell.
        """
        biases = torch.tensor(self.biases, dtype=torch.float64).to(normal)
        sigmas = torch.tensor(self.sigmas, dtype=torch.float64).to(normal)
        return biases[digits] + sigmas[digits] * self._shaped(digits, normal)

    def _shaped(self, digits: Tensor, normal: Tensor) -> Tensor:
        """Return numbers of mean 0 and variance 1, of the distribution of each level."""
        if not self.quantiles:
            return normal
        table = torch.stack([_standard(row) for row in self.quantiles]).to(normal)
        place = torch.special.ndtr(normal.double()) * (QUANTILES - 1)
        low = place.floor().long().clamp(0, QUANTILES - 2)
        start, end = table[digits, low], table[digits, low + 1]
        drawn: Tensor = start + (place - low).to(normal.dtype) * (end - start)
        return drawn


def one_table(tables: Sequence[LevelTable | None]) -> LevelTable | None:
    """Return the table that designs of one batch have.

    Args:
        tables: of each.

    Raises:
        ConfigError: they differ.
    """
    if len(set(tables)) > 1:
        raise ConfigError.of(
            Code.UNSUPPORTED,
            "device.levels",
            problem="designs of one batch have different measured levels",
            allowed="one device with levels per batch",
        )
    return tables[0] if tables else None


def _standard(row: tuple[float, ...]) -> Tensor:
    """Return quantiles of a piecewise uniform distribution, shifted and scaled to mean 0, var 1."""
    values = torch.tensor(row, dtype=torch.float64)
    low, high = values[:-1], values[1:]
    mean = float(((low + high) / 2).mean())
    square = float(((low**2 + low * high + high**2) / 3).mean())
    deviation = math.sqrt(max(square - mean**2, 0.0))
    return (values - mean) / (deviation or 1.0)
