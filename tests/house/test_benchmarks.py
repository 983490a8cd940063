"""Benchmarks refuse bad input as the commands do."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests.house.helpers import ROOT, run_python

BENCHMARKS = ROOT / "benchmarks"


def refused(patch: pytest.MonkeyPatch, name: str, *arguments: str) -> None:
    """Run a benchmark inside this process; its exit code is that of bad input."""
    patch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
    assert ended.value.code == 2


def test_pareto_measures_and_compares(tmp_path: Path) -> None:
    done = run_python(str(BENCHMARKS / "pareto.py"), "--sizes", "2000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("uniform", "correlated", "opposed", "ties", "duplicates")
    ]
    assert all(" x" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("pareto.py", ("--sizes", "0"), "--sizes: '0'; allowed: a whole number from 1 on"),
        ("programming.py", ("--network", "foo"), "unknown network 'foo'"),
        ("programming.py", ("--device", "sram"), "device 'sram' holds at most 1"),
        ("programming.py", ("--threads", "0"), "--threads: '0'; allowed: a whole number from 1 on"),
        (
            "programming.py",
            ("--loop-cells", "0"),
            "--loop-cells: '0'; allowed: a whole number from 1 on",
        ),
        (
            "read_path.py",
            ("--repeats", "0"),
            "--repeats: '0'; allowed: a whole number from 1 on",
        ),
        (
            "sweep.py",
            ("--ways", "flat,jobs 7"),
            "--ways: 'flat,jobs 7'; allowed: flat, jobs 1",
        ),
    ],
)
def test_bad_input(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: tuple[str, str],
    words: str,
) -> None:
    refused(monkeypatch, name, *arguments)
    assert words in capsys.readouterr().err
