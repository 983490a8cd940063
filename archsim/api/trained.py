"""A trained network from its checkpoint, and which of its weights are write-verified."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from archsim.errors import Code, ConfigError, DataError
from archsim.network import zoo
from archsim.network.load import load_module
from tsb.cells.stored import mapped_weights
from tsb.checkpoint import load_checkpoint
from tsb.program.storage import WeightStorage
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.context import WriteContext
from tsb.write_verify.policy.registry import write_masks
from tsb.write_verify.selective import Masks


def trained_network(
    network: str, checkpoint: str | Path, given: Mapping[str, object]
) -> tuple[nn.Module, dict[str, object]]:
    """Return a network with the weights of a checkpoint, and the options that it was built with.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: trained weights.
        given: options, which come before those that the checkpoint names.

    Raises:
        ArchsimError: an unknown network, or weights of another one.
    """
    saved = load_checkpoint(checkpoint)
    recorded = saved.options if saved.network in ("", network) else None
    chosen = {**(recorded or {}), **given}
    model = load_module(network, chosen)
    try:
        saved.load_into(model)
    except DataError as error:
        if recorded is not None or given:
            raise
        raise DataError(
            f"{checkpoint}: {error}. The file does not say with which options '{network}' was "
            "built; where they are not the usual ones, give them: --option widths=[16,32,64]",
            code=Code.SHAPE_MISMATCH,
            field=checkpoint,
            value=network,
        ) from error
    return model, chosen


def write_masks_of(choice: Choice, model: nn.Module, storage: WeightStorage, seed: int) -> Masks:
    """Return which weights are write-verified, the same on all chips.

    Args:
        choice: of a policy that needs no data.
        model: with its weights.
        storage: how they are put on cells.
        seed: of a random choice.

    Raises:
        ConfigError: more layers than there are.
    """
    context = WriteContext(
        weights={name: weight.detach() for name, weight in mapped_weights(model).items()},
        std_of=storage.std_of,
        generator=torch.Generator().manual_seed(seed),
    )
    return write_masks(choice, context)


def usual_data(network: str) -> str:
    """Return the data set that a built-in network is usually trained on.

    Raises:
        ConfigError: a network without one.
    """
    data = zoo.entry(network).data if network in zoo.names() else None
    if data is None:
        raise ConfigError(
            f"network '{network}' has no usual data set: name one with --data",
            code=Code.MISSING_KEY,
            field="data",
            value=network,
        )
    return data
