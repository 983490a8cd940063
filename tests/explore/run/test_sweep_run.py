"""Runs of sweeps: the same rows whoever works them out, and after whatever stops them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from archsim.api.sweep import Announcement, sweep
from archsim.config.sweep import Sweep
from archsim.errors import ConfigError, DataError
from archsim.explore.run import executors
from archsim.explore.run.exhaustive import compute_part, describe
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job, Progress
from tests.explore.run.tasks import dies, fails
from tests.explore.sweeps import small_sweep, sweep_of
from tests.forks import Forked, Server
from tests.house.helpers import ROOT
from tests.refusals import refused

PARTS = 12


def parts_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "parts").iterdir())}


def differing(one: Path, other: Path) -> list[str]:
    """Parts that one of two folders lacks or has with other bytes, with what differs in them."""
    first, second = parts_of(one), parts_of(other)
    found = []
    for name in sorted({*first, *second}):
        if name not in first or name not in second:
            found.append(f"{name} is not in both")
        elif first[name] != second[name]:
            rows = [pq.read_table(place / "parts" / name).to_pylist() for place in (one, other)]
            cells = [
                f"{key} {own[key]!r} {their[key]!r}"
                for own, their in zip(*rows, strict=False)
                for key in own
                if own[key] != their[key]
            ]
            found.append(f"{name}, {len(rows[0])} and {len(rows[1])} rows: {cells}")
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sweep, not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    sweep(small_sweep(), out=folder, jobs=1)
    assert len(parts_of(folder)) == PARTS
    return folder


def test_plan_says_what_comes(whole: Path) -> None:
    found: list[Announcement] = []
    steps: list[Progress] = []
    sweep(
        small_sweep(), out=whole.parent / "again", jobs=1, announce=found.append, news=steps.append
    )
    plan = found[0].plan
    assert (plan.combinations, plan.points, plan.parts, plan.forbidden) == (72, 60, PARTS, {})
    assert plan.seconds > 0
    assert [step.parts for step in steps] == list(range(1, PARTS + 1))
    assert (steps[-1].combinations, steps[-1].rows, steps[-1].of) == (72, 60, PARTS)
    assert differing(whole.parent / "again", whole) == []


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    sweep(small_sweep(), out=tmp_path, jobs=2)
    assert differing(tmp_path, whole) == []


@pytest.mark.parametrize("points", [1, 4, 1000])
def test_the_size_of_parts_changes_no_rows(tmp_path: Path, points: int) -> None:
    design = {"design": ["common"], "chip.adc.bits": [4, 5], "tsb.channels": [8, 16, 32]}
    first = sweep(sweep_of(design, part_points=2), out=tmp_path / "two").store.table()
    other = sweep(sweep_of(design, part_points=points), out=tmp_path / "other").store
    assert other.parts == {1: 6, 4: 2, 1000: 1}[points]
    assert other.table().to_pylist() == first.to_pylist()
    two = tmp_path / "two"
    with refused(DataError, code="wrong-file", field=two, value=ANY, says=["part_points", "(2"]):
        sweep(sweep_of(design, part_points=points), out=tmp_path / "two", resume=True)


@pytest.mark.slow
def test_resume_does_what_is_missing_and_what_is_damaged(whole: Path, tmp_path: Path) -> None:
    sweep(small_sweep(), out=tmp_path, jobs=1)
    parts = tmp_path / "parts"
    (parts / "part-0000003.parquet").unlink()
    cut = parts / "part-0000005.parquet"
    cut.write_bytes(cut.read_bytes()[:100])
    content = bytearray((parts / "part-0000007.parquet").read_bytes())
    content[60] ^= 0xFF
    (parts / "part-0000007.parquet").write_bytes(content)
    says = ["11", "12", "--resume"]
    with refused(DataError, code="in-the-way", field=tmp_path, says=says):
        sweep(small_sweep(), out=tmp_path)
    done: list[Progress] = []
    sweep(small_sweep(), out=tmp_path, resume=True, jobs=1, news=done.append)
    assert differing(tmp_path, whole) == []
    assert [step.parts for step in done] == [10, 11, 12]
    sweep(small_sweep(), out=tmp_path, resume=True, jobs=1, news=done.append)
    assert len(done) == 3


@pytest.mark.slow
def test_a_full_disk_stops_clearly_and_can_be_resumed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with refused(DataError, code="cannot-write", field=ANY, says=["space", "--resume"]):
        sweep(small_sweep(), out=tmp_path, jobs=1)
    monkeypatch.undo()
    left = parts_of(tmp_path)
    assert 0 < len(left) < PARTS
    assert left.items() <= parts_of(whole).items()
    sweep(small_sweep(), out=tmp_path, resume=True, jobs=1)
    assert differing(tmp_path, whole) == []


def test_ctrl_c_keeps_what_is_done(whole: Path, tmp_path: Path) -> None:
    def stop(step: Progress) -> None:
        if step.parts == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(small_sweep(), out=tmp_path, jobs=1, news=stop)
    assert len(parts_of(tmp_path)) == 4
    sweep(small_sweep(), out=tmp_path, resume=True, jobs=1)
    assert differing(tmp_path, whole) == []


def test_nothing_is_left() -> None:
    found = small_sweep(where=["chip.crossbar.rows > 500"])
    with refused(ConfigError, code="empty", field="sweep.where", value=72):
        Job(found).plan()


@pytest.mark.parametrize(
    ("keys", "code", "field", "facts"),
    [
        ({"objectives": ["edpp"]}, "unknown-name", "column", {"value": "edpp", "nearest": "edp"}),
        ({"objectives": ["device"]}, "wrong-type", "device", {"value": ANY}),
        ({"objectives": []}, "empty", "objectives", {"value": "", "allowed": "columns"}),
        (
            {"constraints": ["area < 50"]},
            "missing-key",
            "constraint",
            {"value": "area < 50", "allowed": "mm2"},
        ),
        (
            {"constraints": ["aera_mm2 < 50"]},
            "unknown-name",
            "column",
            {"value": "aera_mm2", "nearest": "area_m2"},
        ),
        ({"constraints": ["design < 50"]}, "wrong-type", "constraint", {"value": "design < 50"}),
        (
            {"constraints": ["accuracy > 97 %"]},
            "missing-key",
            "column",
            {"value": "accuracy", "says": ["fidelity:"]},
        ),
        (
            {"objectives": ["edp", "accuracy_mean"]},
            "missing-key",
            "column",
            {"value": "accuracy_mean"},
        ),
    ],
)
def test_questions_are_checked_before_anything_runs(
    tmp_path: Path, keys: dict[str, list[str]], code: str, field: str, facts: dict[str, Any]
) -> None:
    with refused(ConfigError, code=code, field=field, **facts):
        sweep(small_sweep(**keys), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("area_mm2 > 80", "area < 50 mm2"),
        ("edp_Js < 1", "edp_Js >= 1"),
        ("tiles == 3", "tiles == 4"),
        ("device == rram", "device == pcm"),
    ],
)
def test_constraints_that_cannot_both_hold(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(small_sweep(constraints=[one, other]), out=tmp_path / "out")
    problem = caught.value.problems[0]
    assert (problem.code, problem.field) == ("conflict", "conditions")
    assert isinstance(problem.value, tuple)
    assert {*problem.value} == {one, other}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("constraint", "path", "allowed"),
    [
        ("channels > 500", "tsb.channels", ["16", "4"]),
        ("rows > 500", "chip.crossbar.rows", ["64", "128"]),
        ("device == mram", "device", ["rram", "pcm"]),
    ],
)
def test_constraints_that_no_value_meets(
    tmp_path: Path, constraint: str, path: str, allowed: list[str]
) -> None:
    with refused(ConfigError, code="empty", field=path, value=constraint, allowed=allowed):
        sweep(small_sweep(constraints=[constraint]), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "constraints",
    [
        ["area_mm2 > 1e-6", "area_mm2 < 1e6", "area_mm2 != 3"],
        ["edp_Js >= 1", "edp_Js <= 1"],
        ["device == rram", "device != pcm"],
    ],
)
def test_constraints_that_something_may_meet_are_no_contradiction(
    tmp_path: Path, constraints: list[str]
) -> None:
    assert sweep(small_sweep(constraints=constraints), out=tmp_path / "out", jobs=1).store.done()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second run is refused while the first one writes, and leaves its folder alone."""
    errors: list[DataError] = []

    def try_second() -> None:
        try:
            sweep(small_sweep(), out=tmp_path / "out", resume=True, jobs=1)
        except DataError as error:
            errors.append(error)

    def second(step: Progress) -> None:
        if step.parts == 3:  # what a thread has locked it may lock again
            other = threading.Thread(target=try_second)
            other.start()
            other.join()

    done = sweep(small_sweep(), out=tmp_path / "out", jobs=1, news=second)
    assert [(error.code, error.field) for error in errors] == [
        ("in-the-way", str(tmp_path / "out"))
    ]
    assert done.store.is_complete
    again = sweep(small_sweep(), out=tmp_path / "out", resume=True, jobs=1)
    assert len(again.frame()) == 60


def test_a_worker_with_another_pytorch_is_refused() -> None:
    said = json.loads(describe(small_sweep(), "hash"))
    here = torch.__version__
    with refused(ConfigError, code="conflict", field="torch", value=here, allowed="1.0"):
        compute_part(json.dumps({**said, "torch": "1.0"}), 0)


def test_processes_are_no_more_than_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def here(
        task: executors.Task, description: str, parts: list[int], jobs: int
    ) -> Iterator[object]:
        asked.append(jobs)
        yield from executors.in_this_process(task, description, parts)

    monkeypatch.setattr(executors, "in_processes", here)
    sweep(sweep_of({"chip.adc.bits": [4, 5, 6]}, part_points=1), out=tmp_path / "a", jobs=8)
    assert asked == [3]
    with refused(ConfigError, code="out-of-range", field="--jobs", value=0, allowed="1 or more"):
        sweep(sweep_of({"chip.adc.bits": [4, 5, 6]}), out=tmp_path / "b", jobs=0)


@pytest.mark.slow
def test_errors_and_deaths_of_workers() -> None:
    with pytest.raises(ConfigError, match="sweep: no"):
        list(executors.in_processes(fails, "sweep", range(10), 2))
    with refused(DataError, code="worker-lost", field=None, allowed="--resume"):
        list(executors.in_processes(dies, "sweep", range(10), 2))
    assert sorted(executors.in_processes(fails, "sweep", range(3), 2)) == [0, 1, 2]


def file_of(asked: Sweep, place: Path) -> Path:
    content = asked.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    path = place / "small.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def start(forks: Server, file: Path, out: Path, *more: str) -> Forked:
    return forks.start("sweep", file, "--out", out, *more, cwd=file.parent)


def start_fresh(file: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """Start it in an interpreter of its own, that imports everything itself."""
    # A handler of SIGINT is not inherited where it is ignored, as in background jobs.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "archsim", "sweep", str(file), "--out", str(out), *more],
            cwd=file.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(process: Forked | subprocess.Popen[str], out: Path, parts: int) -> bool:
    """Wait until so many parts are there; False if the run ended before."""
    while process.poll() is None:
        if out.is_dir() and len(list(out.glob("parts/*.parquet"))) >= parts:
            return True
        time.sleep(0.002)
    return False


def ended(process: Forked | subprocess.Popen[str]) -> tuple[int, str]:
    if isinstance(process, Forked):
        return process.ended()
    _, stderr = process.communicate(timeout=300)
    return process.returncode, stderr


@pytest.mark.slow
def test_kill_9_again_and_again(forks: Server, tmp_path: Path) -> None:
    """Killed at many moments, also while it starts and while it writes; two times by two.

    Every eighth one is a fresh interpreter: the first is killed when it has just made its folder,
    the others while they import. All others have imported and are killed at what they do then.
    """
    asked = small_sweep(part_points=1)
    file, out = file_of(asked, tmp_path), tmp_path / "out"
    generator = torch.Generator().manual_seed(0)
    kills = 0
    for attempt in range(40):
        asked_for = (file, out, "--resume", "--jobs", "1")
        process = start(forks, *asked_for) if attempt % 8 else start_fresh(*asked_for)
        before = len(Store.open(out).done()) if (out / "sweep.json").exists() else 0
        # A few parts more each time, then a moment that no part marks.
        if wait_for(process, out, before + (attempt % 4) * 2):
            time.sleep(0.03 * float(torch.rand((), generator=generator)))
            process.send_signal(signal.SIGKILL)
        code, stderr = ended(process)
        if code == 0:
            break
        assert code == -signal.SIGKILL, stderr
        kills += 1
        for path in out.glob("parts/*.parquet"):
            assert path.stat().st_size > 0
    assert kills >= 15
    assert Store.open(out).is_complete
    sweep(asked, out=tmp_path / "whole", jobs=1)
    assert differing(out, tmp_path / "whole") == []
    table = Store.open(out).table()
    assert isinstance(table, pa.Table)
    assert table.num_rows == 60


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(forks: Server, tmp_path: Path) -> None:
    file, out = file_of(small_sweep(part_points=1), tmp_path), tmp_path / "out"
    process = start(forks, file, out, "--jobs", "2")
    assert wait_for(process, out, 1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(signal.SIGKILL)
    code, _ = ended(process)
    assert code == -signal.SIGKILL
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    assert len(gone) == len(workers)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_quietly(forks: Server, tmp_path: Path, jobs: int) -> None:
    file, out = file_of(small_sweep(part_points=1), tmp_path), tmp_path / "out"
    asked_for = (file, out, "--jobs", str(jobs))
    process = start_fresh(*asked_for) if jobs == 1 else start(forks, *asked_for)
    assert wait_for(process, out, 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    code, stderr = ended(process)
    assert code == 130
    assert f"stopped; what is done is kept in {out}, --resume goes on" in stderr
    assert "Traceback" not in stderr
    assert not psutil.wait_procs(workers, timeout=60)[1]
    assert not list(out.rglob("*.tmp"))
    code, stderr = ended(start(forks, file, out, "--resume", "--jobs", "1"))
    assert code == 0, stderr
    assert Store.open(out).is_complete
