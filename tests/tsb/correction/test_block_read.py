"""How maps are cut into the groups of channels that one shared block is applied to."""

from __future__ import annotations

import torch

from tsb.correction.block_read import _grouped, _ungrouped


def test_groups_of_channels_by_hand() -> None:
    """Three channels in groups of two: the second group of each image is filled with zeros."""
    maps = torch.arange(1.0, 2 * 3 * 2 * 2 + 1).reshape(2, 3, 2, 2)
    zeros = torch.zeros(2, 2)
    expected = [
        [maps[0, 0], maps[0, 1]], [maps[0, 2], zeros],
        [maps[1, 0], maps[1, 1]], [maps[1, 2], zeros],
    ]  # fmt: skip
    groups = _grouped(maps, 2)
    assert torch.equal(groups, torch.stack([torch.stack(pair) for pair in expected]))
    assert torch.equal(_ungrouped(groups, maps), maps)
    assert torch.equal(_grouped(maps, 3), maps)
