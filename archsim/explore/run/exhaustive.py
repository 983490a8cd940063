"""Run all parts of a sweep that are missing: here, in several processes or on a Dask cluster."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from archsim.config.sweep import PART_POINTS, Sweep
from archsim.errors import Code, ConfigError
from archsim.explore.run import executors
from archsim.explore.run.part_file import part_bytes
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job, News, Progress
from archsim.explore.space.identity import identity_hash
from archsim.util.consent import said, saying


def describe(sweep: Sweep, sweep_hash: str) -> str:
    """Return a sweep as text that another process can read.

    Args:
        sweep: which.
        sweep_hash: of its identity here: a worker with another version or other presets refuses.
    """
    asked = sweep.model_dump(mode="json", by_alias=True)
    content = {"hash": sweep_hash, "torch": torch.__version__, "sweep": asked}
    return json.dumps({**content, "code": sorted(said())})


@lru_cache(maxsize=2)
def _job_of(description: str) -> Job:
    content = json.loads(description)
    if content["torch"] != torch.__version__:
        raise ConfigError(
            f"this worker has PyTorch {torch.__version__}, not {content['torch']}, which may round "
            "in other ways; install the same",
            code=Code.CONFLICT,
            field="torch",
            value=torch.__version__,
            allowed=str(content["torch"]),
        )
    job = Job(Sweep.model_validate(content["sweep"]))
    hash_here = identity_hash(job.identity())
    if hash_here != content["hash"]:
        raise ConfigError(
            f"this worker resolves the sweep to {hash_here}, not {content['hash']}: it has another "
            "version of archsim, other presets or another network; install the same",
            code=Code.CONFLICT,
            field="sweep",
            value=hash_here,
            allowed=str(content["hash"]),
        )
    return job


@dataclass(frozen=True)
class PartDone:
    """A part as a worker gives it back: its file, and what it counts."""

    number: int
    content: bytes
    combinations: int
    rows: int


def compute_part(description: str, number: int) -> PartDone:
    """Compute one part, in whatever process.

    Args:
        description: of :func:`describe`.
        number: of the part.

    Raises:
        ConfigError: this process would not give the same rows.
    """
    content_of_job = json.loads(description)
    with saying(content_of_job["code"]):
        rows = _job_of(description).rows(number)
    counts = {"combinations": rows.combinations, "forbidden": rows.forbidden}
    content = part_bytes(rows.table, content_of_job["hash"], number, counts)
    return PartDone(number, content, rows.combinations, rows.table.num_rows)


def run_exhaustive(
    job: Job,
    store: Store,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    news: News | None = None,
) -> None:
    """Compute all parts that are missing.

    Args:
        job: the sweep.
        store: its folder.
        jobs: processes of this machine.
        scheduler: address of a Dask scheduler, in place of processes here.
        news: told after every part.

    Raises:
        ArchsimError: bad settings, a full disk, a scheduler that is not there.
    """
    if jobs < 1:
        raise ConfigError.of(Code.OUT_OF_RANGE, "--jobs", jobs, allowed="1 or more")
    left = [number for number in store.missing() if number < job.parts]
    if not left:
        return
    description = describe(job.sweep, store.hash)
    begin, done, rows = time.perf_counter(), 0, 0
    for finished, part in enumerate(_computed(description, left, jobs, scheduler), 1):
        store.write_file(store.path(part.number), part.content)
        done, rows = done + part.combinations, rows + part.rows
        if news is not None:
            news(
                Progress(
                    parts=job.parts - len(left) + finished,
                    of=job.parts,
                    combinations=done,
                    rows=rows,
                    seconds=time.perf_counter() - begin,
                )
            )


def _computed(
    description: str, parts: Sequence[int], jobs: int, scheduler: str | None
) -> Iterator[PartDone]:
    if scheduler is not None:
        client = executors.connect(scheduler)
        try:
            calls = ((description, number) for number in parts)
            yield from executors.on_cluster(client, compute_part, calls)
        finally:
            client.close()
    elif jobs == 1:
        yield from executors.in_this_process(compute_part, description, parts)
    else:
        yield from executors.in_processes(compute_part, description, parts, min(jobs, len(parts)))


def default_jobs(combinations: int) -> int:
    """Return how many processes pay: all cores for much work, else this one.

    Args:
        combinations: to be computed.
    """
    return cores() if combinations > 4 * PART_POINTS else 1


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
