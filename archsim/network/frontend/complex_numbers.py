"""Products of complex numbers as products of real ones.

``(A + iB)(x + iy) = (Ax - By) + i(Bx + Ay)``: the cells hold ``A`` and ``B`` side by side, two real
weights for a complex one; the real and the imaginary part of the input are vectors of their own;
and the four results are added in pairs, in the digital unit. A real factor has no imaginary part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archsim.network.frontend.call import Call, Data
from archsim.network.frontend.reading import Draft, refusal
from archsim.network.layer import LayerKind
from archsim.network.operation import Op, OpKind


def with_real_numbers(call: Call, drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """``drafts`` of ``call``, their products those of real numbers.

    Raises:
        NetworkError: A layer of complex numbers has no such form.
    """
    if not any(operand.is_complex for operand in call.operands):
        return tuple(drafts)
    return tuple(part for draft in drafts for part in _real(call, draft))


def _real(call: Call, draft: Draft) -> tuple[Draft, ...]:
    if draft.op.layer is not None:
        return _layer(call, draft)
    if draft.op.kind in (OpKind.MATMUL, OpKind.ATTENTION, OpKind.OTHER):
        factors = sum(data.is_complex for data in call.data[:2])
        return (replace(draft, op=replace(draft.op, macs=draft.op.macs * 2**factors)),)
    return (draft,)


def _layer(call: Call, draft: Draft) -> tuple[Draft, ...]:
    layer, weight = draft.op.layer, draft.weight
    if layer is None or weight is None:
        return (draft,)
    if layer.kind is LayerKind.TRANSPOSED or len(call.data) > 1 or layer.picks is not None:
        raise refusal(call, "a layer of complex numbers that is not a plain product or convolution")
    parts: list[Draft] = []
    data = call.data[0]
    shape, inputs = call.shape, draft.op.inputs
    if weight.is_complex:
        layer = replace(layer, out_channels=2 * layer.out_channels)
        shape = (*shape, 2)
    if data.is_complex:
        layer = replace(layer, mvms=2 * layer.mvms)
        shape = (*shape, 2)
        apart = _op(draft, call, "parts", OpKind.RESHAPE, "view_as_real", (*data.shape, 2), data)
        parts.append(apart)
        inputs = (apart.id,)
    both = weight.is_complex and data.is_complex
    id_ = f"{draft.id}/products" if both else draft.id
    parts.append(
        replace(draft, id=id_, op=replace(draft.op, layer=layer, shape=shape, inputs=inputs))
    )
    if both:
        source = Data(id=id_, shape=shape)
        whole = (*call.shape, 2)
        added = _op(draft, call, "sums", OpKind.ELEMENTWISE, "complex_add", whole, source)
        parts.append(replace(added, id=draft.id))
    return tuple(parts)


def _op(
    draft: Draft,
    call: Call,
    end: str,
    kind: OpKind,
    target: str,
    shape: tuple[int, ...],
    source: Data,
) -> Draft:
    op = Op(
        name=f"{draft.op.name}.{target}",
        kind=kind,
        target=target,
        shape=shape,
        module=call.module,
        inputs=(source.id,),
    )
    return Draft(id=f"{draft.id}/{end}", op=op)
