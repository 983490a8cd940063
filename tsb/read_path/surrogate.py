"""A network whose layers lose what reads do on average, output by output, and the rest by chance.

What reads do to a layer is rarely noise alone: errors of cells and coarse converters change the
gain of an output and shift it, for the same chip always in the same way, and a shift that all
outputs share hardly matters to a class. So each output is described by a line through what is read
and what should be, and only what scatters about it is taken as normal noise. A pass of this network
costs as much as one of the float network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsb.read_path.approximate import Moments
from tsb.read_path.damage import signal_of
from tsb.read_path.layer import Layer
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of


def layer_moments(
    network: ReadNetwork, images: Tensor, noise: Noise | None = None
) -> dict[str, Moments]:
    """Return what the reads of a chip do to the outputs of each layer, on inputs without errors.

    Args:
        network: of one chip, calibrated.
        images: few, ``image ...``.
        noise: seed of the reads.
    """
    names = {module: name for name, module in crossbar_layers(network.model).items()}
    plain: dict[Layer, Any] = {module: type(module).forward for module in names}
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in names.values()}

    def watch(module: Layer, activations: Tensor, first: int) -> Tensor:
        wanted: Tensor = plain[module](module, activations)
        name = names[module]
        read = network.layers[name](module, activations, noise, first, network.after.get(name))
        pairs[name].append((signal_of(read.double()), signal_of(wanted.double())))
        return wanted

    with torch.no_grad(), in_place_of(dict.fromkeys(names, watch)) as first:
        for part in images.split(IMAGES_AT_ONCE):
            network.model(part)
            first[0] += len(part)
    return {
        name: Moments.of(*(torch.cat(side, 1).T.numpy() for side in zip(*parts, strict=True)))
        for name, parts in pairs.items()
    }


def surrogate_accuracy(
    network: ReadNetwork,
    moments: Mapping[str, Moments],
    images: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
) -> float:
    """Return the accuracy of the network whose layers lose what the moments say.

    Args:
        network: whose model is taken.
        moments: of each layer.
        images: ``image ...``.
        labels: their classes.
        seed: of the noise.
    """
    names = {module: name for name, module in crossbar_layers(network.model).items()}
    plain: dict[Layer, Any] = {module: type(module).forward for module in names}
    generator = torch.Generator().manual_seed(seed)

    def lossy(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        wanted: Tensor = plain[module](module, activations)
        found = moments[names[module]]
        beside = (-1, 1, 1) if wanted.dim() == 4 else (-1,)
        gain, bias, std = (
            torch.from_numpy(np.asarray(part)).to(wanted.dtype).view(beside)
            for part in (found.gain, found.bias, found.std)
        )
        return gain * wanted + bias + std * torch.randn(wanted.shape, generator=generator)

    with torch.no_grad(), in_place_of(dict.fromkeys(names, lossy)):
        scores = torch.cat([network.model(part) for part in images.split(IMAGES_AT_ONCE)])
    return float((scores.argmax(-1) == labels).double().mean())
