"""How long one answer takes: from a cold start, and in a process that is warm.

    python benchmarks/start.py [--network vgg8] [--repeats 5]

CPU seconds, of child processes for the commands and of this one for the calls; the least of the
repeats, because other work on the machine only adds. The first line is the bare limit of a command
that computes with PyTorch: its import alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import archsim


def command(*words: str) -> float:
    """CPU seconds of a command in a process of its own."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return spent() - before


def call(what: Callable[[], object]) -> float:
    """CPU seconds of a call in this process, which has been made before."""
    what()
    before = time.process_time()
    what()
    return time.process_time() - before


def line(name: str, repeats: int, measure: Callable[[], float]) -> None:
    """Print the least of some measurements."""
    print(f"{name:60s} {min(measure() for _ in range(repeats)) * 1e3:9.1f} ms", flush=True)


def main() -> None:
    """Run the benchmark and print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="vgg8")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    network, repeats = arguments.network, arguments.repeats
    line("python -c 'import torch'", repeats, lambda: command("-c", "import torch"))
    line("archsim --help", repeats, lambda: command("-m", "archsim", "--help"))
    mapped = ("-m", "archsim", "map", network)
    line(f"archsim map {network}", repeats, lambda: command(*mapped))
    line(f"map_network({network!r})", repeats, lambda: call(lambda: archsim.map_network(network)))
    graph = archsim.load_network(network)
    line("map_network(graph)", repeats, lambda: call(lambda: archsim.map_network(graph)))
    with tempfile.TemporaryDirectory() as folder:
        traced = "import sys, archsim; archsim.load_network(sys.argv[1], num_classes=7)"
        way = f"import os; os.environ['ARCHSIM_CACHE_DIR'] = {folder!r}; {traced}"
        print(f"{'a network with options: traced':60s} {command('-c', way, network) * 1e3:9.1f} ms")
        line("the same, kept", repeats, lambda: command("-c", way, network))
    for count in (1, 100, 10_000):
        settings = {"chip.adc.bits": [4 + number % 3 for number in range(count)]}
        name = f"evaluate_designs, {count} designs, each"

        def each(chosen: dict[str, list[int]] = settings, count: int = count) -> float:
            return call(lambda: archsim.evaluate_designs(network, chosen)) / count

        line(name, repeats, each)


if __name__ == "__main__":
    main()
