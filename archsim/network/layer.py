"""One matrix-mapped layer, as the crossbars see it.

A layer is a matrix of :attr:`MvmLayer.weight_rows` rows and :attr:`MvmLayer.weight_cols` columns
that is applied :attr:`MvmLayer.mvms` times to one network input. A fully connected layer is written
as the 1x1 convolution it is: on ``t`` tokens its map is ``1 x t`` pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from archsim.errors import Code, NetworkError

Size = tuple[int, int]
#: Longest side of a map in pixels: border pixels are counted one by one along it.
LARGEST_SIDE = 2**24
_SIDES = ("in_height", "in_width", "out_height", "out_width")


class LayerKind(StrEnum):
    """What a matrix layer was in the model."""

    CONV = "conv"
    LINEAR = "linear"
    TRANSPOSED = "conv_transpose"  # the matrix of one input pixel; its outputs overlap


class PoolKind(StrEnum):
    """How a pooling window becomes one value."""

    MAX = "max"
    AVG = "avg"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pooling window; all sizes are ``(height, width)`` in pixels.

    Adaptive and global pooling are written with the window that they amount to.

    Raises:
        NetworkError: A size is not positive, or the padding is negative.
    """

    kind: PoolKind
    kernel: Size
    stride: Size
    padding: Size = (0, 0)
    out_size: Size

    def __post_init__(self) -> None:
        """Check the sizes."""
        for field in ("kernel", "stride", "out_size"):
            for value in getattr(self, field):
                _at_least("pool", field, value, 1)
        for value in self.padding:
            _at_least("pool", "padding", value, 0)

    def __str__(self) -> str:
        """``max 2x2/2``."""
        (k_h, k_w), (s_h, s_w) = self.kernel, self.stride
        stride = str(s_h) if s_h == s_w else f"{s_h}x{s_w}"
        return f"{self.kind} {k_h}x{k_w}/{stride}"


@dataclass(frozen=True, kw_only=True)
class MvmLayer:
    """Shape of one matrix layer; sizes are in pixels and channels, without units.

    Attributes:
        name: Module path, as in ``state_dict`` without ``.weight``.
        kind: Convolution (1-d ones have height 1), linear, or transposed convolution. A transposed
            one is the 1x1 convolution that computes what each input pixel adds to the output:
            ``in_channels / groups`` rows and ``channels * kernel_h * kernel_w`` columns.
        in_height: Rows of the input map, before padding.
        in_width: Columns of the input map, before padding.
        in_channels: Input channels or features, over all groups.
        kernel_h: Kernel rows.
        kernel_w: Kernel columns.
        out_channels: Output channels or features, over all groups.
        stride_h: Vertical stride.
        stride_w: Horizontal stride.
        padding_h: Rows added above and below.
        padding_w: Columns added left and right.
        dilation_h: Vertical dilation.
        dilation_w: Horizontal dilation.
        groups: Groups; ``in_channels`` for a depthwise convolution.
        bias: Whether a bias is added (digitally; it takes no cells).
        out_height: Rows of the output map.
        out_width: Columns of the output map.
        mvms: Matrix-vector products per network input; ``out_height * out_width`` (times
            ``out_depth``) unless the model folds another axis into the batch, and then a multiple
            of it, or applies the matrix at several places: the sum over them.
        kernel_d: Kernel planes of a 3-d convolution; 1 for all others, like all that follow.
        in_depth: Planes of the input map, before padding.
        out_depth: Planes of the output map.
        stride_d: Stride from plane to plane.
        padding_d: Planes added before and behind.
        dilation_d: Dilation from plane to plane.
        uses: Places of the network at which this matrix is applied.
        picks: Where a computed index picks the group that a vector goes through (experts): vectors
            that go through one group, over all groups, spread evenly; ``mvms`` are then those of
            one group, rounded up. None where every vector goes through all groups.
        batch_norm: Name of the batch norm directly after this layer, or None.
        activation: Op name of the non-linearity that follows (``relu``, ``gelu``...), at most a
            batch norm or a pooling later, or None.
        pool: The pooling that follows before the next matrix layer, or None.
        followers: Names of the operations that these three are, in order.

    Raises:
        NetworkError: A field is out of its range; the message names field, value and range.
    """

    name: str
    kind: LayerKind
    in_height: int = 1
    in_width: int = 1
    in_channels: int
    kernel_h: int = 1
    kernel_w: int = 1
    out_channels: int
    stride_h: int = 1
    stride_w: int = 1
    padding_h: int = 0
    padding_w: int = 0
    dilation_h: int = 1
    dilation_w: int = 1
    groups: int = 1
    bias: bool = False
    out_height: int = 1
    out_width: int = 1
    mvms: int = 1
    kernel_d: int = 1
    in_depth: int = 1
    out_depth: int = 1
    stride_d: int = 1
    padding_d: int = 0
    dilation_d: int = 1
    uses: int = 1
    picks: int | None = None
    batch_norm: str | None = None
    activation: str | None = None
    pool: Pool | None = None
    followers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every field alone, then those that must agree."""
        if not self.name:
            raise NetworkError(
                "a matrix layer has no name; give it its module path",
                code=Code.MISSING_KEY,
                field="name",
            )
        for field in _POSITIVE:
            _at_least(f"layer '{self.name}'", field, getattr(self, field), 1)
        for field in ("padding_h", "padding_w", "padding_d"):
            _at_least(f"layer '{self.name}'", field, getattr(self, field), 0)
        for field in _SIDES:
            if getattr(self, field) > LARGEST_SIDE:
                self._refuse(field, f"{LARGEST_SIDE} or less")
        if self.picks is not None:
            _at_least(f"layer '{self.name}'", "picks", self.picks, 1)
        for field in ("in_channels", "out_channels"):
            if getattr(self, field) % self.groups:
                self._refuse(field, f"a multiple of groups = {self.groups}")
        self._check_output()

    def _check_output(self) -> None:
        for axis in ("height", "width", "depth"):
            short = axis[0]
            expected = conv_output(
                getattr(self, f"in_{axis}"),
                kernel=getattr(self, f"kernel_{short}"),
                stride=getattr(self, f"stride_{short}"),
                padding=getattr(self, f"padding_{short}"),
                dilation=getattr(self, f"dilation_{short}"),
            )
            if getattr(self, f"out_{axis}") != expected:
                self._refuse(f"out_{axis}", f"{expected}, from the input, kernel, stride, padding")
        if self.uses == 1 and self.mvms % self.out_pixels:
            self._refuse("mvms", f"a multiple of {self.out_height} x {self.out_width} pixels")

    def _refuse(self, field: str, allowed: str) -> None:
        raise NetworkError(
            f"layer '{self.name}': {field} is {getattr(self, field)}; it must be {allowed}",
            code=Code.OUT_OF_RANGE,
            field=field,
            value=getattr(self, field),
            allowed=allowed,
        )

    @property
    def in_pixels(self) -> int:
        """Pixels of the input map, before padding."""
        return self.in_depth * self.in_height * self.in_width

    @property
    def out_pixels(self) -> int:
        """Pixels of the output map."""
        return self.out_depth * self.out_height * self.out_width

    @property
    def weight_rows(self) -> int:
        """Rows of one group's im2col matrix: ``in_channels / groups`` times the kernel's pixels."""
        kernel = self.kernel_d * self.kernel_h * self.kernel_w
        return self.in_channels // self.groups * kernel

    @property
    def weight_cols(self) -> int:
        """Columns of the matrix over all groups: ``out_channels``."""
        return self.out_channels

    @property
    def weights(self) -> int:
        """Number of weights, without biases."""
        return self.weight_rows * self.weight_cols

    @property
    def biases(self) -> int:
        """Number of bias values."""
        return self.out_channels if self.bias else 0

    @property
    def group_mvms(self) -> int:
        """Matrix-vector products with the matrix of one group, over all groups."""
        return self.mvms * self.groups if self.picks is None else self.picks

    @property
    def macs(self) -> int:
        """Multiply-accumulates per network input, padding counted, biases not."""
        return self.group_mvms * (self.weights // self.groups)


_POSITIVE = (
    "in_height",
    "in_width",
    "in_channels",
    "kernel_h",
    "kernel_w",
    "out_channels",
    "stride_h",
    "stride_w",
    "dilation_h",
    "dilation_w",
    "groups",
    "out_height",
    "out_width",
    "mvms",
    "kernel_d",
    "in_depth",
    "out_depth",
    "stride_d",
    "dilation_d",
    "uses",
)


def conv_output(size: int, *, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Output pixels of a convolution along one axis: ``floor((H + 2p - d(k-1) - 1) / s) + 1``."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _at_least(owner: str, field: str, value: int, smallest: int) -> None:
    if value < smallest:
        raise NetworkError(
            f"{owner}: {field} is {value}; it must be {smallest} or more",
            code=Code.OUT_OF_RANGE,
            field=field,
            value=value,
            allowed=f"{smallest} or more",
        )
