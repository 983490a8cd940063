"""The command in a process of its own: start-up, `python -m archsim`, pipes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house.helpers import ROOT, run_python

_HEAVY = ("torch", "pandas", "numpy", "matplotlib", "networkx", "mapping", "reports")
_PROBE = """
import sys
from archsim.cli import main
sys.argv = ["archsim", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print("exit", end.code, file=sys.stderr)
print("loaded", sorted(set(sys.modules) & {heavy}), file=sys.stderr)
"""


def _loaded(*arguments: str, cwd: Path) -> list[str]:
    done = run_python("-c", _PROBE.format(heavy=set(_HEAVY)), *arguments, cwd=cwd)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("loaded"), done.stderr
    assert "exit 0" in done.stderr
    return [name for name in _HEAVY if f"'{name}'" in last]


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("map", "--help"), ("program", "--help"), ("deploy", "--help"), ("--version",)],
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert _loaded(*arguments, cwd=tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [("list", "chips"), ("schema", "chip"), ("list", "tsb"), ("list", "policies")],
)
def test_presets_and_schemas_need_no_torch(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert "torch" not in _loaded(*arguments, cwd=tmp_path)


def test_python_m_archsim(tmp_path: Path) -> None:
    done = run_python("-m", "archsim", "map", "lenet3", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout)["network"] == "lenet3"


def test_python_m_archsim_bad_input(tmp_path: Path) -> None:
    done = run_python("-m", "archsim", "map", "--set", "chip.crossbar.rows=0", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: chip.crossbar.rows = 0: ")
    assert "Traceback" not in done.stderr


def _start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "archsim", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = _start("list", "technologies", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=60)
    process.stderr.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_ends_quietly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        "def network():\n"
        "    pathlib.Path('started').touch()\n"
        "    time.sleep(120)\n"
    )
    # In a background job SIGINT is ignored, which a child inherits; a handler it does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = _start("map", "slow:network", cwd=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    for _ in range(600):
        if (tmp_path / "started").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr == ""


def test_a_sweep_that_is_told_to_end_says_how_to_go_on(tmp_path: Path) -> None:
    sizes = ("--axis", "device.r_on={from: 20, to: 200, points: 1000}")
    sizes += ("--set", "sweep.part_points=100")
    command = ("sweep", "tsb-size-vgg8", "--out", "s", "--jobs", "2", *sizes)
    process = _start(*command, cwd=tmp_path)
    for _ in range(900):
        if list(tmp_path.glob("s/parts/*.parquet")) or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert "--resume" in stderr.splitlines()[-1]
    assert "arning" not in stderr
    assert "Traceback" not in stderr
