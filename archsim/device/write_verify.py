"""Write-verify: pulse, read, stop within the tolerance or at the pulse limit.

Two models of what a pulse does; all sigmas and tolerances are relative to the range g_on - g_off.

``redraw``
    Every pulse lands at ``N(target, sigma^2)``; a share of the variance belongs to the cell, all
    its pulses have it in common, the rest is new in each: see :mod:`archsim.device.redraw`, also
    for the accuracy.
``incremental``
    The first pulse lands at ``N(target, sigma^2)``, each further one removes the fraction
    ``step_gain`` of the error and adds ``N(0, step_sigma^2)``: see
    :mod:`archsim.device.error_chain`, also for the accuracy. It corrects the share that belongs to
    the cell like any other error.

``redraw`` without such a share is ``incremental`` with ``step_gain = 1`` and ``step_sigma =
sigma``: a batch that mixes the models can use that. Every pulse is followed by one verify read,
whose noise decides with the error whether the cell goes on.
The closed form here and the sampler, :mod:`archsim.device.write_sampler`, are each other's test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.device.cell import Real, broadcast, real
from archsim.device.error_chain import incremental_distribution, scaled
from archsim.device.redraw import redraw_distribution
from archsim.errors import Code, ConfigError
from archsim.shapes import PerDesign

WRITE_MODELS = ("redraw", "incremental")


@dataclass(frozen=True, eq=False)
class WriteVerifyStats:
    """Programming of one cell on average, ``*batch``.

    The last read of ``unconverged_fraction`` of the cells is outside the tolerance; their error is
    part of ``residual_sigma``, the root-mean-square final error.
    """

    write_pulses: Tensor
    verify_reads: Tensor
    residual_sigma: Tensor
    unconverged_fraction: Tensor


@dataclass(frozen=True, eq=False)
class PulseDistribution:
    """Distribution of the pulses of one cell, and what they leave.

    ``survival[..., k]`` is the probability that a cell takes more than ``k`` pulses; it is zero
    from the pulse limit on. Every pulse is followed by a verify read if ``verified``.
    """

    survival: Float[Tensor, "*batch pulse"]
    residual_sigma: Float[Tensor, "*batch"]
    unconverged_fraction: Float[Tensor, "*batch"]
    verified: bool = True

    def stats(self) -> WriteVerifyStats:
        """Return the averages; the mean of a count is the sum of its survival function."""
        pulses = self.survival.sum(-1)
        return WriteVerifyStats(
            write_pulses=pulses,
            verify_reads=pulses if self.verified else torch.zeros_like(pulses),
            residual_sigma=self.residual_sigma,
            unconverged_fraction=self.unconverged_fraction,
        )

    def slowest_of(self, cells: Real) -> PerDesign:
        """Return the expected pulses of the slowest of ``cells`` cells, ``*batch``.

        ``E[max] = sum_k 1 - F(k)^cells`` for independent cells; 0 for no cell.
        """
        done = (1 - self.survival).clamp(0, 1)
        return (1 - done ** real(cells).unsqueeze(-1)).sum(-1)

    def slowest_of_chosen(
        self, *, weights: Real, fraction: Real, cells_per_weight: Real
    ) -> PerDesign:
        """Return the expected pulses of the slowest verified cell of a row, ``*batch``.

        Each of ``weights`` weights is chosen with probability ``fraction``, and then all of its
        cells are: ``E[max] = sum_k 1 - (1 - f (1 - F(k)^m))^n``; 0 where none is chosen.

        Args:
            weights: n, weights in the row, not always whole.
            fraction: f, 0 to 1.
            cells_per_weight: m.
        """
        done = (1 - self.survival).clamp(0, 1)
        return _slowest_weight(done ** real(cells_per_weight).unsqueeze(-1), weights, fraction)

    def per_layer(self) -> PulseDistribution:
        """Return it with an axis of length one behind the batch, for values per layer."""
        return PulseDistribution(
            survival=self.survival.unsqueeze(-2),
            residual_sigma=self.residual_sigma.unsqueeze(-1),
            unconverged_fraction=self.unconverged_fraction.unsqueeze(-1),
            verified=self.verified,
        )


def _slowest_weight(done: Tensor, weights: Real, fraction: Real) -> Tensor:
    """Return ``E[max] = sum_k 1 - (1 - f (1 - F(k)))^n`` of n weights, each chosen with f."""
    count, chosen = real(weights).unsqueeze(-1), real(fraction).unsqueeze(-1)
    return (1 - (1 - chosen * (1 - done)) ** count).sum(-1)


@dataclass(frozen=True, eq=False)
class WeightMixture:
    """Pulse distributions of weights of two kinds; the cells of one weight are of its kind.

    Each weight is in the middle of the range with probability ``middle_share`` (``*batch``),
    independently of the others.
    """

    outer: PulseDistribution
    middle: PulseDistribution
    middle_share: Tensor

    @property
    def survival(self) -> Float[Tensor, "*batch pulse"]:
        """Probability that a cell takes more than ``k`` pulses: see :class:`PulseDistribution`."""
        return mix_cells(self.outer, self.middle, self.middle_share).survival

    def stats(self) -> WriteVerifyStats:
        """Return the averages over all cells."""
        return mix_cells(self.outer, self.middle, self.middle_share).stats()

    def slowest_of_chosen(
        self, *, weights: Real, fraction: Real, cells_per_weight: Real
    ) -> PerDesign:
        """Return the expected pulses of the slowest verified cell of a row, ``*batch``.

        :meth:`PulseDistribution.slowest_of_chosen` with ``p F_middle(k)^m + (1 - p) F_outer(k)^m``
        in the place of ``F(k)^m``.

        Args:
            weights: n, weights in the row, not always whole.
            fraction: f, 0 to 1.
            cells_per_weight: m.
        """
        power, share = real(cells_per_weight).unsqueeze(-1), self.middle_share.unsqueeze(-1)
        outer, middle = (
            (1 - kind.survival).clamp(0, 1) ** power for kind in (self.outer, self.middle)
        )
        return _slowest_weight(share * middle + (1 - share) * outer, weights, fraction)

    def per_layer(self) -> WeightMixture:
        """Return both with an axis of length one behind the batch, for values per layer."""
        return WeightMixture(
            self.outer.per_layer(), self.middle.per_layer(), self.middle_share.unsqueeze(-1)
        )


def mix_cells(
    outer: PulseDistribution, middle: PulseDistribution, middle_share: Real
) -> PulseDistribution:
    """Return the distribution of cells of one kind or the other, independently of each other.

    Args:
        outer: distribution of the cells at the ends of the range, ``*batch``.
        middle: distribution of those in the middle, with the same pulse limit, ``*batch``.
        middle_share: probability that a cell lies in the middle, 0 to 1, ``*batch``.
    """
    share = real(middle_share)

    def mixed(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
        return weight * second + (1 - weight) * first

    variance = mixed(outer.residual_sigma**2, middle.residual_sigma**2, share)
    positive = variance > 0
    deviation = torch.sqrt(torch.where(positive, variance, 1.0))
    return PulseDistribution(
        survival=mixed(outer.survival, middle.survival, share.unsqueeze(-1)),
        residual_sigma=torch.where(positive, deviation, 0.0),
        unconverged_fraction=mixed(outer.unconverged_fraction, middle.unconverged_fraction, share),
        verified=outer.verified,
    )


def check_write_model(model: str) -> None:
    """Check the name of a write model.

    Raises:
        ConfigError: an unknown name.
    """
    if model not in WRITE_MODELS:
        raise ConfigError.of(Code.UNKNOWN_NAME, "write_verify.model", model, allowed=WRITE_MODELS)


def write_step(
    *, model: str, sigma: Real, step_gain: Real | None, step_sigma: Real | None
) -> tuple[Real, Real]:
    """Return gain and spread of the pulses after the first.

    Args:
        model: ``redraw`` (gain 1, spread sigma) or ``incremental``.
        sigma: spread of the first pulse.
        step_gain: incremental: share of the error that a further pulse removes, 0 to 2.
        step_sigma: incremental: spread that a further pulse adds.

    Raises:
        ConfigError: an unknown model, or ``incremental`` without its step.
    """
    check_write_model(model)
    if model == "redraw":
        return 1.0, sigma
    return _step(step_gain, "step_gain"), _step(step_sigma, "step_sigma")


def _step(value: Real | None, key: str) -> Real:
    if value is None:
        raise ConfigError(
            f"write_verify.{key} is missing; the incremental model needs step_gain and step_sigma",
            code=Code.MISSING_KEY,
            field=f"write_verify.{key}",
        )
    return value


def one_shot_distribution(*, sigma: Real, tolerance: Real = math.inf) -> PulseDistribution:
    """Return the distribution of a single pulse that nobody checks: 1 pulse, 0 verify reads.

    Args:
        sigma: spread of the pulse, ``*batch``.
        tolerance: counts the cells outside it as unconverged, ``*batch``; infinite by default.
    """
    spread, accepted = broadcast(sigma, tolerance)
    return PulseDistribution(
        survival=torch.ones_like(spread).unsqueeze(-1),
        residual_sigma=spread,
        unconverged_fraction=torch.erfc(scaled(accepted, spread) / math.sqrt(2)),
        verified=False,
    )


def one_shot(*, sigma: Real, tolerance: Real = math.inf) -> WriteVerifyStats:
    """Return the averages of :func:`one_shot_distribution`.

    Args:
        sigma: spread of the pulse, ``*batch``.
        tolerance: counts the cells outside it as unconverged, ``*batch``; infinite by default.
    """
    return one_shot_distribution(sigma=sigma, tolerance=tolerance).stats()


def pulse_distribution(
    *,
    model: str,
    sigma: Real,
    tolerance: Real,
    max_pulses: Real,
    step_gain: Real | None = None,
    step_sigma: Real | None = None,
    device_share: Real = 0.0,
    read_noise: Real = 0.0,
    mean: Real = 0.0,
) -> PulseDistribution:
    """Return the pulse distribution of write-verify, differentiable in all but ``max_pulses``.

    Args:
        model: ``redraw`` or ``incremental``.
        sigma: spread of the first (``redraw``: of every) pulse, ``*batch``.
        tolerance: accepted ``|error|``, ``*batch``.
        max_pulses: pulse limit, a whole number >= 1, ``*batch``.
        step_gain: incremental: share of the error that a further pulse removes, 0 to 2.
        step_sigma: incremental: spread that a further pulse adds.
        device_share: redraw: share of ``sigma^2`` that all pulses of a cell have in common, 0 to
            1, ``*batch``.
        read_noise: spread of one verify read, ``*batch``.
        mean: mean error of the first pulse, ``*batch``; the residual sigma is about no error.
            ``redraw`` takes it for a limit of one pulse alone, as of devices without write-verify.

    Raises:
        ConfigError: an unknown model, or ``incremental`` without its step.
    """
    gain, spread = write_step(model=model, sigma=sigma, step_gain=step_gain, step_sigma=step_sigma)
    if model == "redraw":
        survival, variance, outside = redraw_distribution(
            sigma=sigma,
            tolerance=tolerance,
            max_pulses=max_pulses,
            device_share=device_share,
            read_noise=read_noise,
        )
        variance = variance + real(mean) ** 2
    else:
        survival, variance, outside = incremental_distribution(
            sigma=sigma,
            tolerance=tolerance,
            max_pulses=max_pulses,
            step_gain=gain,
            step_sigma=spread,
            read_noise=read_noise,
            mean=mean,
        )
    positive = variance > 0
    deviation = torch.sqrt(torch.where(positive, variance, 1.0))
    return PulseDistribution(survival, torch.where(positive, deviation, 0.0), outside)


def write_verify_closed_form(
    *,
    model: str,
    sigma: Real,
    tolerance: Real,
    max_pulses: Real,
    step_gain: Real | None = None,
    step_sigma: Real | None = None,
    device_share: Real = 0.0,
    read_noise: Real = 0.0,
) -> WriteVerifyStats:
    """Return the averages of write-verify per cell: :func:`pulse_distribution` summed up.

    Args:
        model: ``redraw`` or ``incremental``.
        sigma: spread of the first (``redraw``: of every) pulse, ``*batch``.
        tolerance: accepted ``|error|``, ``*batch``.
        max_pulses: pulse limit, a whole number >= 1, ``*batch``.
        step_gain: incremental: share of the error that a further pulse removes, 0 to 2.
        step_sigma: incremental: spread that a further pulse adds.
        device_share: redraw: share of ``sigma^2`` that all pulses of a cell have in common, 0 to
            1, ``*batch``.
        read_noise: spread of one verify read, ``*batch``.

    Raises:
        ConfigError: an unknown model, or ``incremental`` without its step.
    """
    return pulse_distribution(
        model=model,
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        step_gain=step_gain,
        step_sigma=step_sigma,
        device_share=device_share,
        read_noise=read_noise,
    ).stats()
