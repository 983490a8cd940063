"""Refine the best points of a coarse sweep between the values of its continuous axes.

Adam (Kingma and Ba, ICLR 2015, arXiv:1412.6980) moves the logarithms of the continuous settings
against the gradient of the sum of the objectives' logarithms, which comes from the cost engine by
autograd; each step is projected back to the ranges. Everything else stays as at the start. Counts
(folds, weight duplication) are constant between their jumps, so that a gradient is that of the
smooth piece around a design: a refinement finds the best of the designs that it meets, not the best
of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from archsim.analysis.copies import Aim, settled
from archsim.analysis.pareto import points_of
from archsim.arch.design import DesignBatch
from archsim.arch.parameters import ParameterTable
from archsim.arch.rules import broken
from archsim.config.sweep import Strategy
from archsim.cost.engine import evaluate
from archsim.errors import Code, ConfigError
from archsim.explore.run.goals import Goals
from archsim.explore.run.rows import FEASIBLE
from archsim.explore.space.axes import Dimension
from archsim.explore.space.points import Base, Space
from archsim.explore.space.selection import Flat
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan

if TYPE_CHECKING:
    import pandas as pd

#: A field that an axis sets is in proportion to its value within this, relative.
_PROPORTIONAL = 1e-9


@dataclass(frozen=True)
class Dial:
    """An axis that can be moved continuously.

    Attributes:
        place: of the axis.
        axis: in the grid.
        low: of its range, in the unit of its column.
        high: of its range.
    """

    place: int
    axis: Dimension
    low: float
    high: float


def dials(space: Space) -> tuple[Dial, ...]:
    """Return the axes that a refinement moves: ranges of continuous settings.

    One that a condition of another axis (``when``) asks for stays: moved, it would add that axis.

    Args:
        space: of the sweep.

    Raises:
        ConfigError: there is none, or one that is not positive throughout.
    """
    kinds = {parameter.path: parameter.kind for parameter in DesignBatch.parameters().values()}
    asked = {name for axis in space.grid.axes if axis.when for name in axis.when.names}
    movable = []
    for place, axis in enumerate(space.grid.axes):
        spec = space.sweep.axes[axis.path]
        if kinds.get(axis.path) != "continuous" or spec.start is None or spec.to is None:
            continue
        if asked & {*axis.members}:
            continue
        if spec.start <= 0:
            said = f"from = {spec.start:g} with strategy gradient, which moves logarithms"
            field = f"sweep.axes.{axis.path}"
            raise ConfigError.of(Code.CONFLICT, field, problem=said, allowed="above 0")
        movable.append(Dial(place, axis, spec.start, spec.to))
    if not movable:
        raise ConfigError(
            "sweep.strategy.kind = gradient: no axis to refine; allowed: one or more continuous "
            "settings (device.r_on, device.pulse_width, ...) given as a range from/to",
            code=Code.EMPTY,
            field="sweep.axes",
        )
    return tuple(movable)


def check_refinement(space: Space) -> None:
    """Check what a refinement needs, before anything runs.

    Args:
        space: of the sweep.

    Raises:
        ConfigError: no axis to move, objectives without a gradient, weights that do not fit, or
            accuracies.
    """
    sweep = space.sweep
    if sweep.fidelity != "hardware":
        raise ConfigError(
            "sweep.strategy.kind = gradient with fidelity = accuracy: accuracies have no gradient "
            "here; allowed: fidelity = hardware",
            code=Code.CONFLICT,
            field="sweep.fidelity",
        )
    dials(space)
    goals = Goals.of(space)
    smooth = [metric.column for metric in shown_in(Place.SWEEP) if not metric.is_whole]
    for objective in goals.objectives:
        if objective.column not in smooth:
            raise ConfigError(
                f"sweep.objectives: {objective.column} with strategy gradient; allowed: "
                f"{', '.join(smooth)}",
                code=Code.CONFLICT,
                field="sweep.objectives",
                value=objective.column,
                allowed=tuple(smooth),
            )
    weights = sweep.strategy.weights
    if weights is not None and len(weights) != len(goals.objectives):
        said = f"{len(weights)} for {len(goals.objectives)} objectives; allowed: one for each"
        raise ConfigError.of(Code.SHAPE_MISMATCH, "sweep.strategy.weights", problem=said)


@dataclass(frozen=True, eq=False)
class _State:
    """Where a refinement is: what it wants to be small, and whether the design is allowed."""

    score: Tensor
    results: dict[str, Tensor]
    fits: Tensor


class Refinement:
    """Points of a grid that move together: the same network, technology and block."""

    def __init__(self, space: Space, points: Sequence[int]) -> None:
        """Prepare.

        Args:
            space: of the sweep.
            points: numbers, with the same values of all outer axes.

        Raises:
            ConfigError: an axis that sets something that is not in proportion to its value.
        """
        self.space, self.goals = space, Goals.of(space)
        self.dials = dials(space)
        self.flat = Flat(space.grid.digits_of(np.asarray(points)))
        self.base, design, self.settings = space.design(self.flat)
        base = self.base
        aim = Aim.of(base.resolved)
        self.design = settled(design=design, table=base.table, points=base.points, aim=aim)
        self.scales = [_scales(self.base, dial.axis) for dial in self.dials]
        tables = space.grid.tables(self.flat)
        active = space.grid.active(tables)
        always = np.ones(len(points), dtype=bool)
        masks = [active.get(dial.axis.path, always) for dial in self.dials]
        self.moves = torch.from_numpy(np.stack(masks, axis=1))
        starts = [tables[dial.axis.path].astype(float) for dial in self.dials]
        self.start = torch.from_numpy(np.stack(starts, axis=1))
        self.weights = signed_weights(self.goals, space.sweep.strategy)

    def at(self, values: Tensor) -> _State:
        """Evaluate the points with other values of the continuous axes.

        Args:
            values: ``(points, dials)``, in the units of the columns.
        """
        design, settings = self._moved(values)
        plan = compile_plan(
            design=design, table=self.base.table, points=self.base.points, merge_alike=True
        )
        cost = evaluate(design=design, plan=plan)
        count = self.flat.shape
        results = {
            metric.column: metric.in_column(cost, plan).double().expand(count)
            for metric in shown_in(Place.SWEEP)
        }
        score = torch.zeros(count, dtype=torch.float64)
        for weight, objective in zip(self.weights, self.goals.objectives, strict=True):
            score = score + weight * torch.log(results[objective.column])
        fits = cost.feasible.expand(count) & self._allowed(settings, values)
        return _State(score, results, fits)

    def _moved(self, values: Tensor) -> tuple[DesignBatch, ParameterTable]:
        columns = {}
        for place, scales in enumerate(self.scales):
            for path, scale in scales.items():
                before = self.settings.values[path]
                columns[path] = torch.where(self.moves[:, place], values[:, place] * scale, before)
        settings = self.settings.written(columns)
        return self.design.updated(settings, columns), settings

    def _allowed(self, settings: ParameterTable, values: Tensor) -> Tensor:
        with torch.no_grad():
            fits = torch.ones(self.flat.shape, dtype=torch.bool)
            for mask in broken(settings, layers=len(self.base.table)).values():
                fits = fits & ~mask
        tables = self.space.grid.tables(self.flat)
        for column, dial in enumerate(self.dials):
            moved = values[:, column].detach().numpy()
            tables |= dict.fromkeys(dial.axis.members, moved)
        fits = fits & torch.from_numpy(self.space.grid.kept(self.flat, tables))
        return fits

    def frame(self, rows: pd.DataFrame, values: Tensor, state: _State) -> pd.DataFrame:
        """Return rows as the sweep has them, with other values of the continuous axes.

        Args:
            rows: of the points.
            values: ``(points, dials)``.
            state: of :meth:`at`.
        """
        changed = {name: result.detach().numpy() for name, result in state.results.items()}
        changed[FEASIBLE] = state.fits.numpy()
        names = self.space.columns
        for column, dial in enumerate(self.dials):
            moved = values[:, column].detach().numpy()
            moved = np.where(self.moves[:, column].numpy(), moved, np.nan)
            changed |= {names[path]: moved for path in dial.axis.members}
        return rows.assign(**changed)

    def run(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, Tensor]:
        """Refine; return the best rows that were met, and their values ``(points, dials)``.

        Args:
            rows: of the points, in their order; feasible, and within the constraints.
        """
        strategy = self.space.sweep.strategy
        low = torch.tensor([dial.low for dial in self.dials], dtype=torch.float64)
        high = torch.tensor([dial.high for dial in self.dials], dtype=torch.float64)
        place = self.start.log().requires_grad_()
        adam = torch.optim.Adam([place], lr=strategy.learning_rate)
        best, values = rows.reset_index(drop=True), self.start.clone()
        least = scores(rows, self.goals, strategy)
        for step in range(strategy.steps + 1):
            free = place.exp()
            now = free + (free.clamp(low, high) - free).detach()  # the bounds, to the last bit
            state = self.at(now)
            if step > 0:
                frame = self.frame(best, now, state)
                good = np.asarray([verdict.is_good for verdict in self.goals.judge(frame)])
                score = state.score.detach().numpy()
                better = good & (score < least)
                least = np.where(better, score, least)
                best.loc[better] = frame.loc[better]
                values = torch.where(torch.from_numpy(better)[:, None], now.detach(), values)
            slopes = self._slopes(state, place)
            if step == strategy.steps or slopes is None:
                break
            place.grad = slopes
            adam.step()
            with torch.no_grad():
                place.copy_(torch.minimum(torch.maximum(place, low.log()), high.log()))
        return best, values

    def _slopes(self, state: _State, place: Tensor) -> Tensor | None:
        """Return the gradient of the scores; None where nothing depends on the axes."""
        total = state.score[torch.isfinite(state.score)].sum()
        if not total.requires_grad:
            return None
        (slopes,) = torch.autograd.grad(total, [place])
        return torch.where(self.moves, slopes, 0.0).nan_to_num(0.0, 0.0, 0.0)


def signed_weights(goals: Goals, strategy: Strategy) -> list[float]:
    """Return the weight of each objective's logarithm in a score, which is to become small.

    Args:
        goals: of the sweep.
        strategy: with weights or without.
    """
    weights = strategy.weights or [1.0] * len(goals.objectives)
    pairs = zip(weights, goals.objectives, strict=True)
    return [-weight if objective.maximise else weight for weight, objective in pairs]


def scores(rows: pd.DataFrame, goals: Goals, strategy: Strategy) -> np.ndarray:
    """Return the score of rows, ``(n,)``: the weighted sum of the objectives' logarithms.

    Args:
        rows: with positive objectives.
        goals: of the sweep.
        strategy: with weights or without.
    """
    weights = np.asarray(signed_weights(goals, strategy))
    return np.asarray(np.log(points_of(rows, goals.objectives)) @ weights)


def _scales(base: Base, axis: Dimension) -> dict[str, float]:
    """Return the settings that an axis writes, and what to multiply its value with."""
    values = torch.tensor([float(str(value)) for value in axis.values], dtype=torch.float64)
    scales = {}
    numbers = {
        parameter.path for parameter in DesignBatch.parameters().values() if parameter.is_number
    }
    written = [write.columns.items() for write in base.writes if write.axis == axis.path]
    for path, column in chain.from_iterable(written):
        ratio = column.double() / values
        if path not in numbers or not bool(((ratio / ratio[0] - 1).abs() < _PROPORTIONAL).all()):
            raise ConfigError(
                f"sweep.axes.{axis.path} with strategy gradient: it sets {path}, not in proportion "
                "to its value; give it as a list of values, which stay as they are",
                code=Code.CONFLICT,
                field=f"sweep.axes.{axis.path}",
                value=path,
            )
        scales[path] = float(ratio[0])
    return scales
