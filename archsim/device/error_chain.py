"""The distribution of incremental write-verify: a Markov chain of the remaining error on a grid.

After the first pulse the error is ``e_1 ~ N(mean, sigma^2)``. While ``|e| > tolerance`` another
pulse gives ``e' = (1 - gain) e + step_sigma xi``. Where ``|e|`` goes does not depend on the sign of
``e``, so the grid covers ``|e|`` only: bins from the tolerance to six standard deviations of the
chain that never stops (a bound, since stopping only removes mass) beyond the mean, narrower near
the tolerance, and bins inside the tolerance that absorb. Each bin spreads its mass evenly over its
width, and the share that lands in another bin is the exact integral of the step noise, so that mass
is conserved and a step without noise is handled too.

The error of the grid falls with the square of the bin width, so two grids, one twice as fine, are
extrapolated (Richardson). Accuracy against a fine grid (tests/device/test_error_chain.py): where
``step_sigma >= 0.05 sigma``, mean pulses to 2e-5, residual sigma to 1e-3 (both relative) and the
unconverged fraction to 2e-5; without step noise to 3e-3. Gradients are those of the grid.

A noisy verify read sees ``e + read_noise xi`` in place of the error, and only decides whether to go
on: the pulse acts on the error itself. Then every bin absorbs with its mean chance of acceptance,
``Phi((t - e) / r) - Phi((-t - e) / r)``, those inside the tolerance not surely, those outside it
not never.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.device.cell import Real, broadcast

#: Bins outside and inside the tolerance of the coarser grid.
OUTER_BINS, INNER_BINS = 64, 32
#: Grid end in standard deviations of the unstopped chain; 2e-9 of the mass lies beyond.
_HALF_WIDTH = 6.0
#: Designs propagated at once: bounds the memory (each holds an outer x all matrix).
_CHUNK = 32
#: Smallest |1 - gain| and step noise the bin average divides by; below, the effect is < 1e-6.
_MIN_KEEP, _MIN_STEP = 1e-4, 1e-12


def incremental_distribution(
    *,
    sigma: Real,
    tolerance: Real,
    max_pulses: Real,
    step_gain: Real,
    step_sigma: Real,
    read_noise: Real = 0.0,
    mean: Real = 0.0,
    refine: int = 1,
) -> tuple[Float[Tensor, "*batch pulse"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Propagate the error of a cell through its pulses.

    Args:
        sigma: spread of the first pulse, relative to the range g_on - g_off, ``*batch``.
        tolerance: accepted ``|error|``, ``*batch``.
        max_pulses: pulse limit, at least 1, ``*batch``.
        step_gain: share of the error that a further pulse removes, 0 to 2, ``*batch``.
        step_sigma: spread that a further pulse adds, ``*batch``.
        read_noise: spread of one verify read, ``*batch``.
        mean: error of the first pulse, ``*batch``.
        refine: multiplies the bins of both grids.

    Returns:
        Probability that a cell needs more than k pulses (k = 0 to the largest limit - 1), the mean
        square of the final error, and the fraction of cells whose last read was outside the
        tolerance.
    """
    values = torch.stack(
        broadcast(sigma, tolerance, max_pulses, step_gain, step_sigma, read_noise, mean)
    )
    batch = values.shape[1:]
    values = values.reshape(7, -1)
    noisy = torch.as_tensor(read_noise)
    sees_all = not noisy.requires_grad and not bool((noisy > 0).any())
    pulses = int(values[2].max().item()) if values.numel() else 1
    starts = range(0, max(values.shape[1], 1), _CHUNK)
    parts = [
        _extrapolate(values[:, at : at + _CHUNK], pulses, refine, sees_all=sees_all)
        for at in starts
    ]
    survival, variance, outside = (torch.cat(column) for column in zip(*parts, strict=True))
    return survival.reshape(*batch, pulses), variance.reshape(batch), outside.reshape(batch)


def _extrapolate(
    parameters: Tensor, pulses: int, refine: int, *, sees_all: bool
) -> tuple[Tensor, ...]:
    """Return survival, variance and outside fraction, extrapolated to bins of no width.

    Args:
        parameters: of the chains, ``parameter design``.
        pulses: of the longest.
        refine: multiplies the bins.
        sees_all: reads are without noise.
    """
    sigma, tolerance, max_pulses, step_gain, step_sigma, noise, mean = parameters.unbind()
    chain = _Chain(sigma, mean, max_pulses, (1 - step_gain).abs(), step_sigma, pulses)
    half_width = chain.half_width()
    grids = [_edges(tolerance, half_width, bins) for bins in (refine, 2 * refine)]
    if sees_all:
        coarse, fine = (_propagate(chain, edges) for edges in grids)
    else:
        coarse, fine = (
            _propagate_noisy(chain, edges, _accepted(edges, tolerance, noise)) for edges in grids
        )
    pairs = zip(coarse, fine, strict=True)
    return tuple(((4 * second - first) / 3).clamp_min(0) for first, second in pairs)


@dataclass(frozen=True)
class _Chain:
    """Chains of several designs: their parameters, ``design``, and the pulses of the longest."""

    sigma: Tensor
    mean: Tensor
    max_pulses: Tensor
    keep: Tensor
    step_sigma: Tensor
    pulses: int

    def half_width(self) -> Tensor:
        """Return six times the largest standard deviation of the chain that never stops."""
        variance = largest = self.sigma**2
        for pulse in range(1, self.pulses):
            after = self.keep**2 * variance + self.step_sigma**2
            variance = torch.where(pulse < self.max_pulses, after, variance)
            largest = torch.maximum(largest, variance)
        positive = largest > 0
        deviation = torch.sqrt(torch.where(positive, largest, 1.0))
        # Pulses bring a mean error nearer; a gain of up to 2 keeps its size at most.
        return _HALF_WIDTH * torch.where(positive, deviation, 0.0) + self.mean.abs()


def _propagate(chain: _Chain, edges: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return survival, variance and outside fraction on one grid."""
    square = _mean_square(edges)
    mass = _first_pulse(chain, edges)
    inner = _inner_bins(edges)
    step = _transition(edges, chain, sources=edges[:, inner:])
    variance = (mass[:, :inner] * square[:, :inner]).sum(-1)
    outside = mass[:, inner:]
    # Nobody stops before the first pulse.
    survival = [torch.ones_like(chain.sigma)]
    for pulse in range(1, chain.pulses):
        active = (pulse < chain.max_pulses).unsqueeze(-1)
        survival.append(torch.where(active[:, 0], outside.sum(-1), 0.0))
        landed = torch.bmm(outside.unsqueeze(1), step).squeeze(1)
        absorbed = (landed[:, :inner] * square[:, :inner]).sum(-1)
        variance = variance + torch.where(active[:, 0], absorbed, 0.0)
        outside = torch.where(active, landed[:, inner:], outside)
    variance = variance + (outside * square[:, inner:]).sum(-1)
    return torch.stack(survival, dim=-1), variance, outside.sum(-1)


def _propagate_noisy(
    chain: _Chain, edges: Tensor, accepted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return survival, variance and rejected fraction where each bin stops with some chance.

    Args:
        chain: parameters.
        edges: of the bins.
        accepted: chance that a read accepts a cell of each bin.
    """
    square = _mean_square(edges)
    step = _transition(edges, chain, sources=edges)
    mass = _first_pulse(chain, edges)
    variance = (accepted * mass * square).sum(-1)
    going = (1 - accepted) * mass
    survival = [torch.ones_like(chain.sigma)]
    for pulse in range(1, chain.pulses):
        active = (pulse < chain.max_pulses).unsqueeze(-1)
        survival.append(torch.where(active[:, 0], going.sum(-1), 0.0))
        landed = torch.bmm(going.unsqueeze(1), step).squeeze(1)
        stopped = (accepted * landed * square).sum(-1)
        variance = variance + torch.where(active[:, 0], stopped, 0.0)
        going = torch.where(active, (1 - accepted) * landed, going)
    variance = variance + (going * square).sum(-1)
    return torch.stack(survival, dim=-1), variance, going.sum(-1)


def _mean_square(edges: Tensor) -> Tensor:
    """Return the mean squared error of each bin, its mass spread evenly."""
    low, high = edges[:, :-1], edges[:, 1:]
    return (low**2 + low * high + high**2) / 3


def _accepted(edges: Tensor, tolerance: Tensor, read_noise: Tensor) -> Tensor:
    """Return the chance that a noisy read accepts a cell, averaged over each bin."""
    bound, spread = tolerance.unsqueeze(-1), read_noise.clamp_min(_MIN_STEP).unsqueeze(-1)
    # The antiderivative of Phi((t - e) / r) - Phi((-t - e) / r) in e.
    whole = _integrated_cdf(-bound - edges, spread) - _integrated_cdf(bound - edges, spread)
    return (whole.diff(dim=-1) / _width(edges)).clamp(0, 1)


def _width(edges: Tensor) -> Tensor:
    """Return the widths of bins; 1 for those of no width, which hold nothing (tolerance 0)."""
    width = edges.diff(dim=-1)
    return torch.where(width > 0, width, 1.0)


def _edges(tolerance: Tensor, half_width: Tensor, refine: int) -> Tensor:
    """Return the bin edges of each design: the inner bins, then the outer ones."""
    inner = torch.linspace(0, 1, INNER_BINS * refine + 1, dtype=torch.float64)
    outer = torch.linspace(0, 1, OUTER_BINS * refine + 1, dtype=torch.float64)[1:] ** 2
    # Where the half-width ends inside the tolerance nothing is outside; the grid only has to exist.
    width = torch.maximum(half_width - tolerance, 0.01 * (half_width + tolerance) + 1e-9)
    beyond = tolerance.unsqueeze(-1) + width.unsqueeze(-1) * outer
    return torch.cat([tolerance.unsqueeze(-1) * inner, beyond], dim=-1)


def _inner_bins(edges: Tensor) -> int:
    """Return how many of the bins lie inside the tolerance."""
    return (edges.shape[-1] - 1) * INNER_BINS // (INNER_BINS + OUTER_BINS)


def _first_pulse(chain: _Chain, edges: Tensor) -> Tensor:
    """Return the mass of |N(mean, sigma^2)| in each bin; the last one takes what lies beyond."""
    sigma, mean = chain.sigma.unsqueeze(-1), chain.mean.unsqueeze(-1)
    if chain.mean.requires_grad or bool((chain.mean != 0).any()):
        tail = _beyond(edges - mean, sigma) + _beyond(edges + mean, sigma)
    else:
        tail = torch.erfc(scaled(edges, sigma) / math.sqrt(2))
    ends = torch.zeros_like(tail[:, :1])
    return tail[:, :-1] - torch.cat([tail[:, 1:-1], ends], dim=-1)


def _beyond(distance: Tensor, sigma: Tensor) -> Tensor:
    """Return how much of a normal distribution lies beyond a signed distance from its mean."""
    ratio = scaled(distance.abs(), sigma)
    beyond: Tensor = torch.special.ndtr(torch.where(distance >= 0, -ratio, ratio))
    return beyond


def _transition(edges: Tensor, chain: _Chain, *, sources: Tensor) -> Tensor:
    """Return the probability of moving from each source bin to every bin, per design.

    ``P(|e'| <= b | e) = Phi((b - a e) / s) + Phi((b + a e) / s) - 1``, averaged over a bin of e
    with the antiderivative ``H(y) = y Phi(y / s) + s phi(y / s)``.

    Args:
        edges: of all bins.
        chain: parameters.
        sources: edges of the bins that cells leave.
    """
    spread = chain.step_sigma.clamp_min(_MIN_STEP)[:, None, None]
    factor = chain.keep.clamp_min(_MIN_KEEP)[:, None]
    shift = (factor * sources).unsqueeze(-1)
    target = edges[:, None, 1:-1]
    antiderivative = _integrated_cdf(target + shift, spread) - _integrated_cdf(
        target - shift, spread
    )
    width = (factor * _width(sources)).unsqueeze(-1)
    within = ((antiderivative[:, 1:] - antiderivative[:, :-1]) / width - 1).clamp(0, 1)
    none, all_of_it = torch.zeros_like(within[..., :1]), torch.ones_like(within[..., :1])
    return torch.cat([within, all_of_it], -1) - torch.cat([none, within], -1)


def _integrated_cdf(distance: Tensor, spread: Tensor) -> Tensor:
    """Return the antiderivative of the normal distribution function of the given spread."""
    z = distance / spread
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    cdf: Tensor = torch.special.ndtr(z)
    return distance * cdf + spread * density


def scaled(distance: Tensor, spread: Tensor) -> Tensor:
    """Return ``distance / spread``, at most 50, without a division by zero: 50 for no spread.

    Beyond 50 standard deviations the normal tail is zero in float64, so nothing is lost, and
    gradients stay finite.
    """
    usable = (spread > 0) & (distance <= 50 * spread)
    ratio = torch.where(usable, distance, 1.0) / torch.where(usable, spread, 1.0)
    return torch.where(usable, ratio, 50.0)
