"""Benchmarks refuse bad input as the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.helpers import ROOT, run_python


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
