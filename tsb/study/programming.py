"""How a study programs its chips: their cells, and which weights are write-verified."""

from __future__ import annotations

import torch
from torch import nn

from archsim.config.study import Method, Study
from archsim.device import CellSpec
from tsb.cells.noise import WeightNoise
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.compute_device import CPU
from tsb.data import Dataset
from tsb.program.storage import WeightStorage
from tsb.write_verify.policy import registry
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.context import LossDerivatives, WriteContext
from tsb.write_verify.selective import Masks


def cell_spec(study: Study, sigma: float) -> CellSpec:
    """Return the cells of a study's chip at one sigma.

    Args:
        study: which.
        sigma: spread of one pulse, relative to the range of conductance.

    Raises:
        ConfigError: chip, device and bits do not fit together.
    """
    resolved = study.resolve()
    encoding = study.encoding
    if study.read_path != "off":  # what is read is what the chip stores
        encoding = encoding or resolved.chip.precision.encoding
    return CellSpec.of_chip(resolved, encoding=encoding, sigma_of_range=sigma)


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


def write_choice(method: Method) -> Choice:
    """Return the write policy of a method, and how much of the backbone it verifies.

    Args:
        method: of a study.

    Raises:
        ConfigError: a policy that is not for a backbone alone.
    """
    return Choice(
        policy=registry.policy_named(
            method.write, field="write", among=registry.backbone_policies()
        ),
        fraction=method.fraction or 0.0,
        last_layers=method.last_layers,
    )


def write_masks(
    study: Study,
    method: Method,
    model: nn.Module,
    storage: WeightStorage,
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
        storage: how its weights are put on cells.
        data: whose training images give the second derivatives.
        seed: of the random order.
        device: where derivatives of the loss are computed.
    """
    context = WriteContext(
        weights={name: weight.detach() for name, weight in mapped_weights(model).items()},
        std_of=storage.std_of,
        generator=torch.Generator().manual_seed(seed),
        loss=LossDerivatives(
            model=model,
            images_of=lambda: data.train.spread(study.score_images),
            device=device,
        ),
    )
    return registry.write_masks(write_choice(method), context)
