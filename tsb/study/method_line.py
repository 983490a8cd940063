"""What a method of a study is, in one line for people, from the study alone."""

from __future__ import annotations

from archsim.config.study import Backbone, Method, Study
from tsb.correction import Correction
from tsb.study.corrections import corrections_of
from tsb.study.programming import write_choice
from tsb.train.objective.registry import PLAIN, objective_named


def method_line(study: Study, method: Method) -> str:
    """Say how a method trains, what it verifies, and what repairs it.

    For example ``noise injection, weights bounded at 1.5 rms; one pulse per cell; digital biases``.

    Args:
        study: which.
        method: one of its methods.

    Raises:
        ConfigError: an unknown correction or objective.
    """
    repairs = [_repair(correction, method) for correction in corrections_of(study, method)]
    parts = [
        _training(study.backbones[study.backbone_of(method)]),
        _writing(method),
        ", ".join(repairs) or "no repair",
    ]
    return "; ".join(parts)


def _training(backbone: Backbone) -> str:
    words = objective_named(backbone.objective).words
    if backbone.sigma == 0 and backbone.objective == PLAIN:
        words = "trained without noise"
    elif backbone.sigma is not None:
        words += f" at sigma {backbone.sigma:g}"
    if backbone.clip is not None:
        words += f", weights bounded at {backbone.clip:g} rms"
    if backbone.scaling != "tensor":
        words += f", scaled by {backbone.scaling}"
    if backbone.stop_fraction < 1:
        words += f", stopped after {100 * backbone.stop_fraction:g} % of the epochs"
    return words


def _writing(method: Method) -> str:
    words = write_choice(method).words()
    if method.copies:
        count = len(method.copies)
        words += f", averaged copies of {count} {'matrix' if count == 1 else 'matrices'}"
    return words


def _repair(correction: Correction, method: Method) -> str:
    """Say what a correction is, and how it is written where it lies in cells."""
    if not correction.in_cells:
        return correction.words()
    return f"{correction.words()} ({'verified' if method.verify else 'one pulse'})"
