"""Evaluate many designs of one network, in chunks that fit the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path

import torch
from torch import Tensor

from archsim.arch.design import ADC_KINDS, ADC_MODELS, DesignBatch
from archsim.compiled.object_file import objects_folder
from archsim.compiled.totals import PAYS_FROM, Tally, compiled_columns
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.columns import FEASIBLE
from archsim.results.metric import Metric, Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan

#: Designs per chunk: large enough to hide the interpreter, small enough for the cache
#: (benchmarks/README.md).
DEFAULT_CHUNK = 4096


class Engine(StrEnum):
    """What computes: the engine as it is written, or what :mod:`archsim.compiled` makes of it."""

    EAGER = "eager"
    COMPILED = "compiled"


def chunks(design: DesignBatch, size: int) -> Iterator[DesignBatch]:
    """Cut a one-dimensional batch into consecutive pieces of at most ``size`` designs."""
    (count,) = design.batch_shape
    for start in range(0, count, size):
        yield design.index(slice(start, min(start + size, count)))


def by_adc_and_memory(design: DesignBatch) -> Tensor | None:
    """Return an order that puts designs of one ADC and memory together; None if all have the same.

    A closed form that no design of a chunk uses is not evaluated.
    """
    model = design.adc_model + len(ADC_MODELS) * design.memory
    key = design.adc_kind + len(ADC_KINDS) * model
    return torch.argsort(key, stable=True) if key.dim() else None


def evaluate_totals(
    *,
    design: DesignBatch,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
    metrics: Sequence[Metric] | None = None,
    chunk: int = DEFAULT_CHUNK,
    threads: int = 1,
    device: str | torch.device = "cpu",
    engine: Engine | str = Engine.EAGER,
    least: int = PAYS_FROM,
    cache: Path | None = None,
    tally: Tally | None = None,
) -> dict[str, Tensor]:
    """Return metrics of every design of a batch by column, SI, and whether it is feasible.

    Memory is bounded by the chunk.

    Args:
        design: shape ``(n,)``.
        table: the network's layers.
        points: insertion points of the shared block.
        metrics: which; None: those of sweeps.
        chunk: designs worked on at once per thread.
        threads: chunks worked on at once; each runs on one intra-op thread of torch.
        device: where the work is done, for example ``cuda``; totals come back to the CPU. A GPU
            wants larger chunks (10^5 and more).
        engine: the compiled one gives the same numbers to 1e-12, and leaves to the eager one what
            it cannot do; on the CPU only.
        least: designs from which the compiled engine makes a program for a batch of a new kind.
        cache: folder where it keeps what is compiled; None: the user's.
        tally: counts which engine computed how many designs, and why.
    """
    wanted = shown_in(Place.SWEEP) if metrics is None else metrics
    place = torch.device(device)
    # The engine makes its few constants on the default device.
    default = nullcontext() if place.type == "cpu" else place
    design, table = design.to(place), table.to(place)

    def one(piece: DesignBatch) -> dict[str, Tensor]:
        with torch.no_grad(), default:
            plan = compile_plan(design=piece, table=table, points=points, merge_alike=True)
            cost = evaluate(design=piece, plan=plan)
            (count,) = piece.batch_shape
            values = {metric.column: metric.in_column(cost, plan) for metric in wanted}
            values[FEASIBLE] = cost.feasible
            return {name: column.expand(count).cpu() for name, column in values.items()}

    if Engine(engine) is Engine.COMPILED and place.type == "cpu":
        return compiled_columns(
            design,
            one,
            key=(table, tuple(points), tuple(metric.column for metric in wanted)),
            eager=lambda left: evaluate_totals(
                design=left, table=table, points=points, metrics=wanted, chunk=chunk,
                threads=threads,
            ),
            tally=Tally() if tally is None else tally,
            folder=objects_folder() if cache is None else cache,
            threads=threads,
            least=least,
        )  # fmt: skip
    order = by_adc_and_memory(design)
    if order is not None:
        design = design.index(order)
    if threads == 1:
        rows = [one(piece) for piece in chunks(design, chunk)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            rows = list(pool.map(one, chunks(design, chunk)))
    totals = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    if order is None:
        return totals
    back = torch.argsort(order)
    return {name: values[back] for name, values in totals.items()}
