"""A network as tensors: one value per matrix layer, to broadcast against a batch of designs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from archsim.errors import NOT_GIVEN, Code, DataError
from archsim.network.digital import PRODUCT_KINDS, DigitalOp
from archsim.network.flow import Flow, flow_of
from archsim.network.graph import LayerGraph
from archsim.network.layer import LayerKind, MvmLayer, conv_output
from archsim.network.operation import Op, OpKind
from archsim.network.signs import signed_values
from archsim.shapes import PerLayer
from archsim.util.files import check_regular


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTable:
    """The matrix layers of a network; tensors are float64 of shape ``(layer,)``.

    Attributes:
        names: Layer names, in execution order.
        kinds: What each layer was.
        in_height: Rows of the input map, before padding.
        in_width: Columns of the input map, before padding.
        in_channels: Input channels, over all groups.
        kernel_h: Kernel rows.
        kernel_w: Kernel columns.
        out_channels: Output channels, over all groups.
        out_height: Rows of the output map, before pooling.
        out_width: Columns of the output map, before pooling.
        stride_h: Vertical stride.
        stride_w: Horizontal stride.
        padding_h: Rows added above and below.
        padding_w: Columns added left and right.
        groups: Groups.
        mvms: Matrix-vector products per network input; where an index picks the group that a vector
            goes through, the mean over the groups, which need be no whole number.
        pool_factor: Output elements before pooling over those stored after it; 1 without pooling.
        added: Values of residual adds that follow the layer, per network input; 0 without any.
        digital_macs: Multiply-accumulates of products of two run-time operands after the layer.
        digital_operations: Multiply-adds of other digital operations there.
        digital_reads: Values that those read.
        digital_writes: Values that both kinds write.
        lookups: Values read from tables in memory there.
        is_first: 1 for layers that read the network input, else 0.
        is_signed: 1 for layers whose inputs may be negative, else 0.
        followed_by_relu: 1 where a ReLU follows before the next matrix layer or branch, else 0.
        flow: How rows flow from layer to layer; None for one behind the other.
    """

    names: tuple[str, ...]
    kinds: tuple[LayerKind, ...]
    in_height: PerLayer
    in_width: PerLayer
    in_channels: PerLayer
    kernel_h: PerLayer
    kernel_w: PerLayer
    out_channels: PerLayer
    out_height: PerLayer
    out_width: PerLayer
    stride_h: PerLayer
    stride_w: PerLayer
    padding_h: PerLayer
    padding_w: PerLayer
    groups: PerLayer
    mvms: PerLayer
    pool_factor: PerLayer
    added: PerLayer
    digital_macs: PerLayer
    digital_operations: PerLayer
    digital_reads: PerLayer
    digital_writes: PerLayer
    lookups: PerLayer
    is_first: PerLayer
    is_signed: PerLayer
    followed_by_relu: PerLayer
    flow: Flow | None = None

    def __len__(self) -> int:
        """Number of layers."""
        return len(self.names)

    @property
    def weight_rows(self) -> PerLayer:
        """Rows of the im2col matrix of one group."""
        return self.in_channels / self.groups * self.kernel_h * self.kernel_w

    @property
    def weight_cols(self) -> PerLayer:
        """Columns of the matrix, over all groups."""
        return self.out_channels

    @property
    def weights(self) -> PerLayer:
        """Weights, without biases."""
        return self.weight_rows * self.weight_cols

    @property
    def macs(self) -> PerLayer:
        """Multiply-accumulates per network input."""
        return self.mvms * self.weights

    def select(self, rows: Sequence[int]) -> LayerTable:
        """Keep some layers, in the given order."""
        columns = {name: getattr(self, name)[list(rows)] for name in _TENSORS}
        return LayerTable(
            names=tuple(self.names[row] for row in rows),
            kinds=tuple(self.kinds[row] for row in rows),
            **columns,
        )

    def to(self, device: torch.device) -> LayerTable:
        """Return a copy whose tensors lie on ``device``; itself if they do."""
        if self.groups.device == device:
            return self
        columns = {name: getattr(self, name).to(device) for name in _TENSORS}
        return LayerTable(names=self.names, kinds=self.kinds, flow=self.flow, **columns)

    def equals(self, other: LayerTable) -> bool:
        """Whether all fields, names included, are the same."""
        if (self.names, self.kinds) != (other.names, other.kinds):
            return False
        return all(torch.equal(getattr(self, f), getattr(other, f)) for f in _TENSORS)


_TENSORS = tuple(
    field.name for field in fields(LayerTable) if field.name not in ("names", "kinds", "flow")
)
#: Columns of :class:`archsim.network.digital.DigitalOp` work, per layer.
DIGITAL_COLUMNS = (
    "digital_macs",
    "digital_operations",
    "digital_reads",
    "digital_writes",
    "lookups",
)
_DERIVED = frozenset(
    {"in_channels", "mvms", "pool_factor", "added", "is_first", "is_signed", "followed_by_relu"}
    | {*DIGITAL_COLUMNS}
)


def from_graph(graph: LayerGraph) -> LayerTable:
    """The table of the matrix layers of ``graph``.

    A dilated kernel is stored with its own rows and columns, not with those that it spans; the
    planes of a 3-d kernel are further input channels. Digital operations count with the last matrix
    layer before them, those before the first layer with that one.
    """
    first, signed = set(graph.first_layers), _reading_signed(graph)
    table = _from_layers(
        graph.layers,
        is_first=tuple(layer.name in first for layer in graph.layers),
        is_signed=tuple(layer.name in signed for layer in graph.layers),
        work=_work(graph),
    )
    return replace(table, flow=flow_of(graph))


def _reading_signed(graph: LayerGraph) -> set[str]:
    """Names of the layers that read, at one of their places, what may be negative."""
    signed = signed_values(graph.graph)
    return {
        op.reuses or op.name
        for op in graph.ops
        if op.layer is not None and any(source in signed for source in op.vectors)
    }


def _work(graph: LayerGraph) -> dict[str, list[float]]:
    """``added`` and the columns of digital work, one value per matrix layer."""
    place = {layer.name: index for index, layer in enumerate(graph.layers)}
    work = {name: [0.0] * len(place) for name in ("added", *DIGITAL_COLUMNS)}
    digital = {op.name: op for op in graph.digital}
    latest = 0
    for op in graph.ops:
        if op.layer is not None:
            latest = place[op.reuses or op.name]
        elif op.name in digital:
            _count(work, latest, op, digital[op.name])
    return work


def _count(work: dict[str, list[float]], layer: int, op: Op, digital: DigitalOp) -> None:
    if op.kind is OpKind.ADD and len(op.inputs) > 1:
        work["added"][layer] += op.elements
    work["lookups"][layer] += digital.lookups
    if not digital.macs and not digital.operations:
        return
    work["digital_macs"][layer] += digital.macs
    work["digital_operations"][layer] += digital.operations
    work["digital_writes"][layer] += digital.elements
    if op.kind not in PRODUCT_KINDS:
        work["digital_reads"][layer] += digital.reads


def _from_layers(
    layers: tuple[MvmLayer, ...],
    is_first: tuple[bool, ...],
    is_signed: tuple[bool, ...],
    work: Mapping[str, Sequence[float]] | None = None,
) -> LayerTable:
    columns = {
        name: _column([getattr(layer, name) for layer in layers])
        for name in _TENSORS
        if name not in _DERIVED
    }
    nothing, given = [0.0] * len(layers), work or {}
    columns |= {name: _column(given.get(name, nothing)) for name in ("added", *DIGITAL_COLUMNS)}
    return LayerTable(
        names=tuple(layer.name for layer in layers),
        kinds=tuple(layer.kind for layer in layers),
        mvms=_column([layer.group_mvms / layer.groups for layer in layers]),
        in_channels=_column([layer.in_channels * layer.kernel_d for layer in layers]),
        pool_factor=_column([_pool_factor(layer) for layer in layers]),
        is_first=_column(is_first),
        is_signed=_column(is_signed),
        followed_by_relu=_column([layer.activation == "relu" for layer in layers]),
        flow=None,
        **columns,
    )


def _column(values: Sequence[float | int]) -> PerLayer:
    return torch.tensor(values, dtype=torch.float64)


def _pool_factor(layer: MvmLayer) -> float:
    if layer.pool is None:
        return 1.0
    height, width = layer.pool.out_size
    return layer.out_height * layer.out_width / (height * width)


CSV_HEADER = (
    "layer",
    "IFM_H",
    "IFM_W",
    "Cin",
    "kH",
    "kW",
    "Cout",
    "followed_by_2x2_maxpool",
    "stride",
    "pad_used_in_trace",
    "n_input_vectors_counted",
    "weights",
    "weight_rows",
)


def from_layer_csv(path: str | Path) -> LayerTable:
    """Read a table in the layout of a NeuroSim network file, with a header.

    The file says nothing of activations or branches: a ReLU is assumed after every layer but the
    last, and the first row alone is taken to read the network input, which may be negative. The
    column ``n_input_vectors_counted`` is NeuroSim's own count, which leaves the padding out;
    ``mvms`` here is the true number of output pixels.

    Args:
        path: A CSV file with the columns :data:`CSV_HEADER`, in that order.

    Raises:
        DataError: The file cannot be read or is empty, or a field is missing, not a whole number,
            out of range, or contradicts others; the message names file, line and field.
    """
    path = Path(path)
    check_regular(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if row]
    except (OSError, UnicodeDecodeError) as error:
        said = f"cannot be read as a layer table: {error}"
        raise DataError.of(Code.CANNOT_READ, path, problem=said) from error
    if not rows or tuple(rows[0][1]) != CSV_HEADER:
        header = ",".join(CSV_HEADER)
        said = f"{path}, line 1: the header must be '{header}'"
        raise DataError(said, code=Code.DAMAGED_FILE, field=f"{path}, line 1", allowed=header)
    lines = [_Line.parse(path, number, row) for number, row in rows[1:]]
    if not lines:
        raise DataError.of(Code.EMPTY, path, problem="no layer after the header")
    for position, line in enumerate(lines):
        if line.name in [earlier.name for earlier in lines[:position]]:
            raise line.error("layer", f"'{line.name}' is there twice", Code.GIVEN_TWICE, line.name)
    first = (True, *(False for _ in lines[1:]))
    table = _from_layers(tuple(line.layer() for line in lines), is_first=first, is_signed=first)
    columns = {name: getattr(table, name) for name in _TENSORS}
    columns["pool_factor"] = _column([line.pool_factor() for line in lines])
    columns["followed_by_relu"] = _column([1.0] * (len(lines) - 1) + [0.0])
    return LayerTable(names=table.names, kinds=table.kinds, **columns)


@dataclass(frozen=True)
class _Line:
    """One row of the file, its numbers checked one by one."""

    path: Path
    number: int
    name: str
    values: Mapping[str, int]

    @classmethod
    def parse(cls, path: Path, number: int, row: list[str]) -> _Line:
        line = cls(path, number, row[0].strip(), {})
        if len(row) != len(CSV_HEADER):
            said = f"{len(row)} fields; it must have {len(CSV_HEADER)}"
            raise line.error("row", said, Code.SHAPE_MISMATCH, len(row))
        if not line.name:
            raise line.error("layer", "the name is empty", Code.MISSING_KEY)
        values = {}
        for field, text in zip(CSV_HEADER[1:], row[1:], strict=True):
            values[field] = line.whole_number(field, text)
        line = cls(path, number, line.name, values)
        line.check()
        return line

    def error(self, field: str, problem: str, code: Code, value: object = NOT_GIVEN) -> DataError:
        place = f"{self.path}, line {self.number}, field '{field}'"
        return DataError(f"{place}: {problem}", code=code, field=place, value=value)

    def whole_number(self, field: str, text: str) -> int:
        smallest = 0 if field in _MAY_BE_ZERO else 1
        try:
            value = int(text)
        except ValueError:
            said = f"'{text}' is not a whole number"
            raise self.error(field, said, Code.WRONG_TYPE, text) from None
        if value < smallest:
            said = f"is {value}; it must be {smallest} or more"
            raise self.error(field, said, Code.OUT_OF_RANGE, value)
        return value

    def check(self) -> None:
        v = self.values
        pooled = v["followed_by_2x2_maxpool"]
        if pooled > 1:
            said = "must be 0 or 1"
            raise self.error("followed_by_2x2_maxpool", said, Code.OUT_OF_RANGE, pooled)
        rows = v["Cin"] * v["kH"] * v["kW"]
        for field, expected in (("weight_rows", rows), ("weights", rows * v["Cout"])):
            if v[field] != expected:
                said = f"is {v[field]}, but the sizes in the row give {expected}"
                raise self.error(field, said, Code.SHAPE_MISMATCH, v[field])
        if min(self.out_size()) < 1:
            said = f"the kernel {v['kH']}x{v['kW']} is larger than the padded map"
            raise self.error("kH", said, Code.SHAPE_MISMATCH, v["kH"])
        if pooled and min(self.out_size()) < 2:
            said = "the map is too small for a 2x2 pooling"
            raise self.error("followed_by_2x2_maxpool", said, Code.SHAPE_MISMATCH, pooled)

    def out_size(self) -> tuple[int, int]:
        v = self.values
        step = {"stride": v["stride"], "padding": v["pad_used_in_trace"]}
        return (
            conv_output(v["IFM_H"], kernel=v["kH"], **step),
            conv_output(v["IFM_W"], kernel=v["kW"], **step),
        )

    def pool_factor(self) -> float:
        if not self.values["followed_by_2x2_maxpool"]:
            return 1.0
        height, width = self.out_size()
        return height * width / ((height // 2) * (width // 2))

    def layer(self) -> MvmLayer:
        v = self.values
        is_linear = all(v[field] == 1 for field in ("IFM_H", "IFM_W", "kH", "kW"))
        height, width = self.out_size()
        return MvmLayer(
            name=self.name,
            kind=LayerKind.LINEAR if is_linear else LayerKind.CONV,
            in_height=v["IFM_H"],
            in_width=v["IFM_W"],
            in_channels=v["Cin"],
            kernel_h=v["kH"],
            kernel_w=v["kW"],
            out_channels=v["Cout"],
            stride_h=v["stride"],
            stride_w=v["stride"],
            padding_h=v["pad_used_in_trace"],
            padding_w=v["pad_used_in_trace"],
            out_height=height,
            out_width=width,
            mvms=height * width,
        )


_MAY_BE_ZERO = frozenset(
    {"followed_by_2x2_maxpool", "pad_used_in_trace", "n_input_vectors_counted"}
)
