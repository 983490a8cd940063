"""Means and spreads of all channels brought back to those without errors."""

from __future__ import annotations

import torch
from torch import Tensor

from tsb.pretrained.repair.base import LEAST_STD, ChannelMoments, OutputRepair


class ChannelMatch(OutputRepair):
    """A factor and a shift per channel; a channel that is constant on the chip keeps factor 1."""

    name = "output-match"
    description = "mean and spread of every output channel of all layers, as without errors"
    needs = "a scale and a bias for each output channel of all layers"
    source = "Jain & Raghunathan, CxDNN, ACM TECS 18(6), 2019, doi:10.1145/3362035"

    def numbers(self, wanted: ChannelMoments, found: ChannelMoments) -> tuple[Tensor, Tensor]:
        """See :meth:`OutputRepair.numbers`."""
        spreads = found.std > LEAST_STD * wanted.std
        divisor = torch.where(spreads & (found.std > 0), found.std, 1.0)
        scale = torch.where(spreads & (found.std > 0), wanted.std / divisor, 1.0)
        return scale, wanted.mean - scale * found.mean
