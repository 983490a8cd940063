"""Sweeps on a Dask cluster: the same bytes, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from archsim.api.sweep import sweep
from archsim.errors import ConfigError
from archsim.explore.run import executors
from archsim.explore.run.sweep import Progress
from tests.explore.sweeps import small_sweep
from tests.refusals import refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes of one thread; a nanny starts another where one is killed."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as found:
        yield found


def parts_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "parts").iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    sweep(small_sweep(), out=folder, jobs=1)
    return folder


def test_the_same_bytes(cluster: Any, whole: Path, tmp_path: Path) -> None:
    steps: list[Progress] = []
    sweep(small_sweep(), out=tmp_path, scheduler=cluster.scheduler_address, news=steps.append)
    assert [step.parts for step in steps] == list(range(1, 13))
    assert parts_of(tmp_path) == parts_of(whole)


def test_a_killed_worker_loses_nothing(cluster: Any, whole: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(step: Progress) -> None:
        if step.parts == 3:
            pid = next(iter(cluster.workers.values())).pid
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    sweep(small_sweep(), out=tmp_path, scheduler=cluster.scheduler_address, news=kill)
    assert len(killed) == 1
    assert parts_of(tmp_path) == parts_of(whole)


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT_S", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address, code in (
        (f"tcp://127.0.0.1:{port}", "unreachable"),
        ("nonsense://x:1", "wrong-form"),
        ("nonsense", "wrong-form"),
    ):
        begin = time.monotonic()
        says = ["--scheduler", f"{address}:", "tcp://10.0.0.1:8786,"]
        with refused(ConfigError, code=code, field="--scheduler", value=address, says=says):
            sweep(small_sweep(), out=tmp_path / "out", scheduler=address)
        assert not (tmp_path / "out").exists()
        assert time.monotonic() - begin < 60  # it does not wait for ever


def test_no_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT_S", 1.0)
    with (
        LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty,
        refused(ConfigError, code="unreachable", field="--scheduler", says=["dask", "worker"]),
    ):
        sweep(small_sweep(), out=tmp_path / "out", scheduler=empty.scheduler_address)
