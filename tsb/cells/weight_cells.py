"""What a device does to each weight of a network: spread, residual and pulses, in closed form.

Weights are rounded to codes and cut into cells by their encoding, as
:func:`archsim.device.program_weights` does, which is the sampler of the same distribution; what a
cell does follows from its class (:mod:`tsb.cells.cell_model`). Stuck cells have errors with a mean,
so that "noise" here is the root-mean-square error of a weight, which without them is its standard
deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archsim.device import ReadNoise, digit_significances
from archsim.device.read_noise import REFERENCE_S
from tsb.cells.cell_model import CellModel, cell_distributions

__all__ = [
    "CellModel",
    "WeightCells",
    "Weights",
    "gaussian_instance",
    "noise_std",
    "weight_cells",
]

#: Tensors of a network by parameter name.
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class WeightCells:
    """The cells of one weight tensor.

    Attributes:
        cell: the device.
        classes: class of each cell, ``*weights cell``, positive side and most significant digit
            first.
        scale: weight of one level of the last digit.
        spread: root-mean-square error of each weight after one unverified pulse.
        residual: the same after write-verify.
        pulses: expected pulses of write-verify, summed over the cells of each weight.
    """

    cell: CellModel
    classes: Int[Tensor, "*weights cell"]
    scale: float
    spread: Float[Tensor, "*weights"]
    residual: Float[Tensor, "*weights"]
    pulses: Float[Tensor, "*weights"]

    @property
    def biased(self) -> bool:
        """Whether cells that work have a mean error."""
        return self.cell.table is not None

    def verified_cells(self, mask: Bool[Tensor, ...]) -> Bool[Tensor, "*weights cell"]:
        """Return which cells are verified.

        Args:
            mask: a flag per weight, or per cell.
        """
        if mask.dim() == self.classes.dim():
            return mask
        return mask.unsqueeze(-1).expand(self.classes.shape)

    def pulses_of(self, mask: Bool[Tensor, ...]) -> Float[Tensor, " verified"]:
        """Return the expected pulses of what is verified, per weight or per cell as the mask.

        Args:
            mask: a flag per weight, or per cell.
        """
        if mask.dim() < self.classes.dim():
            return self.pulses[mask]
        return self.cell.pulse_distribution().stats().write_pulses[self.classes[mask]]

    def read_noise(self, time_s: float = REFERENCE_S) -> Float[Tensor, "*weights"]:
        """Return the standard deviation of one read of each weight: of all its cells.

        Args:
            time_s: since programming, s; acts where the device has a ``read_noise_law``.

        Raises:
            ConfigError: a time shorter than a read.
        """
        cell = self.cell
        law = cell.read_noise_law or ReadNoise(sigma=cell.read_noise_sigma)
        levels = torch.linspace(0.0, 1.0, cell.levels, dtype=torch.float64)
        spread = law.at(levels, time_s)[self.classes % cell.levels]
        return self.scale * (cell_values(cell) * spread).square().sum(-1).sqrt()


def weight_cells(weights: Weights, cell: CellModel) -> dict[str, WeightCells]:
    """Compute spread, residual and pulses of every weight.

    An all-zero tensor has no range, hence no noise, and its cells are all at the level of 0.

    Args:
        weights: tensors by name; each has its own ``max|W|`` and is rounded to its codes.
        cell: the device.

    Raises:
        DataError: weights that are not real numbers, or not finite.
    """
    form, mean_pulses = cell.weight_format, cell.pulse_distribution().stats().write_pulses
    result = {}
    for name, weight in weights.items():
        codes, scale = form.quantise(weight.detach(), name=name)
        classes = cell.classes_of(codes)
        none = torch.zeros((), dtype=torch.bool)
        result[name] = WeightCells(
            cell=cell,
            classes=classes,
            scale=scale,
            spread=_noise(cell, classes, scale, none),
            residual=_noise(cell, classes, scale, ~none),
            pulses=mean_pulses[classes].sum(-1),
        )
    return result


def _noise(
    cell: CellModel, classes: Tensor, scale: float, verified: Bool[Tensor, "*cells"]
) -> Float[Tensor, "*weights"]:
    """Return the root-mean-square error of weights, some of whose cells are verified."""
    distributions, value = cell_distributions(cell), cell_values(cell)
    squares = distributions.squares(verified, classes)
    if not bool(distributions.mean.any() | distributions.bias.any()):
        return scale * torch.sqrt((squares * value**2).sum(-1))
    mean = distributions.means(verified, classes)
    variance = ((squares - mean**2) * value**2).sum(-1)
    return scale * torch.sqrt(variance + (mean * value).sum(-1) ** 2)


def cell_values(cell: CellModel) -> Float[Tensor, " cell"]:
    """Return what the range of each cell is worth, in steps of the weight's code."""
    digits = digit_significances(weight_bits=cell.weight_bits, bits_per_cell=cell.bits_per_cell)
    # A cell of the negative side counts against the weight.
    return (cell.levels - 1) * torch.cat([digits, -digits][: cell.weight_format.sides])


def gaussian_instance(
    weights: Weights, std: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw one instance with one normal number per weight: the fast sampler.

    The exact one, cell by cell and pulse by pulse, is :func:`archsim.device.program_weights`: it
    has the same mean and variance (unless cells are stuck: their errors have a mean), but after
    write-verify the errors of single cells are not normal.

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


def mean_weights(
    weights: Weights, cells: Mapping[str, WeightCells], verified: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return weights as cells that work hold them on average: measured levels are not equal steps.

    Args:
        weights: targets by name.
        cells: from :func:`weight_cells`.
        verified: masks by name, a flag per weight or per cell.
    """
    means = {}
    for name, weight in weights.items():
        means[name] = weight.detach()
        if cells[name].biased:
            shift = cells[name].scale * _mean_codes(cells[name], verified[name])
            means[name] = means[name] + _signed(weight, shift, cells[name].cell).to(weight.dtype)
    return means


def _mean_codes(tensor_cells: WeightCells, mask: Tensor) -> Tensor:
    """Return the mean error of weights, in steps of their code."""
    distributions = cell_distributions(tensor_cells.cell)
    classes = tensor_cells.classes
    bias = distributions.biases(tensor_cells.verified_cells(mask), classes)
    return (bias * cell_values(tensor_cells.cell)).sum(-1)


def _spread_about_mean(tensor_cells: WeightCells, mask: Tensor) -> Tensor:
    distributions = cell_distributions(tensor_cells.cell)
    verified, classes = tensor_cells.verified_cells(mask), tensor_cells.classes
    variance = distributions.squares(verified, classes)
    variance = (variance - distributions.biases(verified, classes) ** 2).clamp_min(0.0)
    return tensor_cells.scale * (variance * cell_values(tensor_cells.cell) ** 2).sum(-1).sqrt()


def _signed(weight: Tensor, shift: Tensor, cell: CellModel) -> Tensor:
    """Return errors of what cells hold as errors of weights: a magnitude's cells know no sign."""
    negative = (weight.detach() < 0) & (cell.encoding == "magnitude")
    return torch.where(negative, -shift, shift)


def defective_instance(
    weights: Weights,
    cell: CellModel,
    verified: Mapping[str, Tensor],
    generator: torch.Generator,
    defects: torch.Generator,
) -> dict[str, Tensor]:
    """Draw one instance with stuck cells: each cell is stuck or not, the others are normal.

    As :func:`gaussian_instance` draws a normal number for every weight, and from a source of its
    own which cells are stuck, so that chips with and without defects have the same other errors.

    Args:
        weights: targets by name.
        cell: the device.
        verified: masks by name, a flag per weight or per cell.
        generator: of the spread.
        defects: of the places of stuck cells.
    """
    working = cell.but(stuck_on_rate=0.0, stuck_off_rate=0.0)
    distributions, top, instance = cell_distributions(working), cell.levels - 1, {}
    value = cell_values(working)
    for name, tensor_cells in weight_cells(weights, working).items():
        drawn = torch.rand(tensor_cells.classes.shape, generator=defects, dtype=torch.float64)
        on = drawn < cell.stuck_on_rate
        stuck = drawn < cell.stuck_on_rate + cell.stuck_off_rate
        level = (tensor_cells.classes % cell.levels).double()
        error = torch.where(on, top - level, -level) / top
        squares = distributions.squares(
            tensor_cells.verified_cells(verified[name]), tensor_cells.classes
        )
        bias = distributions.biases(
            tensor_cells.verified_cells(verified[name]), tensor_cells.classes
        )
        squares = squares - bias**2
        std = (torch.where(stuck, 0.0, squares) * value**2).sum(-1).sqrt()
        shift = (torch.where(stuck, error, bias) * value).sum(-1)
        weight = weights[name].detach()
        normal = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        error = std * normal + _signed(weight, shift, cell)
        instance[name] = weight + (tensor_cells.scale * error).to(weight.dtype)
    return instance


def noise_std(
    cells: Mapping[str, WeightCells],
    verified: Mapping[str, Tensor],
    *,
    read: bool = False,
    centred: bool = False,
) -> dict[str, Tensor]:
    """Return the noise of each weight: the residual where verified, else the spread.

    Args:
        cells: from :func:`weight_cells`.
        verified: masks by name, a flag per weight or per cell.
        read: add the noise of one read.
        centred: about :func:`mean_weights` in place of the weights.
    """
    noise = {}
    for name, tensor_cells in cells.items():
        mask = verified[name]
        if centred and tensor_cells.biased:
            std = _spread_about_mean(tensor_cells, mask)
        elif mask.dim() == tensor_cells.classes.dim():
            std = _noise(tensor_cells.cell, tensor_cells.classes, tensor_cells.scale, mask)
        else:
            std = torch.where(mask, tensor_cells.residual, tensor_cells.spread)
        noise[name] = torch.hypot(std, tensor_cells.read_noise().to(std)) if read else std
    return noise
