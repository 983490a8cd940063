from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tsb.shared_block import SharedBlock, group_count, mvm_count


def features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 50),
    st.integers(1, 4),
    st.lists(st.integers(1, 3), max_size=3),
)
def test_identity_at_initialisation(block_channels, channels, depth, leading):
    block = SharedBlock(block_channels, depth)
    inputs = features(*leading, channels, 3, 2)
    assert torch.equal(block(inputs), inputs)


def test_every_group_goes_through_the_same_weights():
    block = SharedBlock(4, depth=2)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(features(4, 4, 1, 1))
    inputs = features(2, 10, 3, 5)
    padded = torch.cat([inputs, torch.zeros(2, 2, 3, 5)], dim=1)
    matrix = block.layers[1].weight[:, :, 0, 0] @ block.layers[0].weight[:, :, 0, 0]
    groups = [torch.einsum("oc,nchw->nohw", matrix, part) for part in padded.split(4, dim=1)]
    torch.testing.assert_close(block(inputs), torch.cat(groups, dim=1)[:, :10])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_number_of_weights(depth):
    block = SharedBlock(5, depth)
    assert block.weight_count == 25 * depth
    assert sum(parameter.numel() for parameter in block.parameters()) == block.weight_count
    assert block.depth == depth
    assert "channels=5" in repr(block)


def test_gradient_sums_over_uses():
    block, inputs = SharedBlock(3), features(1, 3, 2, 2)
    (once,) = torch.autograd.grad(block(inputs).sum(), block.layers[0].weight)
    twice_input = torch.cat([inputs, inputs], dim=1)
    (twice,) = torch.autograd.grad(block(twice_input).sum(), block.layers[0].weight)
    torch.testing.assert_close(twice, 2 * once)


@given(st.integers(1, 1000), st.integers(1, 300))
def test_groups_cover_the_channels_without_waste(channels, block_channels):
    groups = group_count(channels, block_channels)
    assert (groups - 1) * block_channels < channels <= groups * block_channels


def test_products_by_hand():
    """Two groups of 128 at 4 x 4, one at 2 x 2."""
    assert mvm_count([(130, 4, 4), (64, 2, 2)], 128) == 2 * 16 + 4
    assert mvm_count([], 128) == 0


@pytest.mark.parametrize(("channels", "depth"), [(0, 1), (4, 0), (4, 5)])
def test_impossible_blocks_are_refused(channels, depth):
    with pytest.raises(ValueError, match="allowed"):
        SharedBlock(channels, depth)
