"""What a device does to each weight of a network: spread, residual and pulses, in closed form.

A weight is its magnitude on ``ceil(M / K)`` cells, ``|w| = max|W| / (2^M - 1) sum_j 2^(jK) g_j``,
with its sign apart (the convention of :mod:`archsim.device.variation`, single cells, no pairs).
Cells fall into classes with the same sigma, and everything follows from the class of each cell:

``level``
    the class is the conductance level: sigma is a property of the cell;
``weight``
    the class is the place of the whole weight in the range, middle or outer: the convention of
    NeFT's public code (arXiv 2305.14561), with which SWIM-like curves are usually drawn.

For a uniform device the two are the same. Weights are taken as given: quantise before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.config.schema import DeviceFile
from archsim.device import (
    PulseLaw,
    decode_digits,
    encode_digits,
    level_sigmas,
    profile_sigma,
    pulse_law,
    sample_write_verify,
)
from archsim.device.variation import NEFT_MIDDLE
from archsim.errors import ConfigError, DataError

PROFILES = ("level", "weight")

#: Tensors of a network by parameter name.
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class CellModel:
    """Spread and write-verify of a cell, and how weights are cut into cells.

    Attributes:
        sigma: root-mean-square spread of one pulse, relative to the maximum conductance, 0 to 1.
        factor: sigma of the middle over that of the ends of the range; 1 is uniform.
        profile: whose place in the range ``factor`` is about: ``level`` or ``weight``.
        weight_bits: M.
        bits_per_cell: K.
        write_model: ``redraw`` or ``incremental``.
        tolerance: accepted error, relative to the maximum conductance.
        max_pulses: pulse limit.
        step_gain: incremental: share of the error that a further pulse removes.
        step_sigma: incremental: spread that a further pulse adds.
    """

    sigma: float
    factor: float = 1.0
    profile: str = "level"
    weight_bits: int = 8
    bits_per_cell: int = 2
    write_model: str
    tolerance: float
    max_pulses: int
    step_gain: float | None = None
    step_sigma: float | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: sigma outside 0 to 1, an unknown profile, or no bits.
        """
        if not 0 <= self.sigma <= 1:
            raise ConfigError(
                f"sigma = {self.sigma:g}; allowed: 0 to 1, of the maximum conductance"
            )
        if self.profile not in PROFILES:
            raise ConfigError(f"profile = '{self.profile}'; allowed: {', '.join(PROFILES)}")
        if min(self.weight_bits, self.bits_per_cell) < 1:
            raise ConfigError(
                f"weight_bits = {self.weight_bits}, bits_per_cell = {self.bits_per_cell}; "
                "allowed: 1 or more"
            )

    @classmethod
    def from_device(
        cls, device: DeviceFile, *, weight_bits: int = 8, bits_per_cell: int = 2
    ) -> CellModel:
        """Take spread and write-verify from a device preset.

        Args:
            device: a file of ``configs/device``.
            weight_bits: M.
            bits_per_cell: K.

        Raises:
            ConfigError: a device without write-verify.
        """
        write = device.write_verify
        if write is None:
            raise ConfigError(
                f"device '{device.name}' has no write_verify; choose a non-volatile one"
            )
        return cls(
            sigma=device.sigma.si,
            factor=device.sigma_profile.factor.si,
            profile="weight" if device.sigma_profile.kind == "weight" else "level",
            weight_bits=weight_bits,
            bits_per_cell=bits_per_cell,
            write_model=write.model,
            tolerance=write.tolerance.si,
            max_pulses=int(write.max_pulses.si),
            step_gain=None if write.step_gain is None else write.step_gain.si,
            step_sigma=None if write.step_sigma is None else write.step_sigma.si,
        )

    def but(self, **changes: object) -> CellModel:
        """Return a copy with some values changed, for example ``but(sigma=0.2, factor=4.0)``."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def slices(self) -> int:
        """Cells per weight."""
        return -(-self.weight_bits // self.bits_per_cell)

    def class_sigmas(self) -> Float[Tensor, " kind"]:
        """Return the sigma of each class of cells, relative to the maximum conductance."""
        if self.profile == "level":
            levels = 1 << self.bits_per_cell
            return level_sigmas(sigma=self.sigma, level_count=levels, factor=self.factor)
        places = torch.tensor([0.0, sum(NEFT_MIDDLE) / 2], dtype=torch.float64)
        return profile_sigma(position=places, sigma=self.sigma, factor=self.factor)

    def law(self) -> PulseLaw:
        """Return the law of write-verify of each class of cells, ``kind``; remembered."""
        return _law(self)


@lru_cache(maxsize=64)
def _law(cell: CellModel) -> PulseLaw:
    return pulse_law(
        model=cell.write_model,
        sigma=cell.class_sigmas(),
        tolerance=cell.tolerance,
        max_pulses=cell.max_pulses,
        step_gain=cell.step_gain,
        step_sigma=cell.step_sigma,
    )


@dataclass(frozen=True, eq=False)
class WeightCells:
    """The cells of one weight tensor.

    Attributes:
        classes: class of each cell, ``*weights digit``.
        scale: weight of one level of the last digit, ``max|W| / (2^M - 1)``.
        spread: standard deviation of each weight after one unverified pulse.
        residual: the same after write-verify.
        pulses: expected pulses of write-verify, summed over the cells of each weight.
    """

    classes: Int[Tensor, "*weights digit"]
    scale: float
    spread: Float[Tensor, "*weights"]
    residual: Float[Tensor, "*weights"]
    pulses: Float[Tensor, "*weights"]


def weight_cells(weights: Weights, cell: CellModel) -> dict[str, WeightCells]:
    """Work out spread, residual and pulses of every weight.

    An all-zero tensor has no range, hence no noise, and its cells are all at level 0.

    Args:
        weights: tensors by name; each has its own ``max|W|``.
        cell: the device.

    Raises:
        DataError: a weight that is not a number, or infinite.
    """
    law, sigmas = cell.law(), cell.class_sigmas()
    mean_pulses = law.stats().write_pulses
    result = {}
    for name, weight in weights.items():
        classes, scale = _classes(name, weight.detach(), cell)

        def noise(
            class_sigma: Tensor, classes: Tensor = classes, scale: float = scale
        ) -> Float[Tensor, "*weights"]:
            squares = decode_digits(
                digits=class_sigma[classes] ** 2, bits_per_cell=2 * cell.bits_per_cell
            )
            return scale * ((1 << cell.bits_per_cell) - 1) * torch.sqrt(squares)

        result[name] = WeightCells(
            classes=classes,
            scale=scale,
            spread=noise(sigmas),
            residual=noise(law.residual_sigma),
            pulses=mean_pulses[classes].sum(-1),
        )
    return result


def _classes(name: str, weight: Tensor, cell: CellModel) -> tuple[Tensor, float]:
    """Return the class of each cell and the weight of a level."""
    if not bool(torch.isfinite(weight).all()):
        raise DataError(f"weight '{name}' has entries that are infinite or not a number")
    magnitude = weight.double().abs()
    largest = float(magnitude.max()) if weight.numel() else 0.0
    top = (1 << cell.weight_bits) - 1
    position = magnitude / largest if largest else torch.zeros_like(magnitude)
    if cell.profile == "level":
        codes = torch.round(position * top).long()
        digits = encode_digits(
            codes=codes, weight_bits=cell.weight_bits, bits_per_cell=cell.bits_per_cell
        )
        return digits, largest / top
    middle = (position > NEFT_MIDDLE[0]) & (position < NEFT_MIDDLE[1])
    return middle.long().unsqueeze(-1).expand(*weight.shape, cell.slices), largest / top


def gaussian_instance(
    weights: Weights, std: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw one instance with one normal number per weight: the fast sampler.

    A number is drawn for every weight, also where ``std`` is 0, so that two methods with the same
    seed have the same errors up to their size.

    Args:
        weights: targets by name.
        std: standard deviation of each weight, by name; :func:`noise_std` makes it.
        generator: source of all randomness.
    """
    instance = {}
    for name, weight in weights.items():
        normal = torch.randn(
            weight.shape, generator=generator, dtype=weight.dtype, device=weight.device
        )
        instance[name] = weight.detach() + std[name].to(weight.dtype) * normal
    return instance


def noise_std(
    cells: Mapping[str, WeightCells], verified: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the standard deviation of each weight: the residual where verified, else the spread.

    Args:
        cells: from :func:`weight_cells`.
        verified: masks by name.
    """
    return {
        name: torch.where(verified[name], own.residual, own.spread) for name, own in cells.items()
    }


def cell_instance(
    weights: Weights,
    cells: Mapping[str, WeightCells],
    verified: Mapping[str, Tensor],
    cell: CellModel,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Draw one instance cell by cell and pulse by pulse: the exact sampler.

    It agrees with :func:`gaussian_instance` in mean and variance; after write-verify the errors of
    single cells are not normal.

    Args:
        weights: targets by name.
        cells: from :func:`weight_cells`.
        verified: masks by name.
        cell: the device.
        generator: source of all randomness.
    """
    sigmas, instance = cell.class_sigmas(), {}
    for name, weight in weights.items():
        own = cells[name]
        sigma = sigmas[own.classes]
        shape = tuple(own.classes.shape)
        single = sigma * torch.randn(shape, generator=generator, dtype=torch.float64)
        checked = sample_write_verify(
            model=cell.write_model,
            shape=shape,
            sigma=sigma,
            tolerance=cell.tolerance,
            max_pulses=cell.max_pulses,
            generator=generator,
            step_gain=cell.step_gain,
            step_sigma=cell.step_sigma,
        ).error
        error = torch.where(verified[name].unsqueeze(-1), checked, single)
        levels = decode_digits(digits=error, bits_per_cell=cell.bits_per_cell)
        shift = own.scale * ((1 << cell.bits_per_cell) - 1) * levels
        # The cells hold the magnitude: the sign of the weight is that of its error too.
        sign = torch.where(weight < 0, -1.0, 1.0)
        instance[name] = weight.detach() + (sign * shift).to(weight.dtype)
    return instance
