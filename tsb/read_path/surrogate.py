"""A network whose layers lose what reads do on average, output by output, and the rest by chance.

What reads do to a layer is rarely noise alone: errors of cells and coarse converters change the
gain of an output and shift it, for the same chip always in the same way, and a shift that all
outputs share hardly matters to a class. So each output is described by a line through what is read
and what should be, and only what scatters about it is taken as normal noise, which outputs share as
far as they scatter together: the rounding of small groups of rows is much the same in all columns.
A pass of this network costs little more than one of the float network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsb.read_path.approximate import Moments
from tsb.read_path.converter import Floats
from tsb.read_path.damage import Outputs
from tsb.read_path.layer import Layer
from tsb.read_path.network import ReadNetwork
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of


@dataclass(frozen=True, eq=False)
class OutputLoss:
    """What reads do to the outputs of a layer.

    Attributes:
        gain: of each output, ``output``.
        bias: in units of the outputs, ``output``.
        root: of the covariance of what remains, ``output output``.
    """

    gain: Floats
    bias: Floats
    root: Floats

    @classmethod
    def of(cls, read: Floats, wanted: Floats) -> OutputLoss:
        """Fit a line to each output, and see how the rest scatters.

        Args:
            read: as the chip reads it, ``vector output``.
            wanted: what it should be.
        """
        line = Moments.of(read, wanted)
        rest = read - line.gain * wanted - line.bias
        values, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        return cls(line.gain, line.bias, np.asarray(root))


def layer_moments(outputs: Mapping[str, Outputs]) -> dict[str, OutputLoss]:
    """Return what the reads of a chip do to the outputs of each layer.

    Args:
        outputs: of :func:`tsb.read_path.damage.layer_outputs`.
    """
    return {
        name: OutputLoss.of(read.T.numpy(), wanted.T.numpy())
        for name, (read, wanted) in outputs.items()
    }


def surrogate_accuracy(
    network: ReadNetwork,
    moments: Mapping[str, OutputLoss],
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
        gain, bias, root = (
            torch.from_numpy(part).to(wanted.dtype) for part in (found.gain, found.bias, found.root)
        )
        last = wanted.movedim(1, -1) if wanted.dim() == 4 else wanted
        scatter = torch.randn(last.shape, generator=generator) @ root.T
        lossy_last: Tensor = gain * last + bias + scatter
        return lossy_last.movedim(-1, 1) if wanted.dim() == 4 else lossy_last

    with torch.no_grad(), in_place_of(dict.fromkeys(names, lossy)):
        scores = torch.cat([network.model(part) for part in images.split(IMAGES_AT_ONCE)])
    return float((scores.argmax(-1) == labels).double().mean())
