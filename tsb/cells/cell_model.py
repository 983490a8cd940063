"""A memory cell that holds digits of weights: its classes, the distribution of each in closed form.

Cells fall into classes with the same distribution: a cell's level and, by profile,

``level``
    nothing else: sigma is a property of the level;
``weight``
    the place of the whole weight in the range, middle or outer: the convention of NeFT's public
    code (arXiv 2305.14561), with which SWIM-like curves are usually drawn.

For a uniform device the two are the same. A share of the cells may be stuck at the highest or at
the lowest level, whatever is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archsim.config.sourced import Quantity
from archsim.device import (
    CellSpec,
    LevelTable,
    PulseDistribution,
    ReadNoise,
    WeightFormat,
    level_sigmas,
    profile_sigma,
    pulse_distribution,
)
from archsim.device.stuck import with_stuck
from archsim.device.variation import NEFT_MIDDLE
from archsim.errors import Code, ConfigError

PROFILES = ("level", "weight")
#: Share of the mean squared error below which a smaller one is not told from rounding of its
#: distribution.
_LEAST_GAIN = 2e-3


@dataclass(frozen=True, kw_only=True)
class CellModel:
    """Spread and write-verify of a cell, and how weights are cut into cells.

    Attributes:
        sigma: spread of one pulse, relative to the range g_on - g_off, 0 to 1; with a profile, see
            :meth:`class_sigmas`.
        factor: sigma of the middle over that of the ends of the range; 1 is uniform.
        profile: whose place in the range ``factor`` is about: ``level`` or ``weight``.
        weight_bits: M.
        bits_per_cell: K.
        encoding: one of :data:`archsim.device.ENCODINGS`.
        write_model: ``redraw`` or ``incremental``.
        tolerance: accepted error, relative to the range g_on - g_off.
        max_pulses: pulse limit.
        step_gain: incremental: share of the error that a further pulse removes.
        step_sigma: incremental: spread that a further pulse adds.
        device_share: share of ``sigma^2`` that all pulses of a cell have in common, 0 to 1.
        stuck_on_rate: share of the cells that are stuck at the highest level.
        stuck_off_rate: share of the cells that are stuck at the lowest level.
        read_noise_sigma: spread of one read of a cell, relative to the range g_on - g_off.
        read_noise_law: how that grows with time and conductance; None for not at all.
        verify_noise_sigma: the same of a verify read.
        table: measured levels, which say the error of one pulse in place of ``sigma``; quantiles
            act where cells are drawn one by one, here their mean and variance count.
    """

    sigma: float
    factor: float = 1.0
    profile: str = "level"
    weight_bits: int = 8
    bits_per_cell: int = 2
    encoding: str = "magnitude"
    write_model: str
    tolerance: float
    max_pulses: int
    step_gain: float | None = None
    step_sigma: float | None = None
    device_share: float = 0.0
    stuck_on_rate: float = 0.0
    stuck_off_rate: float = 0.0
    read_noise_sigma: float = 0.0
    read_noise_law: ReadNoise | None = None
    verify_noise_sigma: float = 0.0
    table: LevelTable | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: sigma outside 0 to 1, an unknown profile or encoding, bits out of range,
                shares that are none, or a table of another number of levels.
        """
        if self.table is not None and len(self.table) != 1 << self.bits_per_cell:
            raise ConfigError.of(
                Code.CONFLICT,
                "bits_per_cell",
                self.bits_per_cell,
                problem=f"the measured levels of these cells are {len(self.table)}",
                allowed=f"{len(self.table)} levels",
            )
        if not 0 <= self.sigma <= 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "sigma",
                self.sigma,
                allowed="0 to 1",
                form="g",
                more=", of the range of conductance",
            )
        if self.profile not in PROFILES:
            raise ConfigError(
                f"profile = '{self.profile}'; allowed: {', '.join(PROFILES)}",
                code=Code.UNKNOWN_NAME,
                field="profile",
                value=self.profile,
                allowed=PROFILES,
            )
        if not 0 <= self.device_share <= 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "device_share", self.device_share, allowed="0 to 1", form="g"
            )
        on, off = self.stuck_on_rate, self.stuck_off_rate
        if min(on, off) < 0 or on + off > 1:
            raise ConfigError(
                f"stuck_on_rate = {on:g} and stuck_off_rate = {off:g}; allowed: both >= 0 with a "
                "sum of at most 1",
                code=Code.OUT_OF_RANGE,
                field="stuck_on_rate",
                value=(on, off),
                allowed="both >= 0 with a sum of at most 1",
            )
        for name in ("read_noise_sigma", "verify_noise_sigma"):
            if getattr(self, name) < 0:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, name, getattr(self, name), allowed="0 or more", form="g"
                )
        _ = self.weight_format

    @classmethod
    def of(cls, spec: CellSpec, *, verifiable: bool = True) -> CellModel:
        """Take spread and write-verify from the cells of a chip.

        Args:
            spec: the cells.
            verifiable: refuse a device without write-verify; else its cells take one pulse.

        Raises:
            ConfigError: a device without write-verify.
        """
        device, form = spec.device, spec.weight_format
        write = device.write_verify
        if write is None and verifiable:
            raise ConfigError(
                f"device '{device.name}' has no write_verify; verify nothing, or choose "
                "another device",
                code=Code.CONFLICT,
                field="device",
                value=device.name,
            )
        return cls(
            sigma=spec.sigma_of_range,
            factor=device.sigma_profile.factor.si,
            profile="weight" if device.sigma_profile.kind == "weight" else "level",
            weight_bits=form.weight_bits,
            bits_per_cell=form.bits_per_cell,
            encoding=form.encoding,
            write_model="redraw" if write is None else write.model,
            tolerance=math.inf if write is None else device.of_range(write.tolerance),
            max_pulses=1 if write is None else int(write.max_pulses.si),
            step_gain=None if write is None or write.step_gain is None else write.step_gain.si,
            step_sigma=None
            if write is None or write.step_sigma is None
            else device.of_range(write.step_sigma),
            device_share=_number(device.device_to_device_share),
            stuck_on_rate=_number(device.stuck_on_rate),
            stuck_off_rate=_number(device.stuck_off_rate),
            read_noise_sigma=device.of_range(device.read_noise_sigma),
            read_noise_law=None if device.read_noise_law is None else ReadNoise.of_device(device),
            verify_noise_sigma=device.verify_noise_of_range,
            table=spec.levels,
        )

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> CellModel:
        """Return the cells that a file of a chip names.

        Args:
            values: of ``dataclasses.asdict``.

        Raises:
            ConfigError: values that cells cannot have.
            TypeError: other values than cells have.
        """
        law = values.get("read_noise_law")
        return cls(
            **{
                **values,
                "read_noise_law": None if law is None else ReadNoise(**law),
                "table": LevelTable.of_json(values.get("table")),
            }
        )

    def check_verifiable(self) -> None:
        """Check that these cells can be write-verified.

        Raises:
            ConfigError: their device has no write-verify.
        """
        if math.isinf(self.tolerance):
            raise ConfigError.of(
                Code.CONFLICT,
                "verify (--verify)",
                True,
                problem="the cells of these chips have no write_verify",
                allowed="--no-verify",
            )

    def but(self, **changes: object) -> CellModel:
        """Return a copy with some values changed, for example ``but(sigma=0.2, factor=4.0)``."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def weight_format(self) -> WeightFormat:
        """How a weight lies on cells."""
        return WeightFormat(
            weight_bits=self.weight_bits, bits_per_cell=self.bits_per_cell, encoding=self.encoding
        )

    @property
    def cells_per_weight(self) -> int:
        """Cells per weight, those of both signs."""
        return self.weight_format.cells_per_weight

    @property
    def levels(self) -> int:
        """Levels per cell."""
        return self.weight_format.level_count

    def written_sigma(self, *, verify: bool) -> float:
        """Return the root-mean-square error of written cells, over equally likely classes.

        Args:
            verify: whether they are write-verified; else they get one pulse.
        """
        if verify:
            errors = self.pulse_distribution().residual_sigma
        else:
            errors = torch.hypot(self.class_sigmas(), self.class_biases())
        return float(errors.square().mean().sqrt())

    def class_sigmas(self) -> Float[Tensor, " kind"]:
        """Return the sigma of one pulse of each class of cells that work.

        Relative to the range g_on - g_off. A class per level; with the profile ``weight`` those of
        outer weights, then those of middle ones. The ends have ``sigma / sqrt(0.4 s^2 + 0.6)``, s
        the factor, the middle s times that: NeFT's normalisation, in which ``sigma`` is the root
        mean square where 0.4 of the weights lie in the middle. It is kept for the profile
        ``level``, where over equally likely levels the mean variance is not ``sigma^2`` but
        ``sigma^2 (m s^2 + 1 - m) / (0.4 s^2 + 0.6)`` with m the share of levels in the middle: 1/2
        for 2, 3 and 4 bits per cell (1.21 ``sigma^2`` at s = 4), 0 for 1 bit (0.14 ``sigma^2``).
        """
        if self.table is not None:
            return torch.tensor(self.table.sigmas, dtype=torch.float64)
        if self.profile == "level":
            return level_sigmas(sigma=self.sigma, level_count=self.levels, factor=self.factor)
        places = torch.tensor([0.0, sum(NEFT_MIDDLE) / 2], dtype=torch.float64)
        sigmas = profile_sigma(position=places, sigma=self.sigma, factor=self.factor)
        return sigmas.repeat_interleave(self.levels)

    def class_biases(self) -> Float[Tensor, " kind"]:
        """Return the mean error of one pulse of each class: of measured levels, else none."""
        if self.table is None:
            return torch.zeros_like(self.class_sigmas())
        return torch.tensor(self.table.biases, dtype=torch.float64)

    def pulse_distribution(self) -> PulseDistribution:
        """Return the distribution of write-verify of each class of cells, ``kind``; remembered.

        Stuck cells are in it: those farther from their level than the tolerance take all pulses.
        """
        return cell_distributions(self).verified

    @property
    def verification_helps(self) -> bool:
        """Whether write-verify leaves a smaller error than one pulse, over all classes of cells."""
        distributions = cell_distributions(self)
        left, once = (distributions.verified.residual_sigma**2).sum(), distributions.once.sum()
        return bool(left < (1 - _LEAST_GAIN) * once)

    def classes_of(self, codes: Int[Tensor, "*weights"]) -> Int[Tensor, "*weights cell"]:
        """Return the class of each cell, positive side and most significant digit first.

        Args:
            codes: signed codes of the weights.
        """
        form = self.weight_format
        levels = form.encode(codes).flatten(-2)
        if self.profile == "level":
            return levels
        position = codes.abs().double() / form.largest_code
        middle = (position > NEFT_MIDDLE[0]) & (position < NEFT_MIDDLE[1])
        return levels + self.levels * middle.long().unsqueeze(-1)


def _number(quantity: Quantity | None) -> float:
    """Return the SI value; 0 for what a device does not have."""
    return 0.0 if quantity is None else quantity.si


@dataclass(frozen=True, eq=False)
class CellDistributions:
    """Distributions of the classes of cells, ``kind``, errors relative to the range g_on - g_off.

    Attributes:
        verified: write-verify.
        mean: mean error, of stuck cells alone.
        once: mean squared error after one pulse.
        bias: mean error of cells that work after one pulse: that of measured levels.
    """

    verified: PulseDistribution
    mean: Float[Tensor, " kind"]
    once: Float[Tensor, " kind"]
    bias: Float[Tensor, " kind"]

    def squares(self, verified: Bool[Tensor, "*cells"], classes: Tensor) -> Tensor:
        """Return the mean squared error of cells of some classes."""
        return torch.where(verified, (self.verified.residual_sigma**2)[classes], self.once[classes])

    def means(self, verified: Bool[Tensor, "*cells"], classes: Tensor) -> Tensor:
        """Return the mean error of cells of some classes.

        Pulses on a cell remove its bias, so that what it leaves counts as spread.
        """
        return self.mean[classes] + self.biases(verified, classes)

    def biases(self, verified: Bool[Tensor, "*cells"], classes: Tensor) -> Tensor:
        """Return the mean error of cells that work."""
        return torch.where(verified, 0.0, self.bias[classes])


@lru_cache(maxsize=64)
def cell_distributions(cell: CellModel) -> CellDistributions:
    """Return the distributions of all classes of a device's cells; remembered.

    Args:
        cell: the device.
    """
    sigmas, biases = cell.class_sigmas(), cell.class_biases()
    kinds, place = torch.stack([sigmas, biases]).unique(dim=1, return_inverse=True)
    distribution = pulse_distribution(
        model=cell.write_model,
        sigma=kinds[0],
        mean=kinds[1],
        tolerance=cell.tolerance,
        max_pulses=cell.max_pulses,
        step_gain=cell.step_gain,
        step_sigma=cell.step_sigma,
        device_share=cell.device_share,
        read_noise=cell.verify_noise_sigma,
    )
    level = torch.arange(len(sigmas), dtype=torch.float64) % cell.levels
    top = cell.levels - 1
    rates = torch.tensor([cell.stuck_on_rate, cell.stuck_off_rate], dtype=torch.float64)
    working = PulseDistribution(
        distribution.survival[place],
        distribution.residual_sigma[place],
        distribution.unconverged_fraction[place],
    )
    # Errors of a cell that is stuck at the highest, and at the lowest level.
    errors = torch.stack([(top - level) / top, -level / top], dim=-1)
    squares = (rates * errors**2).sum(-1)
    return CellDistributions(
        verified=with_stuck(
            working,
            errors=errors,
            rates=rates.expand_as(errors),
            tolerance=cell.tolerance,
            max_pulses=cell.max_pulses,
            read_noise=cell.verify_noise_sigma,
        ),
        mean=(rates * errors).sum(-1),
        once=(1 - rates.sum()) * (sigmas**2 + biases**2) + squares,
        bias=(1 - rates.sum()) * biases,
    )
