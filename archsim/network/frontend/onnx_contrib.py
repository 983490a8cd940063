"""Operators of other tools, written as the operators of ONNX that they amount to.

ONNX Runtime fuses and quantises models into operators of its own (domain ``com.microsoft``; its
documentation is ContribOperators.md). Scales, zero points and fused activations stand beside the
operands; the work is that of the plain operator on the integer weights. What is not written here
keeps its name, and is refused by it where it reads a stored matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from archsim.network.frontend.onnx_foreign import MICROSOFT
from archsim.network.frontend.onnx_tensors import Stored

if TYPE_CHECKING:
    import onnx

#: Operators that give their first input in another number format, in whatever domain they stand:
#: those of ONNX, of QONNX and Brevitas, of TensorRT and of OpenVINO.
NUMBER_FORMATS = frozenset(
    {
        *("QuantizeLinear", "DequantizeLinear", "Quant", "IntQuant", "BipolarQuant", "FloatQuant"),
        *("Trunc", "TRT_INT8QuantizeLinear", "TRT_INT8DequantizeLinear", "FakeQuantize"),
        *("TRT_FP8QuantizeLinear", "TRT_FP8DequantizeLinear", "TRT_INT4DequantizeLinear"),
    }
)


@dataclass
class Lowering:
    """Writes foreign nodes anew.

    Attributes:
        tensors: Stored tensors by name; packed weights are replaced by what they hold.
        nodes: The nodes so far.
    """

    tensors: dict[str, Stored]
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    def put(
        self,
        node: onnx.NodeProto,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str] | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node of ONNX's own domain in place of ``node``, and return its first output."""
        from onnx import helper

        given = {k: v for k, v in attributes.items() if v is not None}
        made = helper.make_node(op, list(inputs), list(outputs or node.output[:1]), **given)
        made.name = node.name
        made.metadata_props.extend(node.metadata_props)
        self.nodes.append(made)
        return str(made.output[0])

    def step(self, node: onnx.NodeProto, op: str, inputs: Sequence[str], **given: Any) -> str:
        """As :meth:`put`, for an inner result with a name of its own."""
        name = f"{node.output[0]}/{op.lower()}{len(self.nodes)}"
        return self.put(node, op, inputs, [name], **given)


def lower(proto: onnx.GraphProto, tensors: dict[str, Stored]) -> None:
    """Write the foreign nodes of ``proto`` as ONNX's own where they amount to some.

    Args:
        proto: The graph; its nodes are replaced.
        tensors: Stored tensors by name; those that hold packed weights are replaced.
    """
    lowering = Lowering(tensors)
    for node in proto.node:
        rule = _RULES.get(str(node.op_type)) if _is_foreign(node) else None
        if rule is None or not rule(lowering, node):
            lowering.nodes.append(node)
    nodes = list(lowering.nodes)
    del proto.node[:]
    proto.node.extend(nodes)


def _is_foreign(node: onnx.NodeProto) -> bool:
    domain = str(node.domain)
    return domain in (MICROSOFT, _CLASSICAL) or any(
        word in domain for word in ("qonnx", "finn", "brevitas")
    )


#: The domain of models of classical machine learning.
_CLASSICAL = "ai.onnx.ml"


def _attribute(node: onnx.NodeProto, name: str, default: object = None) -> object:
    from onnx import helper

    found = next((a for a in node.attribute if a.name == name), None)
    value = default if found is None else helper.get_attribute_value(found)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _kept(node: onnx.NodeProto, *names: str) -> dict[str, Any]:
    return {name: _attribute(node, name) for name in names}


def _input(node: onnx.NodeProto, index: int) -> str:
    return str(node.input[index]) if index < len(node.input) else ""


_WINDOW = ("kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode")
_CONV = ("kernel_shape", "strides", "pads", "dilations", "auto_pad", "group")
#: Fused activations that are nodes of ONNX, by how they are called.
_ACTIVATIONS = {
    name.lower(): name
    for name in ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Clip", "HardSwish")
}


def _picked(op: str, places: Sequence[int], *attributes: str) -> Callable[..., bool]:
    """The plain operator on some of the inputs."""

    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        inputs = [_input(node, place) for place in places]
        while inputs and not inputs[-1]:
            inputs.pop()
        to.put(node, op, inputs, **_kept(node, *attributes))
        return True

    return rule


def _fused(op: str, operands: int, *attributes: str) -> Callable[..., bool]:
    """The plain operator, then perhaps an added map and an activation."""

    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        word = str(_attribute(node, "activation", "") or "")
        activation = _ACTIVATIONS.get(word.lower())
        if word and activation is None:
            return False
        inputs = [_input(node, index) for index in range(operands)]
        while not inputs[-1]:
            inputs.pop()
        steps: list[tuple[str, list[str]]] = []
        if op == "Conv" and _input(node, 3):
            steps.append(("Add", [_input(node, 3)]))
        if activation is not None:
            steps.append((activation, []))
        kept = _kept(node, *attributes)
        if not steps:
            to.put(node, op, inputs, **kept)
            return True
        value = to.step(node, op, inputs, **kept)
        for step, others in steps[:-1]:
            value = to.step(node, step, [value, *others])
        to.put(node, steps[-1][0], [value, *steps[-1][1]])
        return True

    return rule


def _matmul(left: int, right: int, bias: int) -> Callable[..., bool]:
    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        _product(to, node, [_input(node, left), _input(node, right)], _input(node, bias))
        return True

    return rule


def _product(to: Lowering, node: onnx.NodeProto, factors: Sequence[str], bias: str) -> None:
    if not bias:
        to.put(node, "MatMul", factors)
        return
    to.put(node, "Add", [to.step(node, "MatMul", factors), bias])


def _packed_matmul(to: Lowering, node: onnx.NodeProto) -> bool:
    """``MatMulNBits``: a matrix of K rows and N columns, in blocks of few bits."""
    name = _input(node, 1)
    rows, columns = _attribute(node, "K", 0), _attribute(node, "N", 0)
    packed = to.tensors.get(name)
    sizes = [size for size in (rows, columns) if isinstance(size, int) and size > 0]
    if packed is None or len(sizes) != 2:
        return False
    shape = (sizes[0], sizes[1])
    to.tensors[name] = replace(packed, shape=shape, small=None, external=None)
    _product(to, node, [_input(node, 0), name], _input(node, 5))
    return True


def _quantised_lstm(to: Lowering, node: onnx.NodeProto) -> bool:
    """``DynamicQuantizeLSTM``: the matrices of an LSTM, transposed."""
    for name in (_input(node, 1), _input(node, 2)):
        stored = to.tensors.get(name)
        if stored is None or len(stored.shape) != 3:
            return False
        turned = (stored.shape[0], stored.shape[2], stored.shape[1])
        to.tensors[name] = replace(stored, shape=turned, small=None, external=None)
    names = ("direction", "hidden_size", "activations", "clip", "input_forget")
    inputs = [_input(node, index) for index in range(8)]
    to.put(node, "LSTM", inputs, list(node.output), **_kept(node, *names))
    return True


def _channels_last(op: str, places: Sequence[int], *attributes: str) -> Callable[..., bool]:
    """A pooling or convolution of four axes, with its channels perhaps last."""

    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        inputs = [_input(node, place) for place in places]
        while not inputs[-1]:
            inputs.pop()
        kept = _kept(node, *attributes)
        nhwc = node.op_type.startswith("Nhwc") or bool(_attribute(node, "channels_last", 0))
        if not nhwc:
            to.put(node, op, inputs, **kept)
            return True
        inputs[0] = to.step(node, "Transpose", inputs[:1], perm=[0, 3, 1, 2])
        to.put(node, "Transpose", [to.step(node, op, inputs, **kept)], perm=[0, 2, 3, 1])
        return True

    return rule


def _skip_norm(op: str) -> Callable[..., bool]:
    """``SkipLayerNormalization``: a residual add, perhaps a bias, then the norm."""

    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        plain = op == "LayerNormalization"
        bias, norm = _input(node, 4 if plain else 3), [_input(node, 2)]
        norm += [_input(node, 3)] if plain and _input(node, 3) else []
        total = to.step(node, "Add", [_input(node, 0), _input(node, 1)])
        if bias:
            total = to.step(node, "Add", [total, bias])
        if len(node.output) > 3 and node.output[3]:
            to.put(node, "Identity", [total], [node.output[3]])
        to.put(node, op, [total, *norm])
        return True

    return rule


def _biased(op: str) -> Callable[..., bool]:
    """An activation behind the adding of a bias."""

    def rule(to: Lowering, node: onnx.NodeProto) -> bool:
        bias = _input(node, 1)
        data = to.step(node, "Add", [_input(node, 0), bias]) if bias else _input(node, 0)
        to.put(node, op, [data])
        return True

    return rule


def _embedding_norm(to: Lowering, node: onnx.NodeProto) -> bool:
    """``EmbedLayerNormalization``: words, positions and segments looked up, added, normalised."""
    words, segments, positions = (_input(node, index) for index in (2, 4, 3))
    total = to.step(node, "Gather", [words, _input(node, 0)])
    lookups = [(positions, _input(node, 8) or _input(node, 0))]
    if segments and _input(node, 1):
        lookups.append((segments, _input(node, 1)))
    for table, index in lookups:
        total = to.step(node, "Add", [total, to.step(node, "Gather", [table, index])])
    to.put(node, "LayerNormalization", [total, _input(node, 5), _input(node, 6)])
    if len(node.output) > 1 and node.output[1] and _input(node, 7):
        to.put(node, "Identity", [_input(node, 7)], [node.output[1]])
    return True


def _linear_model(to: Lowering, node: onnx.NodeProto) -> bool:
    """``LinearRegressor`` and ``LinearClassifier``: a matrix in an attribute, a row per output."""
    coefficients: Any = _attribute(node, "coefficients", ())
    intercepts: Any = _attribute(node, "intercepts", ())
    classes = node.op_type == "LinearClassifier"
    labels: Any = _attribute(node, "classlabels_ints") or _attribute(node, "classlabels_strings")
    rows: Any = len(intercepts) or (
        len(labels or ()) if classes else _attribute(node, "targets", 1)
    )
    if not coefficients or not isinstance(rows, int) or rows < 1 or len(coefficients) % rows:
        return False
    name = f"{node.name or node.output[0]}.weight"
    if name in to.tensors:
        return False
    shape = (rows, len(coefficients) // rows)
    to.tensors[name] = Stored(name=name, elem_type=1, shape=shape, small=None)
    scores = to.put(node, "Gemm", [_input(node, 0), name], list(node.output)[-1:], transB=1)
    if classes and node.output[0]:
        to.put(node, "ArgMax", [scores], [node.output[0]], axis=1, keepdims=0)
    return True


def _concat(to: Lowering, node: onnx.NodeProto) -> bool:
    """``QLinearConcat``: scale and zero point of the result, then triples."""
    to.put(node, "Concat", list(node.input)[2::3], axis=_attribute(node, "axis", 1))
    return True


_RULES: dict[str, Callable[..., bool]] = {
    "FusedConv": _fused("Conv", 3, *_CONV),
    "FusedGemm": _fused("Gemm", 3, "alpha", "beta", "transA", "transB"),
    "QGemm": _picked("Gemm", (0, 3, 6), "transA", "transB"),
    "DynamicQuantizeMatMul": _matmul(0, 1, 4),
    "MatMulIntegerToFloat": _matmul(0, 1, 6),
    "MatMulInteger16": _matmul(0, 1, 99),
    "MultiThreshold": _picked("MultiThreshold", (0, 1)),
    "RotaryEmbedding": _picked("RotaryEmbedding", (0, 2, 3)),
    "XnorPopcountMatMul": _matmul(0, 1, 99),
    "MatMulNBits": _packed_matmul,
    "MatMulBnb4": _packed_matmul,
    "DynamicQuantizeLSTM": _quantised_lstm,
    "QLinearConv": _channels_last("QLinearConv", range(9), *_CONV),
    "NhwcMaxPool": _channels_last("MaxPool", (0,), *_WINDOW),
    "QLinearAveragePool": _channels_last("AveragePool", (0,), *_WINDOW, "count_include_pad"),
    "QLinearGlobalAveragePool": _channels_last("GlobalAveragePool", (0,)),
    "QLinearAdd": _picked("Add", (0, 3)),
    "QLinearMul": _picked("Mul", (0, 3)),
    "QLinearWhere": _picked("Where", (0, 1, 4)),
    "QLinearSigmoid": _picked("Sigmoid", (0,)),
    "QLinearLeakyRelu": _picked("LeakyRelu", (0,), "alpha"),
    "QLinearSoftmax": _picked("Softmax", (0,), "axis"),
    "QLinearReduceMean": _picked("ReduceMean", (0,), "axes", "keepdims"),
    "QLinearConcat": _concat,
    "LinearRegressor": _linear_model,
    "LinearClassifier": _linear_model,
    "LayerNormalization": _picked("LayerNormalization", (0, 1, 2), "axis"),
    "SimplifiedLayerNormalization": _picked("RMSNormalization", (0, 1), "axis"),
    "RMSNormalization": _picked("RMSNormalization", (0, 1), "axis"),
    "SkipLayerNormalization": _skip_norm("LayerNormalization"),
    "SkipSimplifiedLayerNormalization": _skip_norm("RMSNormalization"),
    "EmbedLayerNormalization": _embedding_norm,
    "GroupNorm": _picked("GroupNormalization", (0, 1, 2)),
    "Gelu": _picked("Gelu", (0,)),
    "FastGelu": _biased("Gelu"),
    "BiasGelu": _biased("Gelu"),
    "QuickGelu": _picked("Swish", (0,)),
    "BiasAdd": _biased("Identity"),
}
