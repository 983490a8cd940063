"""Unit: quantised ONNX models are read as the layers that they quantise."""

from __future__ import annotations

from pathlib import Path

import numpy
from onnx import TensorProto, helper

from tests.network.onnx_models import model, read

node = helper.make_node
SCALES = {
    "s": numpy.array(0.1, dtype=numpy.float32),
    "z": numpy.array(0, dtype=numpy.int8),
    "sw": numpy.full(4, 0.1, dtype=numpy.float32),
    "zw": numpy.zeros(4, dtype=numpy.int8),
}


def integers(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(0).integers(-128, 127, shape).astype(numpy.int8)


def pair(name: str, out: str) -> list[object]:
    """What surrounds every tensor at run time in the QDQ format."""
    return [
        node("QuantizeLinear", [name, "s", "z"], [f"{out}_q"]),
        node("DequantizeLinear", [f"{out}_q", "s", "z"], [out]),
    ]


def test_qdq_is_the_model_that_it_quantises(tmp_path: Path) -> None:
    nodes = [
        *pair("x", "x1"),
        node("DequantizeLinear", ["conv.weight_quantized", "sw", "zw"], ["w"], axis=0),
        node("DequantizeLinear", ["conv.bias_quantized", "sw"], ["b"], axis=0),
        node("Conv", ["x1", "w", "b"], ["a"], pads=[1, 1, 1, 1], name="/conv/Conv"),
        node("Relu", ["a"], ["r"], name="/relu/Relu"),
        *pair("r", "r1"),
        node("Flatten", ["r1"], ["f"], name="/Flatten"),
        node("DequantizeLinear", ["fc.weight_quantized", "s", "z"], ["v"]),
        node("Gemm", ["f", "v"], ["g"], transB=1, name="/fc/Gemm"),
        *pair("g", "y"),
    ]
    tensors = {
        "conv.weight_quantized": integers(4, 3, 3, 3),
        "conv.bias_quantized": numpy.zeros(4, dtype=numpy.int32),
        "fc.weight_quantized": integers(5, 256),
        **SCALES,
    }
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors))  # type: ignore[arg-type]
    assert [op.name for op in graph.ops] == ["input", "conv", "relu", "flatten", "fc"]
    assert graph.layers[0].bias
    assert graph.layers[0].activation == "relu"
    assert graph.totals.weights == 4 * 27 + 5 * 256
    assert graph.parameters == 4 * 27 + 4 + 5 * 256
    assert graph.unmapped == ()


def test_integer_operators(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "w1", "s", "z", "s", "z", "b1"], ["a"]),
        node("Flatten", ["a"], ["f"]),
        node("QLinearMatMul", ["f", "s", "z", "w2", "s", "z", "s", "z"], ["y0"]),
        node("DequantizeLinear", ["y0", "s", "z"], ["y"]),
    ]
    tensors = {
        "w1": integers(4, 3, 3, 3),
        "b1": numpy.zeros(4, dtype=numpy.int32),
        "w2": integers(144, 5),
        **SCALES,
    }
    graph = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors))  # type: ignore[arg-type]
    assert [op.target for op in graph.ops] == ["input", "conv2d", "flatten", "linear"]
    assert [layer.weights for layer in graph.layers] == [108, 720]
    assert graph.layers[0].bias


def test_dynamic_quantisation(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        node("MatMulInteger", ["q", "w", "zero"], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["f", "scale"], ["y"]),
    ]
    graph = read(tmp_path, model(nodes, {"x": (1, 7, 6)}, {"w": integers(6, 5)}))
    assert [str(op.kind) for op in graph.ops] == [
        *("input", "reduce", "linear", "reshape", "elementwise")
    ]
    assert (graph.layers[0].weights, graph.layers[0].mvms) == (30, 7)
    assert graph.unmapped == ()


def test_integer_convolution(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("ConvInteger", ["q", "w"], ["i"], strides=[2, 2]),
        node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]
    tensors = {"w": integers(4, 3, 2, 2), **SCALES}
    (layer,) = read(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, tensors)).layers
    assert (layer.weights, layer.mvms, layer.stride_h) == (48, 16, 2)
