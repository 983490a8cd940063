"""Repair a chip in one pass: each layer is measured behind layers that are repaired already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tsb.pretrained.layers import channel_axis
from tsb.pretrained.repair.base import ChannelMoments, NormRepair, OutputRepair, Repair


@torch.no_grad()
def wanted_moments(
    model: nn.Module, layers: Mapping[str, nn.Module], inputs: Tensor
) -> dict[str, ChannelMoments]:
    """Return mean and spread of each layer's output channels, on a network without errors.

    Args:
        model: in evaluation mode.
        layers: by name.
        inputs: calibration items, at once.
    """
    found: dict[str, ChannelMoments] = {}

    def hook(name: str, layer: nn.Module):  # type: ignore[no-untyped-def]
        def seen(_: nn.Module, __: object, outputs: Tensor) -> None:
            found.setdefault(name, ChannelMoments.of(outputs, channel_axis(layer)))

        return seen

    handles = [layer.register_forward_hook(hook(n, layer)) for n, layer in layers.items()]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


@contextmanager
def repaired(
    model: nn.Module,
    layers: Mapping[str, nn.Module],
    wanted: Mapping[str, ChannelMoments],
    inputs: Tensor,
    repairs: Sequence[Repair],
) -> Iterator[None]:
    """Repair a network inside, and give it back as it was.

    One pass over the calibration items: a layer's numbers are measured where the pass comes to it,
    and act from there on. A layer that is called several times keeps those of its first call.

    Args:
        model: with the weights of a chip, in evaluation mode.
        layers: by name.
        wanted: of :func:`wanted_moments`.
        inputs: calibration items, at once.
        repairs: what is done.
    """
    norms: dict[str, nn.Module] = {}
    handles = []
    for repair in repairs:
        if isinstance(repair, OutputRepair):
            handles += [
                layers[name].register_forward_hook(_matching(repair, layers[name], moments))
                for name, moments in wanted.items()
            ]
        elif isinstance(repair, NormRepair):
            norms |= repair.parts(model, layers)
    before = {
        name: {key: tensor.clone() for key, tensor in norm.named_buffers(recurse=False)}
        for name, norm in norms.items()
    }
    measuring = [norm.register_forward_pre_hook(_Recalibrated()) for norm in norms.values()]
    try:
        with torch.no_grad():
            model(inputs)
        for handle in measuring:
            handle.remove()
        yield
    finally:
        for handle in (*handles, *measuring):
            handle.remove()
        for name, kept in before.items():
            norms[name].load_state_dict(kept, strict=False)


class _Recalibrated:
    """Sets the statistics of a batch norm from the first inputs that it gets."""

    def __init__(self) -> None:
        self.done = False

    def __call__(self, norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        if not self.done:
            found = ChannelMoments.of(args[0], 1)
            new = {"running_mean": found.mean, "running_var": found.std**2}
            norm.load_state_dict(new, strict=False)
            self.done = True


def _matching(repair: OutputRepair, layer: nn.Module, wanted: ChannelMoments):  # type: ignore[no-untyped-def]
    """Return what measures the outputs of a layer once, and corrects them from then on."""
    axis = channel_axis(layer)
    numbers: list[tuple[Tensor, Tensor]] = []

    def corrected(_: nn.Module, __: object, outputs: Tensor) -> Tensor:
        if not numbers:
            numbers.append(repair.numbers(wanted, ChannelMoments.of(outputs, axis)))
        shape = [1] * outputs.dim()
        shape[axis] = -1
        scale, shift = (each.view(shape) for each in numbers[0])
        return outputs * scale + shift

    return corrected
