"""Points that a sampler of Optuna proposes.

Akiba and others, KDD 2019, doi:10.1145/3292500.3330701.

The study that the samplers see lives in memory: asking a database for every parameter of every
trial takes a hundred times longer than evaluating it. A :class:`Record` keeps what was told in any
storage of Optuna, a generation at a time, and gives it back to a search that goes on.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from archsim.config.sweep import Strategy
from archsim.errors import Code, ConfigError, DataError
from archsim.explore.run.goals import Verdict
from archsim.explore.space.axes import Dimension
from archsim.explore.space.grid import Grid
from archsim.explore.space.selection import Flat

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

#: So many times the trials that are wanted are proposed, until one is an allowed point.
_MOST_TRIES = 100
#: By how much what is no point misses a constraint: more than an infeasible design.
_FORBIDDEN = 10.0
#: Fewest points of a generation from which others are bred.
_LEAST_POPULATION = 2
#: Name of the file in the folder of a search.
FILE = "optuna.db"
_SECONDS_TO_WAIT = 60.0


def load_optuna() -> ModuleType:
    """Import Optuna, quiet.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "sweep.strategy.kind = optuna needs Optuna; install it with: "
            "pip install 'archsim[search]'",
            code=Code.MISSING_PACKAGE,
            field="sweep.strategy.kind",
            value="optuna",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module: ModuleType = optuna
    return module


@contextmanager
def _no_notices(optuna: ModuleType) -> Iterator[None]:
    """Leave out notices that an argument of a sampler is experimental in this version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def is_ordered(axis: Dimension) -> bool:
    """Whether the values of an axis are numbers that rise or fall throughout."""
    if any(isinstance(value, bool | str | None) for value in axis.values):
        return False
    steps = np.diff(np.asarray(axis.values, dtype=float))
    return bool((steps > 0).all() or (steps < 0).all())


def labels(axis: Dimension) -> list[str]:
    """Return the names of the values of an axis that has no order, all different."""
    texts = [str(value) for value in axis.values]
    return texts if len(set(texts)) == len(texts) else [repr(value) for value in axis.values]


@dataclass(frozen=True)
class Proposal:
    """A trial and the point that it stands for."""

    trial: Trial
    point: int


class Proposer:
    """Asks a sampler for points, and tells it what became of them."""

    def __init__(self, grid: Grid, strategy: Strategy, maximise: Sequence[bool]) -> None:
        """Begin a study in memory.

        Args:
            grid: whose points are proposed.
            strategy: sampler, population and seed.
            maximise: per objective.

        Raises:
            ConfigError: Optuna is not installed, or a population that cannot breed.
        """
        if strategy.population < _LEAST_POPULATION and strategy.sampler.startswith("nsga"):
            raise ConfigError(
                f"sweep.strategy.population = {strategy.population} with {strategy.sampler}; "
                f"allowed: {_LEAST_POPULATION} or more",
                code=Code.OUT_OF_RANGE,
                field="sweep.strategy.population",
                value=strategy.population,
                allowed=f"{_LEAST_POPULATION} or more",
            )
        self.optuna = load_optuna()
        self.grid, self.strategy = grid, strategy
        self.labels = [None if is_ordered(axis) else labels(axis) for axis in grid.axes]
        self.study = self.optuna.create_study(directions=directions(maximise))
        self.told = 0
        # Before version 5 samplers ask for constraints, since then trials say them.
        self._sets_constraints = hasattr(self.optuna.trial.Trial, "set_constraint")
        self._excess: dict[int, tuple[float, ...]] = {}

    def recall(self, trials: Sequence[FrozenTrial]) -> None:
        """Go on from trials that were told before.

        Args:
            trials: of a :class:`Record`.
        """
        self.study.add_trials(trials)
        self.told += len(trials)

    def propose(
        self, count: int, allowed: Callable[[Sequence[int]], np.ndarray]
    ) -> tuple[list[Proposal], int]:
        """Return proposals of points that are allowed, and how many were not.

        Those that are not were pruned and missed a constraint by far, as far as the sampler knows,
        and others are proposed in their place. What is proposed depends on the seed and on what was
        told before.

        Args:
            count: how many.
            allowed: says which points there are.

        Raises:
            ConfigError: hundreds of proposals, and none is allowed.
        """
        sequence = np.random.SeedSequence([self.strategy.seed, self.told])
        self.study.sampler = self._sampler(int(sequence.generate_state(1)[0]))
        proposals: list[Proposal] = []
        failed = 0
        while len(proposals) < count and len(proposals) + failed < _MOST_TRIES * count:
            asked = [self._ask() for _ in range(count - len(proposals))]
            for proposal, good in zip(
                asked, allowed([proposal.point for proposal in asked]), strict=True
            ):
                if good:
                    proposals.append(proposal)
                    continue
                # Pruned and not failed, so that samplers that learn from these may.
                self._miss(proposal.trial, (_FORBIDDEN,))
                self.study.tell(proposal.trial, state=self.optuna.trial.TrialState.PRUNED)
                failed += 1
        if not proposals:
            raise ConfigError(
                f"sweep: none of {failed} proposals is a point that sweep.where and the rules of "
                "configurations leave; take values out that go with no others",
                code=Code.EMPTY,
                field="sweep.where",
                value=failed,
            )
        return proposals, failed

    def tell(
        self, proposals: Sequence[Proposal], known: Mapping[int, Verdict]
    ) -> list[FrozenTrial]:
        """Tell the sampler what points cost; return the finished trials.

        Args:
            proposals: of :meth:`propose`.
            known: verdicts by point.
        """
        finished = []
        for proposal in proposals:
            verdict = known[proposal.point]
            self._miss(proposal.trial, verdict.excess)
            finished.append(self.study.tell(proposal.trial, list(verdict.values)))
        self.told += len(finished)
        return finished

    def _miss(self, trial: Trial, excess: tuple[float, ...]) -> None:
        """Say by how much a trial misses its constraints."""
        self._excess[trial.number] = excess
        if self._sets_constraints:
            for index, amount in enumerate(excess):
                trial.set_constraint(str(index), amount)

    def point_of(self, trial: FrozenTrial) -> int:
        """Return the point of a trial that was told before.

        Args:
            trial: with its parameters.
        """
        digits = []
        for axis, names in zip(self.grid.axes, self.labels, strict=True):
            value = trial.params.get(axis.path, 0)
            digits.append(names.index(value) if names and value in names else int(value))
        return self._number(digits)

    def _ask(self) -> Proposal:
        trial = self.study.ask()
        digits = np.zeros((len(self.grid.axes), 1), dtype=np.int64)
        for place, axis in enumerate(self.grid.axes):
            if axis.when is None:
                digits[place] = self._digit(trial, place)
        # Where its condition does not hold, a conditional axis stays at its first value.
        active = self.grid.active(self.grid.tables(Flat(digits)))
        for place, axis in enumerate(self.grid.axes):
            if axis.path in active and active[axis.path].all():
                digits[place] = self._digit(trial, place)
        return Proposal(trial, self._number(digits[:, 0].tolist()))

    def _digit(self, trial: Trial, place: int) -> int:
        axis, names = self.grid.axes[place], self.labels[place]
        if len(axis) == 1:
            return 0
        if names is None:
            return int(trial.suggest_int(axis.path, 0, len(axis) - 1))
        return names.index(trial.suggest_categorical(axis.path, names))

    def _number(self, digits: Sequence[int]) -> int:
        number = 0
        for digit, count in zip(digits, self.grid.shape, strict=True):
            number = number * count + digit
        return number

    def _sampler(self, seed: int) -> BaseSampler:
        samplers, strategy = self.optuna.samplers, self.strategy
        sampler: BaseSampler
        if strategy.sampler == "random":
            sampler = samplers.RandomSampler(seed=seed)
            return sampler

        def excess_of(trial: FrozenTrial) -> tuple[float, ...]:
            return self._excess[trial.number]

        asks = {} if self._sets_constraints else {"constraints_func": excess_of}
        with _no_notices(self.optuna):
            if strategy.sampler == "tpe":
                sampler = samplers.TPESampler(seed=seed, constant_liar=True, **asks)
            else:
                kinds = {"nsga2": samplers.NSGAIISampler, "nsga3": samplers.NSGAIIISampler}
                sampler = kinds[strategy.sampler](
                    population_size=strategy.population, seed=seed, **asks
                )
        return sampler


def directions(maximise: Sequence[bool]) -> list[str]:
    """Return the directions of objectives in Optuna's words.

    Args:
        maximise: per objective.
    """
    return ["maximize" if is_maximised else "minimize" for is_maximised in maximise]


class Record:
    """What was told, in a storage of Optuna."""

    def __init__(self, study: Study) -> None:
        """Wrap a study of a storage; see :meth:`open`."""
        self._study = study

    @classmethod
    def open(
        cls,
        url: str | None,
        folder: Path,
        name: str,
        maximise: Sequence[bool],
        *,
        resume: bool,
    ) -> Record:
        """Make the study of a search in a storage, or open it.

        Args:
            url: of the storage; None: a file of SQLite in the folder.
            folder: of the search.
            name: of the study.
            maximise: per objective.
            resume: whether trials that are there are taken as told.

        Raises:
            DataError: a storage that cannot be opened, or trials that are there without resume.
        """
        optuna = load_optuna()
        shown = str(folder / FILE) if url is None else _without_password(url)
        try:
            storage = _sqlite(optuna, folder / FILE) if url is None else url
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                directions=directions(maximise),
                load_if_exists=True,
            )
            trials = study.get_trials(deepcopy=False)
        except _failures() as error:
            raise DataError(
                f"{shown}: no storage of a search: {str(error).splitlines()[0]}; allowed: one of "
                "Optuna's URLs, e.g. sqlite:///FILE.db, with the driver that it needs",
                code=Code.UNREACHABLE,
                field=shown,
            ) from error
        if trials and not resume:
            raise DataError(
                f"{shown}: holds {len(trials)} trials of this search; --resume goes on with them",
                code=Code.IN_THE_WAY,
                field=shown,
                value=len(trials),
            )
        return cls(study)

    def trials(self) -> list[FrozenTrial]:
        """Return the trials that were told, in order; what never was is left out."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state.name == "COMPLETE"]

    def add(self, trials: Sequence[FrozenTrial]) -> None:
        """Keep trials.

        Args:
            trials: that are finished.

        Raises:
            DataError: the disk is full, or the storage is gone.
        """
        try:
            self._study.add_trials(trials)
        except _failures() as error:
            raise DataError(
                f"storage of the search: {str(error).splitlines()[0]}; what was done before is "
                "kept, --resume goes on",
                code=Code.CANNOT_WRITE,
                field="sweep.strategy.storage",
            ) from error


def _sqlite(optuna: ModuleType, path: Path) -> BaseStorage:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, check_same_thread=False)
        # Four times faster. A loss of power, not a kill, may lose trials; rows are kept elsewhere.
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    storage: BaseStorage = optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"creator": connect}
    )
    return storage


def _failures() -> tuple[type[Exception], ...]:
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return (OptunaError, SQLAlchemyError, ImportError, ValueError, OSError, RuntimeError)


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://...@{tail}" if at else url
