"""What the values of a ``result.json`` may be: a file may be damaged, or come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

#: Counts below it are exact as 64-bit numbers.
_MOST = 2**63


def check_form(result: Mapping[str, Any]) -> None:
    """Refuse values of another kind; which keys there must be is not the question here.

    Args:
        result: content of a ``result.json``, of a method or a backbone.

    Raises:
        ValueError: names the first key.
    """
    for keys, is_right, what in _FORMS:
        for key in keys:
            if result.get(key) is not None and not is_right(result[key]):
                raise ValueError(f"{key} = {result[key]!r:.60} is no {what}")


def check_accuracies(accuracy: object) -> None:
    """Refuse what is no table of accuracies, chips x runs.

    Args:
        accuracy: of a ``result.json``.

    Raises:
        ValueError: no table, rows of different lengths, or an entry that is no share.
    """
    rows = accuracy if isinstance(accuracy, list) and accuracy else [None]
    for row in rows:
        if not isinstance(row, list) or not row or len(row) != len(rows[0] or ()):
            raise ValueError("its accuracy is no table of chips and runs")
        if not all(_is_number(value) and value <= 1 for value in row):
            raise ValueError("its accuracy holds what is no share")


def _is_number(value: object) -> bool:
    """Whether a value is finite and 0 or more; one that no float can be is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value >= 0
    except OverflowError:
        return False


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_more(value: object) -> bool:
    return type(value) is int and 1 <= value < _MOST


def _list_of(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda values: isinstance(values, list) and all(map(is_right, values))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _says_how_it_was_read(value: object) -> bool:
    """Whether it has what :class:`archsim.results.read_said.ReadSaid` takes."""
    if not isinstance(value, dict):
        return False
    kinds: dict[str, Callable[[object], bool]] = {
        "mode": _is_text,
        "range": _is_text,
        "adc_bits": _is_count,
        "clip_rate": _is_number,
        "warnings": _list_of(_is_text),
    }
    given = {key: value[key] for key in kinds if value.get(key) is not None}
    return all(kinds[key](one) for key, one in given.items())


#: Keys, what their values are, and what that is called; null is what is not known.
_FORMS: tuple[tuple[tuple[str, ...], Callable[[object], bool], str], ...] = (
    (("images", "weights"), _is_more, "count of 1 or more"),
    (
        (
            *("seed", "extra_weights", "written_weights", "verified_weights", "copied_weights"),
            *("digital_parameters", "digital_products", "epochs", "of_epochs"),
        ),
        _is_count,
        "count",
    ),
    (
        (
            *("sigma", "tune_macs", "correction_macs", "tune_seconds", "validation_accuracy"),
            *("clean_accuracy", "seconds", "training_macs"),
        ),
        _is_number,
        "number of 0 or more",
    ),
    (("validation_by_chip", "validation_right"), _list_of(_is_number), "list of numbers"),
    (("method", "backbone", "computed_on", "backend", "stopped"), _is_text, "text"),
    (("kept",), _list_of(_is_flag), "list of flags"),
    (
        ("diverged",),
        lambda value: _is_flag(value) or _list_of(_is_flag)(value),
        "flag or list of flags",
    ),
    (("settings",), lambda value: isinstance(value, dict), "JSON object"),
    (("read_path",), _says_how_it_was_read, "JSON object that says how chips were read"),
)
