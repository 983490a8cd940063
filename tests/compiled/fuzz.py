"""Random designs over the fields of a design, compiled against eager.

``python -m tests.compiled.fuzz --designs 1000000`` is the long test: it draws batches with another
network, chip and set of varying fields each, and ends with 1 where a total differs by more than
the tolerance. tests/compiled/test_totals.py does a small part of it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

import torch

from archsim.analysis.totals import evaluate_totals
from archsim.arch.design import DesignBatch
from archsim.compiled.program import same
from archsim.compiled.totals import Tally, forget
from archsim.config.resolve import resolve
from archsim.network import from_graph, load_network

NETWORKS = ("lenet3", "vgg8", "resnet20", "resnet18")
CHIPS = ("rram-22nm-neurosim", "rram-22nm", "neurosim-v1.4")
#: Values of fields of which half and double mean nothing.
VALUES = {
    "rows": (32, 64, 96, 128, 256), "cols": (32, 64, 128, 256), "mux_ratio": (4, 8, 16),
    "bits_per_cell": (1, 2, 4), "adc_bits": (3, 4, 5, 6, 7, 8), "weight_bits": (4, 6, 8),
    "input_bits": (4, 6, 8), "max_tiles": (100, 1e12), "tsb_channels": (8, 16, 32, 64, 128),
    "tsb_depth": (1, 2, 3), "copies": (1, 2, 4), "linear_copies": (1, 2),
    "rows_at_once": (8, 16, 32, 64, 1024), "dac_bits": (1, 2), "fold": (1, 2, 4),
}  # fmt: skip
#: Fields that change what a cell takes to be written: eager where they vary, and slow.
OF_WRITING = frozenset(
    {"sigma", "sigma_profile", "sigma_factor", "device_share", "write_model", "write_tolerance",
     "max_pulses", "step_gain", "step_sigma", "verify_noise", "stuck_on_rate", "stuck_off_rate",
     "spread_of_maximum"}
)  # fmt: skip


@dataclass
class Outcome:
    """What came out: designs by engine, and totals that differ."""

    tally: Tally = field(default_factory=Tally)
    designs: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


def drawn(seed: int, count: int, chip: str, fields: int) -> DesignBatch:
    """Draw designs of a chip that differ in some fields, legal together or not."""
    generator = torch.Generator().manual_seed(seed)
    base = DesignBatch.from_resolved(resolve(chip=chip), "separate")
    known = {n: p for n, p in DesignBatch.parameters().items() if n not in OF_WRITING}
    order = torch.randperm(len(known), generator=generator)[:fields].tolist()
    changes = {}
    for place in order:
        name, parameter = list(known.items())[place]
        now = getattr(base, name)
        if now.dtype is torch.bool:
            values = [False, True]
        elif now.dtype is torch.int64:
            values = range(len(parameter.choices))
        elif name in VALUES:
            values = VALUES[name]
        elif parameter.kind == "integer":
            values = [max(1.0, round(float(now) * factor)) for factor in (0.5, 1, 2)]
        else:
            values = (float(now) * torch.linspace(0.7, 1.4, 37)).tolist()
        table = torch.tensor(list(values), dtype=now.dtype)
        changes[name] = table[torch.randint(len(table), (count,), generator=generator)]
    return base.replace(**changes)


def compare(seed: int, count: int, network: str, chip: str, fields: int, outcome: Outcome) -> None:
    """Compute designs both ways and add what came out."""
    design = drawn(seed, count, chip, fields)
    graph = load_network(network)
    table, points = from_graph(graph), graph.insertion_points()
    eager = evaluate_totals(design=design, table=table, points=points)
    tally = Tally()
    mine = evaluate_totals(
        design=design, table=table, points=points, engine="compiled", least=0, tally=tally
    )
    forget()
    outcome.tally.add(tally)
    outcome.designs += count
    for name, wanted in eager.items():
        outcome.wrong[name] += int((~same(mine[name], wanted)).sum())


def say(*words: object) -> None:
    """Print a line at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the long test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    outcome, seed = Outcome(), arguments.seed
    while outcome.designs < arguments.designs:
        chosen = random.Random(seed)
        place = chosen.choice(NETWORKS), chosen.choice(CHIPS), chosen.choice((1, 2, 4, 8, 16, 32))
        before = sum(outcome.wrong.values())
        compare(seed, arguments.batch, *place, outcome)
        wrong = sum(outcome.wrong.values()) - before
        say(seed, *place, f"{outcome.tally.compiled} compiled, {wrong} wrong")
        seed += 1
    say(f"{outcome.designs} designs, {outcome.tally.compiled} of them compiled")
    for reason, count in outcome.tally.eager.most_common():
        say(f"eager: {count}: {reason}")
    say(f"wrong: {dict(+outcome.wrong)}")
    raise SystemExit(int(bool(+outcome.wrong)))


if __name__ == "__main__":
    main()
