"""Means of all channels brought back to those without errors."""

from __future__ import annotations

import torch
from torch import Tensor

from tsb.pretrained.repair.base import ChannelMoments, OutputRepair


class BiasCorrection(OutputRepair):
    """A shift per channel."""

    name = "bias-correction"
    description = "mean of every output channel of all layers, as without errors"
    needs = "a bias for each output channel of all layers"
    source = "Nagel et al., Data-Free Quantization, ICCV 2019, arXiv 1906.04721, section 4.2"

    def numbers(self, wanted: ChannelMoments, found: ChannelMoments) -> tuple[Tensor, Tensor]:
        """See :meth:`OutputRepair.numbers`."""
        return torch.ones_like(wanted.mean), wanted.mean - found.mean
