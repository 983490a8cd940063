"""The curve: accuracy against the share of write-verified weights, and the speed-up it shows.

All policies, fractions and devices see the same random numbers (instance *i* has the same errors up
to their size), so that differences between them are paired. The random policy draws a new order of
the weights for every instance, the same at every fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, DataError
from tsb.cells.weight_cells import (
    CellModel,
    WeightCells,
    Weights,
    gaussian_instance,
    mean_weights,
    noise_std,
    weight_cells,
)
from tsb.monte_carlo import alike_chips, interval95, monte_carlo
from tsb.monte_carlo.statistics import possible
from tsb.write_verify.effort import write_effort
from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import LossDerivatives, WriteContext
from tsb.write_verify.selective import Tiling, verify_fraction

if TYPE_CHECKING:
    import pandas

#: Fractions of the curve: dense where the scores matter.
FRACTIONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0)


def write_verify_runs(
    model: nn.Module,
    weights: Weights,
    cell: CellModel,
    policies: Sequence[ByScore],
    images: Float[Tensor, "image channel height width"],
    labels: Int[Tensor, " image"],
    *,
    loss: LossDerivatives | None = None,
    fractions: Sequence[float] = FRACTIONS,
    instances: int = 200,
    seed: int = 0,
    device: str = "uniform",
    granularity: str = "weight",
    tiling: Tiling | None = None,
    backend: str = "auto",
) -> pandas.DataFrame:
    """Measure accuracy per policy, fraction and instance.

    Each instance is programmed and read once, with one normal number per weight: read noise is in
    it, drift is not.

    Args:
        model: the network, in evaluation mode.
        weights: its tensors on the crossbars, by name.
        cell: the device.
        policies: who is compared; one that is drawn per chip gets a new order for each instance.
        images: test images.
        labels: their classes.
        loss: of the network on training images, for the policies that need data.
        fractions: shares of the weights to verify, 0 to 1.
        instances: Monte Carlo instances (chips) per point.
        seed: of all randomness.
        device: what to call the device in the table.
        granularity: one of :data:`archsim.config.choices.GRANULARITIES`.
        tiling: needed for ``row`` and ``subarray``.
        backend: see :func:`tsb.monte_carlo.monte_carlo`.

    Returns:
        A row per instance: ``device``, ``policy``, ``fraction``, ``instance``,
        ``verified_fraction``, ``write_pulses``, ``normalised_pulses``, ``verify_cycles``,
        ``accuracy``, ``images``.

    Raises:
        ConfigError: a fraction outside 0 to 1, scores of other tensors than ``weights``, a policy
            that lacks what it needs, or stuck cells, whose errors are not normal.
        DataError: weights that are not finite.
        NetworkError: a network that a policy cannot judge.
    """
    import pandas as pd

    if cell.stuck_on_rate or cell.stuck_off_rate:
        raise ConfigError(
            f"stuck_on_rate = {cell.stuck_on_rate:g} and stuck_off_rate = {cell.stuck_off_rate:g}: "
            "the curve draws one normal number per weight, which stuck cells are not; allowed: 0 "
            "(archsim program without --curve samples every cell)",
            code=Code.UNSUPPORTED,
            field="stuck_on_rate",
            value=(cell.stuck_on_rate, cell.stuck_off_rate),
            allowed="0",
        )
    cells = weight_cells(weights, cell)
    context = WriteContext(
        weights=weights,
        std_of=lambda named: {name: cells[name].spread for name in named},
        generator=torch.Generator().manual_seed(seed + 1),
        loss=loss,
        tiling=tiling,
    )
    # All scores first: a network that one of them cannot judge is refused before hours of work.
    scores = {policy.name: policy.score(context) for policy in policies}
    _check_scores(weights, scores)
    frames = []
    for policy in policies:
        for fraction in fractions:
            # Where orders are drawn: the same ones at every fraction, apart from the noise.
            orders = replace(context, generator=torch.Generator().manual_seed(seed + 1))
            choose = partial(
                _choose, weights, cells, cell, fraction, granularity=granularity, tiling=tiling
            )
            fixed = None if policy.drawn_per_chip else choose(scores[policy.name])
            rows: list[dict[str, float]] = []

            def draw(
                generator: torch.Generator,
                choose: Callable[..., _Chosen] = choose,
                fixed: _Chosen | None = fixed,
                policy: ByScore = policy,
                orders: WriteContext = orders,
                rows: list[dict[str, float]] = rows,
            ) -> Mapping[str, Tensor]:
                chosen = fixed or choose(policy.score(orders))
                rows.append(chosen.effort)
                return gaussian_instance(chosen.means, chosen.std, generator)

            result = monte_carlo(
                model,
                alike_chips(draw),
                images,
                labels,
                chips=instances,
                generator=torch.Generator().manual_seed(seed),
                backend=backend,
            )
            frame = pd.DataFrame(rows)
            frame["accuracy"] = result.accuracy[:, 0].numpy()
            frame.insert(0, "instance", range(instances))
            frame.insert(0, "fraction", fraction)
            frame.insert(0, "policy", policy.name)
            frame.insert(0, "device", device)
            frame["images"] = result.images
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


class _Chosen(NamedTuple):
    """What weights are on average, their noise, and what the choice costs."""

    means: dict[str, Tensor]
    std: dict[str, Tensor]
    effort: dict[str, float]


def _choose(
    weights: Weights,
    cells: Mapping[str, WeightCells],
    cell: CellModel,
    fraction: float,
    score: Mapping[str, Tensor],
    *,
    granularity: str,
    tiling: Tiling | None,
) -> _Chosen:
    masks = verify_fraction(score, fraction, granularity=granularity, tiling=tiling)
    effort = write_effort(masks, cells, cell)
    numbers = {
        "verified_fraction": effort.verified_weights / effort.weights,
        "write_pulses": effort.write_pulses,
        "normalised_pulses": effort.normalised_pulses,
        "verify_cycles": effort.verify_cycles,
    }
    means = mean_weights(weights, cells, masks)
    return _Chosen(means, noise_std(cells, masks, read=True, centred=True), numbers)


def _check_scores(weights: Weights, scores: Mapping[str, Mapping[str, Tensor]]) -> None:
    shapes = {n: w.shape for n, w in weights.items()}
    for policy, score in scores.items():
        if {n: s.shape for n, s in score.items()} != shapes:
            raise ConfigError(
                f"scores of policy '{policy}' are for {', '.join(score)}; expected the names and "
                f"shapes of the weights: {', '.join(weights)}",
                code=Code.SHAPE_MISMATCH,
                field="scores",
                value=tuple(score),
                allowed=tuple(weights),
            )


def summarise_curve(runs: pandas.DataFrame) -> pandas.DataFrame:
    """Return mean, spread and 95 % interval of every point of the curve.

    Args:
        runs: from :func:`write_verify_runs`, of one or more devices.

    Returns:
        A row per device, policy and fraction: the means of the effort, ``accuracy``, ``std``,
        ``ci95_low``, ``ci95_high`` (t interval of the mean), ``low`` and ``high`` (2.5 and 97.5 %
        quantiles of the instances: the band in which 95 % of chips lie), ``worst``, ``instances``.

    Raises:
        DataError: a table without rows.
    """
    import pandas as pd

    if runs.empty:
        raise DataError(
            "the table of runs is empty",
            code=Code.EMPTY,
            field="runs",
        )
    rows = []
    keys = ["device", "policy", "fraction"]
    for key, group in runs.groupby(keys, sort=False):
        accuracy = torch.tensor(group["accuracy"].to_numpy(), dtype=torch.float64)
        interval = possible(interval95(accuracy)) or (None, None)
        effort = ["verified_fraction", "write_pulses", "normalised_pulses", "verify_cycles"]
        rows.append(
            dict(zip(keys, key, strict=True))
            | {name: float(group[name].mean()) for name in effort}
            | {
                "accuracy": float(accuracy.mean()),
                "std": float(accuracy.std()) if len(group) > 1 else None,
                "ci95_low": interval[0],
                "ci95_high": interval[1],
                "low": float(accuracy.quantile(0.025)),
                "high": float(accuracy.quantile(0.975)),
                "worst": float(accuracy.min()),
                "instances": len(group),
                "images": int(group["images"].iloc[0]),
            }
        )
    return pd.DataFrame(rows)
