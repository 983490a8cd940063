"""Noise of the weights during training: a normal number per weight, of the device's distribution.

Gaussian noise that does not depend on a cell's level is exactly one normal number per weight, with
the closed form of :func:`archsim.device.code_noise_std`: no need to sample cells. The scale
``max|W|`` is that of the current weights and has no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.config.choices import SCALINGS
from archsim.device import CellSpec, WeightFormat, code_noise_std, profile_sigma
from archsim.device.variation import NEFT_MIDDLE
from archsim.errors import Code, ConfigError
from archsim.util.checks import one_of
from tsb.cells.cell_model import CellModel
from tsb.cells.quantize import check_weight_bits, quantise, weight_range


@dataclass(frozen=True, kw_only=True)
class WeightNoise:
    """How weights are stored, and what storing does to them.

    Attributes:
        sigma: root-mean-square spread of a cell relative to its range g_on - g_off, 0 to 1.
        factor: NeFT's profile (arXiv 2305.14561): sigma of weights in the middle of the range over
            that of the others; 1 is uniform.
        weight_bits: M.
        bits_per_cell: K.
        quantised: whether weights are rounded to their codes before the noise is added.
        scaling: what shares a full-scale conductance: see :func:`tsb.cells.quantize.weight_range`.
        encoding: one of :data:`archsim.device.ENCODINGS`.
    """

    sigma: float = 0.0
    factor: float = 1.0
    weight_bits: int = 8
    bits_per_cell: int = 2
    quantised: bool = True
    scaling: str = "tensor"
    encoding: str = "magnitude"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: sigma outside 0 to 1, a factor that is not positive, bits out of range, or
                an unknown scaling.
        """
        if not 0 <= self.sigma <= 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "sigma",
                self.sigma,
                allowed="0 to 1",
                form="g",
                more=", of the range of conductance",
            )
        if not 0 < self.factor < float("inf"):
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "factor", self.factor, allowed="above 0, and finite", form="g"
            )
        check_weight_bits(self.weight_bits)
        one_of("scaling", self.scaling, SCALINGS)
        if not 1 <= self.bits_per_cell <= self.weight_bits:
            raise ConfigError(
                f"bits_per_cell = {self.bits_per_cell}; allowed: 1 to weight_bits "
                f"({self.weight_bits})",
                code=Code.OUT_OF_RANGE,
                field="bits_per_cell",
                value=self.bits_per_cell,
                allowed=f"1 to {self.weight_bits}",
            )
        _ = self.weight_format

    @classmethod
    def of(cls, spec: CellSpec, *, scaling: str = "tensor") -> WeightNoise:
        """Return the noise of weights on the cells of a chip, of one pulse each.

        Args:
            spec: the cells.
            scaling: what shares a full-scale conductance.
        """
        form = spec.weight_format
        return cls(
            sigma=spec.sigma_of_range,
            weight_bits=form.weight_bits,
            bits_per_cell=form.bits_per_cell,
            encoding=form.encoding,
            scaling=scaling,
        )

    @classmethod
    def on_cells(cls, cell: CellModel, *, sigma: float, scaling: str = "tensor") -> WeightNoise:
        """Return the noise of weights on cells of a kind, whose spread may be another.

        Args:
            cell: how weights are cut.
            sigma: spread of a cell, relative to the range of conductance.
            scaling: what shares a full-scale conductance.
        """
        return cls(
            sigma=sigma,
            weight_bits=cell.weight_bits,
            bits_per_cell=cell.bits_per_cell,
            encoding=cell.encoding,
            scaling=scaling,
        )

    @property
    def weight_format(self) -> WeightFormat:
        """How a weight lies on cells."""
        return WeightFormat(
            weight_bits=self.weight_bits, bits_per_cell=self.bits_per_cell, encoding=self.encoding
        )

    def as_json(self) -> dict[str, object]:
        """Return all values; ``encoding`` is left out where it is magnitude, as it was before."""
        values = asdict(self)
        if self.encoding == "magnitude":
            del values["encoding"]
        return values

    def relative_std(self) -> tuple[float, float]:
        """Return the standard deviation over ``max|W|`` of outer and of middle weights."""
        return _relative_std(self)

    def std(self, weight: Float[Tensor, "*weights"]) -> Float[Tensor, "*weights"]:
        """Return the standard deviation of each weight, without gradient.

        Args:
            weight: one tensor, with its own ``max|W|``, or one per output channel.
        """
        magnitude = weight.detach().abs()
        largest = weight_range(weight, self.scaling)
        outer, middle = self.relative_std()
        if outer == middle:
            return (outer * largest).expand(weight.shape)
        inside = (magnitude > NEFT_MIDDLE[0] * largest) & (magnitude < NEFT_MIDDLE[1] * largest)
        return torch.where(inside, middle * largest, outer * largest)


@lru_cache(maxsize=64)
def _relative_std(noise: WeightNoise) -> tuple[float, float]:
    positions = torch.tensor([0.0, sum(NEFT_MIDDLE) / 2], dtype=torch.float64)
    form = noise.weight_format
    steps = code_noise_std(
        sigma=profile_sigma(position=positions, sigma=noise.sigma, factor=noise.factor),
        weight_bits=form.weight_bits,
        bits_per_cell=form.bits_per_cell,
        differential=form.sides > 1,
    )
    outer, middle = (steps / form.largest_code).tolist()
    return outer, middle


def noisy_weights(
    weights: Mapping[str, Tensor], noise: WeightNoise, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return one noisy instance; gradients reach the clean weights as if nothing had been added.

    Use the result in :func:`torch.func.functional_call`: the gradient is taken at the noisy
    weights, and an optimiser step moves the clean ones.

    Args:
        weights: clean tensors by name, for example :func:`tsb.cells.stored.mapped_weights`.
        noise: how they are stored; with ``sigma = 0`` the generator is not used.
        generator: source of all randomness, on the device of the weights.
    """
    instance = {}
    for name, weight in weights.items():
        clean = weight.detach()
        stored = (
            quantise(clean, noise.weight_format.magnitude_bits, noise.scaling)
            if noise.quantised
            else clean
        )
        if noise.sigma:
            normal = torch.randn(
                clean.shape, generator=generator, dtype=clean.dtype, device=clean.device
            )
            stored = stored + noise.std(stored) * normal
        # weight - clean is exactly zero: the value is that of `stored`, the gradient one.
        instance[name] = stored + (weight - clean)
    return instance
