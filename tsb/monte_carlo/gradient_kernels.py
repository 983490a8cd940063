"""Generated code of loss and gradients of small networks: one SIMD lane per programmed instance.

Same buffers and stages as :mod:`tsb.monte_carlo.kernels`. A tile of images goes forward and, while
its maps are still in the cache, backward again. Of a 2x2 maximum only one of four products is not
zero, another one in each lane; where it lay is kept as two masks, and the backward pass chooses
pixels (or weights) by them before it multiplies: a choice costs less than a product.
"""

from __future__ import annotations

from collections.abc import Iterable

from tsb.monte_carlo import linear_kernels
from tsb.monte_carlo.kernels import Stage, stage_source, sums
from tsb.monte_carlo.lanes import IMAGE_TILE, LANES
from tsb.monte_carlo.linear_kernels import is_linear

#: Gradients of weights that are summed in registers at once.
_SUMMED = 12


def outputs(stage: Stage) -> tuple[int, int]:
    """Return rows and columns of what a stage writes, after pooling.

    Args:
        stage: the layer.
    """
    shrink = 2 if stage.pool else 1
    return stage.height // shrink, stage.width // shrink


def mask_count(stage: Stage) -> int:
    """Return the masks of one image: two per maximum, whether it lay below and on the right.

    Args:
        stage: the layer.
    """
    rows, columns = outputs(stage)
    return 2 * stage.channels_out * rows * columns if stage.pool else 0


def _mask(stage: Stage) -> str:
    rows, columns = outputs(stage)
    return f"2 * ((o * {rows} + i) * {columns} + j)"


def indented(lines: Iterable[str], depth: int) -> list[str]:
    """Return lines with more space before them.

    Args:
        lines: of a text.
        depth: number of spaces.
    """
    return [" " * depth + line for line in lines]


def forward_source(stage: Stage) -> str:
    """Return the text of ``stage(x, w, b, y, m, base)``.

    As :func:`tsb.monte_carlo.kernels.stage_source`, but keeps the masks of a maximum in ``m``, and
    what is not a number does not become 0 by ReLU.

    Args:
        stage: the layer.
    """
    if is_linear(stage):
        return linear_kernels.forward_source(stage)
    channel, row, column = stage.target
    lines = []
    values = {(i, j): f"a{i}_{j}" for i, j in sums(stage)}
    if stage.pool:
        values = {(0, 0): "maximum(bottom, top)"}
        lines = [
            "top = maximum(a0_1, a0_0)",
            "bottom = maximum(a1_1, a1_0)",
            "below = greater(bottom, top)",
            "right = choose(below, greater(a1_1, a1_0), greater(a0_1, a0_0))",
            f"mask = {_mask(stage)}",
            "m[mask] = to_bits(below)",
            "m[mask + 1] = to_bits(right)",
        ]
    for (i, j), value in values.items():
        final = f"maximum(zero, {value})" if stage.relu else value
        lines.append(f"store(y, target + o * {channel} + {i * row + j * column}, {final})")
    return stage_source(stage, lines, "x, w, b, y, m, base")


def prepare_source(stage: Stage) -> str:
    """Return the text of ``prepare(y, g, d, base)``.

    Gradients ``g`` by what a stage wrote, ``y``, become those before ReLU; their sums are added to
    the gradients ``d`` by the biases.

    Args:
        stage: the layer.
    """
    channel, row, column = stage.target
    rows, columns = outputs(stage)
    keep = ["store(g, at, v)"] if stage.relu else []
    value = "choose(greater(load(y, at), zero), load(g, at), zero)" if stage.relu else "load(g, at)"
    start = f"base + {stage.target_offset} + o * {channel}"
    lines = [
        "def prepare(y, g, d, base):",
        "  zero = broadcast(float32(0))",
        "  one = broadcast(float32(1))",
        f"  for o in range({stage.channels_out}):",
        f"    total = load(d, o * {LANES})",
        f"    for i in range({rows}):",
        f"      for j in range({columns}):",
        f"        at = {start} + i * {row} + j * {column}",
        f"        v = {value}",
        *indented(keep, 8),
        "        total = multiply_add(v, one, total)",
        f"    store(d, o * {LANES}, total)",
    ]
    return "\n".join(lines)


def _places(stage: Stage) -> list[str]:
    """Lines that set ``origin`` of the window of tile ``i, j``, and ``target`` of its gradients."""
    _, row, column = stage.source
    down, right = (stage.step * side for side in stage.tile)
    step = (1, 1) if stage.pool else stage.tile
    move_down, move_right = step[0] * stage.target[1], step[1] * stage.target[2]
    return [
        f"origin = i * {down * row} + j * {right * column}",
        f"target = base + {stage.target_offset} + i * {move_down} + j * {move_right}",
    ]


def _gradients(stage: Stage) -> list[str]:
    """Lines that load the gradients of channel ``o`` by the outputs of a tile, and the masks."""
    channel, row, column = stage.target
    if not stage.pool:
        at = f"target + o * {channel}"
        return [f"g{i}_{j} = load(g, {at} + {i * row + j * column})" for i, j in sums(stage)]
    return [
        f"mask = {_mask(stage)}",
        "below = from_bits(m[mask])",
        "right = from_bits(m[mask + 1])",
        f"gradient = load(g, target + o * {channel})",
    ]


def _window(stage: Stage) -> tuple[int, int]:
    """Rows and columns of the pixels that a tile sees."""
    rows, columns = (
        stage.step * (side - 1) + taps for side, taps in zip(stage.tile, stage.kernel, strict=True)
    )
    return rows, columns


def _filter_products(stage: Stage, taps: range) -> list[str]:
    """Lines that add the products of gradients and pixels to the sums of some rows of taps."""
    _, row, column = stage.source
    step, wide = stage.step, range(_window(stage)[1])
    taps_w = range(stage.kernel[1])

    def pixel(i: int, j: int) -> str:
        return f"load(x, at + {i * row + j * column})"

    if not stage.pool:
        rows = sorted({step * i + ky for i in range(stage.tile[0]) for ky in taps})
        return [f"x{i}_{j} = {pixel(i, j)}" for i in rows for j in wide] + [
            f"s{ky}_{kx} = multiply_add(g{i}_{j}, x{step * i + ky}_{step * j + kx}, s{ky}_{kx})"
            for i, j in sums(stage)
            for ky in taps
            for kx in taps_w
        ]
    lines = []
    for ky in taps:
        lines += [f"r{j} = choose(below, {pixel(step + ky, j)}, {pixel(ky, j)})" for j in wide]
        lines += [
            f"s{ky}_{kx} = multiply_add(gradient, choose(right, r{step + kx}, r{kx}), s{ky}_{kx})"
            for kx in taps_w
        ]
    return lines


def weights_source(stage: Stage) -> str:
    """Return the text of ``weights(x, g, m, d, base)``.

    Adds the products of pixels ``x`` and gradients ``g`` to the gradients ``d`` by the weights.

    Args:
        stage: the layer.
    """
    if is_linear(stage):
        return linear_kernels.weights_source(stage)
    taps_h, taps_w = stage.kernel
    most = max(1, _SUMMED // taps_w)
    lines = [
        "def weights(x, g, m, d, base):",
        f"  for c in range({stage.channels_in}):",
        f"    for o in range({stage.channels_out}):",
        f"      filters = (o * {stage.channels_in} + c) * {taps_h * taps_w * LANES}",
    ]
    for start in range(0, taps_h, most):
        taps = range(start, min(start + most, taps_h))
        tapped = [(f"s{ky}_{kx}", ky * taps_w + kx) for ky in taps for kx in range(taps_w)]
        products = [f"at = origin + c * {stage.source[0]}", *_filter_products(stage, taps)]
        lines += [
            *(f"      {s} = load(d, filters + {tap * LANES})" for s, tap in tapped),
            f"      for i in range({stage.height // stage.tile[0]}):",
            f"        for j in range({stage.width // stage.tile[1]}):",
            *indented([*_places(stage), *_gradients(stage), *products], 10),
        ]
        lines += [f"      store(d, filters + {tap * LANES}, {s})" for s, tap in tapped]
    return "\n".join(lines)


def _pixel_products(stage: Stage) -> list[str]:
    """Lines that add the products of gradients and weights to the sums of the pixels."""
    taps_h, taps_w = stage.kernel
    step = stage.step
    taps = [(ky, kx) for ky in range(taps_h) for kx in range(taps_w)]
    lines = [f"w{y}_{x} = load(w, filters + {(y * taps_w + x) * LANES})" for y, x in taps]
    if not stage.pool:
        for ky, kx in taps:
            for i, j in sums(stage):
                s = f"s{step * i + ky}_{step * j + kx}"
                lines.append(f"{s} = multiply_add(g{i}_{j}, w{ky}_{kx}, {s})")
        return lines
    lines += ["g0 = choose(below, zero, gradient)", "g1 = choose(below, gradient, zero)"]
    for ky in range(taps_h):
        for j in range(_window(stage)[1]):
            yes = f"w{ky}_{j - step}" if j >= step else "zero"
            no = f"w{ky}_{j}" if j < taps_w else "zero"
            lines.append(f"v = choose(right, {yes}, {no})")
            for half in (0, 1):
                s = f"s{ky + step * half}_{j}"
                lines.append(f"{s} = multiply_add(g{half}, v, {s})")
    return lines


def inputs_source(stage: Stage) -> str:
    """Return the text of ``inputs(w, g, m, d, base)``.

    Adds the products of weights ``w`` and gradients ``g`` to the gradients ``d`` by the inputs.

    Args:
        stage: the layer.
    """
    if is_linear(stage):
        return linear_kernels.inputs_source(stage)
    _, row, column = stage.source
    high, wide = _window(stage)
    pixels = [(f"s{i}_{j}", i * row + j * column) for i in range(high) for j in range(wide)]
    per_filter = stage.kernel[0] * stage.kernel[1] * LANES
    lines = [
        "def inputs(w, g, m, d, base):",
        "  zero = broadcast(float32(0))",
        f"  for i in range({stage.height // stage.tile[0]}):",
        f"    for j in range({stage.width // stage.tile[1]}):",
        *indented(_places(stage), 6),
        f"      for c in range({stage.channels_in}):",
        f"        at = origin + c * {stage.source[0]}",
        *(f"        {s} = load(d, at + {place})" for s, place in pixels),
        f"        for o in range({stage.channels_out}):",
        f"          filters = (o * {stage.channels_in} + c) * {per_filter}",
        *indented([*_gradients(stage), *_pixel_products(stage)], 10),
        *(f"        store(d, at + {place}, {s})" for s, place in pixels),
    ]
    return "\n".join(lines)


def loss_source(classes: int) -> str:
    """Return the text of ``loss(scores, labels, first, count, g, total, correct)``.

    Adds the cross-entropies of a tile of images to ``total lane`` (float64) and the right answers
    to ``correct lane``, and writes the gradients of the mean over ``count`` images by the scores;
    images past the last one get none. Labels are ``image lane``.

    Args:
        classes: number of scores.
    """
    tile = IMAGE_TILE * LANES
    return f"""def loss(scores, labels, first, count, g, total, correct):
  for member in range({IMAGE_TILE}):
    for lane in range({LANES}):
      at = member * {LANES} + lane
      if first + member >= count:
        for k in range({classes}):
          g[k * {tile} + at] = 0
        continue
      label = labels[(first + member) * {LANES} + lane]
      best = 0
      for k in range(1, {classes}):
        if scores[k * {tile} + at] > scores[best * {tile} + at]:
          best = k
      most = scores[best * {tile} + at]
      whole = float32(0)
      for k in range({classes}):
        part = exp(scores[k * {tile} + at] - most)
        g[k * {tile} + at] = part
        whole += part
      for k in range({classes}):
        g[k * {tile} + at] /= whole * count
      g[label * {tile} + at] -= float32(1) / count
      total[lane] += log(whole) - (scores[label * {tile} + at] - most)
      correct[lane] += best == label"""
