"""The generated code of loss and gradients as a whole: order of the stages, and compilation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tsb.monte_carlo.gradient_kernels import (
    forward_source,
    indented,
    inputs_source,
    loss_source,
    mask_count,
    prepare_source,
    weights_source,
)
from tsb.monte_carlo.kernels import Layout, Stage, fill_source
from tsb.monte_carlo.lanes import IMAGE_TILE, LANES


def network_source(layouts: tuple[Layout, ...], stages: tuple[Stage, ...]) -> str:
    """Return the text of the whole: forward and backward, one tile of images after the other.

    ``network(images, labels, count, weights, biases, maps, masks, slopes, by_weight, by_bias,
    wanted, lowest, total, correct)``: ``maps`` are the buffers between the stages, of all images of
    a tile, ``slopes`` the gradients by them, ``masks`` those of a tile. ``wanted`` tells for each
    stage whether gradients by its weights are; below stage ``lowest`` nothing is.

    Args:
        layouts: buffers 0 to n.
        stages: layers 0 to n - 1, from buffer k to k + 1.
    """
    split = next(k for k, layout in enumerate(layouts) if layout.images > 1)
    last = len(stages) - 1

    def image_part(index: int) -> str:
        """The part of a buffer that belongs to one image of the tile."""
        size = layouts[index].size
        return f"maps[{index}]" + (
            "" if index >= split else f"[member * {size} : (member + 1) * {size}]"
        )

    def masks(index: int) -> str:
        size = mask_count(stages[index])
        return f"masks[{index}][member * {size} : (member + 1) * {size}]"

    def base(index: int) -> str:
        return f"member * {LANES}" if index == split else "0"

    def forward(k: int) -> str:
        tensors = f"{image_part(k)}, weights[{k}], biases[{k}], {image_part(k + 1)}"
        return f"stage{k}({tensors}, {masks(k)}, {base(k + 1) if k < split else '0'})"

    def backward(k: int) -> list[str]:
        at = base(k + 1) if k < split else "0"
        rest = f"slopes[{k + 1}], {masks(k)}"
        lines = [
            f"if {k} >= lowest:",
            f"  prepare{k}({image_part(k + 1)}, slopes[{k + 1}], by_bias[{k}], {at})",
            f"if wanted[{k}]:",
            f"  weights{k}({image_part(k)}, {rest}, by_weight[{k}], {at})",
        ]
        if k:
            lines += [
                f"if {k} > lowest:",
                f"  slopes[{k}][:] = 0",
                f"  inputs{k}(weights[{k}], {rest}, slopes[{k}], {at})",
            ]
        return lines

    each = f"    for member in range({IMAGE_TILE}):"
    lines = [
        "def network(images, labels, count, weights, biases, maps, masks, slopes, by_weight,"
        " by_bias, wanted, lowest, total, correct):",
        f"  for block in range((count + {IMAGE_TILE - 1}) // {IMAGE_TILE}):",
        each,
        f"      image = min(block * {IMAGE_TILE} + member, count - 1)",
        f"      fill(images, image, {image_part(0)}, {base(0)})",
        *indented((forward(k) for k in range(split)), 6),
        "    member = 0",
        *indented((forward(k) for k in range(split, last + 1)), 4),
        f"    loss(maps[{last + 1}], labels, block * {IMAGE_TILE}, count, slopes[{last + 1}],"
        " total, correct)",
    ]
    for k in range(last, split - 1, -1):
        lines += indented(backward(k), 4)
    if split:
        lines.append(each)
        for k in range(split - 1, -1, -1):
            lines += indented(backward(k), 6)
    return "\n".join(lines)


@lru_cache(maxsize=16)
def build(
    layouts: tuple[Layout, ...], stages: tuple[Stage, ...], shared: bool
) -> Callable[..., None]:
    """Compile a network; needs numba, takes about 1.5 s per stage unless the user's cache has it.

    Args:
        layouts: see :func:`network_source`.
        stages: see :func:`network_source`.
        shared: whether all instances see the same images.
    """
    from tsb.monte_carlo.generated import compile_text, compile_vectors

    names: dict[str, Any] = {
        "fill": compile_vectors(fill_source(layouts[0], shared)),
        "loss": _compiled_loss(layouts[-1].channels),
    }
    for index, stage in enumerate(stages):
        names |= _compiled_stage(stage, index)
    network: Callable[..., None] = compile_text(network_source(layouts, stages), names)
    return network


@lru_cache(maxsize=16)
def _compiled_loss(classes: int) -> Any:
    import math

    import numba

    from tsb.monte_carlo.generated import compile_text

    names = {"exp": math.exp, "log": math.log, "float32": numba.float32}
    return compile_text(loss_source(classes), names)


def _compiled_stage(stage: Stage, index: int) -> dict[str, Any]:
    """Return the functions of a stage by name; the first one needs no gradients by its inputs."""
    from tsb.monte_carlo.generated import compile_vectors

    texts = {
        "stage": forward_source(stage),
        "prepare": prepare_source(stage),
        "weights": weights_source(stage),
    }
    if index:
        texts["inputs"] = inputs_source(stage)
    return {f"{name}{index}": compile_vectors(text) for name, text in texts.items()}
