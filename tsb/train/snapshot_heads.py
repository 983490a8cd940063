"""Snapshots of a network's inner features, and the small classifiers on them that NeFT trains.

NeFT: Qin et al., arXiv 2305.14561; places and sizes after its authors' public code
(github.com/YifanQin-ND/NeFT_CIM, MIT).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn


class SnapshotHeads(nn.Module):
    """Classifiers on intermediate features: average pooling, linear, ReLU, linear."""

    def __init__(
        self,
        shapes: Sequence[tuple[int, int, int]],
        classes: int,
        *,
        width: int,
        features: int,
        seed: int,
    ) -> None:
        """Build one head per feature map; its weights follow from the seed alone.

        Weights are normal after He et al., ICCV 2015 (fan out), biases zero, as in NeFT's public
        code.

        Args:
            shapes: channels, height and width of each feature map.
            classes: outputs.
            width: of the hidden layer.
            features: inputs of the hidden layer, at most: a map is pooled to the largest square
                of so many values (NeFT's public code: 6x6 of 64 channels, 4x4 of 128, 3x3 of 256),
                never to more pixels than it has, nor to less than one.
            seed: of the weights.
        """
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        heads: list[nn.Module] = []
        for channels, *image in shapes:
            side = max(1, math.isqrt(features // channels))
            size = (min(side, image[0]), min(side, image[1]))
            hidden = _linear(channels * size[0] * size[1], width, generator)
            pool = nn.AdaptiveAvgPool2d(size)
            last = _linear(width, classes, generator)
            heads.append(nn.Sequential(pool, nn.Flatten(), hidden, nn.ReLU(), last))
        self.heads = nn.ModuleList(heads)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return class scores, ``(images, classes)``, of every feature map."""
        return [head(one) for head, one in zip(self.heads, maps, strict=True)]


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


@contextmanager
def inputs_of(model: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what each module is given first in the forward passes of this context.

    Args:
        model: the network.
        names: of its modules.
    """
    inputs_by_name: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            del module
            inputs_by_name.setdefault(name, inputs[0])

        return hook

    handles = [model.get_submodule(n).register_forward_pre_hook(keep(n)) for n in names]
    try:
        yield inputs_by_name
    finally:
        for handle in handles:
            handle.remove()


def snapshot_shapes(
    model: nn.Module, image_shape: Sequence[int]
) -> tuple[dict[str, tuple[int, int, int]], int]:
    """Return shapes of feature maps by the module that they enter, and the number of classes.

    A snapshot is the input of the second convolution, and of every later one that is the first of
    its output size: this gives the places of NeFT's public code in VGG-8 (3) and ResNet-18 (4),
    and one in LeNet-3. That code places them by hand; the rule is ours.

    Args:
        model: a network that maps images to class scores; it is not changed.
        image_shape: of one image: channels, height, width.
    """
    trial = deepcopy(model).eval()
    calls: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module
            calls.append((name, tuple(inputs[0].shape[1:]), tuple(output.shape[2:])))

        return hook

    for name, module in trial.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note(name))
    with torch.no_grad():
        first = next(trial.parameters())
        scores = trial(torch.zeros(1, *image_shape, device=first.device, dtype=first.dtype))
    places: dict[str, tuple[int, int, int]] = {}
    sizes = {calls[0][2]} if calls else set()
    for place, (name, entering, size) in enumerate(calls[1:]):
        if place == 0 or size not in sizes:
            places.setdefault(name, (entering[0], entering[1], entering[2]))
        sizes.add(size)
    return places, int(scores.shape[-1])
