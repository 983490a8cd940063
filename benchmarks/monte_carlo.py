"""CPU milliseconds per noise instance over 10 000 images: the Monte Carlo back ends side by side.

    python benchmarks/monte_carlo.py [--network lenet3] [--instances 32] [--images 2000]
        [--repeats 3]

Random images and weights (the time does not depend on them). CPU time of the process on one thread,
best of the repeats, scaled to 10 000 images; the loop at several batch sizes, the speed-up against
its best one. Compilation is measured apart, it happens once per process and geometry. aihwkit and
CrossSim, where they are installed, evaluate the same network as one converted instance.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from archsim.network.zoo.registry import build, entry
from tsb.monte_carlo import choose_backend, right_answers
from tsb.monte_carlo.evaluate import Chosen

IMAGES = 10_000
LOOP_BATCHES = (50, 100, 200, 500, 1000, 2000)
BATCHED_BATCHES = (10, 50, 100)


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Best CPU time of some work, s."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def measure(
    model: nn.Module,
    weights: dict[str, Tensor],
    images: Tensor,
    chosen: Chosen,
    batch: int,
    repeats: int,
) -> float:
    """CPU milliseconds per instance over 10 000 images."""
    labels = torch.zeros(len(images), dtype=torch.long)
    instances = len(next(iter(weights.values())))

    def work() -> None:
        right_answers(model, weights, images, labels, chosen=chosen, images_at_once=batch)

    return 1e3 * cpu_s(work, repeats) / instances * IMAGES / len(images)


def foreign(model: nn.Module, images: Tensor, repeats: int) -> dict[str, float]:
    """Other simulators, one instance, batches of 100."""
    times_ms: dict[str, float] = {}
    makers: dict[str, Callable[[], nn.Module]] = {}
    if importlib.util.find_spec("aihwkit"):

        def aihwkit() -> nn.Module:
            from aihwkit.nn.conversion import convert_to_analog
            from aihwkit.simulator.configs import TorchInferenceRPUConfig

            return convert_to_analog(model, TorchInferenceRPUConfig()).eval()

        makers["aihwkit torch tile"] = aihwkit
    if importlib.util.find_spec("simulator"):

        def crosssim() -> nn.Module:
            from simulator import CrossSimParameters
            from simulator.algorithms.dnn.torch.convert import from_torch

            return from_torch(model, CrossSimParameters()).eval()

        makers["CrossSim"] = crosssim
    for name, make in makers.items():
        converted = make()

        def work(converted: nn.Module = converted) -> None:
            with torch.no_grad():
                for part in images.split(100):
                    converted(part)

        times_ms[name] = 1e3 * cpu_s(work, repeats) * IMAGES / len(images)
    return times_ms


def main() -> None:
    """Run the benchmark and print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="lenet3")
    parser.add_argument("--instances", type=int, default=32)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    model = build(arguments.network).eval()
    shape = entry(arguments.network).input_shape
    images = torch.randn(arguments.images, *shape, generator=generator)
    weights = {
        name: p.detach() + 0.05 * torch.randn(arguments.instances, *p.shape, generator=generator)
        for name, p in model.named_parameters()
    }
    few = {name: tensor[:4] for name, tensor in weights.items()}
    times: dict[str, float] = {}
    for batch in LOOP_BATCHES:
        chosen = choose_backend(model, images, "loop")
        times[f"loop, batch {batch}"] = measure(
            model, few, images, chosen, batch, arguments.repeats
        )
    best_loop = min(times.values())
    for batch in BATCHED_BATCHES:
        chosen = choose_backend(model, images, "batched")
        many = {name: tensor[:16] for name, tensor in weights.items()}
        times[f"batched, 16 instances, batch {batch}"] = measure(
            model, many, images, chosen, batch, 1
        )
    chosen = choose_backend(model, images)
    if chosen.name == "compiled":
        first = cpu_s(lambda: chosen.scores(model, few, images[:1]), 1)
        print(f"compilation: {first:.2f} s")
        times["compiled, 16 lanes"] = measure(
            model, weights, images, chosen, IMAGES, arguments.repeats
        )
    else:
        print(f"compiled: {chosen.note}")
    times |= foreign(model, images, arguments.repeats)
    print(f"{arguments.network}: CPU ms per instance over {IMAGES} images, one thread")
    for name, value in times.items():
        print(f"{name:36s} {value:8.1f} ms   x{best_loop / value:.2f} against the best loop")


if __name__ == "__main__":
    main()
