"""From a trace to operations: drop dead calls, name, and attach what follows each matrix layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from archsim.network.frontend.call import Trace
from archsim.network.frontend.complex_numbers import with_real_numbers
from archsim.network.frontend.picks import resolve_picks
from archsim.network.frontend.readers import read_call
from archsim.network.frontend.reading import Draft
from archsim.network.layer import MvmLayer
from archsim.network.operation import Op, OpKind
from archsim.network.source import Origins


def assemble(trace: Trace) -> list[Op]:
    """Operations of ``trace`` that its outputs depend on, in execution order.

    A matrix that is applied at several places is there once: operations after the first name that
    one as ``reuses``.

    Raises:
        NetworkError: A matrix layer cannot be mapped.
    """
    return assembled(trace)[0]


def assembled(trace: Trace) -> tuple[list[Op], Origins]:
    """The operations of :func:`assemble`, and where the matrices of their layers come from.

    Raises:
        NetworkError: A matrix layer cannot be mapped.
    """
    live = _live(trace)
    calls = resolve_picks(trace.calls)
    read = [
        draft
        for call in calls
        if call.id in live
        for draft in with_real_numbers(call, read_call(call))
    ]
    drafts = [(data.id, _input(data.shape)) for data in trace.inputs]
    drafts += [(draft.id, draft.op) for draft in read]
    names = _unique_names(drafts)
    owners = _owners(read)
    ops = [
        replace(
            op,
            name=names[id_],
            inputs=tuple(names[source] for source in op.inputs),
            reuses=names[owners[id_]] if id_ in owners else "",
        )
        for id_, op in drafts
    ]
    readers: dict[str, list[Op]] = defaultdict(list)
    for op in ops:
        for source in op.inputs:
            readers[source].append(op)
    origins = Origins(
        sources={names[draft.id]: draft.source for draft in read if draft.source is not None},
        reads=frozenset(name for draft in read for name in draft.reads),
    )
    return [_with_followers(op, readers) for op in ops], origins


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


def _owners(read: Sequence[Draft]) -> Mapping[str, str]:
    """For every use of a matrix after the first: id of the first.

    It is the same matrix if values and view are: another view of the same tensor (transposed, or
    with other groups) needs cells of its own.
    """
    first: dict[tuple[object, ...], str] = {}
    owners: dict[str, str] = {}
    for draft in read:
        layer, weight = draft.op.layer, draft.weight
        if layer is None or weight is None:
            continue
        size = (layer.weight_rows, layer.weight_cols, layer.groups, layer.kernel_h, layer.kernel_w)
        key = (weight.name, weight.formula, weight.shape, draft.view, size)
        owner = first.setdefault(key, draft.id)
        if owner != draft.id:
            owners[draft.id] = owner
    return owners


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
    followers = (*layer.followers, op.name)
    if op.kind is OpKind.DROPOUT or op.target == "overlap_add":
        return layer
    if op.kind is OpKind.BATCH_NORM:
        return replace(layer, batch_norm=op.name, followers=followers) if untouched else layer
    if op.kind in (OpKind.RELU, OpKind.ACTIVATION) and layer.activation is None:
        return replace(layer, activation=op.target, followers=followers)
    if op.kind is OpKind.POOL and op.pool is not None and layer.pool is None:
        return replace(layer, pool=op.pool, followers=followers)
    return None
