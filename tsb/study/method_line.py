"""What a method of a study is, in one line for people, from the study alone."""

from __future__ import annotations

from archsim.config.study import Backbone, Method, Study
from tsb.correction import parse_corrections
from tsb.correction.base import Correction
from tsb.correction.block import LinearBlock, LowRank, OwnBlocks, SharedBlocks
from tsb.correction.retrain import LastLayers
from tsb.study.programming import write_choice

#: Corrections that say nothing of their own size: their names, in words.
_WORDS = {
    "batch-norm": "batch norms recalibrated",
    "output-match": "outputs of linear layers matched",
    "own-blocks": "a block of its own per layer",
    "linear-block": "shared block before linear layers",
    "biases": "digital biases",
    "scales": "digital scales",
}
#: Corrections that lie in cells, in one pulse or verified.
_IN_CELLS = (SharedBlocks, OwnBlocks, LinearBlock, LowRank, LastLayers)


def method_line(study: Study, method: Method) -> str:
    """Say how a method trains, what it verifies, and what repairs it.

    For example ``noise injection, weights bounded at 1.5 rms; one pulse per cell; digital biases``.

    Args:
        study: which.
        method: one of its methods.

    Raises:
        ConfigError: an unknown correction.
    """
    corrections = parse_corrections(method.corrections, {"tsb": study.tsb.options()})
    repairs = [_repair(own, method) for own in corrections]
    parts = [
        _training(study.backbones[study.backbone_of(method)]),
        _writing(method),
        ", ".join(repairs) or "no repair",
    ]
    return "; ".join(parts)


def _training(own: Backbone) -> str:
    words = own.objective.replace("noise-injection", "noise injection")
    if own.sigma == 0 and own.objective == "noise-injection":
        words = "trained without noise"
    elif own.sigma is not None:
        words += f" at sigma {own.sigma:g}"
    if own.clip is not None:
        words += f", weights bounded at {own.clip:g} rms"
    if own.scaling != "tensor":
        words += f", scaled by {own.scaling}"
    if own.stop_fraction < 1:
        words += f", stopped after {100 * own.stop_fraction:g} % of the epochs"
    return words


def _writing(method: Method) -> str:
    words = write_choice(method).words()
    if method.copies:
        count = len(method.copies)
        words += f", averaged copies of {count} {'matrix' if count == 1 else 'matrices'}"
    return words


def _last(count: int) -> str:
    return "last layer" if count == 1 else f"last {count} layers"


def _repair(own: Correction, method: Method) -> str:
    """Name a correction, and how it is written where it lies in cells."""
    words = _WORDS.get(own.name, own.name)
    if isinstance(own, SharedBlocks):
        words = f"shared block of {own.channels} channels"
        words += f" and depth {own.depth}" if own.depth > 1 else ""
    elif isinstance(own, LastLayers):
        words = f"{_last(own.count)} retrained"
    elif isinstance(own, LowRank):
        words = f"terms of rank {own.rank} beside linear layers"
    if not isinstance(own, _IN_CELLS):
        return words
    return f"{words} ({'verified' if method.verify else 'one pulse'})"
