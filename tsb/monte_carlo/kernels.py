"""Generated code of small networks on a CPU: one SIMD lane per programmed instance.

All numbers of a map lie beside each other for ``LANES`` instances, so that one vector instruction
does the same multiply-accumulate in all of them: no shuffles, and weights and pixels are loaded as
vectors. The products of a tile of outputs and a block of input channels are written out as calls
of :mod:`tsb.monte_carlo.simd`, with the sums in registers; numba compiles the text once per
geometry. Measured against the other back ends in benchmarks/monte_carlo.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tsb.monte_carlo.lanes import IMAGE_TILE, LANES

#: Products per output that are written out; more would only lengthen the compilation.
_UNROLLED = 14


@dataclass(frozen=True)
class Layout:
    """Where a map lies in its flat buffer: ``channel, row, column, image, lane``.

    ``padding`` zeros surround the rows and columns; ``images`` maps are interleaved.
    """

    channels: int
    height: int
    width: int
    padding: int = 0
    images: int = 1

    @property
    def strides(self) -> tuple[int, int, int]:
        """Steps of channel, row and column, in numbers."""
        column = self.images * LANES
        row = (self.width + 2 * self.padding) * column
        return (self.height + 2 * self.padding) * row, row, column

    @property
    def offset(self) -> int:
        """Place of the first number inside the padding."""
        return self.padding * (self.strides[1] + self.strides[2])

    @property
    def size(self) -> int:
        """Length of the buffer."""
        return self.channels * self.strides[0]


@dataclass(frozen=True)
class Stage:
    """One convolution or linear layer, with what follows it: ReLU, 2x2 maximum.

    ``height`` and ``width`` are those of the output before pooling; a linear layer is a 1x1
    convolution whose columns are the images of a tile. Strides and offset are in numbers.
    """

    channels_in: int
    channels_out: int
    kernel: tuple[int, int]
    step: int
    height: int
    width: int
    tile: tuple[int, int]
    source: tuple[int, int, int]
    target: tuple[int, int, int]
    target_offset: int
    relu: bool
    pool: bool

    @property
    def block(self) -> int:
        """Input channels whose products are written out: the largest divisor that is allowed."""
        most = max(1, _UNROLLED // (self.kernel[0] * self.kernel[1]))
        return max(d for d in range(1, most + 1) if self.channels_in % d == 0)


def sums(stage: Stage) -> list[tuple[int, int]]:
    """Return the outputs of a tile, row and column; the sum of each is called ``a{row}_{column}``.

    Args:
        stage: the layer.
    """
    return [(i, j) for i in range(stage.tile[0]) for j in range(stage.tile[1])]


def _products(stage: Stage) -> list[str]:
    """Lines that add a block of input channels to the sums of a tile, each pixel loaded once."""
    taps_h, taps_w = stage.kernel
    channel, row, column = stage.source
    taps = [(ky, kx) for ky in range(taps_h) for kx in range(taps_w)]
    pixels = sorted(
        {(stage.step * i + ky, stage.step * j + kx) for i, j in sums(stage) for ky, kx in taps}
    )
    lines = []
    for c in range(stage.block):
        at = f"origin + (c + {c}) * {channel}"
        lines += [f"x{i}_{j} = load(x, {at} + {i * row + j * column})" for i, j in pixels]
        for ky, kx in taps:
            tap = (c * taps_h + ky) * taps_w + kx
            lines.append(f"v = load(w, filters + (c * {len(taps)} + {tap}) * {LANES})")
            for i, j in sums(stage):
                pixel = f"x{stage.step * i + ky}_{stage.step * j + kx}"
                lines.append(f"a{i}_{j} = multiply_add(v, {pixel}, a{i}_{j})")
    return lines


def _stores(stage: Stage) -> list[str]:
    """Lines that write the sums of a tile, after maximum and ReLU."""
    channel, row, column = stage.target
    values = {(i, j): f"a{i}_{j}" for i, j in sums(stage)}
    if stage.pool:
        values = {(0, 0): "maximum(maximum(a0_0, a0_1), maximum(a1_0, a1_1))"}
    lines = []
    for (i, j), value in values.items():
        final = f"maximum({value}, zero)" if stage.relu else value
        lines.append(f"store(y, target + o * {channel} + {i * row + j * column}, {final})")
    return lines


def stage_source(
    stage: Stage, stores: Sequence[str] = (), arguments: str = "x, w, b, y, base"
) -> str:
    """Return the text of ``stage(x, w, b, y, base)``.

    Buffers are flat: input, weights ``out in row column lane``, biases ``out lane``, output;
    ``base`` shifts the output.

    Args:
        stage: the layer.
        stores: lines that write the sums of channel ``o`` of the tile ``i, j`` to ``target``;
            none gives maximum and ReLU, and nothing is kept of them.
        arguments: of the function, if ``stores`` needs more.
    """
    per_filter = stage.channels_in * stage.kernel[0] * stage.kernel[1]
    _, row, column = stage.source
    down, right = stage.step * stage.tile[0], stage.step * stage.tile[1]
    outputs = (1, 1) if stage.pool else stage.tile
    target_row, target_column = outputs[0] * stage.target[1], outputs[1] * stage.target[2]
    lines = [
        f"def stage({arguments}):",
        "  zero = broadcast(float32(0))",
        f"  for i in range({stage.height // stage.tile[0]}):",
        f"    for j in range({stage.width // stage.tile[1]}):",
        f"      origin = i * {down * row} + j * {right * column}",
        f"      target = base + {stage.target_offset} + i * {target_row} + j * {target_column}",
        f"      for o in range({stage.channels_out}):",
        f"        filters = o * {per_filter * LANES}",
        *(f"        a{i}_{j} = load(b, o * {LANES})" for i, j in sums(stage)),
        f"        for c in range(0, {stage.channels_in}, {stage.block}):",
        *(f"          {line}" for line in _products(stage)),
        *(f"        {line}" for line in stores or _stores(stage)),
    ]
    return "\n".join(lines)


def fill_source(layout: Layout, shared: bool) -> str:
    """Return the text of ``fill(images, image, x, base)``: one image into the first buffer.

    ``images`` is ``image pixel``, or ``image pixel lane`` if every instance has its own.

    Args:
        layout: of the first buffer.
        shared: whether all instances see the same image.
    """
    channel, row, column = layout.strides
    pixel = f"(c * {layout.height} + i) * {layout.width} + j"
    whole = layout.channels * layout.height * layout.width
    value = f"load(images, (image * {whole} + {pixel}) * {LANES})"
    if shared:
        value = f"broadcast(images[image * {whole} + {pixel}])"
    place = f"base + {layout.offset} + c * {channel} + i * {row} + j * {column}"
    return "\n".join(
        [
            "def fill(images, image, x, base):",
            f"  for c in range({layout.channels}):",
            f"    for i in range({layout.height}):",
            f"      for j in range({layout.width}):",
            f"        store(x, {place}, {value})",
        ]
    )


def network_source(layouts: tuple[Layout, ...], stages: tuple[Stage, ...]) -> str:
    """Return the text of ``network(images, count, weights, biases, buffers)``.

    Stages up to the one that fills an interleaved buffer run image by image, the rest once per
    tile of images. The last buffer holds the scores of all tiles.

    Args:
        layouts: buffers 0 to n, the last one for the scores of a tile.
        stages: layers 0 to n - 1, from buffer k to k + 1.
    """

    def call(index: int, base: str) -> str:
        tensors = f"buffers[{index}], weights[{index}], biases[{index}], buffers[{index + 1}]"
        return f"stage{index}({tensors}, {base})"

    split = next(k for k, layout in enumerate(layouts) if layout.images > 1)
    member = [f"member * {LANES}" if layout.images > 1 else "0" for layout in layouts]
    last = f"block * {layouts[-1].size}"
    lines = [
        "def network(images, count, weights, biases, buffers):",
        f"  for block in range((count + {IMAGE_TILE - 1}) // {IMAGE_TILE}):",
        f"    for member in range({IMAGE_TILE}):",
        f"      image = min(block * {IMAGE_TILE} + member, count - 1)",
        f"      fill(images, image, buffers[0], {member[0]})",
        *(f"      {call(k, member[k + 1])}" for k in range(split)),
    ]
    bases = ["0"] * (len(stages) - split - 1) + [last]
    together = [f"    {call(split + k, base)}" for k, base in enumerate(bases)]
    return "\n".join(lines + together)


@lru_cache(maxsize=16)
def build(
    layouts: tuple[Layout, ...], stages: tuple[Stage, ...], shared: bool
) -> Callable[..., None]:
    """Compile a network; needs numba; about a second per stage, unless the user's cache has it.

    Args:
        layouts: see :func:`network_source`.
        stages: see :func:`network_source`.
        shared: whether all instances see the same images.
    """
    from tsb.monte_carlo.generated import compile_text, compile_vectors

    names: dict[str, Any] = {
        f"stage{index}": compile_vectors(stage_source(stage)) for index, stage in enumerate(stages)
    }
    names["fill"] = compile_vectors(fill_source(layouts[0], shared))
    network: Callable[..., None] = compile_text(network_source(layouts, stages), names)
    return network
