"""How inputs of either sign are read, layer by layer, under each value of ``read.signed_inputs``.

A zero point drives the rows of inputs around 0 with half of all codes, all the time: their cells'
errors are read with it, and what is subtracted digitally is the product of cells without errors.
Two passes do without, and take twice as many reads. A network's own input is read once per image
and has the largest maps, and its zero point is small (MNIST: 33 of 255).
"""

from __future__ import annotations

#: The rule that reads a network's own input with a zero point and hidden ones in two passes.
BY_LAYER = "by-layer"


def signed_format(rule: str, *, is_first: bool) -> str:
    """Return how a layer's inputs of either sign are read.

    Args:
        rule: value of ``read.signed_inputs``.
        is_first: whether they are the network's own.
    """
    if rule != BY_LAYER:
        return rule
    return "zero-point" if is_first else "two-pass"
