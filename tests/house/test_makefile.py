"""The commands of the Makefile set up what they need, once: with a Python that only says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.helpers import ROOT

#: Stands in for the interpreter of the environment, and makes the command that pip would make.
_PYTHON = """#!/bin/sh
echo "$@" >> asked
test -e venv/bin/archsim || cp "$0" venv/bin/archsim
"""
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the Makefile reads, and an environment with nothing in it."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    bin_.mkdir(parents=True)
    for name in ("python", "ruff", "mypy", "lint-imports", "pytest"):
        (bin_ / name).write_text(_PYTHON)
        (bin_ / name).chmod(0o755)
    return tmp_path


def asked(clone: Path, target: str) -> list[str]:
    """What a command asked for."""
    (clone / "asked").write_text("")
    done = subprocess.run(
        ["make", target, "VENV=venv"],
        cwd=clone,
        # The tests may be run by a make of their own, whose options are not for this one.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (clone / "asked").read_text().splitlines()


def test_from_nothing_and_again(clone: Path) -> None:
    *installed, job = asked(clone, "demo")
    assert [line.split()[-1] for line in installed] == ["torch", "setuptools", ".[dev]", "timm"]
    assert job == "report"
    assert asked(clone, "demo") == ["report"]
    assert asked(clone, "setup") == []


@pytest.mark.parametrize(
    "target", ["demo", "test", "fast", "typed", "coverage", "lint", "assault", "mutants"]
)
def test_every_target_sets_up_first(clone: Path, target: str) -> None:
    whole = asked(clone, "setup")
    (clone / "venv" / "made").unlink()
    first, again = asked(clone, target), asked(clone, target)
    assert first == whole + again
    assert again


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "constraints.txt", "venv/made", "venv/bin/archsim"]
)
def test_what_changed_or_is_gone_is_set_up_anew(clone: Path, name: str) -> None:
    whole = asked(clone, "setup")
    path = clone / name
    path.touch()
    assert asked(clone, "setup") == []
    if name.startswith("venv"):
        path.unlink()
    else:
        path.write_text(path.read_text() + "\n")
    assert asked(clone, "setup") == whole
    assert asked(clone, "setup") == []


def test_an_environment_of_another_clone_is_set_up_for_this_one(
    clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = asked(clone, "setup")
    other = tmp_path_factory.mktemp("other") / "clone"
    shutil.copytree(clone, other)
    assert asked(other, "setup") == whole
