"""The layers of a network whose inputs are rounded: those whose own weight lies on crossbars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from archsim.config.signed_inputs import signed_format
from archsim.errors import Code, DataError
from tsb.cells.stored import mapped_weights
from tsb.pretrained.ranges.base import BINS, Observed, RangeRule
from tsb.read_path.inputs import InputCodes

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
#: Told of a layer's name and its inputs.
_Seen = Callable[[str, Tensor], None]


def product_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the convolutions and linear layers whose weights lie on crossbars, by name.

    Args:
        model: of :func:`tsb.cells.programmable.programmable`.
    """
    stored = {id(weight) for weight in mapped_weights(model).values()}
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _LAYERS) and id(module.weight) in stored
    }


def channel_axis(layer: nn.Module) -> int:
    """Return along which axis of a layer's outputs its channels lie.

    Args:
        layer: of :func:`product_layers`.
    """
    return -1 if isinstance(layer, nn.Linear) else 1


def observe(
    model: nn.Module, layers: Mapping[str, nn.Module], inputs: Tensor, batch: int
) -> dict[str, Observed]:
    """Return what the inputs of layers are, in order of their first call.

    Two passes: ends first, then counts; no activations are kept.

    Args:
        model: in evaluation mode.
        layers: of :func:`product_layers`; one that is not called as a module is left out.
        inputs: of the network, calibration items.
        batch: items at once.

    Raises:
        DataError: inputs of a layer that are not finite.
    """
    ends: dict[str, tuple[float, float]] = {}

    def end(name: str, values: Tensor) -> None:
        low, high = float(values.min()), float(values.max())
        if not bool(torch.isfinite(values).all()):
            raise DataError.of(
                Code.NOT_FINITE, name, problem="inputs of the layer on the calibration items"
            )
        before = ends.get(name, (low, high))
        ends[name] = min(before[0], low), max(before[1], high)

    counts = {name: torch.zeros(BINS, dtype=torch.float64) for name in layers}

    def count(name: str, values: Tensor) -> None:
        largest = max(-ends[name][0], ends[name][1])
        if largest > 0:
            counts[name] += torch.histc(values.abs().float(), BINS, 0.0, largest).double()

    for seen in (end, count):
        with _watched(layers, seen):
            run(model, inputs, batch)
    return {name: Observed(low, high, counts[name]) for name, (low, high) in ends.items()}


@contextmanager
def _watched(layers: Mapping[str, nn.Module], seen: _Seen) -> Iterator[None]:
    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, args: seen(name, args[0].detach())

    handles = [layer.register_forward_pre_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def run(model: nn.Module, inputs: Tensor, batch: int) -> None:
    """Run a network for what its hooks see.

    Args:
        model: in evaluation mode.
        inputs: of all items.
        batch: items at once.
    """
    for part in inputs.split(batch):
        model(part)


def input_codes(
    observed: Mapping[str, Observed], rule: RangeRule, *, bits: int, signed_inputs: str
) -> dict[str, InputCodes]:
    """Return the codes of each layer's inputs.

    Args:
        observed: in order of the layers.
        rule: of the range.
        bits: of a code.
        signed_inputs: value of ``read.signed_inputs``.

    Raises:
        ConfigError: one bit for numbers with a sign.
    """
    codes = {}
    for number, (name, seen) in enumerate(observed.items()):
        form = signed_format(signed_inputs, is_first=number == 0)
        codes[name] = rule.codes(
            seen,
            lambda low, high, form=form: InputCodes.of_range(  # type: ignore[misc]
                low, high, bits=bits, signed_inputs=form
            ),
        )
    return codes


@contextmanager
def rounded_inputs(
    layers: Mapping[str, nn.Module], codes: Mapping[str, InputCodes]
) -> Iterator[None]:
    """Round the inputs of layers to their codes inside.

    Args:
        layers: by name.
        codes: of some of them.
    """

    def hook(own: InputCodes) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
        return lambda _, args: (own.values(args[0]) * own.step, *args[1:])

    handles = [layers[name].register_forward_pre_hook(hook(own)) for name, own in codes.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
