"""Unit: a network as per-layer tensors, from a graph and from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NOT_GIVEN, DataError
from archsim.network import LayerKind, from_graph, from_layer_csv, load_network, trace
from archsim.network.table import CSV_HEADER, DIGITAL_COLUMNS
from tests.refusals import refused

DATA = Path(__file__).parents[1] / "data" / "networks"


def test_vgg8_from_its_model_equals_vgg8_from_the_reference_file() -> None:
    from_model, from_file = from_graph(load_network("vgg8")), from_layer_csv(DATA / "vgg8.csv")
    for field in vars(from_model).keys() - {"flow"}:  # of which the file says nothing
        left, right = getattr(from_model, field), getattr(from_file, field)
        same = torch.equal(left, right) if isinstance(left, Tensor) else left == right
        assert same, field
    assert from_model.equals(from_file)


def test_lenet3_differs_from_its_file_in_nothing() -> None:
    assert from_graph(load_network("lenet3")).equals(from_layer_csv(DATA / "lenet3.csv"))


def test_equals_sees_a_difference() -> None:
    vgg8 = from_graph(load_network("vgg8"))
    assert not vgg8.equals(from_graph(load_network("vgg8", num_classes=100)))
    assert not vgg8.equals(from_graph(load_network("lenet3")))


def test_columns_by_hand() -> None:
    table = from_graph(load_network("resnet18"))
    first = {
        name: getattr(table, name)[0].item()
        for name in vars(table)
        if name not in ("names", "kinds", "flow")
    }
    assert first == {
        "in_height": 224,
        "in_width": 224,
        "in_channels": 3,
        "kernel_h": 7,
        "kernel_w": 7,
        "out_channels": 64,
        "out_height": 112,
        "out_width": 112,
        "stride_h": 2,
        "stride_w": 2,
        "padding_h": 3,
        "padding_w": 3,
        "groups": 1,
        "mvms": 112 * 112,
        "pool_factor": 4,
        "added": 0,
        **dict.fromkeys(DIGITAL_COLUMNS, 0),
        "is_first": 1,
        "is_signed": 1,
        "followed_by_relu": 1,
    }
    assert len(table) == 21
    assert table.kinds[-1] is LayerKind.LINEAR
    assert table.is_first.sum() == 1
    assert table.in_height.dtype is torch.float64
    assert table.in_height.shape == (21,)


@pytest.mark.parametrize("name", ["lenet3", "vgg8", "resnet18", "resnet20"])
def test_sums_equal_those_of_the_graph(name: str) -> None:
    graph = load_network(name)
    table = from_graph(graph)
    assert table.weights.sum() == graph.totals.weights
    assert table.macs.sum() == graph.totals.macs
    assert torch.equal(table.weight_cols, table.out_channels)


def test_depthwise_rows_and_two_first_layers() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.b = nn.Conv2d(4, 4, 1)
            self.c = nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Any:
            return self.c(functional.relu(self.a(x)) + self.b(x) + x)

    table = from_graph(trace(Fork(), (4, 8, 8)))
    assert table.weight_rows.tolist() == [9, 4, 4]
    assert table.is_first.tolist() == [1, 1, 0]
    assert table.followed_by_relu.tolist() == [1, 0, 0]


GOOD = "conv1,8,8,3,3,3,4,1,1,1,36,108,27"


def written(tmp_path: Path, *rows: str, header: str = ",".join(CSV_HEADER)) -> Path:
    path = tmp_path / "net.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_unpadded_strided_rows(tmp_path: Path) -> None:
    table = from_layer_csv(
        written(tmp_path, "c,9,7,2,3,3,4,0,2,0,4,72,18", "f,1,1,8,1,1,2,0,1,0,1,16,8")
    )
    assert table.mvms.tolist() == [4 * 3, 1]
    assert table.kinds == (LayerKind.CONV, LayerKind.LINEAR)
    assert table.followed_by_relu.tolist() == [1, 0]
    assert table.is_first.tolist() == [1, 0]


def test_odd_maps_lose_a_row_in_pooling(tmp_path: Path) -> None:
    table = from_layer_csv(written(tmp_path, "c,5,5,3,3,3,4,1,1,1,9,108,27"))
    assert table.pool_factor.tolist() == [25 / 4]


@pytest.mark.parametrize(
    ("row", "field", "code", "value", "says"),
    [
        ("conv1,8,x,3,3,3,4,1,1,1,36,108,27", "IFM_W", "wrong-type", "x", []),
        ("conv1,8,8,3,3,3,4,1,1,1,36,108.0,27", "weights", "wrong-type", "108.0", []),
        ("conv1,0,8,3,3,3,4,1,1,1,36,108,27", "IFM_H", "out-of-range", 0, ["1"]),
        ("conv1,8,8,3,3,3,4,1,0,1,36,108,27", "stride", "out-of-range", 0, ["1"]),
        ("conv1,8,8,3,3,3,4,1,1,-1,36,108,27", "pad_used_in_trace", "out-of-range", -1, ["0"]),
        ("conv1,8,8,3,3,3,4,2,1,1,36,108,27", "followed_by_2x2_maxpool", "out-of-range", 2, []),
        ("conv1,8,8,3,3,3,4,1,1,1,36,109,27", "weights", "shape-mismatch", 109, ["108"]),
        ("conv1,8,8,3,3,3,4,1,1,1,36,108,28", "weight_rows", "shape-mismatch", 28, ["27"]),
        ("conv1,2,8,3,3,3,4,0,1,0,36,108,27", "kH", "shape-mismatch", 3, ["3x3"]),
        ("conv1,1,8,3,3,3,4,1,1,1,36,108,27", "followed_by_2x2_maxpool", "shape-mismatch", 1, []),
        ("conv1,8,8,3", "row", "shape-mismatch", 4, ["13"]),
        (",8,8,3,3,3,4,1,1,1,36,108,27", "layer", "missing-key", NOT_GIVEN, []),
        (GOOD, "layer", "given-twice", "conv1", []),
    ],
)
def test_bad_content_names_file_line_and_field(
    tmp_path: Path, row: str, field: str, code: str, value: object, says: list[str]
) -> None:
    path = written(tmp_path, GOOD, row)
    place = f"{path}, line 3, field '{field}'"
    with refused(DataError, code=code, field=place, value=value, says=[str(path), *says]) as caught:
        from_layer_csv(path)
    assert str(caught.value).startswith(f"{place}: ")


def test_bad_files(tmp_path: Path) -> None:
    with refused(DataError, code="cannot-read", field=tmp_path / "missing.csv"):
        from_layer_csv(tmp_path / "missing.csv")
    path = written(tmp_path, GOOD, header="a,b")
    with refused(DataError, code="damaged-file", field=f"{path}, line 1", says=["'layer,IFM_H"]):
        from_layer_csv(path)
    path = written(tmp_path)
    with refused(DataError, code="empty", field=path):
        from_layer_csv(path)
    path = tmp_path / "empty.csv"
    path.write_text("", encoding="utf-8")
    with refused(DataError, code="damaged-file", field=f"{path}, line 1"):
        from_layer_csv(path)
