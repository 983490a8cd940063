"""An ONNX model, checked and reduced to what archsim reads: nodes, tensors, and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError
from archsim.network.frontend.onnx_contrib import lower
from archsim.network.frontend.onnx_file import first_line, printable, read_proto, refused
from archsim.network.frontend.onnx_foreign import (
    OLDEST_OPSET,
    OWN,
    make_plain,
    upgraded,
)
from archsim.network.frontend.onnx_tensors import (
    Stored,
    checked_shape,
    element_bits,
    stored,
)

if TYPE_CHECKING:
    import onnx

#: Most nodes of a model, with those of its functions for each place where they are called.
MAX_NODES = 250_000


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operator of a graph.

    Attributes:
        op: Operator name; with its domain in front where that is not ONNX's own.
        name: Name of the node; may be empty.
        inputs: Names of the tensors that it reads, ``""`` for an optional one that is not given.
        outputs: Names of the tensors that it gives, ``""`` for one that is not asked for.
        attributes: What else is said of it: numbers, texts, lists of them, or messages.
        notes: What the exporter noted (``metadata_props``).
        proto: The node itself.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object]
    notes: Mapping[str, str]
    proto: onnx.NodeProto

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"ONNX node '{self.name or next(filter(None, self.outputs), '')}' ({self.op})"

    def whole(self, attribute: str, default: int) -> int:
        """A whole number among the attributes.

        Raises:
            NetworkError: It is something else.
        """
        value = self.attributes.get(attribute, default)
        if not isinstance(value, int):
            raise NetworkError(
                f"{self.label}: {attribute} is {value!r}; a whole number is allowed",
                code=Code.WRONG_TYPE,
                field=attribute,
                value=value,
                allowed="a whole number",
            )
        return value

    def wholes(self, attribute: str) -> tuple[int, ...] | None:
        """A list of whole numbers among the attributes, None if it is not given.

        Raises:
            NetworkError: It is something else.
        """
        value = self.attributes.get(attribute)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
            raise NetworkError(
                f"{self.label}: {attribute} is {value!r}; whole numbers are allowed",
                code=Code.WRONG_TYPE,
                field=attribute,
                value=value,
                allowed="whole numbers",
            )
        return tuple(int(item) for item in value)

    def text(self, attribute: str, default: str = "") -> str:
        """A text among the attributes."""
        value = self.attributes.get(attribute, default)
        return value if isinstance(value, str) else default


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A model without functions, of one graph.

    Attributes:
        path: Its file.
        opsets: Version of each operator set, by domain.
        inputs: What it reads at run time, stored tensors left out.
        outputs: Names of the tensors that it gives.
        nodes: Operators in execution order.
        tensors: Stored tensors by name.
        declared: Types that the file says of other tensors.
        notes: What was changed so that the file can be read.
    """

    path: Path
    opsets: Mapping[str, int]
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Stored]
    declared: Mapping[str, onnx.TypeProto]
    notes: tuple[str, ...] = ()


def read_model(path: Path) -> OnnxModel:
    """Read and check the ONNX file at ``path``.

    Raises:
        NetworkError: The file cannot be read, ONNX's own checker refuses it, its operator set is
            outside what is supported, or it is too large.
    """
    proto = read_proto(path)
    _check_opset(path, proto)
    _check_size(path, proto)
    notes = make_plain(path, proto)
    tensors = _take_tensors(proto, path)
    unshaped = _give_shapes(proto)
    proto = _checked(path, proto)
    _take_shapes(proto, unshaped)
    tensors |= _take_tensors(proto, path)  # constants of functions that were written out
    proto = upgraded(path, proto, notes)
    tensors |= _take_tensors(proto, path)  # constants that were attributes before
    lower(proto.graph, tensors)
    graph: onnx.GraphProto = proto.graph
    inputs = tuple(value for value in graph.input if str(value.name) not in tensors)
    declared = {str(value.name): value.type for value in (*graph.value_info, *graph.output)}
    return OnnxModel(
        path=path,
        opsets={
            "" if o.domain in OWN else str(o.domain): int(o.version) for o in proto.opset_import
        },
        inputs=inputs,
        outputs=tuple(str(value.name) for value in graph.output),
        nodes=tuple(read_node(node) for node in graph.node),
        tensors=tensors,
        declared=declared,
        notes=tuple(notes),
    )


def read_node(proto: onnx.NodeProto) -> Node:
    """The node that ``proto`` describes."""
    domain = str(proto.domain)
    op = str(proto.op_type)
    return Node(
        op=op if domain in OWN else printable(f"{domain}.{op}"),
        name=printable(str(proto.name)),
        inputs=tuple(str(name) for name in proto.input),
        outputs=tuple(str(name) for name in proto.output),
        attributes={str(a.name): _attribute(a) for a in proto.attribute},
        notes={str(entry.key): str(entry.value) for entry in proto.metadata_props},
        proto=proto,
    )


def _attribute(proto: onnx.AttributeProto) -> object:
    """Value of an attribute: int, float, str, a tuple of these, or a message."""
    import onnx

    kinds = onnx.AttributeProto
    if proto.type == kinds.STRING:
        return _text(proto.s)
    if proto.type == kinds.STRINGS:
        return tuple(_text(item) for item in proto.strings)
    if proto.type == kinds.INTS:
        return tuple(int(item) for item in proto.ints)
    if proto.type == kinds.FLOATS:
        return tuple(float(item) for item in proto.floats)
    single = {
        kinds.INT: "i",
        kinds.FLOAT: "f",
        kinds.TENSOR: "t",
        kinds.SPARSE_TENSOR: "sparse_tensor",
    }
    field = single.get(proto.type)
    return None if field is None else getattr(proto, field)


def _text(value: bytes) -> str:
    return bytes(value).decode("utf-8", errors="replace")


def _check_opset(path: Path, proto: onnx.ModelProto) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    versions = [int(o.version) for o in proto.opset_import if o.domain in OWN]
    if not versions:
        raise refused(path, "names no operator set of ONNX (opset_import); it is damaged")
    version = max(versions)
    if not OLDEST_OPSET <= version <= newest:
        raise refused(
            path,
            f"uses operator set {version}; {OLDEST_OPSET} to {newest} are supported (by onnx "
            f"{onnx.__version__}). Export it again with another opset_version, or convert it with "
            "onnx.version_converter",
            code=Code.UNSUPPORTED,
            value=version,
            allowed=f"{OLDEST_OPSET} to {newest}",
        )


def _check_size(path: Path, proto: onnx.ModelProto) -> None:
    """Refuse models whose functions call each other in circles, or grow without bound."""
    functions = {(str(f.domain), str(f.name)): f for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[onnx.NodeProto], above: frozenset[tuple[str, str]]) -> int:
        return sum(called(node, above) for node in nodes)

    def called(node: onnx.NodeProto, above: frozenset[tuple[str, str]]) -> int:
        key = (str(node.domain), str(node.op_type))
        inner = sum(size(graph.node, above) for graph in _subgraphs(node))
        if key not in functions:
            return 1 + inner
        if key in above or len(above) > _MAX_DEPTH:
            raise refused(
                path,
                f"has a function that calls itself: {printable('.'.join(key))}",
                code=Code.CONFLICT,
                value=printable(".".join(key)),
            )
        if key not in sizes:
            sizes[key] = size(functions[key].node, above | {key})
        return sizes[key] + inner

    count = size(proto.graph.node, frozenset())
    if count > MAX_NODES:
        raise refused(
            path,
            f"has {count} nodes; at most {MAX_NODES} are read",
            code=Code.OUT_OF_RANGE,
            value=count,
            allowed=f"at most {MAX_NODES}",
        )


#: Functions that call each other one inside the other, at most.
_MAX_DEPTH = 100


def _subgraphs(node: onnx.NodeProto) -> Iterable[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _take_tensors(proto: onnx.ModelProto, path: Path) -> dict[str, Stored]:
    """Take the stored tensors out of ``proto`` and leave inputs of their types in their place.

    The checker then never sees weights, which may be large, and never looks for external files.
    """
    graph: onnx.GraphProto = proto.graph
    stored_tensors = [stored(tensor, path.parent) for tensor in graph.initializer]
    stored_tensors += [_sparse(tensor) for tensor in graph.sparse_initializer]
    stored_tensors += [
        stored(_named(node), path.parent) for node in graph.node if _is_constant(node)
    ]
    others = [node for node in graph.node if not _is_constant(node)]
    del graph.node[:]
    graph.node.extend(others)
    tensors = {tensor.name: tensor for tensor in stored_tensors}
    if len(tensors) != len(stored_tensors) or "" in tensors:
        raise refused(path, "holds tensors without a name, or two of one name; it is damaged")
    graph.ClearField("initializer")
    graph.ClearField("sparse_initializer")
    _declare_inputs(graph, tensors)
    return tensors


def _declare_inputs(graph: onnx.GraphProto, tensors: Mapping[str, Stored]) -> None:
    from onnx import helper

    given = {str(value.name) for value in graph.input}
    for tensor in tensors.values():
        if tensor.name not in given:
            graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.elem_type, tensor.shape)
            )


def _is_constant(node: onnx.NodeProto) -> bool:
    is_constant = node.op_type == "Constant" and node.domain in OWN
    return is_constant and len(node.output) == 1 and _tensor_of(node) is not None


def _tensor_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    values = [attribute.t for attribute in node.attribute if attribute.name == "value"]
    return values[0] if len(values) == 1 and element_bits(values[0].data_type) else None


def _named(node: onnx.NodeProto) -> onnx.TensorProto:
    import onnx

    tensor = onnx.TensorProto()
    tensor.CopyFrom(_tensor_of(node))
    tensor.name = node.output[0]
    return tensor


def _sparse(tensor: onnx.SparseTensorProto) -> Stored:
    name, elem_type = str(tensor.values.name), int(tensor.values.data_type)
    if not element_bits(elem_type):
        raise NetworkError(
            f"ONNX tensor '{name}': its element type {elem_type} is unknown",
            code=Code.UNSUPPORTED,
            field=name,
            value=elem_type,
        )
    shape = checked_shape(f"ONNX tensor '{name}'", tensor.dims)
    return Stored(name=name, elem_type=elem_type, shape=shape, small=None)


def _give_shapes(proto: onnx.ModelProto) -> set[str]:
    """Give inputs and outputs without a shape one that says nothing, and return their names.

    The checker refuses such a model without naming the tensor; shape inference may not need it.
    """
    unshaped = set()
    for value in (*proto.graph.input, *proto.graph.output):
        tensor: onnx.TypeProto.Tensor = value.type.tensor_type
        is_tensor = value.type.WhichOneof("value") == "tensor_type"
        if is_tensor and not tensor.HasField("shape"):
            tensor.shape.dim.add()
            unshaped.add(str(value.name))
    return unshaped


def _take_shapes(proto: onnx.ModelProto, names: set[str]) -> None:
    for value in (*proto.graph.input, *proto.graph.output):
        if str(value.name) in names:
            value.type.tensor_type.ClearField("shape")


def _checked(path: Path, proto: onnx.ModelProto) -> onnx.ModelProto:
    """``proto`` after ONNX's own checker, with its functions written out."""
    from onnx import checker, inliner

    try:
        checker.check_model(proto)
        if proto.functions:
            proto = inliner.inline_local_functions(proto)
    except Exception as error:
        raise refused(path, f"is not valid: {first_line(error)}") from error
    return proto
