"""Write-verify of cells some of which are stuck: pulses change nothing, reads go on.

A stuck cell has an error that no pulse changes, and stops by a read that accepts it. Each read does
so with ``p(e) = Phi((t - e) / r) - Phi((-t - e) / r)``, without read noise surely or never, so that
its pulses follow a geometric distribution cut off at the limit: 1 for a cell that is where it
should be, all of them for one that is farther away than the tolerance.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from archsim.device.cell import Real, real
from archsim.device.error_chain import scaled
from archsim.device.write_verify import PulseDistribution
from archsim.shapes import PerDesign


def acceptance(*, error: Real, tolerance: Real, read_noise: Real) -> PerDesign:
    """Return the chance that one verify read accepts a cell of a given error.

    Args:
        error: of the cell, ``*batch``; all three relative to the same conductance.
        tolerance: accepted ``|reading|``, ``*batch``.
        read_noise: spread of one read, ``*batch``; 0 accepts surely or never.
    """
    size, bound, noise = real(error).abs(), real(tolerance), real(read_noise)
    distance = bound - size
    ratio = scaled(distance.abs(), noise)
    near: Tensor = torch.special.ndtr(torch.where(distance >= 0, ratio, -ratio))
    far: Tensor = torch.special.ndtr(-scaled(bound + size, noise))
    return near - far


def with_stuck(
    distribution: PulseDistribution,
    *,
    errors: Float[Tensor, "*batch stuck"],
    rates: Float[Tensor, "*batch stuck"],
    tolerance: Real,
    max_pulses: Real,
    read_noise: Real,
) -> PulseDistribution:
    """Return the distribution of cells that work or are stuck with one of some errors.

    Args:
        distribution: of the cells that work, ``*batch``.
        errors: of the kinds of stuck cells.
        rates: share of each kind in all cells; the rest works.
        tolerance: accepted ``|reading|``, ``*batch``.
        max_pulses: pulse limit, ``*batch``.
        read_noise: spread of one verify read, ``*batch``.
    """
    bound, noise, limit = (
        real(value).unsqueeze(-1) for value in (tolerance, read_noise, max_pulses)
    )
    rejects = 1 - acceptance(error=errors, tolerance=bound, read_noise=noise)
    works = 1 - rates.sum(-1)
    pulse = torch.arange(distribution.survival.shape[-1], device=rejects.device)
    # 0 ** 0 is 1: every cell takes the first pulse.
    going = torch.where(pulse < limit.unsqueeze(-1), rejects.unsqueeze(-1) ** pulse, 0.0)
    variance = works * distribution.residual_sigma**2 + (rates * errors**2).sum(-1)
    positive = variance > 0
    deviation = torch.sqrt(torch.where(positive, variance, 1.0))
    return PulseDistribution(
        survival=works.unsqueeze(-1) * distribution.survival
        + (rates.unsqueeze(-1) * going).sum(-2),
        residual_sigma=torch.where(positive, deviation, 0.0),
        unconverged_fraction=works * distribution.unconverged_fraction
        + (rates * rejects**limit).sum(-1),
        verified=distribution.verified,
    )


def stuck_errors(
    *, cell_bits: Real, pair: Real | Tensor, stuck_on_rate: Real, stuck_off_rate: Real
) -> tuple[Float[Tensor, "*batch stuck"], Float[Tensor, "*batch stuck"]]:
    """Return the errors of stuck cells that are meant to hold any level, and their shares.

    All levels are equally likely; of a pair of cells one is meant to be at level 0. Errors are
    sizes, relative to the range of conductance.

    Args:
        cell_bits: K, ``*batch``.
        pair: differential: a pair of cells for each digit, ``*batch``.
        stuck_on_rate: share of the cells that are stuck at the highest level, ``*batch``.
        stuck_off_rate: share that is stuck at the lowest, ``*batch``.
    """
    steps = torch.exp2(real(cell_bits)).unsqueeze(-1) - 1
    among = torch.where(torch.as_tensor(pair).bool(), 0.5, 1.0).double().unsqueeze(-1)
    on, off = (real(rate).unsqueeze(-1) for rate in (stuck_on_rate, stuck_off_rate))
    distance = torch.arange(int(steps.max().item()) + 1, device=steps.device)
    exists = (distance <= steps).double()
    # A cell at level 0 is `steps` from the highest level, and 0 from the lowest.
    idle = (1 - among) * (on * (distance == steps) + off * (distance == 0))
    rates = among * (on + off) * exists / (steps + 1) + idle
    errors = exists * distance / steps
    errors, rates = torch.broadcast_tensors(errors, rates)
    return errors, rates


def stuck_pulses(
    *,
    error: Float[Tensor, "*cells"],
    tolerance: float,
    max_pulses: int,
    read_noise: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "*cells"], Bool[Tensor, "*cells"]]:
    """Return the pulses that stuck cells take, and which of them a read accepted in the end.

    Args:
        error: of each cell.
        tolerance: accepted ``|reading|``.
        max_pulses: pulse limit.
        read_noise: spread of one verify read; without it nothing is random.
        generator: of the reads, on the device of ``error``.
    """
    if read_noise == 0:
        done = error.abs() <= tolerance
        return torch.where(done, 1.0, float(max_pulses)).to(error.dtype), done
    accepts = acceptance(error=error, tolerance=tolerance, read_noise=read_noise)
    uniform = torch.rand(error.shape, generator=generator, dtype=torch.float64, device=error.device)
    # Inverse of the geometric distribution, P(N > k) = (1 - p)^k.
    needed = torch.floor(torch.log(uniform) / torch.log1p(-accepts)) + 1
    needed = torch.where(accepts > 0, needed, torch.inf)
    return needed.clamp(1, max_pulses).to(error.dtype), needed <= max_pulses
