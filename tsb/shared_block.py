"""The Tiny Shared Block: one c x c 1x1 convolution for all layers and all channel groups.

A map of C channels is cut into ``ceil(C / c)`` groups, the last padded with zeros; every group goes
through the same weights; the padding is cut off again (Qin et al., ICCAD 2024, arXiv 2406.06544).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

#: Where the block comes from.
PAPER = "Qin et al., TSB: Tiny Shared Block, ICCAD 2024, arXiv 2406.06544"
#: Deepest block studied in the paper.
MAX_DEPTH = 4


def group_count(channels: int, block_channels: int) -> int:
    """Return the number of channel groups, ``ceil(C / c)``.

    Args:
        channels: C, channels of the feature map.
        block_channels: c, channels of the block.
    """
    return -(-channels // block_channels)


def mvm_count(maps: Iterable[tuple[int, int, int]], block_channels: int) -> int:
    """Return the matrix-vector products of one block layer, ``sum_l ceil(C_l / c) H_l W_l``.

    Args:
        maps: (channels, height, width) of every map that goes through the block.
        block_channels: c, channels of the block.
    """
    return sum(
        group_count(channels, block_channels) * height * width for channels, height, width in maps
    )


class SharedBlock(nn.Module):
    """``depth`` successive c x c 1x1 convolutions without bias, the identity until trained.

    The layers follow each other without a nonlinearity, so that the block is the exact identity at
    initialisation for inputs of any sign. Use one instance at every insertion point: that is what
    shares the weights.
    """

    def __init__(self, channels: int, depth: int = 1) -> None:
        """Build the identity.

        Args:
            channels: c, channels per group.
            depth: layers in the block, 1 to 4.

        Raises:
            ValueError: ``channels`` below 1 or ``depth`` outside 1 to 4.
        """
        super().__init__()
        if channels < 1 or not 1 <= depth <= MAX_DEPTH:
            raise ValueError(
                f"channels = {channels}, depth = {depth}; allowed: channels >= 1, "
                f"depth 1 to {MAX_DEPTH}"
            )
        self.channels = channels
        self.layers = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel_size=1, bias=False) for _ in range(depth)
        )
        self.reset_parameters()

    @property
    def depth(self) -> int:
        """Layers in the block."""
        return len(self.layers)

    @property
    def weight_count(self) -> int:
        """Weights on the chip, ``c^2 depth``, however often the block is used."""
        return self.channels**2 * self.depth

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set every layer to the identity."""
        for parameter in self.parameters():
            parameter.copy_(torch.eye(self.channels)[:, :, None, None])

    def forward(
        self, features: Float[Tensor, "*batch channel height width"]
    ) -> Float[Tensor, "*batch channel height width"]:
        """Send every channel group through the same weights.

        Args:
            features: any number of channels, also fewer than the block has.
        """
        channels, height, width = features.shape[-3:]
        groups = group_count(channels, self.channels)
        missing = groups * self.channels - channels
        grouped = functional.pad(features, (0, 0, 0, 0, 0, missing))
        grouped = grouped.reshape(-1, self.channels, height, width)
        for layer in self.layers:
            grouped = layer(grouped)
        whole = grouped.reshape(*features.shape[:-3], groups * self.channels, height, width)
        return whole[..., :channels, :, :]

    def extra_repr(self) -> str:
        """Return what ``repr`` shows besides the layers."""
        return f"channels={self.channels}, depth={self.depth}"
