"""What noise in its layers does to the accuracy of a network, measured on the network itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tsb.read_path.damage import signal_of
from tsb.read_path.layer import Layer
from tsb.read_path.substitute import IMAGES_AT_ONCE, crossbar_layers, in_place_of

#: Variances of the injected noise, relative to the signal of a layer.
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Of a layer's noise over that in all layers: where its equivalent is looked for.
_SHARES = np.logspace(-3, 1, 161)


@dataclass(frozen=True)
class Response:
    """The accuracy of a network with noise in its layers.

    Noise of one layer stands for noise of ``shares[layer]`` times its variance in all layers, which
    has the same accuracy; those of several layers add up.

    Attributes:
        levels: variance of noise in all layers, relative to the signal of each, rising from 0.
        accuracies: at each level, never rising.
        shares: of each layer.
        images: that were classified at each level.
    """

    levels: tuple[float, ...]
    accuracies: tuple[float, ...]
    shares: Mapping[str, float]
    images: int

    def total(self, ratios: Mapping[str, float]) -> float:
        """Return the noise in all layers that stands for the noise of each.

        Args:
            ratios: error over signal, by layer.
        """
        return sum(share * ratios[name] for name, share in self.shares.items())

    def level_of(self, accuracy: float) -> float:
        """Return the noise in all layers that leaves an accuracy: :meth:`at`, the other way round.

        Args:
            accuracy: a fraction.
        """
        falling = np.maximum.accumulate(np.array(self.accuracies)[::-1])
        spreads = np.sqrt(self.levels)[::-1]
        return float(np.interp(accuracy, falling, spreads)) ** 2

    def at(self, level: float) -> float:
        """Return the accuracy with noise in all layers: linear in its standard deviation.

        Args:
            level: variance relative to the signal.
        """
        at = math.sqrt(min(max(level, 0.0), self.levels[-1]))
        return float(np.interp(at, np.sqrt(self.levels), self.accuracies))


def measure_response(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    levels: Sequence[float] = LEVELS,
    draws: int = 2,
    seed: int = 0,
) -> Response:
    """Inject Gaussian noise, into all layers and into each alone, and measure the accuracy.

    Args:
        model: in evaluation mode.
        images: none that an accuracy is reported of, ``image ...``.
        labels: their classes.
        levels: variances relative to the signal of a layer, rising.
        draws: of the noise per image.
        seed: of the noise.
    """
    layers = crossbar_layers(model)
    spreads = _spreads(model, layers, images)

    def accuracy(noisy: Mapping[str, float]) -> float:
        generator = torch.Generator().manual_seed(seed)
        right = sum(
            int((_scores(model, layers, images, noisy, generator).argmax(-1) == labels).sum())
            for _ in range(draws)
        )
        return right / (draws * len(images))

    def along(names: Sequence[str]) -> list[float]:
        found = [
            accuracy({name: math.sqrt(level) * spreads[name] for name in names}) for level in levels
        ]
        return [float(value) for value in np.minimum.accumulate([clean, *found])]

    clean = accuracy({})
    everywhere = along(list(layers))
    known = Response((0.0, *levels), tuple(everywhere), {}, draws * len(images))
    shares = {}
    for name in layers:
        alone = along([name])[1:]
        misfits = [
            sum(
                (known.at(share * level) - found) ** 2
                for level, found in zip(levels, alone, strict=True)
            )
            for share in _SHARES
        ]
        shares[name] = float(_SHARES[int(np.argmin(misfits))])
    whole = sum(shares.values())  # noise in all layers stands for itself
    return Response(
        known.levels,
        known.accuracies,
        {name: share / whole for name, share in shares.items()},
        known.images,
    )


def _plain(module: Layer, activations: Tensor) -> Tensor:
    forward: Any = type(module).forward
    result: Tensor = forward(module, activations)
    return result


def _spreads(model: nn.Module, layers: Mapping[str, Layer], images: Tensor) -> dict[str, float]:
    """Return the standard deviation of the signal of each layer."""
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    names = {module: name for name, module in layers.items()}

    def watch(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        result = _plain(module, activations)
        seen[names[module]].append(signal_of(result.double()))
        return result

    with torch.no_grad(), in_place_of(dict.fromkeys(names, watch)):
        for part in images.split(IMAGES_AT_ONCE):
            model(part)
    return {
        name: math.sqrt(float(torch.cat(parts, 1).var(1).mean())) for name, parts in seen.items()
    }


def _scores(
    model: nn.Module,
    layers: Mapping[str, Layer],
    images: Tensor,
    noisy: Mapping[str, float],
    generator: torch.Generator,
) -> Tensor:
    """Return the outputs of a network with noise of some standard deviations in its layers."""
    names = {module: name for name, module in layers.items()}

    def read(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        result = _plain(module, activations)
        std = noisy.get(names[module], 0.0)
        if not std:
            return result
        return result + std * torch.randn(result.shape, generator=generator)

    with torch.no_grad(), in_place_of(dict.fromkeys(names, read)):
        return torch.cat([model(part) for part in images.split(IMAGES_AT_ONCE)])
