"""How much less has to be verified: effort of each policy beside the random order.

For each policy the effort (share of the weights, of the write cycles of verified cells, or of all
pulses, the one of each unverified cell included; :class:`tsb.write_verify.effort.WriteEffort`) from
which on the mean accuracy stays within a drop of verifying everything, interpolated linearly
between the points of the curve. Intervals: percentile bootstrap over instances, the same instances
for all policies, which keeps the pairing (Efron & Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.errors import Code, DataError

if TYPE_CHECKING:
    import pandas

#: Drops in accuracy at which policies are compared: 0.1 and 0.5 points.
DROPS = (0.001, 0.005)
#: Columns of the table of runs that measure effort.
EFFORTS = ("fraction", "verify_cycles", "normalised_pulses")


def needed_effort(
    accuracy: Float[Tensor, "*batch point"], effort: Float[Tensor, " point"], drop: float
) -> Float[Tensor, "*batch"]:
    """Return the effort from which on the accuracy stays within ``drop`` of the last point's.

    Args:
        accuracy: along the curve, by increasing effort; the last point verifies everything.
        effort: of each point.
        drop: accepted loss of accuracy, a fraction.
    """
    goal = accuracy[..., -1:] - drop
    points = torch.arange(accuracy.shape[-1])
    # The last point that is too low; -1 if there is none, and then nothing needs to be verified.
    low = torch.where(accuracy < goal, points, -1).amax(-1)
    below, above = low.clamp_min(0), (low + 1).clamp_max(accuracy.shape[-1] - 1)
    first, second = (
        accuracy.gather(-1, index.unsqueeze(-1)).squeeze(-1) for index in (below, above)
    )
    rise = torch.where(second > first, second - first, 1.0)
    share = (goal.squeeze(-1) - first) / rise
    between = effort[below] + share * (effort[above] - effort[below])
    return torch.where(low < 0, effort[0], between)


def speed_up(
    runs: pandas.DataFrame,
    *,
    drops: Sequence[float] = DROPS,
    against: str = "random",
    resamples: int = 2000,
    seed: int = 0,
) -> pandas.DataFrame:
    """Compare the effort of all policies with that of one.

    Args:
        runs: from :func:`tsb.write_verify.curve.write_verify_runs`.
        drops: accepted losses of accuracy, fractions.
        against: the policy to compare with.
        resamples: bootstrap samples.
        seed: of the bootstrap.

    Returns:
        A row per device, policy, kind of effort and drop: ``needed``, ``needed_low``,
        ``needed_high`` (95 %), and ``speed_up`` (effort of ``against`` over ``needed``; infinite
        where nothing needs to be verified) with ``speed_up_low`` and ``speed_up_high``; likewise
        ``over_all``: effort of verifying everything over ``needed``.

    Raises:
        DataError: no curve of ``against``, or one that does not end with verifying everything.
    """
    import pandas as pd

    rows = []
    for device, device_runs in runs.groupby("device", sort=False):
        curves = dict(iter(device_runs.groupby("policy", sort=False)))
        if against not in curves or any(c["fraction"].max() < 1 for c in curves.values()):
            raise DataError(
                f"runs of '{device}': speed-up needs the policy '{against}' and the fraction 1 for "
                f"each policy; given {', '.join(map(str, curves))}",
                code=Code.MISSING_KEY,
                field="runs",
                value=tuple(map(str, curves)),
                allowed=against,
            )
        for effort in EFFORTS:
            for drop in drops:
                needed_by_policy = {
                    policy: _bootstrap(curve, effort, drop, resamples, seed)
                    for policy, curve in curves.items()
                }
                for policy, needed in needed_by_policy.items():
                    both = (needed_by_policy[against] == 0) & (needed == 0)
                    ratio = torch.where(both, 1.0, needed_by_policy[against] / needed)
                    rows.append(
                        {"device": device, "policy": policy, "effort": effort, "drop": drop}
                        | _interval("needed", needed)
                        | _interval("speed_up", ratio)
                        | _interval("over_all", 1 / needed)
                    )
    return pd.DataFrame(rows)


def _bootstrap(
    curve: pandas.DataFrame, effort: str, drop: float, resamples: int, seed: int
) -> Float[Tensor, " resample"]:
    """Return the needed effort of the data themselves (first) and of resampled instances."""
    table = curve.pivot_table(index="instance", columns="fraction", values="accuracy")
    place = curve.assign(place=curve[effort]).groupby("fraction")["place"].mean()
    accuracy = torch.tensor(table.to_numpy(), dtype=torch.float64)
    count = accuracy.shape[0]
    generator = torch.Generator().manual_seed(seed)
    picked = torch.randint(count, (resamples, count), generator=generator)
    means = torch.stack([accuracy.mean(0), *(accuracy[pick].mean(0) for pick in picked)])
    return needed_effort(means, torch.tensor([float(p) for p in place], dtype=torch.float64), drop)


def _interval(name: str, values: Tensor) -> dict[str, float]:
    """Name the value of the data and the 2.5 and 97.5 % quantiles of the resampled ones."""
    ordered = values[1:].nan_to_num(1.0, posinf=float("inf")).sort().values
    last = len(ordered) - 1
    return {
        name: float(values[0]),
        f"{name}_low": float(ordered[int(0.025 * last)]),
        f"{name}_high": float(ordered[round(0.975 * last)]),
    }
