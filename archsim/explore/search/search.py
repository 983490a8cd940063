"""Search a space that is too large to look at all of it, with a sampler of Optuna.

A generation at a time: points are proposed, evaluated as one batch, written as one part, told to
the sampler, and recorded. Rows are written before they are told; so a search that was killed finds
its rows, and a point that comes again is not evaluated again.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from archsim.explore.run.goals import Goals, Verdict
from archsim.explore.run.part_file import part_bytes
from archsim.explore.run.rows import Rows, accuracy_keys, allowed_points, point_rows
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job, News, Plan, Progress
from archsim.explore.search.proposals import Proposal, Proposer, Record
from archsim.explore.space.legal import check_sample
from archsim.explore.space.points import Space

#: Trials of a rehearsal, which says how long a search takes.
_REHEARSED = 50
#: What a part says of proposals that are no points.
LEFT_OUT = "proposals that sweep.where or the rules of configurations leave out"


@dataclass(frozen=True, eq=False)
class _Generation:
    proposals: list[Proposal]
    failed: int
    rows: Rows


class _Search:
    """A sampler, what is known of points, and where it is recorded."""

    def __init__(self, space: Space, goals: Goals, record: Record) -> None:
        self.space, self.goals, self.record = space, goals, record
        self.known: dict[int, Verdict] = {}
        self.proposer = Proposer(space.grid, space.sweep.strategy, goals.maximise)

    def evaluate(self, points: set[int]) -> Rows:
        """Evaluate points that are not known yet, and know them."""
        keys = accuracy_keys(self.space.sweep)
        rows = point_rows(self.space, points - self.known.keys(), keys)
        self.known |= self.goals.verdicts(rows.table)
        return rows

    def next(self, count: int) -> _Generation:
        """Propose and evaluate."""
        proposals, failed = self.proposer.propose(count, partial(allowed_points, self.space))
        return _Generation(
            proposals, failed, self.evaluate({proposal.point for proposal in proposals})
        )

    def learn(self, generation: _Generation) -> None:
        """Tell the sampler and the record."""
        self.record.add(self.proposer.tell(generation.proposals, self.known))


def plan_search(job: Job) -> Plan:
    """Rehearse a search, to say how long it takes and how large it gets.

    Args:
        job: the sweep.

    Raises:
        ConfigError: an objective or constraint that rows do not have, Optuna that is not installed,
            axes that act on each other, or no point that is allowed.
    """
    space, strategy = job.space, job.sweep.strategy
    goals = Goals.of(space)
    check_sample(space)
    count = max(1, min(_REHEARSED, strategy.population, strategy.trials))
    with tempfile.TemporaryDirectory() as folder:
        record = Record.open(None, Path(folder), "rehearsal", goals.maximise, resume=False)
        search = _Search(space, goals, record)
        for _ in range(2):  # the first time is longer
            begin = time.perf_counter()
            generation = search.next(count)
            search.learn(generation)
            seconds = time.perf_counter() - begin
    size = len(part_bytes(generation.rows.table, "", 0, {}))
    generations = -(-strategy.trials // strategy.population)
    return Plan(
        combinations=space.grid.size,
        points=None,
        forbidden={},
        parts=generations,
        seconds=seconds * strategy.trials / count,
        bytes=float(size * generations),
    )


def run_search(job: Job, store: Store, *, resume: bool = False, news: News | None = None) -> None:
    """Search until the sampler was told of so many trials, those of earlier runs too.

    Args:
        job: the sweep.
        store: its folder.
        resume: go on with what the storage has.
        news: told after every generation.

    Raises:
        ArchsimError: bad settings, a storage that cannot be opened, a full disk.
    """
    space, strategy = job.space, job.sweep.strategy
    goals = Goals.of(space)
    name = f"{job.sweep.name}-{store.hash}"
    record = Record.open(strategy.storage, store.folder, name, goals.maximise, resume=resume)
    search = _Search(space, goals, record)
    if store.done():
        search.known = goals.verdicts(store.table())
    search.proposer.recall(record.trials())
    _mend(search, store)
    begin, combinations, rows = time.perf_counter(), 0, 0
    while search.proposer.told < strategy.trials:
        count = min(strategy.population, strategy.trials - search.proposer.told)
        generation = search.next(count)
        _write(store, generation)
        search.learn(generation)
        combinations += len(generation.proposals)
        rows += generation.rows.table.num_rows
        if news is not None:
            done, total = (
                -(-number // strategy.population)
                for number in (search.proposer.told, strategy.trials)
            )
            news(Progress(done, total, combinations, rows, time.perf_counter() - begin))


def _mend(search: _Search, store: Store) -> None:
    """Evaluate points again that were told, but whose part is lost."""
    told = {search.proposer.point_of(trial) for trial in search.record.trials()}
    lost = told - search.known.keys()
    if lost:
        _write(store, _Generation([], 0, search.evaluate(lost)))


def _write(store: Store, generation: _Generation) -> None:
    if not generation.rows.table.num_rows:
        return
    number = max(store.done(), default=-1) + 1
    forbidden = {LEFT_OUT: generation.failed} if generation.failed else {}
    counts = {"combinations": len(generation.proposals) + generation.failed, "forbidden": forbidden}
    store.write(number, generation.rows.table, counts)
