"""Which test runs which marked line: a plugin of pytest, and what marked lines call.

Loaded with ``-p tests.mutants.marks`` in a copy of the tree whose lines call :func:`reached` (see
``tests/mutants/reach.py``). It writes to the file that the environment variable `FILE` names.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

FILE = "ARCHSIM_TESTS_REACHED"
_seen: set[tuple[int, str]] = set()
_seconds: dict[str, float] = {}


def reached(number: int) -> None:
    """Write down that the present test runs a line; processes that a test starts do so too.

    Args:
        number: of the mutation of that line.
    """
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    if (number, test) not in _seen:
        _seen.add((number, test))
        _write(f"{number}\t{test}\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down what a test that passes takes, with its fixtures."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if not report.passed:
        _seconds[report.nodeid] = float("nan")
    elif report.when == "teardown" and not math.isnan(_seconds[report.nodeid]):
        _write(f"s\t{_seconds[report.nodeid]:.3f}\t{report.nodeid}\n")


def _write(line: str) -> None:
    if name := os.environ.get(FILE):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(line)
