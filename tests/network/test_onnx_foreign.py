"""Unit: ONNX files of other tools: old operator sets, foreign attributes, domains and nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archsim.api.map import map_network
from archsim.errors import NetworkError
from archsim.network import LayerGraph
from tests.network.onnx_models import model, one, random, read, saved
from tests.refusals import refused

node = helper.make_node
MS = "com.microsoft"
SCALARS = {
    "s": numpy.array(0.1, dtype=numpy.float32),
    "z": numpy.array(0, dtype=numpy.int8),
    "one": numpy.array(1, dtype=numpy.float32),
}


def integers(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(0).integers(-128, 127, shape).astype(numpy.int8)


def foreign(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    tensors: dict[str, numpy.ndarray],
    shape: Sequence[int] = (1, 3, 8, 8),
    *,
    opset: int = 17,
    named: bool = True,
) -> LayerGraph:
    """A model with operators of other domains, perhaps without naming their operator sets."""
    domains = {n.domain for n in nodes} - {""} if named else set()
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    used = {name for n in nodes for name in n.input}
    kept = {name: value for name, value in {**SCALARS, **tensors}.items() if name in used}
    return read(folder, model(nodes, {"x": tuple(shape)}, kept, opset_imports=imports))


# Old operator sets


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
def test_old_operator_sets_are_brought_up(opset: int, tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="first", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "s", "b", "m", "v"], ["n"]),
        node("Clip", ["n"], ["c"], min=0.0, max=6.0),
        node("Flatten", ["c"], ["f"]),
        node("Gemm", ["f", "u", "k"], ["y"], transB=1),
    ]
    norm = {name: random(4) for name in "sbmv"}
    tensors = {"w": random(4, 3, 3, 3), "u": random(5, 256), "k": random(5), **norm}
    old = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors, opset=opset))
    assert [op.target for op in old.ops][:4] == ["input", "conv2d", "batch_norm", "relu6"]
    assert old.totals.macs == 64 * 27 * 4 + 256 * 5
    assert old.parameters == 108 + 8 + 1280 + 5
    assert any(str(opset) in note and "11" in note for note in old.notes)
    assert not read(tmp_path, model(nodes[-2:], {"c": (1, 256)}, tensors, opset=11)).notes


def test_foreign_operators_of_an_old_set_are_named(tmp_path: Path) -> None:
    nodes = [node("Foo", ["x"], ["a"], domain="my.ops"), node("Conv", ["a", "w"], ["y"])]
    facts: dict[str, Any] = {"code": "unsupported-operator", "field": "w"}
    with refused(NetworkError, **facts, value="ONNX node 'a' (my.ops.Foo)"):
        foreign(tmp_path, nodes, {"w": random(4, 3, 3, 3)}, opset=9)


def test_scales_of_an_old_upsample_are_no_parameters(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Upsample", ["a"], ["u"], scales=[1.0, 1.0, 2.0, 2.0]),
        node("Conv", ["u", "v"], ["y"]),
    ]
    graph = foreign(tmp_path, nodes, {"w": random(4, 3, 3, 3), "v": random(2, 4, 1, 1)}, opset=7)
    assert [layer.macs for layer in graph.layers] == [36 * 108, 144 * 8]
    assert graph.parameters == 108 + 8


# What tools add


def test_attributes_of_tools_are_ignored_with_a_note(tmp_path: Path) -> None:
    proto = one(node("Conv", ["x", "w"], ["y"], act_size=5), {"w": random(4, 3, 3, 3)})
    graph = read(tmp_path, proto)
    assert graph.totals.macs == 36 * 108
    assert any("act_size" in note and "Conv" in note for note in graph.notes)
    assert map_network(str(saved(tmp_path, proto))).to_dict()["notes"] == list(graph.notes)


def test_an_attribute_of_another_version_is_not_ignored(tmp_path: Path) -> None:
    """``axes`` of Squeeze is an input from set 13 on: without it, another axis would go."""
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Squeeze", ["a"], ["y"], axes=[2])]
    proto = model(nodes, {"x": (1, 3, 1, 8)}, {"w": random(1, 3, 1, 1)})
    with refused(NetworkError, code="damaged-file", field=tmp_path / "model.onnx", says=["axes"]):
        read(tmp_path, proto)


def test_a_domain_that_the_file_does_not_import(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("MultiThreshold", ["a", "t"], ["y"], domain="finn.custom_op.general", out_dtype="U2"),
    ]
    tensors = {"w": random(4, 3, 3, 3), "t": random(4, 3)}
    for named in (True, False):
        graph = foreign(tmp_path, nodes, tensors, named=named)
        assert graph.totals.macs == 36 * 108
        assert graph.layers[0].activation == "multi_threshold"
        assert graph.unmapped == ()
        assert bool(graph.notes) != named


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "onnx.brevitas", "finn"])
@pytest.mark.parametrize("op", ["Quant", "BipolarQuant", "IntQuant", "Trunc"])
def test_number_formats_of_qonnx_are_no_work(domain: str, op: str, tmp_path: Path) -> None:
    given = {"domain": domain, "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        node(op, ["x", "s", "one", "one"], ["xq"], **given),
        node(op, ["conv.weight", "s", "one", "one"], ["wq"], **given),
        node("Conv", ["xq", "wq"], ["a"]),
        node(op, ["a", "s", "one", "one"], ["aq"], **given),
        node("Relu", ["aq"], ["y"]),
    ]
    graph = foreign(tmp_path, nodes, {"conv.weight": random(4, 3, 3, 3)})
    assert [op_.name for op_ in graph.ops][:2] == ["input", "conv"]
    assert (graph.totals.macs, graph.totals.weights, graph.parameters) == (36 * 108, 108, 108)
    assert graph.layers[0].activation == "relu"
    assert graph.unmapped == ()


# Element types


@pytest.mark.parametrize("opset", [11, 17, 22])
@pytest.mark.parametrize("kind", ["INT8", "UINT8", "BFLOAT16", "FLOAT16"])
def test_convolutions_of_other_numbers(opset: int, kind: str, tmp_path: Path) -> None:
    elem_type = getattr(TensorProto, kind)
    weights = helper.make_tensor("w", elem_type, (4, 3, 3, 3), [1] * 108)
    graph = helper.make_graph(
        [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", elem_type, (1, 3, 6, 6))],
        [helper.make_tensor_value_info("y", elem_type, None)],
        initializer=[weights],
    )
    imports = [helper.make_opsetid("", opset)]
    read_ = read(tmp_path, helper.make_model(graph, opset_imports=imports, ir_version=10))
    assert (read_.totals.macs, read_.parameters) == (16 * 108, 108)


def test_matrices_that_a_file_makes_are_counted_once(tmp_path: Path) -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    nodes = [node("ConstantOfShape", ["to"], ["w"], value=value), node("Conv", ["x", "w"], ["y"])]
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 6, 6)}, {"to": numpy.array([4, 3, 3, 3])}))
    assert (graph.parameters, graph.totals.weights) == (108, 108)


# Operators of ONNX Runtime

#: Nodes by name of the case; the last gives ``y``. Then the multiply-accumulates and the weights.
CASES: dict[str, tuple[list[onnx.NodeProto], tuple[int, ...], int, int]] = {
    "FusedConv": (
        [node("FusedConv", ["x", "w", "b"], ["y"], activation="Relu", domain=MS)],
        (1, 3, 8, 8), 36 * 108, 108,
    ),
    "FusedConv with a sum": (
        [
            node("Conv", ["x", "w"], ["r"]),
            node("FusedConv", ["x", "w2", "", "r"], ["y"], activation="Relu", domain=MS),
        ],
        (1, 3, 8, 8), 2 * 36 * 108, 216,
    ),
    "FusedGemm": (
        [node("FusedGemm", ["x", "m", "b8"], ["y"], activation="Tanh", domain=MS)],
        (1, 6), 48, 48,
    ),
    "FusedMatMul": ([node("FusedMatMul", ["x", "mt"], ["y"], transB=1, domain=MS)], (1, 6), 48, 48),
    "QGemm": (
        [
            node(
                "QGemm", ["x", "s", "z", "qmt", "s", "z", "", "s", "z"], ["y"], transB=1, domain=MS
            )
        ],
        (1, 6), 48, 48,
    ),
    "DynamicQuantizeMatMul": (
        [node("DynamicQuantizeMatMul", ["x", "qm", "s", "z", "b8"], ["y"], domain=MS)],
        (1, 5, 6), 5 * 48, 48,
    ),
    "MatMulIntegerToFloat": (
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
            node("MatMulIntegerToFloat", ["q", "qm", "qs", "s", "qz", "z", "b8"], ["y"], domain=MS),
        ],
        (1, 6), 48, 48,
    ),
    "MatMulNBits": (
        [
            node(
                "MatMulNBits",
                ["x", "packed", "blocks"], ["y"], K=32, N=8, bits=4, block_size=16, domain=MS,
            )
        ],
        (1, 5, 32), 5 * 256, 256,
    ),
    "QLinearConv, channels last": (
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            node(
                "QLinearConv",
                ["q", "s", "z", "qw", "s", "z", "s", "z"], ["y"], channels_last=1, domain=MS,
            )
        ],
        (1, 8, 8, 3), 36 * 108, 108,
    ),
    "QLinearAdd": (
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            node("QLinearConv", ["q", "s", "z", "qw", "s", "z", "s", "z"], ["a"]),
            node("QLinearAdd", ["a", "s", "z", "a", "s", "z", "s", "z"], ["c"], domain=MS),
            node("QLinearGlobalAveragePool", ["c", "s", "z", "s", "z"], ["y"], domain=MS),
        ],
        (1, 3, 8, 8), 36 * 108, 108,
    ),
    "QLinearSigmoid and the way back": (
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            node("QLinearMatMul", ["q", "s", "z", "qm", "s", "z", "s", "z"], ["a"]),
            node("QLinearSigmoid", ["a", "s", "z", "s", "z"], ["c"], domain=MS),
            node("DequantizeLinear", ["c", "s", "z"], ["d"]),
            node("MatMul", ["d", "sq"], ["y"]),
        ],
        (1, 6), 48 + 64, 48 + 64,
    ),
    "Attention": (
        [node("Attention", ["x", "qkv", "b24"], ["y"], num_heads=2, domain=MS)],
        (1, 5, 8), 5 * 192, 192,
    ),
    "QAttention": (
        [
            node(
                "QAttention",
                ["x", "qkv8", "b24", "s", "s", "", "z", "z"], ["y"], num_heads=2, domain=MS,
            )
        ],
        (1, 5, 8), 5 * 192, 192,
    ),
    "SkipLayerNormalization": (
        [
            node("MatMul", ["x", "sq"], ["a"]),
            node("SkipLayerNormalization", ["a", "x", "b8", "b8", "b8"], ["n"], domain=MS),
            node("BiasGelu", ["n", "b8"], ["y"], domain=MS),
        ],
        (1, 5, 8), 5 * 64, 64,
    ),
    "DynamicQuantizeLSTM": (
        [
            node(
                "DynamicQuantizeLSTM",
                ["x", "wi", "wh", "", "", "", "", "", "s", "z", "s", "z"], ["y"],
                hidden_size=4, domain=MS,
            )
        ],
        (7, 1, 8), 7 * (8 * 16 + 4 * 16), 192,
    ),
}  # fmt: skip
TENSORS = {
    "w": random(4, 3, 3, 3),
    "w2": random(4, 3, 3, 3),
    "b": random(4),
    "b8": random(8),
    "b24": random(24),
    "m": random(6, 8),
    "mt": random(8, 6),
    "qm": integers(6, 8),
    "qmt": integers(8, 6),
    "qw": integers(4, 3, 3, 3),
    "sq": random(8, 8),
    "qkv": random(8, 24),
    "qkv8": integers(8, 24),
    "packed": integers(8, 2, 8).astype(numpy.uint8),
    "blocks": random(16),
    "wi": integers(1, 8, 16),
    "wh": integers(1, 4, 16),
}


@pytest.mark.parametrize("case", CASES)
def test_operators_of_onnx_runtime_are_the_layers_that_they_fuse(case: str, tmp_path: Path) -> None:
    nodes, shape, macs, weights = CASES[case]
    domains = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    used = {name for n in nodes for name in n.input}
    tensors = {k: v for k, v in {**TENSORS, **SCALARS}.items() if k in used}
    proto = model(nodes, {"x": shape}, tensors, opset_imports=domains)
    graph = read(tmp_path, proto, input_shape=shape)
    assert (graph.totals.macs, graph.totals.weights) == (macs, weights)
    assert graph.unmapped == ()
    assert graph.parameters >= weights


def test_fused_activations_follow_their_layer(tmp_path: Path) -> None:
    nodes, shape, _, _ = CASES["FusedConv"]
    graph = foreign(tmp_path, nodes, TENSORS, shape)
    assert (graph.layers[0].activation, graph.layers[0].bias) == ("relu", True)
    nodes, shape, _, _ = CASES["SkipLayerNormalization"]
    graph = foreign(tmp_path, nodes, TENSORS, shape)
    assert [op.target for op in graph.ops][-4:] == ["add", "layer_norm", "add", "gelu"]
    assert foreign(tmp_path, *_attention()).coverage.digital == 2 * (2 * 5 * 5 * 4)


def _attention() -> tuple[list[onnx.NodeProto], dict[str, numpy.ndarray], tuple[int, ...]]:
    nodes, shape, _, _ = CASES["Attention"]
    return nodes, TENSORS, shape


# Operators that nobody knows


def test_an_unknown_operator_that_reads_a_matrix_is_named_with_its_node(tmp_path: Path) -> None:
    nodes = [node("QMoE", ["x", "m"], ["y"], name="layer/moe", domain=MS)]
    facts: dict[str, Any] = {
        "code": "unsupported-operator",
        "field": "m",
        "value": f"{MS}.QMoE",
        "allowed": "MatMul",
    }
    with refused(NetworkError, **facts, says=["'layer/moe'", f"{MS}.QMoE"]):
        foreign(tmp_path, nodes, TENSORS, (1, 6))


def test_what_hangs_on_an_unknown_operator_is_listed(tmp_path: Path) -> None:
    """Labels behind a classifier: the layers are known, and what is not has no price."""
    nodes = [
        node("MatMul", ["x", "m"], ["p"]),
        node("Lookup", ["p"], ["l"], name="labels", domain="ai.example"),
        node("Cast", ["l"], ["y"], to=TensorProto.INT64),
    ]
    graph = foreign(tmp_path, nodes, TENSORS, (1, 6))
    assert graph.totals.macs == 48
    assert [(op.op, op.shape, op.share) for op in graph.unmapped] == [
        ("ai.example.Lookup", (), None),
        ("Cast", (), None),
    ]
    path = str(tmp_path / "model.onnx")
    assert [row["share"] for row in map_network(path).to_dict()["unmapped"]] == [None, None]


def test_layers_behind_an_unknown_operator_are_refused_by_its_name(tmp_path: Path) -> None:
    nodes = [
        node("Lookup", ["x"], ["l"], name="middle", domain="ai.example"),
        node("Relu", ["l"], ["r"]),
        node("MatMul", ["r", "m"], ["y"]),
    ]
    blamed = "ONNX node 'middle' (ai.example.Lookup)"
    with refused(NetworkError, code="unsupported-operator", field="m", value=blamed):
        foreign(tmp_path, nodes, TENSORS, (1, 6))


@pytest.mark.parametrize("through", [None, "Identity", "Transpose"])
def test_weights_that_are_inputs_are_named(through: str | None, tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w" if through is None else "t"], ["y"], name="first")]
    if through is not None:
        nodes.insert(0, node(through, ["w"], ["t"]))
    proto = model(nodes, {"x": (1, 3, 8, 8), "w": (4, 3, 3, 3)})
    facts: dict[str, Any] = {"code": "unsupported", "field": "w", "value": "Conv"}
    with refused(NetworkError, **facts, says=["'first'"]):
        read(tmp_path, proto)


def test_operators_that_onnx_runtime_leaves_in_the_own_domain(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "sq"], ["a"]),
        node("SimplifiedLayerNormalization", ["a", "b8"], ["n"]),
        node("LayerNormalization", ["n", "b8", "b8"], ["y"]),
    ]
    graph = foreign(tmp_path, nodes, TENSORS, (1, 8), opset=13)
    assert [op.target for op in graph.ops] == ["input", "linear", "rms_norm", "layer_norm"]


def test_an_operator_of_a_newer_set_is_named_with_it(tmp_path: Path) -> None:
    proto = one(node("GridSample", ["x", "w"], ["y"]), {"w": random(1, 8, 8, 2)}, opset=11)
    facts: dict[str, Any] = {"code": "unsupported-operator", "field": tmp_path / "model.onnx"}
    with refused(NetworkError, **facts, value="GridSample", allowed="newer", says=["'y'"]):
        read(tmp_path, proto)


def test_small_tensors_of_the_runtime_are_kept(tmp_path: Path) -> None:
    """Shapes that are written as constants still reach the nodes that were written anew."""
    nodes = [
        node("FusedConv", ["x", "w"], ["a"], activation="Relu", domain=MS),
        node("Reshape", ["a", "to"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    tensors = {**TENSORS, "to": numpy.array([1, 144]), "v": random(144, 5)}
    assert foreign(tmp_path, nodes, tensors).totals.macs == 36 * 108 + 720
    assert numpy_helper.to_array(numpy_helper.from_array(tensors["to"])).tolist() == [1, 144]


@pytest.mark.parametrize("op", ["LinearRegressor", "LinearClassifier"])
def test_matrices_in_attributes_are_not_forgotten(op: str, tmp_path: Path) -> None:
    """Three outputs of six features; a classifier gives labels too, which nothing here reads."""
    given: dict[str, Any] = {"coefficients": [0.5] * 18, "intercepts": [0.0] * 3}
    given |= {"targets": 3} if op == "LinearRegressor" else {"classlabels_ints": [0, 1, 2]}
    outputs = ["y"] if op == "LinearRegressor" else ["label", "y"]
    nodes = [
        node("MatMul", ["x", "m"], ["h"]),
        node("Slice", ["h", "from", "to", "axis"], ["six"]),
        node(op, ["six"], outputs, domain="ai.onnx.ml", **given),
    ]
    ends = {"from": numpy.array([0]), "to": numpy.array([6]), "axis": numpy.array([1])}
    graph = foreign(tmp_path, nodes, {**TENSORS, **ends}, (1, 6))
    assert [layer.weights for layer in graph.layers] == [48, 18]
    assert graph.totals.macs == 66
