"""Recurrent layers, unrolled in time: two matrices, each applied once per step.

Of every layer and direction, ``weight_ih`` multiplies the inputs of all steps and ``weight_hh`` the
state of the step before (``weight_hr``, the projection of an LSTM, the state that comes out). Their
gates are digital. In the graph, which has no cycles, ``weight_hh`` reads ``state``: the states of
all steps, moved on by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from archsim.network.frontend.call import Call, Weight
from archsim.network.frontend.reading import Draft, refusal, source_of
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import Op, OpKind
from archsim.network.source import MatrixLayout

#: Name of the operation that hands on the states; see :func:`recurrent`.
STATE = "recurrent_state"

_NAME = re.compile(r"(?:.*[./])?weight_(ih|hh|hr)(?:_l(\d+))?(_reverse)?$")


def recurrent(call: Call) -> tuple[Draft, ...]:
    """``lstm``, ``gru``, ``rnn_tanh`` and ``rnn_relu``, of any number of layers and directions.

    Raises:
        NetworkError: Weights are missing or are not called as those of PyTorch.
    """
    if not call.data:
        raise refusal(call, "a recurrent layer without an input")
    given = call.data[0]
    steps = math.prod(given.shape[:-1])
    layers = _layers(call)
    drafts: list[Draft] = []
    source = given.id
    for number in sorted({layer for layer, _ in layers}):
        ends = []
        for reverse in (False, True):
            matrices = layers.get((number, reverse))
            if matrices is not None:
                end = f"{call.id}/{number}{'r' * reverse}"
                cell = _Cell(call, end, steps, source, matrices)
                drafts += cell.drafts()
                ends.append(drafts[-1])
        source = ends[0].id
        if len(ends) > 1:
            width = sum(end.op.shape[-1] for end in ends)
            source = f"{call.id}/{number}cat"
            drafts.append(_plain(call, source, OpKind.CAT, "cat", width, steps, ends))
    out = _plain(call, call.id, OpKind.RESHAPE, call.op, call.shape[-1], steps, [drafts[-1]])
    return (*drafts, out)


def _layers(call: Call) -> dict[tuple[int, bool], dict[str, Weight]]:
    """The matrices by layer and direction, then by ``ih``, ``hh`` and ``hr``."""
    layers: dict[tuple[int, bool], dict[str, Weight]] = {}
    for operand in call.operands:
        match = _NAME.match(operand.name) if isinstance(operand, Weight) else None
        if match is not None and isinstance(operand, Weight):
            layer = (int(match[2] or 0), match[3] is not None)
            layers.setdefault(layer, {})[match[1]] = operand
    if not layers or any(not {"ih", "hh"} <= set(matrices) for matrices in layers.values()):
        raise refusal(call, "a recurrent layer whose weights are not called weight_ih_l0 and so on")
    return layers


def _plain(
    call: Call, id_: str, kind: OpKind, target: str, width: int, steps: int, sources: list[Draft]
) -> Draft:
    shape = call.shape if id_ == call.id else (1, steps, width)
    op = Op(
        name=call.name if id_ == call.id else f"{call.name}.{target}",
        kind=kind,
        target=target,
        shape=shape,
        module=call.module,
        inputs=tuple(source.id for source in sources),
    )
    return Draft(id=id_, op=op)


@dataclass(frozen=True)
class _Cell:
    """One layer in one direction."""

    call: Call
    id: str
    steps: int
    source: str
    matrices: dict[str, Weight]

    def drafts(self) -> Iterator[Draft]:
        into, again = self.matrices["ih"], self.matrices["hh"]
        bias = any(
            isinstance(w, Weight) and re.search(r"bias_ih(_l\d+)?(_reverse)?$", w.name)
            for w in self.call.operands
        )
        first = self._matrix("ih", into, self.source, bias=bias)
        yield first
        before = tuple(data.id for data in self.call.data[1:])  # the state that it starts from
        yield self._digital("state", OpKind.RESHAPE, STATE, again.shape[1], (first.id, *before))
        second = self._matrix("hh", again, f"{self.id}/state", bias=bias)
        yield second
        hidden = self._hidden(again)
        inputs = (first.id, second.id)
        yield self._digital("cell", OpKind.ACTIVATION, f"{self.call.op}_cell", hidden, inputs)
        if "hr" in self.matrices:
            yield self._matrix("hr", self.matrices["hr"], f"{self.id}/cell", bias=False)

    def _hidden(self, again: Weight) -> int:
        """Values of the state inside the cell: before the projection, if there is one."""
        projection = self.matrices.get("hr")
        return again.shape[1] if projection is None else projection.shape[1]

    def _matrix(self, part: str, weight: Weight, source: str, *, bias: bool) -> Draft:
        cols, rows = weight.shape
        layer = MvmLayer(
            name=weight.owner,
            kind=LayerKind.LINEAR,
            in_width=self.steps,
            in_channels=rows,
            out_channels=cols,
            bias=bias,
            out_width=self.steps,
            mvms=self.steps,
        )
        op = Op(
            name=layer.name,
            kind=OpKind.LINEAR,
            target=self.call.op,
            shape=(1, self.steps, cols),
            module=self.call.module,
            inputs=(source,),
            layer=layer,
            weight=weight.name,
            stored=weight.elements,
        )
        origin = source_of(weight, MatrixLayout.plain(weight.shape))
        id_ = f"{self.id}/{part}"
        return Draft(id=id_, op=op, weight=weight, view="linear", source=origin)

    def _digital(
        self, part: str, kind: OpKind, target: str, width: int, inputs: tuple[str, ...]
    ) -> Draft:
        op = Op(
            name=f"{self.call.name}.{part}",
            kind=kind,
            target=target,
            shape=(1, self.steps, width),
            module=self.call.module,
            inputs=inputs,
        )
        return Draft(id=f"{self.id}/{part}", op=op)
