"""From a trace to operations: drop dead calls, name, and attach what follows each matrix layer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from archsim.errors import NetworkError
from archsim.network.frontend.call import Call, Trace, Weight
from archsim.network.frontend.readers import read_call
from archsim.network.layer import MvmLayer
from archsim.network.operation import Op, OpKind


def assemble(trace: Trace) -> list[Op]:
    """Operations of ``trace`` that its outputs depend on, in execution order.

    Raises:
        NetworkError: A matrix layer cannot be mapped, or uses the weights of another one.
    """
    live = _live(trace)
    read = [(call, read_call(call)) for call in trace.calls if call.id in live]
    _refuse_shared(read)
    drafts = [(data.id, _input(data.shape)) for data in trace.inputs]
    drafts += [(call.id, op) for call, op in read]
    names = _unique_names(drafts)
    ops = [
        replace(op, name=names[id_], inputs=tuple(names[source] for source in op.inputs))
        for id_, op in drafts
    ]
    readers: dict[str, list[Op]] = defaultdict(list)
    for op in ops:
        for source in op.inputs:
            readers[source].append(op)
    return [_with_followers(op, readers) for op in ops]


def _input(shape: tuple[int, ...]) -> Op:
    return Op(name="input", kind=OpKind.INPUT, target="input", shape=shape)


def _live(trace: Trace) -> set[str]:
    sources = {call.id: [data.id for data in call.data] for call in trace.calls}
    live: set[str] = set()
    pending = list(trace.outputs)
    while pending:
        id_ = pending.pop()
        if id_ not in live:
            live.add(id_)
            pending += sources.get(id_, [])
    return live


def _refuse_shared(read: Sequence[tuple[Call, Op]]) -> None:
    """Refuse a matrix that is applied at several places: it may be stored once or many times."""
    used: Counter[str] = Counter()
    for call, op in read:
        if op.layer is None:
            continue
        weights = (operand for operand in call.operands if isinstance(operand, Weight))
        weight = next(weight for weight in weights if weight.owner == op.name)
        used[weight.name] += op.layer.weights
        if used[weight.name] > weight.elements:
            raise NetworkError(
                f"layer '{op.layer.name}': the weights '{weight.name}' are applied at more than "
                "one place in the network. archsim maps each matrix once; make a separate layer "
                "for each place (for a TSB, trace the network without it and choose a design)"
            )


def _unique_names(drafts: Sequence[tuple[str, Op]]) -> Mapping[str, str]:
    """Final name of each call id; matrix layers take theirs first, repeats get ``_2``, ``_3``..."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for id_, op in sorted(drafts, key=lambda draft: draft[1].layer is None):
        count, name = 1, op.name
        while name in taken:
            count += 1
            name = f"{op.name}_{count}"
        taken.add(name)
        names[id_] = name
    return names


def _with_followers(op: Op, readers: Mapping[str, Sequence[Op]]) -> Op:
    """``op`` with the batch norm, the activation and the pooling that its output goes through.

    The walk follows single readers only and ends at the first operation that is none of these:
    what comes after a branch or an add does not belong to one layer.
    """
    if op.layer is None:
        return op
    layer: MvmLayer = replace(op.layer, name=op.name)
    following = readers.get(op.name, ())
    while len(following) == 1:
        extended = _extend(layer, following[0])
        if extended is None:
            break
        layer = extended
        following = readers.get(following[0].name, ())
    return replace(op, layer=layer)


def _extend(layer: MvmLayer, op: Op) -> MvmLayer | None:
    """``layer`` with ``op`` noted behind it, or None where ``op`` ends the walk."""
    untouched = layer.batch_norm is None and layer.activation is None and layer.pool is None
    if op.kind is OpKind.DROPOUT:
        return layer
    if op.kind is OpKind.BATCH_NORM:
        return replace(layer, batch_norm=op.name) if untouched else layer
    if op.kind in (OpKind.RELU, OpKind.ACTIVATION) and layer.activation is None:
        return replace(layer, activation=op.target)
    if op.kind is OpKind.POOL and layer.pool is None:
        return replace(layer, pool=op.pool)
    return None
