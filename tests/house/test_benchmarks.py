"""Benchmarks refuse bad input as the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.helpers import ROOT, run_python


def test_pareto_measures_and_compares(tmp_path: Path) -> None:
    script = str(ROOT / "benchmarks" / "pareto.py")
    done = run_python(script, "--sizes", "2000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("uniform", "correlated", "opposed", "ties", "duplicates")
    ]
    assert all(" x" in line for line in lines)
    done = run_python(script, "--sizes", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "--sizes: '0'; allowed: a whole number from 1 on" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--network", "foo"), "unknown network 'foo'"),
        (("--device", "sram"), "device 'sram' holds at most 1"),
        (("--threads", "0"), "--threads: '0'; allowed: a whole number from 1 on"),
        (("--loop-cells", "0"), "--loop-cells: '0'; allowed: a whole number from 1 on"),
    ],
)
def test_programming(tmp_path: Path, arguments: tuple[str, str], words: str) -> None:
    done = run_python(str(ROOT / "benchmarks" / "programming.py"), *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_sweep_refuses_unknown_ways(tmp_path: Path) -> None:
    script = str(ROOT / "benchmarks" / "sweep.py")
    done = run_python(script, "--ways", "flat,jobs 7", cwd=tmp_path)
    assert done.returncode == 2
    assert "--ways: 'flat,jobs 7'; allowed: flat, jobs 1" in done.stderr
