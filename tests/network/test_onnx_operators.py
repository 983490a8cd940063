"""Unit: what each ONNX operator becomes."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

import numpy
import pytest
from onnx import TensorProto, helper

from archsim.errors import NetworkError
from archsim.network import LayerGraph, OpKind
from tests.network.onnx_models import calls, model, one, random, read
from tests.refusals import refused

node = helper.make_node


def kinds(graph: LayerGraph) -> list[str]:
    return [str(op.kind) for op in graph.ops]


def test_convolution_with_all_its_numbers(tmp_path: Path) -> None:
    attributes = {"strides": [2, 1], "dilations": [1, 2], "pads": [1, 2, 1, 2], "group": 3}
    proto = one(
        node("Conv", ["x", "c.weight", "c.bias"], ["y"], **attributes),
        {"c.weight": random(6, 1, 3, 2), "c.bias": random(6)},
    )
    (layer,) = read(tmp_path, proto).layers
    assert (layer.name, layer.groups, layer.bias, layer.in_channels) == ("c", 3, True, 3)
    assert (layer.kernel_h, layer.kernel_w, layer.stride_h, layer.stride_w) == (3, 2, 2, 1)
    assert (layer.padding_h, layer.padding_w, layer.dilation_h, layer.dilation_w) == (1, 2, 1, 2)
    assert (layer.out_height, layer.out_width, layer.mvms) == (4, 10, 40)


def test_one_dimensional_convolution(tmp_path: Path) -> None:
    proto = one(node("Conv", ["x", "w"], ["y"], strides=[2]), {"w": random(4, 3, 5)}, (1, 3, 11))
    (layer,) = read(tmp_path, proto).layers
    assert (layer.kernel_h, layer.kernel_w, layer.in_width, layer.mvms) == (1, 5, 11, 4)


@pytest.mark.parametrize(
    ("auto_pad", "kernel", "padding", "padded"),
    [
        ("SAME_UPPER", 3, 1, None),
        ("SAME_LOWER", 5, 2, None),
        ("VALID", 3, 0, None),
        ("SAME_UPPER", 2, 0, (0, 0, 1, 1)),  # 8 pixels, stride 1: one more, at the end
        ("SAME_LOWER", 4, 0, (2, 2, 1, 1)),
    ],
)
def test_automatic_padding(
    auto_pad: str, kernel: int, padding: int, padded: tuple[int, ...] | None, tmp_path: Path
) -> None:
    proto = one(
        node("Conv", ["x", "w"], ["y"], auto_pad=auto_pad), {"w": random(4, 3, kernel, kernel)}
    )
    (layer,) = read(tmp_path, proto).layers
    assert layer.padding_h == layer.padding_w == padding
    assert layer.out_height == (8 if auto_pad != "VALID" else 6)
    pads = [call.args["pad"] for call in calls(tmp_path, proto) if call.op == "constant_pad_nd"]
    assert pads == ([padded] if padded else [])


def test_uneven_padding_is_a_step_of_its_own(tmp_path: Path) -> None:
    proto = one(node("Conv", ["x", "w"], ["y"], pads=[0, 0, 1, 2]), {"w": random(4, 3, 3, 3)})
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "reshape", "conv"]
    assert (graph.layers[0].in_height, graph.layers[0].in_width) == (9, 10)
    assert graph.layers[0].padding_h == 0
    pool = one(
        node("MaxPool", ["z"], ["y"], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]), {}
    )
    proto.graph.node[0].output[0] = "z"
    proto.graph.node.extend(pool.graph.node)
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "reshape", "conv", "reshape", "pool"]


@pytest.mark.parametrize(
    ("attributes", "args", "shape"),
    [
        ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, ((1, 1), (0, 0)), (1, 4, 15, 15)),
        (
            {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
            ((1, 1), (1, 1)),
            (1, 4, 16, 16),
        ),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, ((1, 1), (1, 1)), (1, 4, 16, 16)),
        ({"strides": [2, 2], "output_shape": [16, 16]}, ((1, 1), (1, 1)), (1, 4, 16, 16)),
    ],
)
def test_transposed_convolution(
    attributes: dict[str, object],
    args: tuple[tuple[int, int], tuple[int, int]],
    shape: tuple[int, ...],
    tmp_path: Path,
) -> None:
    proto = one(
        node("ConvTranspose", ["x", "up.weight"], ["y"], **attributes),
        {"up.weight": random(3, 4, 3, 3)},
    )
    (call,) = calls(tmp_path, proto)
    assert (call.op, call.shape) == ("conv_transpose2d", shape)
    assert (call.args["padding"], call.args["output_padding"]) == args
    assert (call.args["stride"], call.args["dilation"], call.args["groups"]) == ((2, 2), (1, 1), 1)


def test_transposed_convolution_cut_unevenly(tmp_path: Path) -> None:
    proto = one(
        node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER"),
        {"w": random(3, 4, 3, 3)},
    )
    whole, cut = calls(tmp_path, proto)
    assert (whole.op, whole.shape, whole.args["padding"]) == (
        "conv_transpose2d",
        (1, 4, 17, 17),
        (0, 0),
    )
    assert (cut.op, cut.shape) == ("slice", (1, 4, 16, 16))


def test_three_dimensional_convolution_has_pytorch_s_name(tmp_path: Path) -> None:
    proto = one(
        node("Conv", ["x", "w"], ["y"], pads=[1] * 6), {"w": random(4, 3, 3, 3, 3)}, (1, 3, 4, 4, 4)
    )
    (call,) = calls(tmp_path, proto)
    assert (call.op, call.args["padding"], call.shape) == ("conv3d", (1, 1, 1), (1, 4, 4, 4, 4))


@pytest.mark.parametrize(("trans_b", "shape"), [(0, (6, 5)), (1, (5, 6))])
def test_gemm_with_stored_weights(trans_b: int, shape: tuple[int, int], tmp_path: Path) -> None:
    proto = one(
        node("Gemm", ["x", "fc.weight", "fc.bias"], ["y"], transB=trans_b, alpha=0.5, beta=2.0),
        {"fc.weight": random(*shape), "fc.bias": random(5)},
        (1, 6),
    )
    (layer,) = read(tmp_path, proto).layers
    assert (layer.name, layer.weight_rows, layer.weight_cols, layer.bias) == ("fc", 6, 5, True)


def test_gemm_of_turned_data_and_of_a_stored_left_factor(tmp_path: Path) -> None:
    proto = one(
        node("Gemm", ["x", "w"], ["y"], transA=1), {"w": random(6, 5)}, (6, 3), outputs=("y",)
    )
    graph = read(tmp_path, proto, input_shape=(6, 3))
    assert (graph.layers[0].weight_rows, graph.layers[0].mvms) == (6, 3)
    proto = one(node("Gemm", ["w", "x"], ["y"], transA=1), {"w": random(6, 5)}, (6, 3))
    graph = read(tmp_path, proto, input_shape=(6, 3))
    layer = graph.layers[0]
    assert (layer.weight_rows, layer.weight_cols, layer.mvms) == (6, 5, 3)


def test_gemm_of_data_alone_is_digital(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "w"], ["a"]),
        node("Gemm", ["a", "a", "x"], ["y"], transA=1, transB=0),
    ]
    graph = read(tmp_path, model(nodes, {"x": (4, 4)}, {"w": random(4, 4)}), input_shape=(4, 4))
    assert kinds(graph) == ["input", "linear", "matmul", "add"]
    assert graph.ops[2].macs == 4 * 4 * 4


def test_matmul_with_its_bias_is_one_linear_layer(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "fc.weight"], ["a"]),
        node("Add", ["fc.bias", "a"], ["b"]),
        node("Relu", ["b"], ["y"]),
    ]
    tensors = {"fc.weight": random(6, 5), "fc.bias": random(5)}
    graph = read(tmp_path, model(nodes, {"x": (1, 7, 6)}, tensors))
    assert kinds(graph) == ["input", "linear", "relu"]
    (layer,) = graph.layers
    assert (layer.mvms, layer.bias, layer.activation) == (7, True, "relu")
    assert graph.parameters == 6 * 5 + 5


def test_an_addition_that_is_no_bias_stays(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["a", "position"], ["b"]),  # one number per token and channel
        node("Add", ["b", "a"], ["y"]),
    ]
    tensors = {"w": random(6, 5), "position": random(7, 5)}
    graph = read(tmp_path, model(nodes, {"x": (1, 7, 6)}, tensors))
    assert kinds(graph) == ["input", "linear", "add", "add"]
    # read twice: the sum is not what the second reader sees
    nodes[1] = node("Add", ["a", "bias"], ["b"])
    graph = read(tmp_path, model(nodes, {"x": (1, 7, 6)}, {"w": random(6, 5), "bias": random(5)}))
    assert kinds(graph) == ["input", "linear", "add", "add"]
    assert not graph.layers[0].bias


def test_product_of_two_data_operands(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "a"], ["y"])]
    graph = read(tmp_path, model(nodes, {"x": (1, 5, 5)}, {"w": random(5, 5)}))
    assert (graph.ops[-1].kind, graph.ops[-1].macs) == (OpKind.MATMUL, 125)


@pytest.mark.parametrize(
    ("op", "attributes", "kind"),
    [
        *((op, {}, "activation") for op in ("LeakyRelu", "Elu", "Sigmoid", "Tanh", "HardSwish")),
        *((op, {}, "activation") for op in ("HardSigmoid", "Softplus", "Softsign", "Selu", "Celu")),
        *((op, {}, "elementwise") for op in ("Sqrt", "Exp", "Neg", "Abs", "Floor", "Erf")),
        ("Relu", {}, "relu"),
        ("Mish", {}, "activation"),
        ("Clip", {}, "activation"),
        ("Softmax", {"axis": 1}, "softmax"),
        ("LogSoftmax", {"axis": 1}, "softmax"),
        ("GlobalAveragePool", {}, "pool"),
        ("GlobalMaxPool", {}, "pool"),
        ("AveragePool", {"kernel_shape": [2, 2]}, "pool"),
        ("ReduceMean", {"axes": [2, 3]}, "pool"),
        ("ReduceMean", {"axes": [1]}, "reduce"),
        ("ReduceMax", {"axes": [1]}, "reduce"),
        ("ArgMax", {"axis": 1}, "reduce"),
        ("Transpose", {"perm": [0, 2, 3, 1]}, "reshape"),
        ("Flatten", {}, "reshape"),
        ("DepthToSpace", {"blocksize": 2}, "reshape"),
        ("Cast", {"to": TensorProto.FLOAT16}, "reshape"),
        ("LpNormalization", {}, "reduce"),
    ],
)
def test_what_runs_beside_the_crossbars(
    op: str, attributes: dict[str, object], kind: str, tmp_path: Path
) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node(op, ["a"], ["y"], **attributes)]
    opset = 18 if op == "Mish" else 17
    proto = model(nodes, {"x": (1, 3, 8, 8)}, {"w": random(4, 3, 1, 1)}, opset=opset)
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "conv", kind]
    assert graph.unmapped == ()


def test_norms_and_clip(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("BatchNormalization", ["a", "s", "s2", "m", "v"], ["b"]),
        node("Clip", ["b", "zero", "six"], ["c"]),
        node("InstanceNormalization", ["c", "s", "s2"], ["d"]),
        node("LayerNormalization", ["d", "line"], ["y"]),
    ]
    names = dict.fromkeys(("s", "s2", "m", "v"), random(4))
    bounds = {"zero": numpy.float32(0), "six": numpy.float32(6)}
    tensors = {"w": random(4, 3, 1, 1), **names, "line": random(8), **bounds}
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors))  # type: ignore[arg-type]
    assert [op.target for op in graph.ops[2:]] == [
        *("batch_norm", "relu6", "instance_norm", "layer_norm")
    ]
    assert graph.layers[0].activation == "relu6"
    assert graph.layers[0].batch_norm is not None
    assert graph.parameters == 12 + 4 + 4 + 8  # without means and variances


def test_parts_of_a_split_have_their_own_sizes(tmp_path: Path) -> None:
    nodes = [
        node("Split", ["x", "sizes"], ["a", "b"], axis=1),
        node("Conv", ["b", "w"], ["y"]),
    ]
    tensors = {"sizes": numpy.array([1, 2]), "w": random(4, 2, 1, 1)}
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors))
    assert [op.target for op in graph.ops] == ["input", "split", "getitem", "conv2d"]
    assert graph.ops[2].shape == (1, 2, 8, 8)


def test_lookup_in_a_stored_table_is_an_embedding(tmp_path: Path) -> None:
    nodes = [node("Gather", ["table", "i"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    proto = model(nodes, {"i": (1, 5)}, {"table": random(11, 6), "w": random(6, 2)})
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "embedding", "linear"]
    assert graph.parameters == 66 + 12


def test_shape_arithmetic_is_worked_out(tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Concat", ["n", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["flat"]),
        node("Gemm", ["flat", "w"], ["y"]),
    ]
    tensors = {"zero": numpy.array([0]), "rest": numpy.array([-1]), "w": random(192, 2)}
    graph = read(tmp_path, model(nodes, {"x": ("batch", 3, 8, 8)}, tensors))
    assert [op.shape for op in graph.ops] == [(1, 3, 8, 8), (1, 192), (1, 2)]
    assert graph.parameters == 384


def test_what_onnx_cannot_infer(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("MeanVarianceNormalization", ["a"], ["b"]),
        node("GreaterOrEqual", ["b", "limits"], ["c"]),
        node("Where", ["c", "b", "a"], ["y"]),
    ]
    tensors = {"w": random(4, 3, 1, 1), "limits": random(2, 4, 1, 1)}
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors, opset=15))
    assert [op.shape for op in graph.ops[-3:]] == [(1, 4, 8, 8), (2, 4, 8, 8), (2, 4, 8, 8)]
    tensors["limits"] = random(3, 1, 1)
    with refused(NetworkError, code="shape-mismatch", field=ANY, value=ANY, says=["'c'"]):
        read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors, opset=15))


def test_einsum_and_attention(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Einsum", ["a", "a"], ["e"], equation="bchw, bcHw -> bchH"),
        node("Attention", ["e", "a", "a"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 3, 8, 8)}, {"w": random(4, 3, 1, 1)}, opset=23, ir_version=11)
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "conv", "matmul", "attention"]
    assert graph.ops[2].macs == 4 * 8 * 8 * 8
    assert graph.ops[3].macs == 4 * 8 * 8 * (8 + 8)


def test_attention_with_fewer_heads_of_keys_and_a_past(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["q"]),
        node("Slice", ["q", "from", "to", "last"], ["k"]),
        node(
            "Attention",
            ["q", "k", "k", "", "past", "past"],
            ["y", "", ""],
            q_num_heads=4,
            kv_num_heads=2,
        ),
    ]
    ends = {"from": numpy.array([0]), "to": numpy.array([4]), "last": numpy.array([-1])}
    inputs = {"x": (1, 5, 8), "past": (1, 2, 3, 2)}
    proto = model(nodes, inputs, {"w": random(8, 8), **ends}, opset=23, ir_version=11)
    # 4 heads of 2 channels, 5 queries, 5 + 3 keys: the product with keys and that with values
    assert read(tmp_path, proto).ops[-1].macs == 2 * (4 * 5 * 8 * 2)


def test_operators_of_other_domains_are_listed(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"], domain="my.ops")]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    proto = model(nodes, {"x": (1, 3, 8, 8)}, {"w": random(4, 3, 1, 1)}, opset_imports=imports)
    (found,) = read(tmp_path, proto).unmapped
    assert (found.op, found.shape, found.share) == ("my.ops.Relu", (), None)
    proto.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])
    )
    (found,) = read(tmp_path, proto).unmapped
    assert (found.op, found.shape) == ("my.ops.Relu", (1, 4, 8, 8))


def test_operators_without_a_counterpart_are_listed(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Det", ["a"], ["y"])]
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, {"w": random(4, 3, 1, 1)}))
    assert [found.op for found in graph.unmapped] == ["Det"]


def test_functions_of_the_model_are_written_out(tmp_path: Path) -> None:
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    body = [
        node("Constant", [], ["k"], value_float=2.0),
        node("Conv", ["a", "b"], ["c"]),
        node("Mul", ["c", "k"], ["d"]),
    ]
    function = helper.make_function("mine", "Block", ["a", "b"], ["d"], body, imports[:1])
    nodes = [node("Block", ["x", "w"], ["y"], domain="mine")]
    proto = model(
        nodes,
        {"x": (1, 3, 8, 8)},
        {"w": random(4, 3, 1, 1)},
        opset_imports=imports,
        functions=[function],
    )
    graph = read(tmp_path, proto)
    assert kinds(graph) == ["input", "conv", "elementwise"]


def test_nodes_that_no_output_depends_on_are_left_out(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["y"]), node("Unique", ["x"], ["u"])]
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, {"w": random(4, 3, 1, 1)}))
    assert kinds(graph) == ["input", "conv"]


@pytest.mark.parametrize("dequantised", [False, True])
def test_parts_of_a_stored_matrix_are_matrices_of_their_own(
    dequantised: bool, tmp_path: Path
) -> None:
    whole = [node("DequantizeLinear", ["w", "scale"], ["w1"])] if dequantised else []
    nodes = [
        *whole,
        node("Split", ["w1" if dequantised else "w", "sizes"], ["a", "b", "c"], axis=1),
        *[node("MatMul", ["x", part], [f"x{part}"]) for part in "abc"],
        node("Sum", ["xa", "xb", "xc"], ["y"]),
    ]
    tensors = {"sizes": numpy.array([2, 2, 2]), "scale": numpy.array(0.1, dtype=numpy.float32)}
    weights = random(6, 6).astype(numpy.int8) if dequantised else random(6, 6)
    graph = read(tmp_path, model(nodes, {"x": (1, 7, 6)}, {**tensors, "w": weights}))
    assert [layer.weights for layer in graph.layers] == [12, 12, 12]
    assert (graph.totals.weights, graph.totals.macs) == (36, 7 * 36)


def test_products_of_stored_tensors_are_worked_out_beforehand(tmp_path: Path) -> None:
    proto = model(
        [
            node("Conv", ["places", "code"], ["fixed"], pads=[1, 1, 1, 1]),
            node("MatMul", ["one", "other"], ["both"]),
            node("Gemm", ["other", "long"], ["more"], transA=1),
            node("Conv", ["x", "c.weight"], ["map"], pads=[1, 1, 1, 1]),
            node("Add", ["map", "fixed"], ["sum"]),
            node("Add", ["sum", "more"], ["shifted"]),
            node("MatMul", ["shifted", "both"], ["y"]),
        ],
        {"x": (1, 3, 8, 8)},
        {
            "places": random(1, 4, 8, 8),
            "code": random(8, 4, 3, 3),
            "c.weight": random(8, 3, 3, 3),
            "one": random(8, 5),
            "other": random(5, 8),
            "long": random(5, 8),
        },
    )
    found = [(own.op, own.macs) for own in read(tmp_path, proto).beforehand]
    assert found == [("Conv", 8 * 64 * 36), ("MatMul", 8 * 5 * 8), ("Gemm", 8 * 8 * 5)]
