"""Recurrent layers of ONNX as those of PyTorch: one pair of matrices per direction."""

from __future__ import annotations

from dataclasses import replace

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Weight
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_walk import Value, Walk

#: Where an LSTM has its weights from the cell to its gates.
_PEEPHOLE = 7


def recurrent(walk: Walk, node: Node) -> None:
    """Add the call for an ``LSTM``, ``GRU`` or ``RNN``.

    ONNX stacks the matrices of both directions; PyTorch has them apart, after the names
    ``weight_ih_l0``, ``weight_hh_l0`` and those with ``_reverse``. The first output of ONNX, of
    shape (steps, directions, batch, hidden), is a permutation of PyTorch's.

    Raises:
        NetworkError: Weights are not stored, or have peepholes.
    """
    if walk.operand(node, _PEEPHOLE) is not None:
        raise NetworkError(
            f"{node.label}: an LSTM with peepholes (input P) is not read; PyTorch has none",
            code=Code.UNSUPPORTED_OPERATOR,
            field=node.label,
            value="P",
        )
    data = walk.data(node)
    stacks = [_stack(node, walk.operand(node, index)) for index in (1, 2)]
    bias = walk.operand(node, 3)
    directions, _, hidden = stacks[1].shape
    batch_first = bool(node.whole("layout", 0))
    args = {
        "input": data,
        "hx": tuple(_state(v) for v in (walk.operand(node, i) for i in (5, 6)) if v is not None),
        "params": _parameters(walk, stacks, bias, directions),
        "has_biases": bias is not None,
        "num_layers": 1,
        "dropout": 0.0,
        "train": False,
        "bidirectional": directions == 2,
        "batch_first": batch_first,
    }
    shape = (*data.shape[:2], directions * hidden)
    layer = walk.emit(node, _name(node), args, shape=shape)
    for index, name in enumerate(node.outputs):
        if name and walk.readers[name]:
            op = "permute" if index == 0 else "getitem"
            part = {"input": layer, "index": index}
            walk.seen[name] = walk.emit(node, op, part, output=index, suffix="_part")


def _parameters(
    walk: Walk, stacks: list[Weight], bias: Value | None, directions: int
) -> tuple[Weight, ...]:
    """Matrices, and if there are any biases, of each direction, in PyTorch's order."""
    parts = []
    number = _number(walk, stacks[0])
    for end in (f"{number}", f"{number}_reverse")[:directions]:
        names = (f"weight_ih_l{end}", f"weight_hh_l{end}")
        parts += [
            _part(walk, stack, name, directions) for stack, name in zip(stacks, names, strict=True)
        ]
        if isinstance(bias, Weight):  # both biases of all gates, one after the other
            half = replace(bias, shape=(directions, bias.shape[-1] // 2))
            names = (f"bias_ih_l{end}", f"bias_hh_l{end}")
            parts += [_part(walk, half, name, 2 * directions) for name in names]
    return tuple(parts)


def _number(walk: Walk, stack: Weight) -> int:
    """Which of the layers of its module has the weights ``stack``."""
    known = walk.cells.setdefault(walk.place.module, [])
    if stack.name not in known:
        known.append(stack.name)
    return known.index(stack.name)


def _stack(node: Node, value: Value | None) -> Weight:
    if isinstance(value, Weight) and len(value.shape) == 3 and value.shape[0] in (1, 2):
        return value
    what = "is not stored" if not isinstance(value, Weight) else f"has shape {value.shape}"
    raise NetworkError(
        f"{node.label}: its weight matrix {what}; stored ones of 1 or 2 directions are read",
        code=Code.UNSUPPORTED,
        field=node.label,
    )


def _state(value: Value) -> Value:
    """A first state; stored ones are no parameters."""
    return replace(value, trainable=False) if isinstance(value, Weight) else value


def _part(walk: Walk, stack: Weight, last: str, parts: int) -> Weight:
    """One part of a stack, without its first axis, as a tensor of its own."""
    part = Weight(
        name=f"{stack.name}.{last}",
        shape=stack.shape[1:],
        elements=stack.elements // parts,
        trainable=stack.trainable,
    )
    return walk.names.of(part, walk.place, last)


def _name(node: Node) -> str:
    if node.op != "RNN":
        return node.op.lower()
    kinds = node.attributes.get("activations")
    first = kinds[0] if isinstance(kinds, tuple) and kinds else "Tanh"
    return "rnn_relu" if str(first).lower() == "relu" else "rnn_tanh"
