"""Chains of ONNX operators that are one operator of PyTorch, which exporters have taken apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.onnx_attention import attention
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_walk import Value, Walk


def _bias(walk: Walk, node: Node) -> bool:
    """A linear layer, then one number added to each of its outputs: its bias."""
    data, stored = _data_and_stored(walk, node)
    linear = walk.only_read_here(data)
    if data is None or stored is None or linear is None or linear.op != "linear":
        return False
    is_vector = math.prod(stored.shape) == linear.shape[-1] and stored.shape[-1:] == data.shape[-1:]
    if linear.args.get("bias") is not None or not is_vector or not _keeps_shape(walk, node, data):
        return False
    walk.calls[linear.id] = replace(
        linear, args={**linear.args, "bias": walk.weight(stored, "bias")}
    )
    walk.same(node, data)
    return True


#: Activations that multiply a value by a gate of itself (P. Ramachandran et al., arXiv:1710.05941;
#: A. Howard et al., arXiv:1905.02244), by the gate.
_GATED = {"sigmoid": "silu", "hardsigmoid": "hardswish"}


def _gated(walk: Walk, node: Node) -> bool:
    """``x * sigmoid(x)``: the gate's call becomes the activation."""
    for value, other in _both_ways(walk, node):
        gate = walk.only_read_here(value)
        if gate is None or not isinstance(value, Data):
            continue
        if gate.op in _GATED and gate.data == (other,):
            whole = _is_module(walk, gate, nodes=2)
            walk.calls[gate.id] = replace(gate, op=_GATED[gate.op], leaf=whole)
            walk.same(node, value)
            return True
    return False


def _gelu(walk: Walk, node: Node) -> bool:
    """``0.5 * (x * (1 + erf(x / sqrt(2))))`` (D. Hendrycks, K. Gimpel, arXiv:1606.08415)."""
    half, stored = _data_and_stored(walk, node)
    product = walk.only_read_here(half)
    if half is None or stored is None or product is None or product.op != "mul":
        return False
    for one_more, data in _pairs(product.operands):
        chain = _chain(walk, one_more, ("add", "erf", "div"))
        if len(chain) == 3 and chain[-1].data == (data,):
            for call in chain:
                del walk.calls[call.id]
            whole = _is_module(walk, product, nodes=len(chain) + 2)
            args = {"input": data}
            walk.calls[product.id] = replace(product, op="gelu", args=args, leaf=whole)
            walk.same(node, half)
            return True
    return False


def _chain(walk: Walk, value: Value, ops: tuple[str, ...]) -> tuple[Call, ...]:
    """The calls behind ``value``, backwards, as long as each has one reader and its turn in ops."""
    chain: list[Call] = []
    for op in ops:
        call = walk.only_read_here(value)
        if call is None or call.op != op or len(call.data) != 1:
            break
        chain.append(call)
        value = call.data[0]
    return tuple(chain)


def _is_module(walk: Walk, call: Call, nodes: int) -> bool:
    """Whether a chain of so many nodes is all that its module does, so that it has its name."""
    return call.leaf or (call.module == walk.place.module and walk.place.nodes == nodes)


def _multiplication(walk: Walk, node: Node) -> bool:
    return _gated(walk, node) or _gelu(walk, node)


def _data_and_stored(walk: Walk, node: Node) -> tuple[Data | None, Weight | None]:
    """The operands of ``node``, if one is computed and the other stored."""
    for value, other in _both_ways(walk, node):
        if isinstance(value, Data) and isinstance(other, Weight):
            return value, other
    return None, None


def _both_ways(walk: Walk, node: Node) -> tuple[tuple[Value, Value], ...]:
    values = [walk.operand(node, index) for index in range(len(node.inputs))]
    return _pairs(tuple(value for value in values if value is not None))


def _pairs(values: tuple[Value, ...]) -> tuple[tuple[Value, Value], ...]:
    if len(values) != 2:
        return ()
    left, right = values
    return (left, right), (right, left)


def _keeps_shape(walk: Walk, node: Node, data: Data) -> bool:
    return walk.shape(node.outputs[0]) == data.shape


#: By the operator that ends the chain; each says whether it has found it.
PATTERNS: dict[str, Callable[[Walk, Node], bool]] = {
    "Add": _bias,
    "MatMul": attention,
    "Mul": _multiplication,
}
