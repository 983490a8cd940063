"""Convolutions of every kind as matrices.

A convolution is an im2col matrix: ``in_channels / groups`` times the kernel's pixels rows, one
vector per output pixel. A transposed one is mapped without the zeros that would make it a
convolution (zero insertion is what ReRAM accelerators do away with: Z. Fan et al., RED, DATE 2019,
arXiv:1907.02987; this is the padding-free form that they compare with): every input pixel is a
vector of ``in_channels / groups`` values, the matrix holds the kernels of all output channels side
by side, and the patches that come out overlap and are added in digital logic. Nothing is multiplied
by inserted zeros, so the multiply-accumulates are those that counters report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.reading import Axes, Draft, axes, draft, map_axes, refusal, whole
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import Op, OpKind
from archsim.network.source import MatrixLayout


def convolution(call: Call) -> tuple[Draft, ...]:
    """``conv1d``, ``conv2d`` and ``conv3d``."""
    weight, data = call.args.get("weight"), call.args.get("input")
    if isinstance(data, Data) and isinstance(weight, Data):  # both factors are computed
        return (draft(call, OpKind.MATMUL, macs=math.prod(call.shape) * _patch(weight)),)
    if not isinstance(weight, Weight) or not isinstance(data, Data):
        raise refusal(call, "a convolution of something else than the network input")
    dims = len(weight.shape) - 2
    kernel, dilation = axes(weight.shape[2:], dims), axes(call.args.get("dilation", 1), dims)
    stride = axes(call.args.get("stride", 1), dims)
    padding = _padding(call, kernel, dilation, dims)
    groups = whole(call.args.get("groups", 1))
    in_size, out_size = map_axes(data.shape, dims), map_axes(call.shape, dims)
    layer = MvmLayer(
        name=weight.owner,
        kind=LayerKind.CONV,
        in_depth=in_size[0],
        in_height=in_size[1],
        in_width=in_size[2],
        in_channels=weight.shape[1] * groups,
        kernel_d=kernel[0],
        kernel_h=kernel[1],
        kernel_w=kernel[2],
        out_channels=weight.shape[0],
        stride_d=stride[0],
        stride_h=stride[1],
        stride_w=stride[2],
        padding_d=padding[0],
        padding_h=padding[1],
        padding_w=padding[2],
        dilation_d=dilation[0],
        dilation_h=dilation[1],
        dilation_w=dilation[2],
        groups=groups,
        bias=call.args.get("bias") is not None,
        out_depth=out_size[0],
        out_height=out_size[1],
        out_width=out_size[2],
        mvms=math.prod(call.shape) // weight.shape[0],
    )
    layout, view = MatrixLayout.plain(weight.shape), f"conv/{groups}"
    return (draft(call, OpKind.CONV, layer=layer, weight=weight, view=view, layout=layout),)


def transposed_convolution(call: Call) -> tuple[Draft, ...]:
    """``conv_transpose1d`` to ``3d``: the matrix of one input pixel, and the adding of patches."""
    weight, data = call.args.get("weight"), call.args.get("input")
    if isinstance(data, Data) and isinstance(weight, Data):
        return (draft(call, OpKind.MATMUL, macs=math.prod(data.shape) * _patch(weight)),)
    if not isinstance(weight, Weight) or not isinstance(data, Data):
        raise refusal(call, "a transposed convolution of something else than the network input")
    dims = len(weight.shape) - 2
    in_channels, groups = weight.shape[0], whole(call.args.get("groups", 1))
    columns = _patch(weight) * groups
    size, pixels = map_axes(data.shape, dims), math.prod(data.shape) // in_channels
    layer = MvmLayer(
        name=weight.owner,
        kind=LayerKind.TRANSPOSED,
        in_depth=size[0],
        in_height=size[1],
        in_width=size[2],
        in_channels=in_channels,
        out_channels=columns,
        groups=groups,
        out_depth=size[0],
        out_height=size[1],
        out_width=size[2],
        mvms=pixels,
    )
    shape = (*call.shape[: -dims - 1], columns, *data.shape[-dims:])
    rows, patch = in_channels // groups, _patch(weight)
    layout = MatrixLayout(split=(groups, rows, patch), axes=(0, 2, 1), shape=(columns, rows))
    view = f"transposed/{groups}"
    patches = draft(call, OpKind.CONV, layer=layer, weight=weight, view=view, layout=layout)
    patches = replace(patches, id=f"{call.id}/patches", op=replace(patches.op, shape=shape))
    stride = axes(call.args.get("stride", 1), dims)
    apart = all(s >= k for s, k in zip(stride, axes(weight.shape[2:], dims), strict=True))
    added = Op(
        name=f"{layer.name}.overlap_add",
        kind=OpKind.RESHAPE if apart else OpKind.REDUCE,
        target="overlap_add",
        shape=call.shape,
        module=call.module,
        inputs=(patches.id,),
    )
    return patches, Draft(id=call.id, op=added)


def any_convolution(call: Call) -> tuple[Draft, ...]:
    """``convolution``, whose argument ``transposed`` says which it is."""
    return transposed_convolution(call) if call.args.get("transposed") else convolution(call)


def _patch(weight: Data | Weight) -> int:
    """Weights per slice of a kernel along its first axis."""
    return math.prod(weight.shape[1:])


def _padding(call: Call, kernel: Sequence[int], dilation: Sequence[int], dims: int) -> Axes:
    padding = call.args.get("padding", 0)
    if padding == "valid":
        return 0, 0, 0
    if padding != "same":
        return axes(padding, dims, fill=0)
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(span % 2 for span in spans):
        raise refusal(call, "padded 'same' for an even kernel, so unevenly; pad it explicitly")
    return spans[0] // 2, spans[1] // 2, spans[2] // 2
