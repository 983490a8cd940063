"""From an ONNX graph to the calls of a model, as the front ends for PyTorch give them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Call, Data, Trace, Weight
from archsim.network.frontend.onnx_contrib import NUMBER_FORMATS
from archsim.network.frontend.onnx_model import Node, OnnxModel
from archsim.network.frontend.onnx_names import NodeModule, WeightNames, places
from archsim.network.frontend.onnx_tensors import Stored, is_weight_type
from archsim.network.frontend.onnx_types import TensorType, Types
from archsim.network.frontend.operators import PRODUCTS, RECURRENT

if TYPE_CHECKING:
    import onnx

Value = Data | Weight


@dataclass(kw_only=True)
class Walk:
    """One pass over a graph; ``seen`` has the tensor that each name stands for.

    Attributes:
        model: The model.
        types: Types of its tensors.
        seen: What each tensor is, by name.
        calls: The calls so far, by id, in execution order.
        names: Final names of the weights.
        readers: How many nodes read each tensor, by its name and by the id of the call that gives
            it; graph outputs count as one reader.
        place: Of the node that is being read.
        cells: Weights of the recurrent layers so far, by module: PyTorch numbers them.
        constant: Computations of stored tensors alone.
        lost: Tensors of unknown shape, and the operator that is to blame.
    """

    model: OnnxModel
    types: Types
    seen: dict[str, Value] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    names: WeightNames = field(default_factory=WeightNames)
    readers: Counter[str] = field(default_factory=Counter)
    place: NodeModule = field(default=NodeModule("", leaf=False))
    cells: dict[str, list[str]] = field(default_factory=dict)
    constant: list[Call] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor.

        Raises:
            NetworkError: It is not known; the message says why, if that is known.
        """
        known = self.types.types.get(name)
        if known is None or known.shape is None:
            missing = ", ".join(
                f"'{tensor.name}' in {tensor.external}" for tensor in self.types.unread.values()
            )
            why = f" Values that it may depend on cannot be read: {missing}." if missing else ""
            raise NetworkError(
                f"ONNX tensor '{name}' has a shape that cannot be inferred.{why} Write it into the "
                "file (onnx.shape_inference, or value_info), or export the model with fixed shapes",
                code=Code.MISSING_KEY,
                field=name,
            )
        return known.shape

    def operand(self, node: Node, index: int) -> Value | None:
        """Input ``index`` of ``node``; None if it is not given."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        return self.seen[name] if name else None

    def data(self, node: Node, index: int = 0) -> Data:
        """Input ``index`` of ``node``, which is computed from the network input.

        Raises:
            NetworkError: It is a stored tensor, or not given.
        """
        value = self.operand(node, index)
        if not isinstance(value, Data):
            raise NetworkError(
                f"{node.label}: input {index} is {'stored' if value else 'not given'}; it must be "
                "computed from the network input",
                code=Code.UNSUPPORTED,
                field=node.label,
                value=index,
            )
        return value

    def weight(self, value: Value | None, last: str = "weight") -> Value | None:
        """``value`` under its final name, if it is a weight."""
        return self.names.of(value, self.place, last) if isinstance(value, Weight) else value

    def emit(
        self,
        node: Node,
        op: str,
        args: Mapping[str, object],
        *,
        shape: tuple[int, ...] | None = None,
        output: int | None = None,
        suffix: str = "",
    ) -> Data:
        """Add a call and return what it gives.

        Args:
            node: The node that it comes from.
            op: PyTorch operator.
            args: Its arguments by name.
            shape: Of the first output; that of the node's output if not given.
            output: Which output of the node it gives; the first that is asked for if not given.
            suffix: Tells calls of one node apart.
        """
        index = next(i for i, name in enumerate(node.outputs) if name) if output is None else output
        name = node.outputs[index]
        call = Call(
            id=f"{name}{suffix}",
            op=op,
            args=args,
            shape=self.shape(name) if shape is None else shape,
            module=self.place.module,
            leaf=self.place.leaf and not suffix,
        )
        self.calls[call.id] = call
        return Data(id=call.id, shape=call.shape)

    def same(self, node: Node, data: Data) -> None:
        """Let the first output of ``node`` be ``data``, which an earlier call gives."""
        name = node.outputs[0]
        self.seen[name] = data
        self.readers[data.id] += self.readers[name] - 1  # its readers, in place of this node

    def only_read_here(self, value: object) -> Call | None:
        """The call that gives ``value``, if nothing but the present node reads it."""
        if not isinstance(value, Data) or self.readers[value.id] != 1:
            return None
        return self.calls.get(value.id)

    def give(self, node: Node, value: Value) -> None:
        """Let the outputs of ``node`` be ``value``; every other output is a part of it."""
        wanted = [name for name in node.outputs if name]
        self.seen[wanted[0]] = value
        for index, name in enumerate(node.outputs):
            if not name or name == wanted[0]:
                continue
            if self.readers[name]:
                args = {"input": value, "index": index}
                self.seen[name] = self.emit(node, "getitem", args, output=index)


def walk(
    model: OnnxModel,
    shapes: Mapping[str, tuple[int, ...]],
    sizes: Mapping[str, int],
    translate: Callable[[Walk, Node], None],
    unread: Callable[[Walk, Node], bool] = lambda walk, node: False,
) -> Trace:
    """Read the nodes of ``model`` that its outputs depend on.

    Args:
        model: Which.
        shapes: Shapes of its inputs.
        sizes: Sizes of the symbols in declared shapes.
        translate: Adds the calls for one node whose operands depend on the network input.
        unread: Passes over a node whose shapes cannot be known, and says whether it was one.

    Raises:
        NetworkError: A node cannot be read, or a shape cannot be inferred.
    """
    nodes = _live(model)
    pass_ = Walk(model=model, types=Types(model=model, sizes=sizes))
    inputs = tuple(_input(pass_, value, shapes) for value in model.inputs)
    for tensor in model.tensors.values():
        pass_.types.add_stored(tensor)
        pass_.seen[tensor.name] = _stored_weight(tensor)
    for name in (*model.outputs, *(name for node in nodes for name in node.inputs)):
        pass_.readers[name] += 1
    for node, place in zip(nodes, places(nodes), strict=True):
        pass_.place = place
        _visit(pass_, node, translate, unread)
    outputs = (pass_.seen.get(name) for name in model.outputs)
    return Trace(
        inputs=inputs,
        calls=tuple(pass_.calls.values()),
        outputs=tuple(value.id for value in outputs if isinstance(value, Data)),
        constant=tuple(pass_.constant),
    )


def parameters(trace: Trace) -> int:
    """Elements of the stored tensors that the calls of ``trace`` apply, statistics left out.

    A file does not tell parameters from other stored numbers: those of real numbers (or 8 bits and
    fewer) that are no scalars count, except means and variances of batch norms; matrices count
    whatever they are made of.
    """
    statistics = {
        value.name
        for call in trace.calls
        for name, value in call.args.items()
        if name in ("running_mean", "running_var") and isinstance(value, Weight)
    }
    elements_of: dict[str, int] = {}
    for call in trace.calls:
        if call.op == "interpolate":  # its scales are no weights
            continue
        for weight in (w for w in call.operands if isinstance(w, Weight)):
            is_matrix = call.op in _MATRIX_OPERATORS and len(weight.shape) > 1
            if (weight.trainable or is_matrix) and weight.name not in statistics:
                # A matrix that is made of few numbers is stored whole.
                applied = math.prod(weight.shape) if is_matrix else 0
                known = elements_of.get(weight.name, 0)
                elements_of[weight.name] = max(known, weight.elements, applied)
    return sum(elements_of.values())


_MATRIX_OPERATORS = {
    *("linear", *PRODUCTS, *RECURRENT),
    *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
}


def _live(model: OnnxModel) -> tuple[Node, ...]:
    """The nodes that the outputs of ``model`` depend on, in execution order."""
    wanted = set(model.outputs)
    kept = []
    for node in reversed(model.nodes):
        if any(name in wanted for name in node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


def _input(pass_: Walk, value: onnx.ValueInfoProto, shapes: Mapping[str, tuple[int, ...]]) -> Data:
    name = str(value.name)
    elem_type = int(value.type.tensor_type.elem_type)
    pass_.types.types[name] = TensorType(elem_type=elem_type, shape=shapes[name])
    data = Data(id=name, shape=shapes[name])
    pass_.seen[name] = data
    return data


def _stored_weight(tensor: Stored) -> Weight:
    trainable = bool(tensor.shape) and is_weight_type(tensor.elem_type)
    return Weight(
        name=tensor.name, shape=tensor.shape, elements=tensor.elements, trainable=trainable
    )


#: Operators whose bodies are graphs of their own.
_CONTROL = frozenset({"If", "Loop", "Scan", "SequenceMap"})


def gives_input(node: Node) -> bool:
    """Whether ``node`` gives its first input, in another number format or not at all changed."""
    return node.op == "Identity" or node.op.rpartition(".")[2] in NUMBER_FORMATS


def _visit(
    pass_: Walk,
    node: Node,
    translate: Callable[[Walk, Node], None],
    unread: Callable[[Walk, Node], bool],
) -> None:
    if node.op in _CONTROL:
        raise NetworkError(
            f"{node.label}: control flow is not read, because the matrices in its body would be "
            "counted once whatever the number of rounds; export the model without it (fixed "
            "shapes, loops unrolled)",
            code=Code.UNSUPPORTED_OPERATOR,
            field=node.label,
            value=node.op,
        )
    if not any(name in pass_.lost for name in node.inputs):
        pass_.types.infer(node)
    operands = [pass_.seen[name] for name in node.inputs if name]
    if node.op in ("Shape", "Size") or not any(isinstance(v, Data) for v in operands):
        for name in filter(None, node.outputs):
            pass_.seen[name] = _derived(pass_, node, name, operands)
        pass_.constant.append(_constant(pass_, node, operands))
    elif unread(pass_, node):
        return
    elif gives_input(node) and isinstance(operands[0], Data):
        pass_.same(node, operands[0])
    else:
        translate(pass_, node)


def _constant(pass_: Walk, node: Node, operands: list[Value]) -> Call:
    """What a node with stored operands is, without settings: enough to know its size."""
    name = next(filter(None, node.outputs))
    return Call(
        id=name,
        op=node.op,
        args={str(place): operand for place, operand in enumerate(operands)},
        shape=pass_.types.types[name].shape or (),
        module=pass_.place.module,
        leaf=pass_.place.leaf,
    )


def _derived(pass_: Walk, node: Node, name: str, operands: list[Value]) -> Weight:
    """The weight that ``node`` computes of stored tensors, named for the one it comes from."""
    known = pass_.types.types[name].shape
    weights = [value for value in operands if isinstance(value, Weight)]
    if known is None or not weights or node.op in ("Shape", "Size"):
        shape = known or ()
        return Weight(name=name, shape=shape, elements=math.prod(shape), trainable=False)
    if node.op == "Identity":
        return weights[0]
    formula = _formula(node, name, weights)
    if node.op.rpartition(".")[2] in NUMBER_FORMATS:
        return replace(weights[0], shape=known, trainable=bool(known), formula=formula)
    elements = math.prod(known)
    origin = min(weights, key=lambda w: (not w.trainable, w.elements != elements, -w.elements))
    return replace(origin, shape=known, formula=formula)


def _formula(node: Node, output: str, weights: list[Weight]) -> str:
    """The same text for the same output of the same computation on the same tensors."""
    attributes = sorted(a.SerializeToString(deterministic=True) for a in node.proto.attribute)
    sources = [(weight.name, weight.formula) for weight in weights]
    text = repr((node.op, node.outputs.index(output), attributes, sources))
    return hashlib.sha256(text.encode()).hexdigest()
