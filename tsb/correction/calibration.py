"""What corrections measure on a programmed chip, with images and without labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tsb.correction.base import Tensors

#: Images per forward pass of a calibration.
CALIBRATION_BATCH = 500


def layer_outputs(
    model: nn.Module, tensors: Tensors, images: Tensor, names: Sequence[str]
) -> dict[str, Tensor]:
    """Return the outputs of some layers over all images, ``image ...``, by name.

    Args:
        model: of the network.
        tensors: its parameters and buffers.
        images: ``image channel height width``.
        names: of modules.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            del module, inputs
            parts[name].append(output.detach())

        return model.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in names]
    try:
        with torch.no_grad():
            for part in images.split(CALIBRATION_BATCH):
                torch.func.functional_call(model, dict(tensors), (part,))
    finally:
        for handle in handles:
            handle.remove()
    return {name: torch.cat(outputs) for name, outputs in parts.items()}
