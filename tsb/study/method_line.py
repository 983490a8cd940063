"""What a method of a study is, in one line for people, from the study alone."""

from __future__ import annotations

from archsim.config.study import Backbone, Method, Study
from tsb.correction import Correction
from tsb.study.corrections import corrections_of
from tsb.study.programming import write_choice


def method_line(study: Study, method: Method) -> str:
    """Say how a method trains, what it verifies, and what repairs it.

    For example ``noise injection, weights bounded at 1.5 rms; one pulse per cell; digital biases``.

    Args:
        study: which.
        method: one of its methods.

    Raises:
        ConfigError: an unknown correction.
    """
    repairs = [_repair(own, method) for own in corrections_of(study, method)]
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
    """Say what a correction is, and how it is written where it lies in cells."""
    if not own.in_cells:
        return own.words()
    return f"{own.words()} ({'verified' if method.verify else 'one pulse'})"
