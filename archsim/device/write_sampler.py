"""Sampling of write-verify: cells pulsed one pulse at a time, those that are done left alone.

The models and the closed form are those of :mod:`archsim.device.write_verify`. The spread of a
first pulse may be split: a *device error* that belongs to the cell and comes back whenever it is
programmed, and a part drawn anew in every cycle. ``redraw`` meets the device error at every pulse,
so a cell whose device error lies beyond the tolerance may never converge; ``incremental`` corrects
it like any other error.

A noisy verify read sees the error plus ``N(0, read_noise^2)``, new at every read, and only decides
whether to go on. A cell has converged when its last read was within the tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from archsim.device.cell import Real
from archsim.device.write_verify import WriteVerifyStats, check_write_model, write_step

#: Pulses between two removals of the cells that are done: fewer copies against idle work.
_COMPACT_EVERY = 8


@dataclass(frozen=True, eq=False)
class ProgrammedCells:
    """Outcome of write-verify for each cell: final error (relative), pulses, success."""

    error: Float[Tensor, "*cells"]
    pulses: Float[Tensor, "*cells"]
    converged: Bool[Tensor, "*cells"]

    def stats(self) -> WriteVerifyStats:
        """Return the averages over all cells; one verify read per pulse."""
        pulses = self.pulses.mean()
        return WriteVerifyStats(
            write_pulses=pulses,
            verify_reads=pulses,
            residual_sigma=self.error.square().mean().sqrt(),
            unconverged_fraction=(~self.converged).to(self.error.dtype).mean(),
        )


def sample_write_verify(
    *,
    model: str,
    shape: tuple[int, ...],
    sigma: Real,
    tolerance: Real,
    max_pulses: int,
    generator: torch.Generator,
    step_gain: Real | None = None,
    step_sigma: Real | None = None,
    read_noise: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> ProgrammedCells:
    """Program cells one pulse at a time.

    Args:
        model: ``redraw`` or ``incremental``.
        shape: ``*cells``.
        sigma: spread of the first (``redraw``: of every) pulse; may differ from cell to cell.
        tolerance: accepted ``|error|``.
        max_pulses: pulse limit.
        generator: source of all randomness; results live on its device.
        step_gain: incremental: share of the error that a further pulse removes.
        step_sigma: incremental: spread that a further pulse adds.
        read_noise: spread of one verify read.
        dtype: of the result; float32 samples the same distribution five times as fast.

    Raises:
        ConfigError: an unknown model, or ``incremental`` without its step.
    """
    check_write_model(model)
    first = torch.randn(shape, generator=generator, dtype=dtype, device=generator.device)
    return verify_cells(
        model=model,
        error=(sigma * first).to(dtype),
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        generator=generator,
        step_gain=step_gain,
        step_sigma=step_sigma,
        read_noise=read_noise,
    )


def verify_cells(
    *,
    model: str,
    error: Float[Tensor, "*cells"],
    sigma: Real,
    tolerance: Real,
    max_pulses: int,
    generator: torch.Generator,
    step_gain: Real | None = None,
    step_sigma: Real | None = None,
    read_noise: float = 0.0,
    device_error: Tensor | None = None,
    verified: Bool[Tensor, "*cells"] | None = None,
) -> ProgrammedCells:
    """Read cells that have had one pulse, and pulse those on that lie outside the tolerance.

    Args:
        model: ``redraw`` or ``incremental``.
        error: error after the first pulse, device error included, relative to the range
            g_on - g_off.
        sigma: ``redraw``: spread of every pulse about the device error; may differ between cells.
        tolerance: accepted ``|error|``; may differ between cells.
        max_pulses: pulse limit, the first pulse included.
        generator: source of all randomness, on the device of ``error``.
        step_gain: incremental: share of the error that a further pulse removes.
        step_sigma: incremental: spread that a further pulse adds.
        read_noise: spread of one verify read, relative like the error.
        device_error: ``redraw``: error that each pulse has in common with the one before.
        verified: cells to read; the others keep their first error. ``None`` reads all.

    Raises:
        ConfigError: an unknown model, or ``incremental`` without its step.
    """
    gain, spread = write_step(model=model, sigma=sigma, step_gain=step_gain, step_sigma=step_sigma)
    allowed = _operand(tolerance, error)
    final, pulses = error.flatten().clone(), error.new_ones(error.numel())
    read = _Reader(read_noise, generator)
    todo = read.outside(final, allowed)
    if verified is not None:
        todo &= verified.flatten()
    converged = ~todo if verified is None else _converged(final, allowed, todo, verified.flatten())
    cells = todo.nonzero().squeeze(1)
    now, count = final[cells], pulses[cells]
    going = torch.ones_like(cells, dtype=torch.bool)
    # Per-cell operands shrink with the cells; the others stay numbers.
    pull = _operand(device_error if model == "redraw" and device_error is not None else 0.0, error)
    operands = [_take(_operand(value, error), cells) for value in (gain, spread)]
    operands += [_take(pull, cells), _take(allowed, cells)]
    for pulse in range(1, max_pulses):
        if not cells.numel():
            break
        gains, spreads, pulls, limits = operands
        active = going.to(now.dtype)
        noise = torch.randn(now.shape, generator=generator, dtype=now.dtype, device=now.device)
        step = noise.mul_(spreads).add_(gains * (pulls - now))
        now.addcmul_(step, active)
        count += active
        going &= read.outside(now, limits)
        if pulse % _COMPACT_EVERY == 0:
            final[cells], pulses[cells], converged[cells] = now, count, ~going
            keep = going.nonzero().squeeze(1)
            cells, now, count, going = cells[keep], now[keep], count[keep], going[keep]
            operands = [_take(value, keep) for value in operands]
    final[cells], pulses[cells], converged[cells] = now, count, ~going
    return ProgrammedCells(
        error=final.view(error.shape),
        pulses=pulses.view(error.shape),
        converged=converged.view(error.shape),
    )


@dataclass(frozen=True)
class _Reader:
    """Verify reads of cells."""

    noise: float
    generator: torch.Generator

    def outside(self, error: Tensor, allowed: Tensor) -> Tensor:
        """Return which cells a read finds outside the tolerance."""
        if self.noise == 0:
            return error.abs() > allowed
        normal = torch.randn(
            error.shape, generator=self.generator, dtype=error.dtype, device=error.device
        )
        return torch.addcmul(error, normal, normal.new_tensor(self.noise)).abs() > allowed


def _converged(error: Tensor, allowed: Tensor, todo: Tensor, verified: Tensor) -> Tensor:
    """Return which cells are done; those that nobody reads are judged by their error."""
    return torch.where(verified, ~todo, error.abs() <= allowed)


def _operand(value: Real, like: Tensor) -> Tensor:
    """Return a number as it is, and anything per cell as a flat tensor of all cells."""
    tensor = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return tensor if tensor.dim() == 0 else tensor.expand(like.shape).reshape(-1)


def _take(value: Tensor, cells: Tensor) -> Tensor:
    return value if value.dim() == 0 else value[cells]
