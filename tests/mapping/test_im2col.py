"""im2col: positions that read padding, counted without laying out the map."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from archsim.errors import NetworkError
from archsim.network.graph import LayerGraph
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import Op, OpKind
from archsim.network.table import from_graph
from mapping import im2col
from tests.refusals import refused


@pytest.mark.parametrize("count", [1, 2, 6, 7, 8, 13, 34, 35])
def test_padded_taps_of_the_first_positions_are_those_of_the_laid_out_map(count: int) -> None:
    """Lines and columns apart say the same as the map position by position."""
    generator = torch.Generator().manual_seed(count)
    valid_y = torch.randint(0, 4, (5,), generator=generator).double()
    valid_x = torch.randint(0, 4, (7,), generator=generator).double()
    laid_out = torch.cumsum((valid_y.unsqueeze(-1) * valid_x).flatten(), 0)
    assert torch.equal(im2col._first(valid_y, valid_x, torch.tensor(count)), laid_out[count - 1])


def test_a_huge_map_takes_no_memory_for_its_positions() -> None:
    """10^13 output positions: laid out they would take 80 TB."""
    layer = MvmLayer(
        name="huge",
        kind=LayerKind.CONV,
        in_channels=3,
        out_channels=8,
        in_height=10**7,
        in_width=10**6,
        out_height=10**7,
        out_width=10**6,
        kernel_h=3,
        kernel_w=3,
        padding_h=1,
        padding_w=1,
        mvms=10**13,
    )
    op = Op(name="huge", kind=OpKind.CONV, target="conv2d", shape=(1, 8, 10**7, 10**6), layer=layer)
    table = from_graph(LayerGraph.from_ops("net", (3, 10**7, 10**6), [op]))
    share = im2col._padded_taps(table, table.mvms)
    rows, cols = 3 * 10**7 - 2, 3 * 10**6 - 2
    assert share.item() == pytest.approx(1 - rows * cols / (9 * 10**13), rel=1e-9, abs=0)
    facts = {"code": "out-of-range", "field": "in_height", "value": 10**8}
    with refused(NetworkError, **facts, allowed=f"{2**24} or less", says=["'huge':"]):
        dataclasses.replace(layer, in_height=10**8)
