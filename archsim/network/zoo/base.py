"""What all zoo models share."""

from __future__ import annotations

from torch import nn

from archsim.errors import Code, NetworkError


class ZooModel(nn.Module):
    """A classifier that knows the input it was made for.

    Attributes:
        input_shape: ``(channels, height, width)`` of one input.
        num_classes: Number of outputs.
    """

    input_shape: tuple[int, int, int]
    num_classes: int


def image_size(value: int | tuple[int, int], *, smallest: int = 1) -> tuple[int, int]:
    """``(height, width)`` from one number for a square image, or from a pair.

    Raises:
        NetworkError: A size is below ``smallest``, the least that the network can pool.
    """
    size = (value, value) if isinstance(value, int) else (value[0], value[1])
    if min(size) < smallest:
        raise NetworkError(
            f"input_size is {value}; this network needs {smallest} pixels or more",
            code=Code.OUT_OF_RANGE,
            field="input_size",
            value=value,
            allowed=f"{smallest} pixels or more",
        )
    return size


def kaiming(module: nn.Module) -> None:
    """Initialise the convolutions of ``module`` for ReLU, after He et al., ICCV 2015 (fan out)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
