"""A layer graph as text, as a data frame and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Protocol

from archsim.network.layer import MvmLayer
from archsim.network.operation import Op, Totals, UnmappedOp

if TYPE_CHECKING:
    import pandas


class DrawableGraph(Protocol):
    """What is shown of a layer graph (:class:`archsim.network.graph.LayerGraph`)."""

    @property
    def name(self) -> str:
        """Name of the network."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    @property
    def ops(self) -> tuple[Op, ...]:
        """All operations."""

    @property
    def layers(self) -> tuple[MvmLayer, ...]:
        """Those that are matrix layers."""

    @property
    def unmapped(self) -> tuple[UnmappedOp, ...]:
        """Products that no crossbar computes."""

    @property
    def totals(self) -> Totals:
        """Sums over the network."""


def layer_frame(graph: DrawableGraph) -> pandas.DataFrame:
    """One row per matrix layer of ``graph``, in execution order."""
    import pandas

    return pandas.DataFrame([_row(layer) for layer in graph.layers])


def layer_html(graph: DrawableGraph) -> str:
    """A heading and the table of :func:`layer_frame`."""
    total = graph.totals
    shape = "x".join(map(str, graph.input_shape))
    heading = (
        f"<b>{html.escape(graph.name)}</b>, input {shape}: {len(graph.layers)} matrix layers, "
        f"{total.weights:,} weights, {total.macs:,} MACs, {total.parameters:,} parameters"
    )
    if graph.unmapped:
        heading += "; not mapped: " + html.escape(", ".join(op.name for op in graph.unmapped))
    return f"<p>{heading}</p>{layer_frame(graph).to_html(index=False)}"


def dump_text(graph: DrawableGraph) -> str:
    """The whole graph as deterministic text, one operation a line, ending in a newline."""
    total = graph.totals
    lines = [
        f"network {graph.name} input {_dims(graph.input_shape)}",
        f"totals weights={total.weights} biases={total.biases} macs={total.macs} "
        f"parameters={total.parameters}",
        *(_line(op) for op in graph.ops),
    ]
    return "\n".join(lines) + "\n"


def _row(layer: MvmLayer) -> dict[str, object]:
    return {
        "name": layer.name,
        "kind": str(layer.kind),
        "in_channels": layer.in_channels,
        "in_height": layer.in_height,
        "in_width": layer.in_width,
        "out_channels": layer.out_channels,
        "out_height": layer.out_height,
        "out_width": layer.out_width,
        "kernel": _dims((layer.kernel_d, layer.kernel_h, layer.kernel_w)[layer.kernel_d < 2 :]),
        "stride": f"{layer.stride_h}x{layer.stride_w}",
        "padding": f"{layer.padding_h}x{layer.padding_w}",
        "dilation": f"{layer.dilation_h}x{layer.dilation_w}",
        "groups": layer.groups,
        "bias": layer.bias,
        "weight_rows": layer.weight_rows,
        "weight_cols": layer.weight_cols,
        "weights": layer.weights,
        "uses": layer.uses,
        "mvms": layer.mvms,
        "macs": layer.macs,
        "batch_norm": layer.batch_norm or "",
        "activation": layer.activation or "",
        "pool": str(layer.pool or ""),
    }


def _line(op: Op) -> str:
    reads = f" <- {', '.join(op.inputs)}" if op.inputs else ""
    return f"{op.name}: {op.kind} {op.target} {_dims(op.shape)}{reads}{_detail(op)}"


def _detail(op: Op) -> str:
    if op.pool is not None:
        return f" [{op.pool}]"
    if op.layer is None:
        return f" [{op.macs} macs]" if op.macs else ""
    layer = op.layer
    parts = [f"{layer.weight_rows}x{layer.weight_cols} matrix", f"{layer.mvms} mvms"]
    parts += [f"{layer.kernel_h}x{layer.kernel_w}/{layer.stride_h}x{layer.stride_w}"]
    parts += [f"pad {layer.padding_h}x{layer.padding_w}", f"groups {layer.groups}"]
    parts += [f"dilation {layer.dilation_h}x{layer.dilation_w}", f"biases {layer.biases}"]
    planes = f"planes {layer.in_depth} to {layer.out_depth}, kernel {layer.kernel_d}"
    parts += [planes] if layer.in_depth > 1 else []
    parts += [f"matrix of {op.reuses}"] if op.reuses else []
    parts += [f"bn {layer.batch_norm}"] if layer.batch_norm else []
    parts += [f"activation {layer.activation}"] if layer.activation else []
    parts += [f"pool {layer.pool}"] if layer.pool else []
    return f" [{', '.join(parts)}]"


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
