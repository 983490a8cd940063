"""Every tutorial runs from its first command to its last."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from tests.house.helpers import run_python
from tests.house.tutorials import Step, pages, steps


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_tutorial(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path / "cache"))
    asked = steps(page)
    assert asked
    for step in asked:
        _do(step, tmp_path)


def _do(step: Step, folder: Path) -> None:
    if step.kind == "file":
        (folder / step.file).write_text(step.text, encoding="utf-8")
    elif step.kind == "python":
        done = run_python("-c", step.text, cwd=folder)  # a process of its own, as the reader has it
        assert done.returncode == 0, done.stderr
    else:
        program, *arguments = shlex.split(step.text, comments=True)
        assert program == "archsim", step.text
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{step.text}\n{result.output}\n{result.exception!r}"
