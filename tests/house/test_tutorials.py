"""Every tutorial runs from its first command to its last."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from tests.house.helpers import ROOT
from tests.house.tutorials import Step, pages, steps


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_tutorial(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = steps(page)
    assert asked
    for step in asked:
        _do(step, tmp_path)


def _do(step: Step, folder: Path) -> None:
    if step.kind == "file":
        (folder / step.file).write_text(step.text, encoding="utf-8")
    elif step.kind == "python":
        # A process of its own, as the reader has it.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", step.text],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    else:
        program, *arguments = shlex.split(step.text, comments=True)
        assert program == "archsim", step.text
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{step.text}\n{result.output}\n{result.exception!r}"
