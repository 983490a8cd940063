"""How much of a layer's signal a chip's reads lose: each layer by itself, on few images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tsb.read_path.approximate import MOST_CLIPPED, MOST_STEP
from tsb.read_path.layer import Layer
from tsb.read_path.network import ReadNetwork
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of


@dataclass(frozen=True)
class LayerLoss:
    """Signal and error of the outputs of a layer.

    Attributes:
        signal: variance of an output over images and positions, mean over the outputs.
        error: mean squared difference to what the layer should give.
    """

    signal: float
    error: float

    @property
    def ratio(self) -> float:
        """Error over signal; 0 where there is neither."""
        if self.signal > 0:
            return self.error / self.signal
        return math.inf if self.error else 0.0


#: Of a layer: outputs as the chip reads them and as they should be, ``output value`` each.
Outputs = tuple[Tensor, Tensor]


def layer_outputs(
    network: ReadNetwork, images: Tensor, noise: Noise | None = None
) -> dict[str, Outputs]:
    """Return what each layer gives as it is read and as it should be, on inputs without errors.

    Every layer is given what the float network gives it, so that errors of one layer are not those
    of the layers before.

    Args:
        network: of one chip, calibrated.
        images: few, ``image ...``.
        noise: seed of the reads.
    """
    names = {module: name for name, module in crossbar_layers(network.model).items()}
    plain: dict[Layer, Any] = {module: type(module).forward for module in names}
    pairs: dict[str, list[Outputs]] = {name: [] for name in names.values()}

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
        name: (torch.cat([read for read, _ in parts], 1), torch.cat([want for _, want in parts], 1))
        for name, parts in pairs.items()
    }


def layer_losses(outputs: Mapping[str, Outputs]) -> dict[str, LayerLoss]:
    """Return signal and error of each layer.

    Args:
        outputs: of :func:`layer_outputs`.
    """
    return {
        name: LayerLoss(float(wanted.var(1).mean()), float((read - wanted).square().mean()))
        for name, (read, wanted) in outputs.items()
    }


def signal_of(outputs: Tensor) -> Tensor:
    """Return the values of each output of a layer, ``output value``.

    Args:
        outputs: with the batch first, then channels where there are positions, else last.
    """
    if outputs.dim() > 3:
        return outputs.transpose(0, 1).flatten(1)
    return outputs.flatten(0, -2).T


def not_a_noise(network: ReadNetwork) -> str:
    """Return why conversion errors of a network cannot be taken for a noise, "" where they can.

    The bounds are those of the approximate read path; what a converter does without loss is no
    error, nor is a step of one level between whole sums.

    Args:
        network: calibrated.
    """
    if network.settings.converter.of_batches:
        return "ranges of a batch, rounded down, shift what is read"
    reads: Mapping[str, MatrixRead] = {
        name: layer.reads[0] for name, layer in network.layers.items()
    }
    for name, read in reads.items():
        grids, _ = read.grids_of_groups()[0]
        for place, (one, grid) in enumerate(zip(read.sums or (), grids or (), strict=False)):
            if not math.isfinite(one.signal_to_noise(grid)):
                continue
            clipped = one.clip_rate(grid)
            if clipped > MOST_CLIPPED:
                return f"{name}, slice {place}: {100 * clipped:.3g} % of the sums are clipped"
            weights = one.counts / one.counts.sum()
            mean = float((weights * one.values).sum())
            spread = math.sqrt(float((weights * (one.values - mean) ** 2).sum()))
            if grid.step > 1 and grid.step > MOST_STEP * spread:
                return (
                    f"{name}, slice {place}: a step of {grid.step:.3g} levels for sums that spread "
                    f"by {spread:.3g}"
                )
    return ""
