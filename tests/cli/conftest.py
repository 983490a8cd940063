"""Running the command line inside this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.light_report import render_only
from tests.in_process import Result, archsim

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `archsim ARGUMENTS` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("ARCHSIM_DEBUG", raising=False)

    return archsim


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports render no figure into a file: for tests that look at none."""
    render_only(monkeypatch)
