"""Programming throughput: the cell pipeline against a plain loop and a per-weight Gaussian.

    python benchmarks/programming.py [--network resnet18] [--device rram] [--threads 1]
        [--loop-cells 5000]

Weights are random (the time does not depend on them); all matrix parameters of the network are
programmed in 8 bits on 2-bit cells. CPU and wall time; with more than one thread the blocks are too
small to gain, and waiting threads burn CPU time. The plain loop programs cell by cell
in Python; it is timed on few cells and extrapolated. The per-weight approximation draws one normal
number per weight with the closed form's standard deviation: it knows no pulses, no single cells and
no time, and is what to use where only the accuracy matters. Peak memory is that of the process,
before and after, weights included.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.device import (
    WeightFormat,
    WriteArray,
    program_weights,
    weight_noise_std,
    write_verify_closed_form,
)
from archsim.errors import ArchsimError, ConfigError
from archsim.network.zoo.registry import build

ARRAY = WriteArray(rows=128, cols=128)


class Row(NamedTuple):
    """One line of the table."""

    method: str
    policy: str
    cells: int
    cpu_s: float
    wall_s: float
    note: str = ""


def timed(work: Callable[[], object], scale: float = 1.0) -> tuple[float, float]:
    """CPU and wall time of some work, s, times a factor of extrapolation."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return (time.process_time() - cpu) * scale, (time.perf_counter() - wall) * scale


def peak_mib() -> float:
    """Largest resident size of the process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def step_of(device: DeviceFile) -> dict[str, float]:
    """Numbers of an incremental write-verify."""
    loop = device.write_verify
    if loop is None or loop.step_gain is None or loop.step_sigma is None:
        raise ConfigError(
            f"--device '{device.name}': the plain loop is one of incremental write-verify, which "
            "it has not; allowed: a device with write_verify.model = incremental, e.g. rram"
        )
    return {
        "sigma": device.sigma.si,
        "tolerance": loop.tolerance.si,
        "max_pulses": loop.max_pulses.si,
        "step_gain": loop.step_gain.si,
        "step_sigma": loop.step_sigma.si,
    }


def plain_loop(cells: int, step: dict[str, float], verify: bool) -> float:
    """Program cells one after the other; returns pulses per cell."""
    draw = random.Random(0)
    pulses = 0
    for _ in range(cells):
        error, count = draw.gauss(0.0, step["sigma"]), 1
        while verify and abs(error) > step["tolerance"] and count < step["max_pulses"]:
            error = (1 - step["step_gain"]) * error + draw.gauss(0.0, step["step_sigma"])
            count += 1
        pulses += count
    return pulses / cells


def per_weight(weights: dict[str, Tensor], sigma: float) -> None:
    """Draw one instance with one normal number per weight."""
    generator = torch.Generator().manual_seed(0)
    for weight in weights.values():
        std = weight_noise_std(
            max_weight=float(weight.abs().max()), sigma=sigma, weight_bits=8, bits_per_cell=2
        )
        weight + float(std) * torch.randn(weight.shape, generator=generator)


def count_of(text: str) -> int:
    """Read a whole number from 1 on, for argparse, which names the option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}'; allowed: a whole number from 1 on")
    return int(text)


def main() -> int:
    """Run the benchmark and return the exit code: 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--device", default="rram")
    parser.add_argument("--threads", type=count_of, default=1)
    parser.add_argument("--loop-cells", type=count_of, default=5000)
    try:
        measure(parser.parse_args())
    except ArchsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def measure(arguments: argparse.Namespace) -> None:
    """Run the benchmark and print the table."""
    torch.set_num_threads(arguments.threads)
    device, form = resolve(device=arguments.device).device, WeightFormat()
    step = step_of(device)
    weights = {n: p.detach() for n, p in build(arguments.network).named_parameters() if p.dim() > 1}
    chosen = torch.Generator().manual_seed(1)
    tenth = {n: torch.rand(w.shape, generator=chosen) < 0.1 for n, w in weights.items()}
    count = sum(weight.numel() for weight in weights.values())
    cells, before = count * form.cells_per_weight, peak_mib()

    def pipeline(verify: bool | dict[str, Tensor], array: WriteArray | None) -> None:
        program_weights(
            weights,
            device=device,
            generator=torch.Generator().manual_seed(0),
            weight_format=form,
            verify=verify,
            array=array,
        )

    policies = {"none": False, "10 % of weights": tenth, "all": True}
    rows = [
        Row("cells, with time by row", policy, cells, *timed(lambda v=verify: pipeline(v, ARRAY)))
        for policy, verify in policies.items()
    ]
    after = peak_mib()
    rows.append(Row("cells, no time", "all", cells, *timed(lambda: pipeline(True, None))))
    some = arguments.loop_cells
    for policy, verify in (("none", False), ("all", True)):
        taken = timed(lambda v=verify: plain_loop(some, step, v), cells / some)
        rows.append(
            Row("plain Python loop", policy, cells, *taken, f"extrapolated from {some} cells")
        )
    residual = float(write_verify_closed_form(model="incremental", **step).residual_sigma)
    for policy, sigma in (("none", step["sigma"]), ("all", residual)):
        taken = timed(lambda s=sigma: per_weight(weights, s))
        rows.append(Row("per-weight Gaussian", policy, cells, *taken, "no pulses, no single cells"))

    print(
        f"{arguments.network} on {device.name}: {count / 1e6:.2f} M weights, {cells / 1e6:.1f} M "
        f"cells, {arguments.threads} thread(s)"
    )
    print(f"{'method':24s} {'verified':16s} {'CPU s':>9s} {'wall s':>9s} {'M cells/s':>10s}  note")
    for row in rows:
        rate = row.cells / row.wall_s / 1e6
        times = f"{row.cpu_s:9.2f} {row.wall_s:9.2f} {rate:10.2f}"
        print(f"{row.method:24s} {row.policy:16s} {times}  {row.note}")
    print(f"peak memory: {before:.0f} MiB before (Python, torch, weights), {after:.0f} MiB after")


if __name__ == "__main__":
    sys.exit(main())
