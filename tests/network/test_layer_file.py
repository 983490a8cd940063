"""Unit: layer tables, with a header and in the form of NeuroSim."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import ANY

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from archsim.api.map import map_network
from archsim.cli.app import app
from archsim.errors import NetworkError
from archsim.network import LayerGraph, load_network
from archsim.network.layer_file import COLUMNS
from archsim.network.load import load_module
from tests.refusals import command_refused, refused

#: VGG-8 as in the paper: six convolutions, two linear layers.
VGG8 = """\
32,32,3,3,3,128,0,1
32,32,128,3,3,128,1,1
16,16,128,3,3,256,0,1
16,16,256,3,3,256,1,1
8,8,256,3,3,512,0,1
8,8,512,3,3,512,1,1
1,1,8192,1,1,1024,0,1
1,1,1024,1,1,10,0,1
"""

BLOCK = """\
name,kind,from,in_channels,in_size,out_channels,kernel,stride,padding,groups,bias,activation,pool
stem,conv,,3,32x32,16,3,1,1,,1,relu,2
wide,conv,,16,,32,3,2,1,,0,relu,
deep,depthwise,,,,,3,,,,,none,
short,conv,stem,,,32,1,2,0,,,none,
sum,add,deep+short,,,,,,,,,,
mean,global_pool,,,,,,,,,,,
head,linear,,32,,10,,,,,1,,
"""


def table(folder: Path, text: str, name: str = "layers.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(folder: Path, text: str) -> LayerGraph:
    return load_network(table(folder, text))


def test_a_network_file_of_neurosim_is_the_network(tmp_path: Path) -> None:
    graph, built_in = read(tmp_path, VGG8), load_network("vgg8")
    assert graph.input_shape == (3, 32, 32)
    assert graph.totals.macs == built_in.totals.macs
    assert graph.totals.weights == built_in.totals.weights
    ours, theirs = graph.to_frame(), built_in.to_frame()
    columns = ["kind", "in_channels", "out_height", "kernel", "stride", "padding", "pool", "mvms"]
    assert ours[columns].equals(theirs[columns])
    assert ours["activation"].tolist() == ["relu"] * 7 + [""]
    assert graph.notes


def test_a_network_file_costs_what_the_network_costs(tmp_path: Path) -> None:
    ours, theirs = map_network(table(tmp_path, VGG8)), map_network("vgg8")
    for key in ("area_mm2", "energy_uJ", "latency_us"):
        assert ours.totals[key] == pytest.approx(theirs.totals[key], rel=1e-12), key


def test_commas_at_the_ends_of_rows_are_no_cells(tmp_path: Path) -> None:
    comma = "\n".join(f"{row},," for row in VGG8.split())
    assert read(tmp_path, comma).totals.macs == read(tmp_path, VGG8).totals.macs


def test_the_eighth_number_may_be_left_out(tmp_path: Path) -> None:
    seven = "\n".join(row.rpartition(",")[0] for row in VGG8.splitlines())
    whole = read(tmp_path, VGG8)
    assert read(tmp_path, seven).dump() == whole.dump()


@pytest.mark.parametrize(
    ("rows", "padding", "out"),
    [
        ("32,32,1,5,5,6,1,1\n14,14,6,5,5,16,1,1\n1,1,400,1,1,10,0,1", 0, 28),  # LeNet-5: none
        ("32,32,1,5,5,6,1,1\n16,16,6,5,5,16,1,1\n1,1,1024,1,1,10,0,1", 2, 32),
        ("8,8,3,3,3,4,0,2\n4,4,4,1,1,8,0,1", 1, 4),
        ("9,9,3,3,3,4,0,2\n4,4,4,1,1,8,0,1", 0, 4),
    ],
)
def test_padding_is_what_the_next_row_needs(
    tmp_path: Path, rows: str, padding: int, out: int
) -> None:
    first = read(tmp_path, rows).layers[0]
    assert (first.padding_h, first.padding_w, first.out_height) == (padding, padding, out)


def test_a_row_that_does_not_follow_reads_an_earlier_one(tmp_path: Path) -> None:
    """Shortcuts with weights stand in such files behind the block that they lead around."""
    rows = "8,8,3,3,3,16,0,1\n8,8,16,3,3,32,0,2\n4,4,32,3,3,32,0,1\n8,8,16,1,1,32,0,2\n"
    graph = read(tmp_path, rows + "1,1,32,1,1,10,0,1")
    assert [layer.mvms for layer in graph.layers] == [64, 16, 16, 16, 1]
    assert graph.op("layer4").inputs == ("layer1.relu",)
    assert graph.op("layer5").layer is not None
    assert any("layer1" in note for note in graph.notes)


def test_columns_of_a_table(tmp_path: Path) -> None:
    graph = read(tmp_path, BLOCK)
    layers = {layer.name: layer for layer in graph.layers}
    macs = {name: layer.macs for name, layer in layers.items()}
    assert macs == {
        "stem": 32 * 32 * 27 * 16,
        "wide": 8 * 8 * 144 * 32,
        "deep": 8 * 8 * 9 * 32,
        "short": 8 * 8 * 16 * 32,
        "head": 320,
    }
    assert layers["deep"].groups == 32
    assert [name for name, layer in layers.items() if layer.bias] == ["stem", "head"]
    assert str(layers["stem"].pool) == "max 2x2/2"
    assert graph.residual_edges == (("short", "sum.add"),)
    assert graph.parameters == graph.totals.weights + 16 + 10


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_between_cells(tmp_path: Path, mark: str) -> None:
    assert read(tmp_path, BLOCK.replace(",", mark)).dump() == read(tmp_path, BLOCK).dump()


def test_other_names_of_columns_and_comments(tmp_path: Path) -> None:
    text = "# of a paper\nLayer,Type,H,W,Cin,kH,kW,Cout,Stride,Pad\nc1,Conv2d,9,7,3,3,1,4,2,0\n"
    layer = read(tmp_path, text).layers[0]
    assert (layer.name, layer.out_height, layer.out_width) == ("c1", 4, 4)
    assert layer.weights == 3 * 3 * 1 * 4


def test_linear_rows_take_vectors(tmp_path: Path) -> None:
    text = "name,in_channels,out_channels,vectors,activation\nup,64,256,16,gelu\ndown,256,64,,\n"
    graph = read(tmp_path, text)
    assert graph.input_shape == (16, 64)
    assert [layer.macs for layer in graph.layers] == [16 * 64 * 256] * 2
    assert graph.layers[0].activation == "gelu"


def test_a_transposed_convolution(tmp_path: Path) -> None:
    text = "kind,in_channels,in_size,out_channels,kernel,stride\nconv_transpose,8,4x4,3,2,2\n"
    graph = read(tmp_path, text)
    assert graph.totals.weights == 8 * 3 * 4
    assert graph.ops[-1].shape == (1, 3, 8, 8)


def test_whole_numbers_may_be_written_as_fractions(tmp_path: Path) -> None:
    text = "kind,in_channels,in_size,out_channels,kernel,pool,groups\n"
    rows = ["conv1d,3,8x8,4,3x3,1,1", "pointwise,4,4,8,1,0,1", "gemm,128,,5,,,"]
    graph = read(tmp_path, text + "\n".join(rows))
    assert [layer.weights for layer in graph.layers] == [108, 32, 640]
    written = [
        "conv1d,3.0,8.0x8.0,4.0,3.0x3.0,1.0,1.0",
        "pointwise,4.0,4.0,8.0,1.0,0.0,1.0",
        rows[2],
    ]
    assert read(tmp_path, text + "\n".join(written)).ops == graph.ops
    neurosim = "8,8,3,3,3,4,1,1\n4,4,4,3,3,4,0,2\n"
    fractions = neurosim.replace(",", ".0,").replace("\n", ".0\n")
    assert read(tmp_path, fractions).ops == read(tmp_path, neurosim).ops


ROW = "in_channels,in_size,out_channels,kernel,stride,pool,groups\n"


@pytest.mark.parametrize(
    ("text", "code", "row", "column", "value"),
    [
        (ROW + "3,8x8,x,3,1,0,1", "wrong-type", 2, "out_channels", "x"),
        (ROW + "3,8x8,4,0,1,0,1", "out-of-range", 2, "kernel", 0),
        (ROW + "3,8x8,4,3,1,0,2", "out-of-range", 2, "groups", 2),
        (ROW + "3,8x8,4,3,1,9,1", "shape-mismatch", 2, "pool", ANY),
        (ROW + "3,8x8,4,3,1,big,1", "wrong-form", 2, "pool", "big"),
        (ROW + "3,8x8,4,3,0,0,1", "out-of-range", 2, "stride", 0),
        (ROW + "3,8x8,4,3,1,0,1\n5,8x8,4,3,1,0,1", "shape-mismatch", 3, "in_channels", 5),
        (ROW + "3,8x8,4,3,1,0,1\n4,9x9,4,3,1,0,1", "shape-mismatch", 3, "in_size", "9x9"),
        ("in_channels,in_size\n3,8x8", "missing-key", 2, "out_channels", None),
        ("32,32,3,3,3,128,0,1\n32,32,128,3,3,-1,1,1", "wrong-type", 2, "out_channels", "-1"),
        ("32,32,3,3,3,128,0,1.5", "wrong-type", 1, "stride", "1.5"),
        ("name,in_channels,out_channels\na,3,4\na,4,5", "given-twice", 3, "name", "a"),
        ("name,in_channels,out_channels\ninput,3,4", "given-twice", 2, "name", "input"),
        ("kind,in_channels,in_size,groups\ndepthwise,8,8x8,2", "conflict", 2, "groups", 2),
        ("kind,in_channels,out_channels\nlstm,3,4", "unknown-name", 2, "kind", "lstm"),
        ("from,in_channels,out_channels\n,3,4\nb,4,5", "unknown-name", 3, "from", "b"),
    ],
)
def test_bad_cells_are_named_by_row_and_column(
    tmp_path: Path, text: str, code: str, row: int, column: str, value: object
) -> None:
    place = f"{tmp_path / 'layers.csv'}, row {row}, column '{column}'"
    given = {} if value is None else {"value": value}
    with refused(NetworkError, code=code, field=place, **given):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "code", "row"),
    [
        ("32,32,3,3,3", "shape-mismatch", 1),
        ("name,kernle\na,3", "unknown-key", 1),
        ("kernel,kernel\n3,3", "given-twice", 1),
        (ROW + "3,8x8,4", "shape-mismatch", 2),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, code: str, row: int) -> None:
    place = f"{tmp_path / 'layers.csv'}, row {row}"
    with refused(NetworkError, code=code, field=place, value=ANY):
        read(tmp_path, text)


@pytest.mark.parametrize(("text", "code"), [("", "empty"), ("\n#x\n", "empty"), (ROW, "empty")])
def test_tables_without_layers(tmp_path: Path, text: str, code: str) -> None:
    with refused(NetworkError, code=code, field=tmp_path / "layers.csv"):
        read(tmp_path, text)


def test_only_regular_files_of_text_are_read(tmp_path: Path) -> None:
    folder, binary = tmp_path / "a.csv", tmp_path / "b.csv"
    folder.mkdir()
    binary.write_bytes(b"\xff\x00\xfe,1")
    link = tmp_path / "c.csv"
    link.symlink_to("/dev/zero")
    for path, code in ((folder, "wrong-file"), (binary, "cannot-read"), (link, "wrong-file")):
        with refused(NetworkError, code=code, field=path):
            load_network(str(path))
    with refused(NetworkError, code="missing-file", field=tmp_path / "d.csv"):
        load_network(str(tmp_path / "d.csv"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_table_is_a_graph_or_an_error(tmp_path: Path, data: st.DataObject) -> None:
    """Cells changed at random, in both forms."""
    text = data.draw(st.sampled_from([VGG8, BLOCK]))
    rows = [line.split(",") for line in text.splitlines()]
    odd = st.sampled_from(
        ["", "0", "-1", "1e9", "99999999", "x", "3x", "nan", "\u0663", '"', "head"]
    )
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, len(rows) - 1))
        rows[row][data.draw(st.integers(0, len(rows[row]) - 1))] = data.draw(odd)
    try:
        graph = read(tmp_path, "\n".join(",".join(row) for row in rows))
    except NetworkError as error:
        found = error.problems[0].field
    else:
        found = str(graph.totals.macs)
    assert found


def test_map_compare_and_sweep_take_a_table(tmp_path: Path) -> None:
    path = table(tmp_path, VGG8)
    run = CliRunner().invoke
    done = run(app, ["map", path, "--format", "json"])
    assert (done.exit_code, '"layer8"' in done.stdout) == (0, True)
    done = run(app, ["compare", path, "lenet3", "--design", "common", "--format", "csv"])
    assert done.exit_code == 0, done.output
    assert "layers" in done.stdout
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"name: small\nnetwork: {path}\naxes:\n  chip.adc.bits: [4, 5]\n")
    done = run(app, ["sweep", str(sweep), "--out", str(tmp_path / "store")])
    assert done.exit_code == 0, done.output


def test_a_table_takes_no_shape_and_has_no_weights(tmp_path: Path) -> None:
    path = table(tmp_path, VGG8)
    with refused(NetworkError, code="conflict", field="options", value=["input_shape"]):
        load_network(path, input_shape=(3, 32, 32))
    with refused(NetworkError, code="unsupported", field="network", value=path):
        load_module(path)


@pytest.mark.parametrize(
    "name", ["m.tflite", "m.pt", "m.pt2", "m.pth", "m.safetensors", "m.h5", "m.pb", "m", "m.foo"]
)
def test_a_file_of_another_format_is_called_what_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    for load in (load_network, load_module):
        with refused(
            NetworkError, code="wrong-file", field=path, value=path.suffix, allowed=".onnx"
        ):
            load(str(path))
    command_refused(CliRunner().invoke(app, ["map", str(path)]), name, code="wrong-file")


def test_a_file_that_is_not_there_and_a_name_that_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused(NetworkError, code="missing-file", field="gone.tflite"):
        load_network("gone.tflite")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet3").mkdir()
    assert load_network("lenet3").name == "lenet3"


def test_the_table_of_the_documents_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    text = re.search(r"```\n(name,kind,from.*?)```", page, re.DOTALL)
    assert text is not None
    assert [layer.name for layer in read(tmp_path, text[1]).layers] == [
        "stem", "wide", "short", "head"
    ]  # fmt: skip
    sized = {end.removesuffix("_h").removesuffix("_w") for end in COLUMNS}
    assert {column for column in sized if f"`{column}`" not in page} == set()


def test_a_row_may_be_called_as_the_activation_of_another(tmp_path: Path) -> None:
    text = "name,in_channels,out_channels\na,3,4\na.relu,4,5\nb,5,6\n"
    graph = read(tmp_path, text)
    assert [layer.macs for layer in graph.layers] == [12, 20, 30]
    assert [layer.activation for layer in graph.layers] == ["relu", "relu", None]
