"""The distribution of write-verify by independent pulses, about an error that belongs to the cell.

A pulse lands at ``d + c N(0, 1)``: the device error ``d ~ N(0, s sigma^2)`` is drawn once per cell
and met by every pulse, the cycle error ``c = sigma sqrt(1 - s)`` is new in each. Given ``d`` a
pulse fails with ``q(d) = Phi((d - t) / c) + Phi((-d - t) / c)``, so that the pulses follow a
geometric distribution cut off at the limit n, and

* more than k pulses are needed with ``E[q^k]``, the cell stays outside with ``E[q^n]``;
* the final variance is ``E[sum_(k<n) q^k A + q^(n-1) (d^2 + c^2 - A)]``, with A(d) the second
  moment of a pulse inside the tolerance (of a truncated normal): accepted at pulse k, or the last
  pulse's error.

Without a device error (s = 0) there is nothing to average over, and the distribution is exact.
Otherwise the average over ``|d|`` is a Gauss-Legendre sum on four panels whose borders lie about
the tolerance, where q rises from 0 to 1 within a few c: probabilities to 1e-6 and the variance to
1e-5 of itself (tests/device/test_redraw.py), also where nothing of the spread is new in a cycle
(s = 1: a cell that fails once fails always).

A noisy verify read sees ``m = e + r N(0, 1)`` in place of the error ``e``, and only decides whether
to go on. Then q is that of m, whose spread about d is ``sqrt(c^2 + r^2)``, and A follows from
``e | m ~ N(d + rho (m - d), c^2 (1 - rho))`` with ``rho = c^2 / (c^2 + r^2)``: m and e are jointly
normal.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from archsim.device.cell import Real, broadcast
from archsim.device.error_chain import scaled

#: Points per panel.
_POINTS = 24
#: Device errors beyond so many of their standard deviations are left out: 2e-17 of the mass.
_INTEGRATION_LIMIT = 8.5
#: Half width, in cycle spreads, of the panels about the tolerance: beyond, q is 0 or 1 to 1e-9.
_EDGE = 6.0


def redraw_distribution(
    *,
    sigma: Real,
    tolerance: Real,
    max_pulses: Real,
    device_share: Real = 0.0,
    read_noise: Real = 0.0,
) -> tuple[Float[Tensor, "*batch pulse"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Return the distribution of the pulses of a cell, averaged over cells.

    Differentiable in all but ``max_pulses``. At a share of 0 and 1 the slope in the share leaves
    out the part that appears there (at 1 the true slope is infinite).

    Args:
        sigma: spread of a pulse, relative to the range g_on - g_off, ``*batch``.
        tolerance: accepted ``|error|``, ``*batch``.
        max_pulses: pulse limit, at least 1, ``*batch``.
        device_share: share of ``sigma^2`` that all pulses of a cell have in common, 0 to 1,
            ``*batch``.
        read_noise: spread of one verify read, ``*batch``.

    Returns:
        Probability that a cell needs more than k pulses (k = 0 to the largest limit - 1), the
        variance of the final error, and the fraction of cells whose last read was outside the
        tolerance.
    """
    sigma, tolerance, limit, share, noise = broadcast(
        sigma, tolerance, max_pulses, device_share, read_noise
    )
    cycle, device = sigma * _root(1 - share), sigma * _root(share)
    seen = torch.where(noise > 0, _root(cycle**2 + noise**2), cycle)
    error, weight = _device_errors(tolerance, seen, device)
    limit, cycle, bound = limit.unsqueeze(-1), cycle.unsqueeze(-1), tolerance.unsqueeze(-1)
    fails, inside = _one_pulse(error, cycle, seen.unsqueeze(-1), bound)
    longest = int(limit.max().item()) if limit.numel() else 1
    reached, pulses = torch.ones_like(fails), torch.ones_like(fails)
    # Every cell takes the first pulse.
    survival = [torch.ones_like(limit[..., 0])]
    for pulse in range(1, longest):
        reached = reached * fails
        active = pulse < limit
        survival.append(torch.where(active[..., 0], (weight * reached).sum(-1), 0.0))
        pulses = pulses + torch.where(active, reached, 0.0)
    last = fails ** (limit - 1)
    variance = pulses * inside + last * (error**2 + cycle**2 - inside)
    return (
        torch.stack(survival, dim=-1),
        (weight * variance).sum(-1),
        (weight * last * fails).sum(-1),
    )


def _root(value: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = value > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, value, 1.0)), 0.0)


def _one_pulse(
    error: Tensor, cycle: Tensor, seen: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the chance that a pulse fails, and the second moment of those that do not.

    Args:
        error: device error, at least 0.
        cycle: spread of a pulse about it.
        seen: spread of what a read sees of the pulse, ``cycle`` or more.
        tolerance: accepted ``|reading|``.
    """
    above, below = _signed(tolerance - error, seen), _signed(tolerance + error, seen)
    fails: Tensor = torch.special.ndtr(-above) + torch.special.ndtr(-below)
    hits = (torch.erf(above / math.sqrt(2)) + torch.erf(below / math.sqrt(2))) / 2
    high, low = _density(above), _density(below)
    # Moments of the accepted readings about the device error.
    first, second = seen * (low - high), seen**2 * (hits - above * high - below * low)
    noisy = seen > cycle
    known = torch.where(noisy, cycle**2 / torch.where(noisy, seen**2, 1.0), 1.0)
    about = known**2 * second + cycle**2 * (1 - known) * hits
    inside = error**2 * hits + 2 * error * known * first + about
    return fails, inside.clamp_min(0)


def _signed(distance: Tensor, spread: Tensor) -> Tensor:
    """Return ``distance / spread`` between -50 and 50; a distance of 0 over 0 counts as inside."""
    ratio = scaled(distance.abs(), spread)
    return torch.where(distance >= 0, ratio, -ratio)


def _density(z: Tensor) -> Tensor:
    return torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def _device_errors(tolerance: Tensor, seen: Tensor, device: Tensor) -> tuple[Tensor, Tensor]:
    """Return points and weights of the average over the size of the device error."""
    if not device.requires_grad and not bool((device > 0).any()):
        return torch.zeros_like(device).unsqueeze(-1), torch.ones_like(device).unsqueeze(-1)
    # All in standard deviations of the device error.
    inner = [
        scaled((tolerance + step * seen).clamp_min(0), device).clamp_max(_INTEGRATION_LIMIT)
        for step in (-_EDGE, 0.0, _EDGE)
    ]
    ends = torch.zeros_like(device), torch.full_like(device, _INTEGRATION_LIMIT)
    borders = torch.stack([ends[0], *inner, ends[1]], dim=-1)
    low, width = borders[..., :-1, None], borders.diff(dim=-1).unsqueeze(-1)
    place, share = (torch.tensor(column, dtype=torch.float64) for column in _legendre())
    points = (low + width * place).flatten(-2)
    weights = (width * share).flatten(-2) * _density(points)
    return device.unsqueeze(-1) * points, weights / weights.sum(-1, keepdim=True)


@lru_cache(maxsize=1)
def _legendre() -> tuple[list[float], list[float]]:
    """Gauss-Legendre points and weights on 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    return list((points + 1) / 2), list(weights / 2)
