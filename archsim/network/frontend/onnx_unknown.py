"""Operators that archsim does not know: named with their node, and what hangs on them.

What an unknown operator gives may have a shape that nobody tells. Then that shape is needed only
where stored weights are multiplied by it; what else comes behind is listed, and not priced.
"""

from __future__ import annotations

import math

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_walk import Walk
from archsim.network.frontend.reading import is_matrix


def refuse_matrices(walk: Walk, node: Node) -> None:
    """Refuse ``node``, which is not known, if it reads a stored matrix.

    Raises:
        NetworkError: It does.
    """
    matrix = _matrix(walk, node)
    if matrix is None:
        return
    domain = node.op.rpartition(".")[0]
    tool = (
        f", or save the model before the tool of {domain} fuses or quantises it" if domain else ""
    )
    raise NetworkError(
        f"{node.label}: archsim does not know {node.op}, and it reads the stored matrix "
        f"'{matrix.name}' of shape {matrix.shape}: how often that is applied is not known. Write "
        f"what {node.op} does with operators of ONNX (Conv, MatMul, Gemm, LSTM...){tool}",
        code=Code.UNSUPPORTED_OPERATOR,
        field=matrix.name,
        value=node.op,
        allowed="Conv, ConvTranspose, MatMul, Gemm, LSTM, GRU and RNN",
    )


def lose(walk: Walk, node: Node, origin: str) -> None:
    """Note that the shapes of what ``node`` gives are not known, because of ``origin``.

    Raises:
        NetworkError: It reads a stored matrix.
    """
    matrix = _matrix(walk, node)
    if matrix is not None and origin != node.label:
        raise NetworkError(
            f"{node.label} reads the stored matrix '{matrix.name}', and what it multiplies has a "
            f"shape that is not known, because archsim does not know {origin}. Write the shapes of "
            "its outputs into the file (value_info), or replace that operator",
            code=Code.UNSUPPORTED_OPERATOR,
            field=matrix.name,
            value=origin,
        )
    if matrix is not None:
        refuse_matrices(walk, node)
    outputs = [name for name in node.outputs if name]
    operands = [walk.seen[name] for name in node.inputs if name]
    call = Call(
        id=outputs[0],
        op=node.op,
        args={str(place): value for place, value in enumerate(operands)},
        shape=(),
        module=walk.place.module,
        leaf=walk.place.leaf,
    )
    walk.calls[call.id] = call
    for name in outputs:
        walk.lost[name] = origin
        walk.seen[name] = Data(id=call.id, shape=())


def _matrix(walk: Walk, node: Node) -> Weight | None:
    values = (walk.seen[name] for name in node.inputs if name)
    stored = [value for value in values if isinstance(value, Weight) and is_matrix(value)]
    return max(stored, key=lambda weight: math.prod(weight.shape), default=None)
