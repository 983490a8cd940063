"""Types and small values of the tensors of an ONNX graph, by ONNX's own shape inference.

Each node is inferred by itself, in execution order, with the sizes and the small values that are
known by then: arithmetic on shapes, which exporters leave in the graph, is computed on the way.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError
from archsim.network.frontend.onnx_contrib import NUMBER_FORMATS
from archsim.network.frontend.onnx_file import first_line
from archsim.network.frontend.onnx_fused_shapes import fused_shapes
from archsim.network.frontend.onnx_model import Node, OnnxModel
from archsim.network.frontend.onnx_tensors import MAX_VALUES, Stored, checked_shape, values_of

if TYPE_CHECKING:
    import numpy
    import onnx

#: Operators whose output shape depends on the values of their inputs from the second one on.
_READS_VALUES_TEXT = """
Reshape Expand Slice Tile Pad Resize Upsample Unsqueeze Squeeze Split TopK OneHot Range
ConstantOfShape ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceSumSquare CenterCropPad Col2Im AffineGrid DFT STFT MelWeightMatrix HannWindow
HammingWindow BlackmanWindow MaxUnpool SplitToSequence
"""
_READS_VALUES = frozenset(_READS_VALUES_TEXT.split())

#: Operators that are constant-folded where all their inputs are small and known: shape arithmetic.
_FOLDED_TEXT = """
Abs Add And Cast CastLike Ceil Concat Constant ConstantOfShape CumSum Div Equal Expand Flatten Floor
Gather GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg
Not Or Pow Range ReduceMax ReduceMin ReduceProd ReduceSum Reshape Round ScatterElements ScatterND
Shape Sign Size Slice Split Sqrt Squeeze Sub Tile Transpose Trilu Unsqueeze Where Xor
"""
_FOLDED = frozenset(_FOLDED_TEXT.split())


#: Operators of which ONNX has no shape inference (in some operator sets): comparisons, whose output
#: has the shape that their inputs broadcast to, and normalisations, which keep that of the first.
_COMPARISONS = frozenset({"GreaterOrEqual", "LessOrEqual"})
_KEEPS_SHAPE = frozenset(
    {
        *("GroupNormalization", "MeanVarianceNormalization", "LayerNormalization"),
        *("RMSNormalization", "Gelu", "Swish", "HardSwish", "MultiThreshold", "RotaryEmbedding"),
    }
)


#: Element types that an operator may not know and a layer may have all the same: its shapes are
#: then those of real numbers. Sums of products are whole numbers of 32 bits.
_SMALL_NUMBERS = frozenset(
    {
        *("INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2", "BFLOAT16", "FLOAT16", "FLOAT4E2M1"),
        *("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"),
    }
)
_NUMBERS = _SMALL_NUMBERS | {"INT16", "UINT16", "INT32", "UINT32", "DOUBLE"}


def _as_real(proto: onnx.TypeProto, types: frozenset[str]) -> onnx.TypeProto:
    """``proto`` with real numbers in place of elements of some types."""
    from onnx import TensorProto

    names = {int(value): str(key) for key, value in TensorProto.DataType.items()}
    if names.get(int(proto.tensor_type.elem_type), "") not in types:
        return proto
    changed = type(proto)()
    changed.CopyFrom(proto)
    changed.tensor_type.elem_type = TensorProto.FLOAT
    return changed


def _with_type(
    outputs: Mapping[str, onnx.TypeProto], inputs: Mapping[str, onnx.TypeProto], node: Node
) -> Mapping[str, onnx.TypeProto]:
    """Real ``outputs`` in the element type of the first input, as which they were inferred."""
    from onnx import TensorProto

    given = int(inputs[node.inputs[0]].tensor_type.elem_type)
    for proto in outputs.values():
        if int(proto.tensor_type.elem_type) == TensorProto.FLOAT:
            proto.tensor_type.elem_type = given
    return outputs


@dataclass(frozen=True, kw_only=True)
class TensorType:
    """Element type and shape of a tensor; the shape is None where it is not known."""

    elem_type: int
    shape: tuple[int, ...] | None


@dataclass(kw_only=True)
class Types:
    """What is known of every tensor so far.

    Attributes:
        model: The model.
        sizes: Sizes of the symbols in declared shapes.
        types: Type by name of the tensor.
        values: Small values by name.
        unread: Small tensors whose external file is missing.
    """

    model: OnnxModel
    sizes: Mapping[str, int]
    types: dict[str, TensorType] = field(default_factory=dict)
    values: dict[str, numpy.ndarray] = field(default_factory=dict)
    unread: dict[str, Stored] = field(default_factory=dict)

    def add_stored(self, tensor: Stored) -> None:
        """Note a stored tensor."""
        self.types[tensor.name] = TensorType(elem_type=tensor.elem_type, shape=tensor.shape)

    def value(self, name: str) -> numpy.ndarray | None:
        """The values of a tensor, if they are known and few.

        Raises:
            NetworkError: A stored tensor is damaged.
        """
        tensor = self.model.tensors.get(name)
        if name not in self.values and tensor is not None:
            values = values_of(tensor)
            if values is not None:
                self.values[name] = values
            elif tensor.external is not None:
                self.unread[name] = tensor
        return self.values.get(name)

    def infer(self, node: Node) -> None:
        """Find the types, and where they are small the values, of what ``node`` gives.

        Raises:
            NetworkError: ONNX's shape inference objects, or a shape is absurd.
        """
        inferred = self._by_hand(node) or self._inferred(node)
        for name in filter(None, node.outputs):
            self.types[name] = self._merged(node, name, inferred.get(name))
        if node.op in _FOLDED:
            self._fold(node)

    def _by_hand(self, node: Node) -> dict[str, onnx.TypeProto]:
        """Types of what ``node`` gives, where ONNX has no inference."""
        import numpy
        from onnx import TensorProto, helper

        bare = node.op.rpartition(".")[2]
        if bare in NUMBER_FORMATS:
            return self._number_format(node, bare)
        keeps = bare in _KEEPS_SHAPE
        fused = fused_shapes(node, [self.shape_of(name) for name in node.inputs])
        if fused:
            elem_type = self.types[node.inputs[0]].elem_type
            made = [helper.make_tensor_type_proto(elem_type, shape) for shape in fused]
            return dict(zip(node.outputs, made, strict=False))
        if node.op not in _COMPARISONS and not keeps:
            return {}
        given = [self.types[name] for name in node.inputs if name]
        if keeps:
            if not given or given[0].shape is None:
                return {}
            proto = helper.make_tensor_type_proto(given[0].elem_type, given[0].shape)
            return {node.outputs[0]: proto}
        shapes = [known.shape for known in given if known.shape is not None]
        if len(shapes) != len(given):
            return {}
        try:
            shape = numpy.broadcast_shapes(*shapes)
        except ValueError as error:
            raise NetworkError(
                f"{node.label}: shapes {shapes} do not fit each other",
                code=Code.SHAPE_MISMATCH,
                field=node.label,
                value=shapes,
            ) from error
        return {node.outputs[0]: helper.make_tensor_type_proto(TensorProto.BOOL, shape)}

    def _number_format(self, node: Node, bare: str) -> dict[str, onnx.TypeProto]:
        """What gives its input in another number format: of that shape, as its zero point is."""
        from onnx import TensorProto, helper

        elem_type, zero = int(TensorProto.FLOAT), node.inputs[2:3]
        if bare == "QuantizeLinear":
            known = self.types.get(zero[0]) if zero and zero[0] else None
            elem_type = int(TensorProto.UINT8) if known is None else known.elem_type
        given = self.types[node.inputs[0]].shape
        proto = helper.make_tensor_type_proto(elem_type, given)
        return {node.outputs[0]: proto}

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, ``()`` where it is not known."""
        known = self.types.get(name)
        return () if known is None or known.shape is None else known.shape

    def _inferred(self, node: Node) -> Mapping[str, onnx.TypeProto]:
        from onnx import defs, helper, shape_inference

        domain, name = node.op.rpartition(".")[::2]
        version = self.model.opsets.get(domain)
        if version is None or not defs.has(name, version, domain):
            return {}
        types = {tensor: self._proto(tensor) for tensor in node.inputs if tensor}
        schema = defs.get_schema(name, version, domain)
        imports = [helper.make_opsetid(d, v) for d, v in self.model.opsets.items()]
        first: Exception | None = None
        for real in (frozenset[str](), _SMALL_NUMBERS, _NUMBERS):
            given = {tensor: _as_real(proto, real) for tensor, proto in types.items()}
            try:
                outputs: dict[str, onnx.TypeProto] = shape_inference.infer_node_outputs(
                    schema, node.proto, given, input_data=self._data(node), opset_imports=imports
                )
            except Exception as error:  # noqa: BLE001 - of onnx; the first one is told
                first = first or error
            else:
                return _with_type(outputs, types, node) if real else outputs
        raise NetworkError(
            f"{node.label}: the shapes or element types of its inputs do not fit: "
            f"{first_line(first or ValueError())}",
            code=Code.SHAPE_MISMATCH,
            field=node.label,
        ) from first

    def _proto(self, name: str) -> onnx.TypeProto:
        from onnx import helper

        known = self.types.get(name)
        if known is None:
            raise NetworkError(
                f"ONNX tensor '{name}' is read before any node gives it",
                code=Code.UNKNOWN_NAME,
                field=name,
            )
        return helper.make_tensor_type_proto(known.elem_type, known.shape)

    def _data(self, node: Node) -> dict[str, onnx.TensorProto]:
        from onnx import numpy_helper

        if node.op not in _READS_VALUES:
            return {}
        values = {name: self.value(name) for name in node.inputs if name}
        return {n: numpy_helper.from_array(v, n) for n, v in values.items() if v is not None}

    def _merged(self, node: Node, name: str, inferred: onnx.TypeProto | None) -> TensorType:
        """The inferred type, or where inference knows no shape, the one that the file declares."""
        declared = self.model.declared.get(name)
        options = [
            self._read(node, name, proto) for proto in (inferred, declared) if proto is not None
        ]
        known = [option for option in options if option.shape is not None]
        return (known or options or [TensorType(elem_type=0, shape=None)])[0]

    def _read(self, node: Node, name: str, proto: onnx.TypeProto) -> TensorType:
        if proto.WhichOneof("value") != "tensor_type":
            return TensorType(elem_type=0, shape=None)
        tensor: onnx.TypeProto.Tensor = proto.tensor_type
        if not tensor.HasField("shape"):
            return TensorType(elem_type=int(tensor.elem_type), shape=None)
        sizes = [
            int(dim.dim_value) if dim.HasField("dim_value") else self.sizes.get(str(dim.dim_param))
            for dim in tensor.shape.dim
        ]
        shape = [size for size in sizes if size is not None]
        known = len(shape) == len(sizes)
        return TensorType(
            elem_type=int(tensor.elem_type),
            shape=checked_shape(f"{node.label}, output '{name}'", shape) if known else None,
        )

    def _fold(self, node: Node) -> None:
        """Work ``node`` out, if what it reads is known and what it gives is small."""
        if node.op in ("Shape", "Size"):
            self._fold_shape(node)
            return
        shapes = [self.types[name].shape for name in node.outputs if name]
        if any(shape is None or math.prod(shape) > MAX_VALUES for shape in shapes):
            return
        values = [self.value(name) for name in node.inputs if name]
        if any(value is None for value in values):
            return
        results = _evaluate(node, self.model.opsets, [v for v in values if v is not None])
        self.values |= {n: v for n, v in zip(node.outputs, results, strict=False) if n}

    def _fold_shape(self, node: Node) -> None:
        import numpy

        shape = self.types[node.inputs[0]].shape
        if shape is None:
            return
        if node.op == "Size":
            result = numpy.array(math.prod(shape), dtype=numpy.int64)
        else:
            end = node.whole("end", len(shape))
            result = numpy.array(shape[node.whole("start", 0) : end], dtype=numpy.int64)
        self.values[node.outputs[0]] = result


def _evaluate(
    node: Node, opsets: Mapping[str, int], values: list[numpy.ndarray]
) -> list[numpy.ndarray]:
    """What ``node`` gives on ``values``, by ONNX's reference code; nothing if that fails."""
    import numpy
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.inputs if name]
    feeds = dict(zip(names, values, strict=True))
    tensors = [numpy_helper.from_array(value, name) for name, value in feeds.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
    graph = helper.make_graph([node.proto], "fold", [], outputs, initializer=tensors)
    imports = [helper.make_opsetid("", opsets[""])]
    try:
        with warnings.catch_warnings(), numpy.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            model = helper.make_model(graph, opset_imports=imports)
            results = ReferenceEvaluator(model).run(None, {})
    except Exception:  # noqa: BLE001 - a value that is not known, as any other
        return []
    return [result for result in results if isinstance(result, numpy.ndarray)]
