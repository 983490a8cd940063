"""Weights that a model reads as inputs: they are stored nowhere, so nothing can be mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError
from archsim.network.frontend.onnx_model import Node, OnnxModel

if TYPE_CHECKING:
    import onnx

#: Which inputs of an operator are weights.
_PLACES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("Conv", "ConvTranspose", "ConvInteger", "MatMul", "MatMulInteger", "Gemm"), (1,)
    ),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), (3,)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2)),
}
#: Operators that hand on what they read.
_PASSING = frozenset(
    {"Identity", "QuantizeLinear", "DequantizeLinear", "Cast", "Transpose", "Reshape"}
)


def refuse_weights_as_inputs(model: OnnxModel) -> None:
    """Refuse a model that reads the weights of a layer from an input.

    Such an input has no batch of one in front. The first input is taken for the network's.

    Raises:
        NetworkError: It does; the message names node and input.
    """
    sources = {node.outputs[0]: node for node in model.nodes if node.op in _PASSING}
    unlike = {str(value.name) for value in model.inputs[1:] if _has_no_batch(value)}
    for node in model.nodes if unlike else ():
        for place in _PLACES.get(node.op, ()):
            name = _origin(node, place, sources)
            if name in unlike:
                raise NetworkError(
                    f"{node.label} reads its weights from the input '{name}': they are not stored "
                    "in the file, so there is nothing to map. Store them as initializers (export "
                    "with export_params=True, or keep_initializers_as_inputs=False)",
                    code=Code.UNSUPPORTED,
                    field=name,
                    value=node.op,
                    allowed="weights that are stored",
                )


def _has_no_batch(value: onnx.ValueInfoProto) -> bool:
    """Whether the first axis of an input is fixed to another size than 1."""
    kind: onnx.TypeProto.Tensor = value.type.tensor_type
    dims = kind.shape.dim if kind.HasField("shape") else ()
    return len(dims) > 1 and int(next(iter(dims)).dim_value) > 1


def _origin(node: Node, place: int, sources: dict[str, Node]) -> str:
    name = node.inputs[place] if place < len(node.inputs) else ""
    for _ in range(len(sources) + 1):
        if name not in sources:
            break
        name = sources[name].inputs[0]
    return name
