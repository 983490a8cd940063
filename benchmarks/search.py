"""Hypervolume against trials: each sampler beside the exhaustive front of a space that is known.

``python benchmarks/search.py --seeds 3``; the table is in README.md.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from archsim.analysis.pareto import hypervolume, non_dominated, points_of
from archsim.config.sweep import Sweep
from archsim.explore.run.exhaustive import run_exhaustive
from archsim.explore.run.goals import Goals
from archsim.explore.run.sweep import Job, open_store
from archsim.explore.search.search import run_search

AXES = {
    "design": ["none", "common", "separate"],
    "chip.adc.kind": ["flash-current", "flash-voltage", "sar"],
    "chip.hierarchy.duplication": ["none", "balance"],
    "chip.precision.bits_per_cell": [1, 2, 4],
    "chip.crossbar.rows": [64, 128, 256],
    "chip.crossbar.cols": [64, 128, 256],
    "chip.crossbar.mux_ratio": [4, 8, 16],
    "chip.adc.bits": {"from": 4, "to": 7, "step": 1},
    "tsb.channels": {"values": [32, 128, 512], "when": "design != none"},
}
TRIALS = (50, 100, 200, 400, 800)
POPULATION = 50


def job_of(strategy, objectives):
    chip = "rram-22nm-neurosim"  # kinds of converters are told apart by circuits
    content = {"name": "benchmark", "network": "resnet18", "chip": chip, "axes": AXES}
    content["strategy"] = strategy
    return Job(Sweep.model_validate({**content, "objectives": objectives}))


def searched(sampler, seed, objectives, volume):
    """Return the hypervolume after so many trials, the seconds, and the points evaluated."""
    strategy = {"kind": "optuna", "sampler": sampler, "seed": seed}
    job = job_of({**strategy, "trials": TRIALS[-1], "population": POPULATION}, objectives)
    volumes = {}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(job, Path(folder) / "s", resume=False)

        def note(step):
            if step.parts * POPULATION in TRIALS:
                volumes[step.parts * POPULATION] = volume(store.frame())

        begin = time.perf_counter()
        run_search(job, store, news=note)
        seconds = time.perf_counter() - begin
        count = len(store.frame())
    return [volumes[trials] for trials in TRIALS], seconds, count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--objectives", default="edp,area,latency")
    options = parser.parse_args()
    torch.set_num_threads(1)
    objectives = options.objectives.split(",")
    job = job_of({"kind": "exhaustive"}, objectives)
    goals = Goals.of(job.space)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(job, Path(folder) / "s", resume=False)
        begin = time.perf_counter()
        run_exhaustive(job, store)
        seconds = time.perf_counter() - begin
        rows = store.frame()
    rows = rows[rows["feasible"]]
    values = points_of(rows, goals.objectives)
    front = values[non_dominated(values, goals.maximise)]
    print(f"{len(rows)} points of {options.objectives}, {len(front)} on the front, {seconds:.1f} s")
    box = {"ideal": front.min(axis=0) / 2, "reference": front.max(axis=0) * 2}
    whole = hypervolume(front, maximise=goals.maximise, log=True, **box)

    def volume(frame):
        points = points_of(frame[frame["feasible"]], goals.objectives)
        return hypervolume(points, maximise=goals.maximise, log=True, **box) / whole

    print("| sampler | " + " | ".join(map(str, TRIALS)) + " | points | s |")
    for sampler in ("random", "nsga2", "nsga3", "tpe"):
        runs = [searched(sampler, seed, objectives, volume) for seed in range(options.seeds)]
        mean = np.mean([run[0] for run in runs], axis=0) * 100
        shares = " | ".join(f"{share:.1f}" for share in mean)
        count = np.mean([run[2] for run in runs])
        spent = np.mean([run[1] for run in runs])
        print(f"| {sampler} | {shares} | {count:.0f} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
