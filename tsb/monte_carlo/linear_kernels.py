"""Generated code of linear layers, forward and backward, for a tile of images at once.

All loads come from a cache and not from registers, so several channels are done together: what they
have in common is loaded once. Buffers are ``feature image lane``; see
:mod:`tsb.monte_carlo.kernels`.
"""

from __future__ import annotations

from tsb.monte_carlo.kernels import Stage
from tsb.monte_carlo.lanes import IMAGE_TILE, LANES

#: Channels done together: with a tile of images, their sums fill most of the registers.
_TOGETHER = 5
#: Numbers of one feature.
_FEATURE = IMAGE_TILE * LANES


def is_linear(stage: Stage) -> bool:
    """Tell whether a stage is a linear layer.

    Args:
        stage: the layer.
    """
    return stage.tile == (1, IMAGE_TILE)


def _together(channels: int) -> range:
    return range(next(n for n in range(_TOGETHER, 0, -1) if channels % n == 0))


def _sums(channels: range) -> list[tuple[int, int]]:
    return [(k, image) for image in range(IMAGE_TILE) for k in channels]


def _loads(name: str, buffer: str, channel: str) -> list[str]:
    """Lines that load one feature of all images."""
    places = (f"{channel} * {_FEATURE} + {image * LANES}" for image in range(IMAGE_TILE))
    return [f"    {name}{image} = load({buffer}, {at})" for image, at in enumerate(places)]


def forward_source(stage: Stage) -> str:
    """Return the text of ``stage(x, w, b, y, m, base)``; the last two are not used.

    Args:
        stage: the layer.
    """
    group = _together(stage.channels_out)
    weight = f"((o + {{}}) * {stage.channels_in} + c) * {LANES}"
    place = f"(o + {{}}) * {_FEATURE} + {{}}"
    value = "maximum(zero, a{}_{})" if stage.relu else "a{}_{}"
    lines = [
        "def stage(x, w, b, y, m, base):",
        "  zero = broadcast(float32(0))",
        f"  for o in range(0, {stage.channels_out}, {len(group)}):",
        *(f"   a{k}_{image} = load(b, (o + {k}) * {LANES})" for k, image in _sums(group)),
        f"   for c in range({stage.channels_in}):",
        *_loads("x", "x", "c"),
        *(f"    w{k} = load(w, {weight.format(k)})" for k in group),
        *(f"    a{k}_{i} = multiply_add(w{k}, x{i}, a{k}_{i})" for k, i in _sums(group)),
        *(
            f"   store(y, {place.format(k, i * LANES)}, {value.format(k, i)})"
            for k, i in _sums(group)
        ),
    ]
    return "\n".join(lines)


def weights_source(stage: Stage) -> str:
    """Return the text of ``weights(x, g, m, d, base)``; ``m`` and ``base`` are not used.

    Adds the products of inputs ``x`` and gradients ``g`` to the gradients ``d`` by the weights.

    Args:
        stage: the layer.
    """
    group = _together(stage.channels_out)
    weight = f"((o + {{}}) * {stage.channels_in} + c) * {LANES}"
    lines = [
        "def weights(x, g, m, d, base):",
        f"  for o in range(0, {stage.channels_out}, {len(group)}):",
        *(
            f"   g{k}_{image} = load(g, (o + {k}) * {_FEATURE} + {image * LANES})"
            for k, image in _sums(group)
        ),
        f"   for c in range({stage.channels_in}):",
        *_loads("x", "x", "c"),
        *(f"    s{k} = load(d, {weight.format(k)})" for k in group),
        *(f"    s{k} = multiply_add(g{k}_{i}, x{i}, s{k})" for k, i in _sums(group)),
        *(f"    store(d, {weight.format(k)}, s{k})" for k in group),
    ]
    return "\n".join(lines)


def inputs_source(stage: Stage) -> str:
    """Return the text of ``inputs(w, g, m, d, base)``; ``m`` and ``base`` are not used.

    Adds the products of weights ``w`` and gradients ``g`` to the gradients ``d`` by the inputs.

    Args:
        stage: the layer.
    """
    group = _together(stage.channels_in)
    weight = f"(o * {stage.channels_in} + c + {{}}) * {LANES}"
    place = f"(c + {{}}) * {_FEATURE} + {{}}"
    lines = [
        "def inputs(w, g, m, d, base):",
        f"  for c in range(0, {stage.channels_in}, {len(group)}):",
        *(f"   s{k}_{i} = load(d, {place.format(k, i * LANES)})" for k, i in _sums(group)),
        f"   for o in range({stage.channels_out}):",
        *_loads("g", "g", "o"),
        *(f"    w{k} = load(w, {weight.format(k)})" for k in group),
        *(f"    s{k}_{i} = multiply_add(w{k}, g{i}, s{k}_{i})" for k, i in _sums(group)),
        *(f"   store(d, {place.format(k, i * LANES)}, s{k}_{i})" for k, i in _sums(group)),
    ]
    return "\n".join(lines)
