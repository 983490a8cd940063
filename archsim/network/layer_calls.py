"""From the rows of a layer table to the calls of a model, as the other front ends give them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from archsim.errors import Code
from archsim.network.frontend.call import Call, Data, Trace, Weight
from archsim.network.frontend.onnx_tensors import MAX_ELEMENTS
from archsim.network.frontend.operators import KIND_OF
from archsim.network.layer import conv_output
from archsim.network.layer_cells import Cells, Pair, Window
from archsim.network.operation import OpKind

#: Kinds of rows, by how they may be called.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("conv", "conv2d", "convolution", "conv1d", "pointwise"), "conv"),
        **dict.fromkeys(("depthwise", "dwconv", "depthwise_conv"), "depthwise"),
        **dict.fromkeys(("conv_transpose", "deconv", "transposed"), "conv_transpose"),
        **dict.fromkeys(("convtranspose", "convtranspose2d"), "conv_transpose"),
        **dict.fromkeys(("linear", "fc", "dense", "matmul", "gemm"), "linear"),
        **dict.fromkeys(("max_pool", "maxpool", "pool", "pooling"), "max_pool"),
        **dict.fromkeys(("avg_pool", "avgpool"), "avg_pool"),
        **dict.fromkeys(("global_pool", "gap"), "global_pool"),
        **dict.fromkeys(("add", "element_sum", "residual"), "add"),
    }
)
_MATRICES = ("conv", "depthwise", "conv_transpose", "linear")
_ACTIVATIONS = {
    "none": "none",
    **{name: name for name, kind in KIND_OF.items() if kind in (OpKind.RELU, OpKind.ACTIVATION)},
}
#: Name of the network's input in the column ``from``.
INPUT = "input"


@dataclass(frozen=True, kw_only=True)
class TableCalls:
    """What a table says.

    Attributes:
        trace: Its calls.
        input_shape: Shape of one input, without the batch axis.
        parameters: Weights and biases.
        notes: What was assumed.
    """

    trace: Trace
    input_shape: tuple[int, ...]
    parameters: int
    notes: tuple[str, ...]


def table_calls(rows: Sequence[Cells], *, neurosim: bool) -> TableCalls:
    """The calls of a table.

    Args:
        rows: Its rows.
        neurosim: Whether paddings follow from the next row, as in NeuroSim's files.

    Raises:
        NetworkError: A cell is missing, out of range, or contradicts others.
    """
    builder = _Builder(rows=rows, neurosim=neurosim)
    for index in range(len(rows)):
        builder.add(index)
    ends = tuple(data.id for name, data in builder.outputs.items() if name != INPUT)
    return TableCalls(
        trace=Trace(inputs=(builder.outputs[INPUT],), calls=tuple(builder.calls), outputs=ends),
        input_shape=builder.outputs[INPUT].shape[1:],
        parameters=builder.parameters,
        notes=tuple(builder.notes),
    )


@dataclass
class _Builder:
    """Reads one row after the other; ``outputs`` has what each gives, activation and pooling in."""

    rows: Sequence[Cells]
    neurosim: bool
    outputs: dict[str, Data] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    latest: str = INPUT
    parameters: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the last matrix, which no activation follows by default."""
        kinds = [row.word("kind", self._kind(row), KINDS) for row in self.rows]
        self.last = max((i for i, kind in enumerate(kinds) if kind in _MATRICES), default=0)

    def add(self, index: int) -> None:
        row = self.rows[index]
        kind = row.word("kind", self._kind(row), KINDS)
        name = row.name("name", f"layer{index + 1}")
        if name in self.outputs or name == INPUT:
            what = "is the network's input" if name == INPUT else "is there twice"
            raise row.error("name", f"'{name}' {what}", Code.GIVEN_TWICE, name)
        if INPUT not in self.outputs:
            self._input(row, kind)
        data = self._source(row, name, kind)
        if kind in _MATRICES:
            data = self._matrix(index, row, kind, name, data)
            data = self._activation(index, row, name, data)
            window = row.window("pool")
            if window is not None:
                data = self._pool(row, "pool", f"{name}.pool", data, window, (0, 0))
        elif kind in ("max_pool", "avg_pool"):
            kernel = row.pair("kernel", (2, 2))
            window = Window(
                kind=kind.removesuffix("_pool"), kernel=kernel, stride=row.pair("stride", kernel)
            )
            padding = row.pair("padding", (0, 0), least=0)
            data = self._pool(row, "kernel", name, data, window, padding)
        elif kind == "global_pool":
            data = self._global_pool(row, "kind", name, data)
        self.outputs[name] = data
        self.latest = name

    def _kind(self, row: Cells) -> str:
        """A row without a kind is a convolution if it has a kernel or a map, else linear."""
        sized = any(row.pair(column, (1, 1)) != (1, 1) for column in ("kernel", "in_size"))
        return "conv" if sized else "linear"

    def _input(self, row: Cells, kind: str) -> None:
        """The network's input, which the first row reads."""
        channels = row.whole("in_channels")
        if kind == "linear" and row.pair("in_size", (1, 1)) == (1, 1):
            vectors = row.whole("vectors", 1)
            shape: tuple[int, ...] = (1, channels) if vectors == 1 else (1, vectors, channels)
        else:
            shape = (1, channels, *row.pair("in_size"))
        self._check_size(row, "in_channels", shape)
        self.outputs[INPUT] = Data(id=INPUT, shape=shape)

    def _source(self, row: Cells, name: str, kind: str) -> Data:
        """What a row reads: the rows it names, else the row before, else the latest that fits."""
        names = row.names("from")
        for given in names:
            if given not in self.outputs:
                known = tuple(self.outputs)
                what = f"'{given}' is no row before this one"
                raise row.error("from", what, Code.UNKNOWN_NAME, given, known)
        if len(names) > 1 or kind == "add":
            return self._sum(row, name, names)
        if names:
            return self._checked(row, name, kind, self.outputs[names[0]])
        fitting = self._fitting(row, kind, self.outputs[self.latest])
        if fitting is not None:
            return self._checked(row, name, kind, fitting)
        for other, data in reversed(self.outputs.items()):
            if self._fits(row, kind, data):
                self.notes.append(
                    f"row {row.row} ({name}) does not fit what the row before gives, and reads "
                    f"that of {other}"
                )
                return self._checked(row, name, kind, data)
        return self._checked(row, name, kind, self.outputs[self.latest])

    def _fitting(self, row: Cells, kind: str, data: Data) -> Data | None:
        return data if self._fits(row, kind, data) or self._averaged(row, kind, data) else None

    def _fits(self, row: Cells, kind: str, data: Data) -> bool:
        """Whether the sizes that a row gives are those of ``data``."""
        channels, *size = data.shape[1:] if len(data.shape) == 4 else (data.shape[-1], 1, 1)
        given = row.whole("in_channels", channels)
        if kind == "linear" and given == math.prod(data.shape):
            return row.pair("in_size", (1, 1)) == (1, 1)
        return given == channels and row.pair("in_size", (size[0], size[1])) == tuple(size)

    def _averaged(self, row: Cells, kind: str, data: Data) -> bool:
        """Whether a linear row has an input per channel of a map: a global average is between."""
        if kind != "linear" or len(data.shape) != 4 or "vectors" in row:
            return False
        given = row.whole("in_channels", 0, least=0)
        return given == data.shape[1] and row.pair("in_size", (1, 1)) == (1, 1)

    def _checked(self, row: Cells, name: str, kind: str, data: Data) -> Data:
        """``data`` in the form that a row reads it.

        Raises:
            NetworkError: The sizes in the row are others.
        """
        if kind == "linear" and len(data.shape) == 4:
            if math.prod(data.shape[2:]) > 1 and self._averaged(row, kind, data):
                self.notes.append(
                    f"a global average pooling is assumed before row {row.row} ({name})"
                )
                data = self._global_pool(row, "in_channels", f"{name}.average", data)
            if row.pair("in_size", (1, 1)) == (1, 1):
                flat = (1, math.prod(data.shape))
                data = self._call(f"{name}.flatten", "flatten", {"input": data}, flat)
        elif kind != "linear" and len(data.shape) != 4:
            shape = (1, data.shape[-1], 1, math.prod(data.shape[:-1]))
            data = self._call(f"{name}.view", "view", {"input": data}, shape)
        if kind not in _MATRICES or self._fits(row, kind, data):
            return data
        channels, *size = data.shape[1:] if len(data.shape) == 4 else (data.shape[-1], 1, 1)
        if row.whole("in_channels", channels) != channels:
            column, value, real = "in_channels", row.whole("in_channels"), str(channels)
        else:
            column = next(c for c in ("in_size", "in_size_h", "in_size_w") if c in row)
            value, real = row.texts[column], f"{size[0]}x{size[1]}"  # type: ignore[assignment]
        raise row.error(
            column,
            f"is {value}, but what this row reads has {real}; name the row that it reads in the "
            "column 'from', or write the pooling or padding between them",
            Code.SHAPE_MISMATCH,
            value,
            real,
        )

    def _sum(self, row: Cells, name: str, names: Sequence[str]) -> Data:
        if len(names) < 2:
            what = "an add needs the names of two rows or more"
            raise row.error("from", what, Code.MISSING_KEY, allowed="names with + between them")
        terms = [self.outputs[given] for given in names]
        for given, term in zip(names, terms, strict=True):
            if term.shape != terms[0].shape:
                raise row.error(
                    "from",
                    f"'{given}' gives {_size(term)}, but '{names[0]}' gives {_size(terms[0])}",
                    Code.SHAPE_MISMATCH,
                    given,
                    _size(terms[0]),
                )
        total = terms[0]
        for number, term in enumerate(terms[1:], start=1):
            args = {"input": total, "other": term}
            end = "" if number == 1 else f"_{number}"
            total = self._call(f"{name}.add{end}", "add", args, total.shape)
        return total

    def _matrix(self, index: int, row: Cells, kind: str, name: str, data: Data) -> Data:
        if kind == "linear":
            return self._linear(row, name, data)
        groups = row.whole("groups", data.shape[1] if kind == "depthwise" else 1)
        outputs = row.whole("out_channels", data.shape[1] if kind == "depthwise" else None)
        if kind == "depthwise" and groups != data.shape[1]:
            what = f"is {groups} in a depthwise row of {data.shape[1]} channels"
            raise row.error("groups", what, Code.CONFLICT, groups, str(data.shape[1]))
        for column, channels in (("in_channels", data.shape[1]), ("out_channels", outputs)):
            if channels % groups:
                what = f"{channels} channels cannot be cut into {groups} groups"
                raise row.error("groups", f"{column}: {what}", Code.OUT_OF_RANGE, groups)
        kernel, stride = row.pair("kernel", (1, 1)), row.pair("stride", (1, 1))
        dilation = row.pair("dilation", (1, 1))
        if kind == "conv_transpose":
            padding = row.pair("padding", (0, 0), least=0)
            size = tuple(
                (n - 1) * s - 2 * p + d * (k - 1) + 1
                for n, k, s, p, d in zip(
                    data.shape[2:], kernel, stride, padding, dilation, strict=True
                )
            )
            weight = (data.shape[1], outputs // groups, *kernel)
        else:
            padding = self._padding(index, row, data, (kernel, stride, dilation))
            size = _convolved(data.shape[2:], kernel, stride, padding, dilation)
            weight = (outputs, data.shape[1] // groups, *kernel)
        if min(size) < 1:
            real = f"{data.shape[2]}x{data.shape[3]}"
            what = f"the kernel {kernel[0]}x{kernel[1]} does not fit the map {real} as padded"
            raise row.error("kernel", what, Code.SHAPE_MISMATCH, f"{kernel[0]}x{kernel[1]}", real)
        bias = row.yes("bias", default=False)
        args = {
            "input": data,
            **self._weights(row, name, weight, outputs if bias else 0),
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        }
        op = "conv_transpose2d" if kind == "conv_transpose" else "conv2d"
        self._check_size(row, "out_channels", (outputs, *size))
        return self._call(name, op, args, (1, outputs, *size))

    def _linear(self, row: Cells, name: str, data: Data) -> Data:
        for column in ("kernel", "kernel_h", "kernel_w", "stride", "groups"):
            if row.pair(column, (1, 1)) != (1, 1):
                value = row.texts[column]
                raise row.error(column, f"is {value} in a linear row", Code.CONFLICT, value, "1")
        inputs = data.shape[1] if len(data.shape) == 4 else data.shape[-1]
        vectors = math.prod(data.shape) // inputs
        if row.whole("vectors", vectors) != vectors:
            given = row.whole("vectors")
            what = f"is {given}, but what this row reads holds {vectors}"
            raise row.error("vectors", what, Code.SHAPE_MISMATCH, given, str(vectors))
        outputs = row.whole("out_channels")
        bias = row.yes("bias", default=False)
        if len(data.shape) == 4:  # a matrix at every pixel
            moved = (1, *data.shape[2:], inputs)
            data = self._call(f"{name}.permute", "permute", {"input": data}, moved)
        args = {
            "input": data,
            **self._weights(row, name, (outputs, inputs), outputs if bias else 0),
        }
        self._check_size(row, "out_channels", (*data.shape[:-1], outputs))
        return self._call(name, "linear", args, (*data.shape[:-1], outputs))

    def _padding(self, index: int, row: Cells, data: Data, window: tuple[Pair, Pair, Pair]) -> Pair:
        """Pixels on each side: as given, else those that keep the size at stride 1.

        In a NeuroSim file: those or none, whichever gives what the next row reads.
        """
        kernel, stride, dilation = window
        (height, width) = (d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        same = (height, width)
        if not self.neurosim or index + 1 == len(self.rows):
            return row.pair("padding", same, least=0)
        following = self.rows[index + 1]
        pool = row.window("pool")
        for padding in (same, (0, 0)):
            size = _convolved(data.shape[2:], kernel, stride, padding, dilation)
            if pool is not None:
                size = (size[0] // pool.kernel[0], size[1] // pool.kernel[1])
            given = Data(id="", shape=(1, row.whole("out_channels"), *size))
            if min(size) > 0 and self._fits(following, self._kind(following), given):
                return padding
        return same

    def _weights(
        self, row: Cells, name: str, shape: tuple[int, ...], biases: int
    ) -> dict[str, Weight | None]:
        elements = math.prod(shape)
        self._check_size(row, "out_channels", shape)
        self.parameters += elements + biases
        weight = Weight(name=f"{name}.weight", shape=shape, elements=elements, trainable=True)
        bias = Weight(name=f"{name}.bias", shape=(biases,), elements=biases, trainable=True)
        return {"weight": weight, "bias": bias if biases else None}

    def _activation(self, index: int, row: Cells, name: str, data: Data) -> Data:
        op = row.word("activation", "relu" if index < self.last else "none", _ACTIVATIONS)
        if op == "none":
            return data
        return self._call(f"{name}.{op}", op, {"input": data}, data.shape)

    def _pool(
        self, row: Cells, column: str, name: str, data: Data, window: Window, padding: Pair
    ) -> Data:
        if len(data.shape) != 4:
            raise row.error(column, "there is no map to pool", Code.CONFLICT)
        size = _convolved(data.shape[2:], window.kernel, window.stride, padding, (1, 1))
        fits = all(2 * p <= k for p, k in zip(padding, window.kernel, strict=True))
        if min(size) < 1 or not fits:
            height, width = data.shape[2:]
            what = f"the window does not fit the map {height}x{width}"
            raise row.error(column, what, Code.SHAPE_MISMATCH, allowed=f"up to {height}x{width}")
        args = {
            "input": data,
            "kernel_size": window.kernel,
            "stride": window.stride,
            "padding": padding,
        }
        shape = (*data.shape[:2], *size)
        return self._call(name, f"{window.kind}_pool2d", args, shape)

    def _global_pool(self, row: Cells, column: str, name: str, data: Data) -> Data:
        if len(data.shape) != 4:
            raise row.error(column, "there is no map to pool", Code.CONFLICT)
        args = {"input": data, "output_size": (1, 1)}
        return self._call(name, "adaptive_avg_pool2d", args, (*data.shape[:2], 1, 1))

    def _call(self, name: str, op: str, args: Mapping[str, object], shape: tuple[int, ...]) -> Data:
        # Not the name alone: a row may be called as another row's activation is.
        id_ = f"{len(self.calls)} {name}"
        self.calls.append(Call(id=id_, op=op, args=args, shape=shape, module=name, leaf=True))
        return Data(id=id_, shape=shape)

    def _check_size(self, row: Cells, column: str, shape: Sequence[int]) -> None:
        elements = math.prod(shape)
        if elements > MAX_ELEMENTS:
            what = f"a tensor of {elements} elements is absurd"
            raise row.error(column, what, Code.OUT_OF_RANGE, elements, f"at most {MAX_ELEMENTS}")


def _convolved(
    size: Sequence[int], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Pair:
    height, width = (
        conv_output(n, kernel=k, stride=s, padding=p, dilation=d)
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def _size(data: Data) -> str:
    return "x".join(map(str, data.shape[1:]))
