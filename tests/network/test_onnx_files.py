"""Unit: ONNX files that are damaged, hostile, incomplete or too large; what is not followed."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archsim.errors import NetworkError
from archsim.network import load_network
from archsim.network.frontend import onnx_wire
from archsim.network.onnx_trace import trace_onnx
from tests.network.onnx_models import Shape, model, one, random, read, saved
from tests.refusals import refused

node = helper.make_node


def conv(shape: Shape = (1, 3, 8, 8), **options: object) -> onnx.ModelProto:
    return one(
        node("Conv", ["x", "c.weight"], ["y"]), {"c.weight": random(4, 3, 3, 3)}, shape, **options
    )


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty", []),
        (b"name: lenet3\nchip: rram\n", "damaged-file", []),
        (bytes(range(256)) * 20, "damaged-file", []),
        (b"\x08\x08", "damaged-file", ["graph"]),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "wrong-file",
            ["git", "lfs", "pull"],
        ),
        (conv().SerializeToString()[:-40], "damaged-file", []),
    ],
)
def test_files_that_are_no_models(
    content: bytes, code: str, says: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with refused(NetworkError, code=code, field=path, says=[f"'{path}'", *says]):
        load_network(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    with refused(NetworkError, code="missing-file", field=tmp_path / "absent.onnx"):
        load_network(str(tmp_path / "absent.onnx"))
    folder, pipe = tmp_path / "folder.onnx", tmp_path / "pipe.onnx"
    folder.mkdir()
    with refused(NetworkError, code="wrong-file", field=folder, value="directory"):
        load_network(str(folder))
    os.mkfifo(pipe)
    with refused(NetworkError, code="wrong-file", field=pipe, value="device or pipe"):
        load_network(str(pipe))
    with refused(NetworkError, code="cannot-read", field="a\0b.onnx"):
        load_network("a\0b.onnx")


def test_options_are_refused(tmp_path: Path) -> None:
    with refused(NetworkError, code="conflict", field="options", value=["num_classes"]):
        load_network(str(saved(tmp_path, conv())), num_classes=3)


def test_three_gigabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)  # takes no space on disk
    facts: dict[str, Any] = {"code": "out-of-range", "field": path, "value": 3 * 2**30}
    with refused(NetworkError, **facts, allowed="at most", says=["external_data=True)):"]):
        load_network(str(path))


def _large(path: Path, weights: int) -> None:
    """A linear layer of ``weights`` inputs and 64 outputs, whose values are a hole in the file."""
    proto = model([node("MatMul", ["x", "w"], ["y"])], {"x": (1, weights)})
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[weights, 64])
    size = 4 * 64 * weights
    head = (
        tensor.SerializeToString() + onnx_wire._as_varint(9 << 3 | 2) + onnx_wire._as_varint(size)
    )
    graph = (
        proto.graph.SerializeToString() + b"\x2a" + onnx_wire._as_varint(len(head) + size) + head
    )
    proto.ClearField("graph")
    start = proto.SerializeToString() + b"\x3a" + onnx_wire._as_varint(len(graph) + size) + graph
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + size)


def test_weights_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    _large(path, 7_000_000)
    assert path.stat().st_size > 1.7e9
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    graph = load_network(str(path))
    grown_kB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert graph.totals.weights == 64 * 7_000_000
    assert grown_kB < 200_000


def test_many_empty_messages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_wire, "MAX_FIELDS", 1000)
    body = b"\x0a\x00" * 40_000
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08\x3a" + onnx_wire._as_varint(len(body)) + body)
    with refused(NetworkError, code="damaged-file", field=path, says=["1000"]):
        load_network(str(path))


def test_copy_without_weights_keeps_everything_else() -> None:
    proto = one(node("Conv", ["x", "w"], ["y"]), {"w": random(64, 64, 3, 3), "small": random(5)})
    constant = numpy_helper.from_array(random(200, 200))
    proto.graph.node.append(node("Constant", [], ["k"], value=constant))
    copy = onnx.ModelProto.FromString(
        onnx_wire.without_weights(memoryview(proto.SerializeToString()))
    )
    for tensor in (copy.graph.initializer[0], copy.graph.node[1].attribute[0].t):
        (note,) = tensor.metadata_props
        assert note.key == onnx_wire.DROPPED
        assert int(note.value) == 4 * numpy.prod(tensor.dims)
        assert not tensor.HasField("raw_data")
        tensor.ClearField("metadata_props")
    for tensor in (proto.graph.initializer[0], proto.graph.node[1].attribute[0].t):
        tensor.ClearField("raw_data")
    assert copy == proto


def test_values_that_do_not_fill_their_shape(tmp_path: Path) -> None:
    for shape in ((4, 3, 3, 3), (64, 64, 3, 3)):  # looked into, and left out
        proto = one(node("Conv", ["x", "w"], ["y"]), {"w": random(*shape)})
        proto.graph.initializer[0].dims[0] += 1
        given = 4 * math.prod(shape)
        needed = given // shape[0] * (shape[0] + 1)
        facts: dict[str, Any] = {"code": "damaged-file", "field": "w", "value": given}
        with refused(NetworkError, **facts, allowed=f"{needed} bytes"):
            read(tmp_path, proto)


@pytest.mark.parametrize(
    ("dims", "value", "allowed"),
    [
        ([2**62, 3, 3, 3], (2**62, 3, 3, 3), "elements"),
        ([2**31, 2**31, 3, 3], (2**31, 2**31, 3, 3), "elements"),
        ([-4, 3, 3, 3], (-4, 3, 3, 3), "0 or more"),
        ([1] * 65, 65, "axes"),
    ],
)
def test_absurd_tensors(dims: list[int], value: object, allowed: str, tmp_path: Path) -> None:
    proto = conv()
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend(dims)
    facts: dict[str, Any] = {"code": "out-of-range", "value": value, "allowed": allowed}
    with refused(NetworkError, field="ONNX tensor 'c.weight'", **facts):
        read(tmp_path, proto)


def test_absurd_shapes_inside(tmp_path: Path) -> None:
    tensors = {"n": numpy.array([2**40, 2**40, 3]), "w": random(3, 2)}
    nodes = [node("Expand", ["x", "n"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    facts: dict[str, Any] = {"code": "out-of-range", "allowed": "elements", "field": ANY}
    with refused(NetworkError, **facts, value=(2**40, 2**40, 3), says=["(Expand)"]):
        read(tmp_path, model(nodes, {"x": (1, 3)}, tensors))
    nodes = [
        node("Range", ["a", "b", "c"], ["r"]),  # 2^62 values, which nothing may compute
        node("Add", ["r", "r"], ["s"]),
        node("Reshape", ["x", "s"], ["y"]),
    ]
    ends = dict(zip("abc", (numpy.array(v) for v in (0, 2**62, 1)), strict=True))
    with refused(NetworkError, **facts, value=(2**62,), says=["(Range)"]):
        read(tmp_path, model(nodes, {"x": (1, 3)}, ends))


@pytest.mark.parametrize(
    ("opset", "allowed"), [(6, False), (7, True), (10, True), (11, True), (9999, False)]
)
def test_operator_sets(opset: int, allowed: bool, tmp_path: Path) -> None:
    if allowed:
        assert len(read(tmp_path, conv(opset=opset)).layers) == 1
        return
    newest = onnx.defs.onnx_opset_version()
    facts: dict[str, Any] = {
        "code": "unsupported",
        "field": tmp_path / "model.onnx",
        "value": opset,
    }
    with refused(NetworkError, **facts, allowed=f"7 to {newest}"):
        read(tmp_path, conv(opset=opset))


def test_current_operator_set_is_read(tmp_path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    assert len(read(tmp_path, conv(opset=newest)).layers) == 1


def external(tmp_path: Path, location: str, name: str = "w") -> onnx.ModelProto:
    proto = one(
        node("Reshape", ["c", "to"], ["y"]), {"w": random(4, 3, 3, 3), "to": numpy.array([1, 144])}
    )
    proto.graph.node.insert(0, node("Conv", ["x", "w"], ["c"]))
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=location)
    return proto


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "link.bin", "", "C:\\w.bin", "..\\w"],
)
def test_external_data_outside_the_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"0" * 1000)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with refused(NetworkError, code="unsafe-file", field="w", value=location, says=[f"'{folder}'"]):
        read(folder, external(folder, location))


def test_external_weights_need_not_be_there(tmp_path: Path) -> None:
    proto = external(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").unlink()
    assert read(tmp_path, proto).totals.weights == 108


def test_external_values_that_a_shape_depends_on(tmp_path: Path) -> None:
    proto = external(tmp_path, "weights.bin", name="to")
    assert read(tmp_path, proto).ops[-1].shape == (1, 144)
    file = tmp_path / "weights.bin"  # a graph that was kept is not of other values
    one, other = (numpy.array(shape, dtype="<i8").tobytes() for shape in ((1, 144), (12, 12)))
    file.write_bytes(file.read_bytes().replace(one, other))
    assert read(tmp_path, proto).ops[-1].shape == (12, 12)
    file.unlink()
    says = ["'to'", str(tmp_path / "weights.bin.")]
    with refused(NetworkError, code="missing-key", field="y", says=says):
        read(tmp_path, proto)
    os.mkfifo(tmp_path / "weights.bin")  # is not waited for
    with refused(NetworkError, code="missing-key", field="y", says=says):
        read(tmp_path, proto)


def test_batch_and_open_axes(tmp_path: Path) -> None:
    for batch in ("N", None, -1):
        assert read(tmp_path, conv((batch, 3, 8, 8))).input_shape == (3, 8, 8)
    facts: dict[str, Any] = {"field": "x", "allowed": "3,128,128"}
    says = ["'h',", "'w')", "--input-shape"]
    with refused(NetworkError, code="missing-key", value="(N, 3, h, w)", says=says, **facts):
        read(tmp_path, conv(("N", 3, "h", "w")))
    graph = read(tmp_path, conv(("N", 3, "h", "w")), input_shape=(3, 8, 10))
    assert (graph.input_shape, graph.layers[0].mvms) == ((3, 8, 10), 6 * 8)
    with refused(NetworkError, code="shape-mismatch", value=(5, 8, 8), **facts):
        read(tmp_path, conv(("N", 3, "h", "w")), input_shape=(5, 8, 8))
    with refused(NetworkError, code="shape-mismatch", field="x", value=2, allowed="a batch of 1"):
        read(tmp_path, conv((2, 3, 8, 8)))


def test_one_symbol_is_one_size(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["a", "mask"], ["y"]),
    ]
    inputs: dict[str, Shape] = {"x": ("N", "n", 6), "mask": ("N", "n", 5)}
    graph = read(tmp_path, model(nodes, inputs, {"w": random(6, 5)}), input_shape=(7, 6))
    assert [op.shape for op in graph.ops[:2]] == [(1, 7, 6), (1, 7, 5)]
    inputs["mask"] = ("N", "other", 5)
    with refused(NetworkError, code="missing-key", field="mask", value="(N, other, 5)"):
        read(tmp_path, model(nodes, inputs, {"w": random(6, 5)}), input_shape=(7, 6))
    path = saved(tmp_path, model(nodes, inputs, {"w": random(6, 5)}))
    graph = trace_onnx(path, {"x": (7, 6), "mask": (1, 5)})
    assert graph.ops[1].shape == (1, 1, 5)
    facts: dict[str, Any] = {"code": "unknown-name", "field": "input_shape", "value": "masc"}
    with refused(NetworkError, **facts, allowed=["x", "mask"], nearest="mask"):
        trace_onnx(path, {"x": (7, 6), "masc": (1, 5)})


def test_input_without_a_shape(tmp_path: Path) -> None:
    with refused(NetworkError, code="missing-key", field="x", says=["--input-shape"]):
        read(tmp_path, conv(None))
    assert read(tmp_path, conv(None), input_shape=(3, 8, 8)).layers[0].mvms == 36


#: Where a problem is one of the file.
FILE = "the file"


def _text_input(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def _sequence_input(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1


def _no_input(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].input[0] = "c.weight"
    del proto.graph.input[:]


def _unknown_tensor(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].input[0] = "nothing"


def _unknown_operator(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].op_type = "Convolution"


def _wrong_channels(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def _wrong_rank(proto: onnx.ModelProto) -> None:
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.append(108)


def _data_dependent(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].output[0] = "a"
    proto.graph.node.append(node("NonZero", ["a"], ["b"]))
    proto.graph.node.append(node("Cast", ["b"], ["f"], to=TensorProto.FLOAT))
    proto.graph.node.append(node("Gemm", ["f", "v"], ["y"]))
    proto.graph.initializer.append(numpy_helper.from_array(random(4, 4), "v"))


def _control(proto: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [node("Identity", ["y0"], ["z"])],
        "body",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    proto.graph.node[0].output[0] = "y0"
    proto.graph.initializer.append(numpy_helper.from_array(numpy.array(True), "yes"))
    proto.graph.node.append(node("If", ["yes"], ["y"], then_branch=body, else_branch=body))


def _cycle(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].input[0] = "y"


def _own_function(proto: onnx.ModelProto) -> None:
    imports = [helper.make_opsetid("mine", 1)]
    body = [node("F", ["a"], ["b"], domain="mine")]
    proto.functions.append(helper.make_function("mine", "F", ["a"], ["b"], body, imports))
    proto.opset_import.append(imports[0])
    proto.graph.node[0].output[0] = "a"
    proto.graph.node.append(node("F", ["a"], ["y"], domain="mine"))


def _many_functions(proto: onnx.ModelProto) -> None:
    """Each calls the one before twice: 2^39 nodes when they are written out."""
    mine = helper.make_opsetid("mine", 1)
    own = proto.opset_import[0]
    below = [node("Relu", ["a"], ["b"])]
    for i in range(40):
        proto.functions.append(
            helper.make_function("mine", f"F{i}", ["a"], ["b"], below, [own, mine])
        )
        below = [
            node(f"F{i}", ["a"], ["c"], domain="mine"),
            node(f"F{i}", ["c"], ["b"], domain="mine"),
        ]
    proto.opset_import.append(mine)
    proto.graph.node[0].output[0] = "a"
    proto.graph.node.append(node("F39", ["a"], ["y"], domain="mine"))


@pytest.mark.parametrize(
    ("change", "code", "field", "facts"),
    [
        (_text_input, "wrong-type", "x", {"value": TensorProto.STRING, "allowed": "numbers"}),
        (_sequence_input, "wrong-type", "x", {"value": "sequence_type", "allowed": "tensors"}),
        (_no_input, "empty", "inputs", {}),
        (_unknown_tensor, "damaged-file", FILE, {"says": ["nothing"]}),
        (
            _unknown_operator,
            "unsupported-operator",
            FILE,
            {"value": "Convolution", "says": ["'y'"]},
        ),
        (_wrong_channels, "shape-mismatch", "c", {"value": (3, 8, 8)}),
        (_wrong_rank, "shape-mismatch", "ONNX node 'y' (Conv)", {}),
        (
            _data_dependent,
            "unsupported-operator",
            "v",
            {"value": "ONNX node 'b' (NonZero)"},
        ),
        (_control, "unsupported-operator", "ONNX node 'y' (If)", {"value": "If"}),
        (_cycle, "damaged-file", FILE, {}),
        (_own_function, "conflict", FILE, {"value": "mine.F"}),
        (
            _many_functions,
            "out-of-range",
            FILE,
            {"value": 549755813889, "allowed": "at most 250000"},
        ),
    ],
)
def test_models_that_are_refused(
    change: Callable[[onnx.ModelProto], None],
    code: str,
    field: str,
    facts: dict[str, Any],
    tmp_path: Path,
) -> None:
    proto = conv()
    change(proto)
    path = tmp_path / "model.onnx"
    with refused(
        NetworkError, code=code, field=path if field is FILE else field, **facts
    ) as caught:
        read(tmp_path, proto)
    assert str(path) in str(caught.value)


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    proto = conv()
    node_, weight = proto.graph.node[0], proto.graph.initializer[0]
    weight.name = node_.input[1] = "\x1b]0;title\x07" + 5000 * "c"
    (layer,) = read(tmp_path, proto).layers
    assert layer.name.startswith("?]0;title?ccc")
    assert len(layer.name) < 400
    node_.name = "\x1b[31m"
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    weight.dims[0] = 5
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, proto)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2000


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, conv())
    monkeypatch.setitem(sys.modules, "onnx", None)
    says = ["pip", "install", "'archsim[onnx]'"]
    with refused(NetworkError, code="missing-package", field="onnx", says=says):
        load_network(str(path))
