"""Points per second of sweeps: this process, several, a Dask cluster; and of one flat batch.

Every run is a process of its own, so that its peak of memory is its own. All runs work on the same
points: the shipped sweep full-chip, with fewer values of some axes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Axes with fewer values, by about how many combinations are left of ResNet-18's 3.4 million.
SIZES = {
    "small": ["technology=[22nm-lstp]", "chip.adc.kind=[sar]", "chip.crossbar.rows=[128]"],
    "million": ["technology=[22nm-lstp]"],
    "all": [],
}
WAYS = ("flat", "jobs 1", "jobs 2", "cluster 1", "cluster 2")


def measure(way: str, size: str, network: str) -> dict[str, float]:
    """Run a sweep one way.

    Args:
        way: one of :data:`WAYS`.
        size: one of :data:`SIZES`.
        network: name.
    """
    from archsim.config.sweep import load_sweep
    from archsim.explore.run.exhaustive import run_exhaustive
    from archsim.explore.run.sweep import Job, open_store

    job = Job(load_sweep("full-chip", axes=SIZES[size], network=network))
    kind, _, count = way.partition(" ")
    with tempfile.TemporaryDirectory() as folder:
        if kind == "flat":
            points, seconds = flat(job)
        else:
            store = open_store(job, Path(folder) / "out", resume=False)
            begin = time.perf_counter()
            if kind == "jobs":
                run_exhaustive(job, store, jobs=int(count))
                seconds = time.perf_counter() - begin
            else:
                from distributed import LocalCluster

                with LocalCluster(
                    n_workers=int(count), threads_per_worker=1, dashboard_address=":0"
                ) as cluster:
                    begin = time.perf_counter()
                    run_exhaustive(job, store, scheduler=cluster.scheduler_address)
                    seconds = time.perf_counter() - begin
            points = store.counts()["rows"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"points": points, "seconds": seconds, "own": peak / 1024, "worker": worker / 1024}


def flat(job: object) -> tuple[int, float]:
    """Evaluate the same points as flat batches, one per combination of the outer axes.

    Designs are made first, by the same tables; only the evaluation is timed.

    Args:
        job: the sweep.
    """
    import dataclasses

    import numpy as np
    import torch

    from archsim.analysis.totals import evaluate_totals
    from archsim.arch.design import DesignBatch
    from archsim.explore.run.sweep import Job
    from archsim.explore.space.legal import legal_points
    from archsim.explore.space.selection import Box

    if not isinstance(job, Job):
        raise TypeError(job)
    torch.set_num_threads(1)
    grid, points, seconds = job.space.grid, 0, 0.0
    outer = [len(axis) for axis in grid.axes if axis.is_outer]
    for digits in np.ndindex(*outer):
        box = Box(
            (
                *(slice(digit, digit + 1) for digit in digits),
                *(slice(0, len(axis)) for axis in grid.axes[len(outer) :]),
            )
        )
        legal = legal_points(job.space, box, grid.kept(box, grid.tables(box)))
        base, design = legal.base, legal.design
        rows = torch.from_numpy(legal.kept.reshape(-1))
        fields = {}
        for entry in dataclasses.fields(DesignBatch):
            value = getattr(design, entry.name)
            if isinstance(value, torch.Tensor) and value.numel() > 1:
                value = value.expand(box.shape).reshape(-1)[rows]
            fields[entry.name] = value.reshape(()) if _is_single(value) else value
        batch = DesignBatch(**fields)
        begin = time.perf_counter()
        evaluate_totals(design=batch, table=base.table, points=base.points)
        seconds += time.perf_counter() - begin
        points += int(rows.sum())
    return points, seconds


def _is_single(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.numel() == 1


def main() -> None:
    """Measure all ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="million")
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--ways", default=",".join(WAYS), help="with commas between them")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.size, options.network)))
        return
    ways = [way.strip() for way in options.ways.split(",")]
    if not set(ways) <= set(WAYS):
        parser.error(f"--ways: '{options.ways}'; allowed: {', '.join(WAYS)}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rate = None
    for way in ways:
        same = ("--size", options.size, "--network", options.network)
        done = subprocess.run(
            [sys.executable, __file__, "--one", way, *same],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        measured = json.loads(done.stdout.splitlines()[-1])
        points_per_s = measured["points"] / measured["seconds"]
        rate = points_per_s if way == "flat" else rate
        against = "" if rate is None else f"x{points_per_s / rate:.2f}"
        print(
            f"{way:10} {measured['points']:9.0f} points {measured['seconds']:8.1f} s "
            f"{points_per_s:9.0f} points/s {against:>6} peak {measured['own']:5.0f} MiB, "
            f"worker {measured['worker']:5.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
