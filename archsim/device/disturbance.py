"""What happens to a cell besides the programming spread: defects, drift and read noise.

Every function takes and returns a tensor of cells, so that they chain in the order of events:
program, stick, drift, read.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.device.cell import Real, real
from archsim.errors import Code, ConfigError
from archsim.shapes import PerDesign


def stick_cells(
    *,
    levels: Float[Tensor, "*cells"],
    level_count: int,
    stuck_on_rate: float,
    stuck_off_rate: float,
    generator: torch.Generator,
) -> Float[Tensor, "*cells"]:
    """Replace a random share of cells by ones stuck at the highest or at the lowest level.

    Args:
        levels: programmed levels.
        level_count: levels per cell.
        stuck_on_rate: probability that a cell is stuck at level ``level_count - 1``.
        stuck_off_rate: probability that a cell is stuck at level 0.
        generator: source of all randomness; the same seed gives the same defects.

    Raises:
        ConfigError: the two rates are not probabilities that add up to at most 1.
    """
    stuck = stuck_levels(
        shape=tuple(levels.shape),
        level_count=level_count,
        stuck_on_rate=stuck_on_rate,
        stuck_off_rate=stuck_off_rate,
        generator=generator,
        dtype=levels.dtype,
    )
    return torch.where(stuck.isnan(), levels, stuck)


def stuck_levels(
    *,
    shape: tuple[int, ...],
    level_count: int,
    stuck_on_rate: float,
    stuck_off_rate: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "*cells"]:
    """Return the level that each cell is stuck at, not-a-number for a cell that works.

    Args:
        shape: ``*cells``.
        level_count: levels per cell.
        stuck_on_rate: probability that a cell is stuck at level ``level_count - 1``.
        stuck_off_rate: probability that a cell is stuck at level 0.
        generator: source of all randomness; results live on its device.
        dtype: of the result.

    Raises:
        ConfigError: the two rates are not probabilities that add up to at most 1.
    """
    if min(stuck_on_rate, stuck_off_rate) < 0 or stuck_on_rate + stuck_off_rate > 1:
        raise ConfigError(
            f"stuck_on_rate = {stuck_on_rate:g} and stuck_off_rate = {stuck_off_rate:g}; allowed: "
            "both >= 0 with a sum of at most 1",
            code=Code.OUT_OF_RANGE,
            field="stuck_on_rate",
            value=(stuck_on_rate, stuck_off_rate),
            allowed="both >= 0 with a sum of at most 1",
        )
    draw = torch.rand(shape, generator=generator, dtype=dtype, device=generator.device)
    stuck = torch.where(draw < stuck_on_rate, float(level_count - 1), torch.nan).to(dtype)
    return torch.where(draw >= 1 - stuck_off_rate, 0.0, stuck)


def drift_factor(*, time_s: Real, start_s: Real, drift_nu: Real) -> PerDesign:
    """Return conductance over its initial value, ``(t / t0)^-nu``; 1 before ``t0``.

    The power law of phase-change memory (Nandakumar et al., ICECS 2019,
    doi:10.1109/ICECS46596.2019.8964852).

    Args:
        time_s: time since programming, s.
        start_s: time of the first read, t0, s.
        drift_nu: drift exponent.
    """
    decades = torch.log(torch.clamp(real(time_s) / real(start_s), min=1.0))
    return torch.exp(-real(drift_nu) * decades)


def mean_drift_factor(
    *, time_s: Real, start_s: Real, drift_nu: Real, drift_nu_sigma: Real
) -> PerDesign:
    """Return the mean of :func:`drift_factor` over cells with a normally distributed exponent.

    The mean of a log-normal distribution: ``exp(-nu L + (sigma L)^2 / 2)`` with ``L = ln(t / t0)``.

    Args:
        time_s: time since programming, s.
        start_s: time of the first read, t0, s.
        drift_nu: mean exponent.
        drift_nu_sigma: standard deviation of the exponent.
    """
    decades = torch.log(torch.clamp(real(time_s) / real(start_s), min=1.0))
    return torch.exp(-real(drift_nu) * decades + (real(drift_nu_sigma) * decades) ** 2 / 2)


def drift_cells(
    *,
    conductance: Float[Tensor, "*cells"],
    time_s: float,
    start_s: float,
    drift_nu: float,
    drift_nu_sigma: float,
    generator: torch.Generator,
) -> Float[Tensor, "*cells"]:
    """Let every cell drift with its own exponent.

    Args:
        conductance: in any unit in which zero means no conductance (siemens, not levels).
        time_s: time since programming, s.
        start_s: time of the first read, t0, s.
        drift_nu: mean exponent.
        drift_nu_sigma: standard deviation of the exponent between cells.
        generator: source of all randomness.
    """
    noise = torch.randn(
        conductance.shape,
        generator=generator,
        dtype=conductance.dtype,
        device=conductance.device,
    )
    exponent = drift_nu + drift_nu_sigma * noise
    factor = drift_factor(time_s=time_s, start_s=start_s, drift_nu=exponent)
    return conductance * factor.to(conductance.dtype)


def read_cells(
    *,
    levels: Float[Tensor, "*cells"],
    level_count: int,
    read_noise_sigma: float,
    generator: torch.Generator,
) -> Float[Tensor, "*cells"]:
    """Add the noise of one read, new in every read.

    Args:
        levels: programmed levels.
        level_count: levels per cell.
        read_noise_sigma: standard deviation relative to the range g_on - g_off.
        generator: source of all randomness.
    """
    noise = torch.randn(levels.shape, generator=generator, dtype=levels.dtype, device=levels.device)
    return levels + read_noise_sigma * (level_count - 1) * noise
