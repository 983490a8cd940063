"""Design points per second of the complete engine: mapping, floorplan, all components, totals.

    python benchmarks/cost_engine.py [--networks resnet18 vgg8 resnet50] [--sizes 1 100 ...]
        [--threads 1 2] [--chunk 4096] [--device cpu]

Every point differs from every other in array size, mux, cell bits, ADC kind and bits,
on-resistance, block size and placement, so nothing is shared between points. The unit to compare
with is the same engine called point by point (`one by one`), measured in the same run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import torch

from archsim.analysis.totals import DEFAULT_CHUNK, Engine, evaluate_totals
from archsim.arch.design import ADC_KINDS, PLACEMENTS, DesignBatch
from archsim.compiled.totals import Tally
from archsim.config.resolve import resolve
from archsim.network import from_graph, load_network


def random_designs(count: int, seed: int = 0) -> DesignBatch:
    """Draw designs that differ in every parameter a sweep would vary."""
    generator = torch.Generator().manual_seed(seed)

    def pick(*values: float) -> torch.Tensor:
        index = torch.randint(len(values), (count,), generator=generator)
        return torch.tensor(values, dtype=torch.float64)[index]

    def codes(choices: int) -> torch.Tensor:
        return torch.randint(choices, (count,), generator=generator)

    base = DesignBatch.from_resolved(resolve(chip="rram-22nm-neurosim"), "separate")
    return base.replace(
        rows=pick(64, 128, 256),
        cols=pick(64, 128, 256),
        mux_ratio=pick(4, 8, 16),
        bits_per_cell=pick(1, 2, 4),
        adc_bits=pick(4, 5, 6, 7),
        adc_kind=codes(ADC_KINDS.index("ramp")),  # the kinds that have a circuit
        r_on_ohm=5e4 + 1e5 * torch.rand(count, dtype=torch.float64, generator=generator),
        tsb_channels=pick(32, 64, 128, 256),
        placement=codes(len(PLACEMENTS)),
    )


def peak_mib() -> float:
    """Peak resident memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rate(network: str, size: int, threads: int, chunk: int, device: str) -> float:
    """Points per second, best of three for small batches."""
    graph = load_network(network)
    table, points = from_graph(graph), graph.insertion_points()
    designs = random_designs(size)
    best = 0.0
    for _ in range(3 if size <= 10_000 else 1):
        start = time.perf_counter()
        evaluate_totals(
            design=designs, table=table, points=points, chunk=chunk, threads=threads, device=device
        )
        best = max(best, size / (time.perf_counter() - start))
    return best


def compiled_line(network: str, size: int) -> str:
    """Eager against compiled on the same designs, in CPU time of this process and this run."""
    graph = load_network(network)
    table, points = from_graph(graph), graph.insertion_points()
    designs, tally, seconds = random_designs(size), Tally(), []
    # The compiled engine twice: with what it takes to make the program, and without.
    for engine in (Engine.EAGER, Engine.COMPILED, Engine.COMPILED):
        start = time.process_time()
        evaluate_totals(
            design=designs, table=table, points=points, engine=engine, least=0, tally=tally
        )
        seconds.append(time.process_time() - start)
    eager, first, again = seconds
    return (
        f"{network:10s} n={size}, CPU time: eager {size / eager:.0f} points/s, compiled "
        f"{size / again:.0f} (x{eager / again:.1f}); making the program {first - again:.1f} s, "
        f"{tally.eager.total()} points left to the eager engine"
    )


def main() -> None:
    """Run the benchmark and print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["resnet18", "vgg8", "resnet50"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 100, 10_000, 100_000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--chunk", type=int, default=DEFAULT_CHUNK)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for network in arguments.networks:
        single = rate(network, 1, 1, 1, arguments.device)
        print(f"{network:10s} one by one {single:17.1f} points/s ({1e3 / single:.1f} ms each)")
        for threads in arguments.threads:
            for size in arguments.sizes:
                points_per_s = rate(network, size, threads, arguments.chunk, arguments.device)
                print(
                    f"{network:10s} {threads} thread(s) n={size:<8d} {points_per_s:10.0f} points/s "
                    f"x{points_per_s / single:<7.0f} peak {peak_mib():.0f} MiB",
                    flush=True,
                )
        print(compiled_line(network, max(arguments.sizes)), flush=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", "archsim", "map", "resnet18", "--format", "json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"fresh process: archsim map resnet18 in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
