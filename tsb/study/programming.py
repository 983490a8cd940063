"""How a study programs its chips: their cells, and which weights are write-verified."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from archsim.config.study import Method, Study
from archsim.device import CellSpec
from tsb.cells.noise import WeightNoise
from tsb.cells.quantize import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.compute_device import CPU
from tsb.data import Dataset
from tsb.program.chip import Placement
from tsb.write_verify.scores import swim_scores
from tsb.write_verify.selective import (
    Masks,
    magnitude_scores,
    random_scores,
    verify_all,
    verify_fraction,
    verify_last_layers,
    verify_none,
)


def cell_spec(study: Study, sigma: float) -> CellSpec:
    """Return the cells of a study's chip at one sigma.

    Args:
        study: which.
        sigma: spread of one pulse, relative to the range of conductance.

    Raises:
        ConfigError: chip, device and bits do not fit together.
    """
    return CellSpec.of_chip(study.resolve(), encoding=study.encoding, sigma_of_range=sigma)


def weight_noise(study: Study, *, sigma: float, scaling: str) -> WeightNoise:
    """Return the noise of weights while something is trained for a study's chip.

    Args:
        study: which.
        sigma: spread of a cell, relative to the range of conductance.
        scaling: what shares a full-scale conductance.
    """
    return WeightNoise.of(cell_spec(study, sigma), scaling=scaling)


def cell_model(study: Study, sigma: float) -> CellModel:
    """Return device and cells of a study at one sigma.

    Args:
        study: which.
        sigma: spread of one pulse.

    Raises:
        ConfigError: a device without write-verify, or with too few levels per cell.
    """
    return CellModel.of(cell_spec(study, sigma))


def write_masks(
    study: Study,
    method: Method,
    model: nn.Module,
    placement: Placement,
    data: Dataset,
    seed: int,
    *,
    device: torch.device = CPU,
) -> Masks:
    """Return which backbone weights a method write-verifies, on the CPU.

    Args:
        study: which.
        method: one of its methods.
        model: the trained backbone, on the CPU.
        placement: how its weights are put on cells.
        data: whose training images give the second derivatives.
        seed: of the random order.
        device: where second derivatives are worked out.
    """
    weights = {name: weight.detach() for name, weight in mapped_weights(model).items()}
    if method.write == "none":
        return verify_none(weights)
    if method.write == "all":
        return verify_all(weights)
    if method.write == "last-layers":
        return verify_last_layers(weights, method.last_layers)
    scores = _scores(study, method, model, placement, data, seed, device)
    return verify_fraction(scores, method.fraction or 0.0)


def _scores(
    study: Study,
    method: Method,
    model: nn.Module,
    placement: Placement,
    data: Dataset,
    seed: int,
    device: torch.device,
) -> dict[str, Tensor]:
    weights = {name: weight.detach() for name, weight in mapped_weights(model).items()}
    if method.write == "random":
        return random_scores(weights, torch.Generator().manual_seed(seed))
    if method.write == "magnitude":
        return magnitude_scores(weights)
    learn = data.train.spread(study.score_images).to(device)
    there = copy.deepcopy(model).to(device)
    second = {n: s.cpu() for n, s in swim_scores(there, learn.images, learn.labels).items()}
    if method.write == "swim":
        return second
    # The variance in units of the weights, where full scale may differ from column to column.
    in_weights = placement.std_of(weights)
    return {name: second[name] * in_weights[name].double().square() for name in second}
