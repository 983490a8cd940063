"""Program one weight tensor cell by cell, block by block, and read it back.

Weights are quantised, encoded and cut into cells (:mod:`archsim.device.weight_format`); every cell
gets one pulse, those under ``verify`` are read and pulsed on until they are within the tolerance or
at the pulse limit (:mod:`archsim.device.cell_programmer`); the cells are added up to weights again.
Cells that never converge are counted, they are no error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from archsim.config.schema.device import DeviceFile
from archsim.device.cell_programmer import CellBlock, CellProgrammer, ChipStreams
from archsim.device.programming import programming_energy_J
from archsim.device.weight_format import WeightFormat
from archsim.device.write_array import WriteArray, crossbar_times_s, raise_row_reads
from archsim.device.write_tally import WriteTally
from archsim.errors import Code, ConfigError

#: Cells programmed at once: bounds the memory, and fixes the order of the random numbers.
BLOCK_CELLS = 1 << 18


@dataclass(frozen=True, eq=False, kw_only=True)
class ProgrammedTensor:
    """One tensor on a chip.

    Attributes:
        weights: as read back, in the shape and type of the given ones.
        scale: weight of one code step; 0 for a tensor of zeros.
        tally: pulses, reads and failures.
        energy_J: energy of all pulses and reads, J.
        crossbar_times_s: time to write each crossbar, s; None without an array.
        cell_pulses: pulses of each cell, positive side and most significant digit first; None
            unless asked for.
        cell_errors: final errors, relative to the range g_on - g_off; likewise.
    """

    weights: Tensor
    scale: float
    tally: WriteTally
    energy_J: float
    crossbar_times_s: Float[Tensor, " crossbar"] | None
    cell_pulses: Int[Tensor, "*weights cell"] | None
    cell_errors: Float[Tensor, "*weights cell"] | None


def program_tensor(
    weight: Tensor,
    *,
    name: str,
    device: DeviceFile,
    generator: torch.Generator,
    chip_seed: int,
    weight_format: WeightFormat | None = None,
    verify: bool | Tensor = False,
    array: WriteArray | None = None,
    clip_at_zero: bool = False,
    keep_cells: bool = False,
) -> ProgrammedTensor:
    """Program one tensor: :func:`program_weights` for networks that do not fit into memory.

    Args:
        weight: outputs first.
        name: with ``chip_seed`` it says which cells these are.
        device: a file of ``configs/device``.
        generator: what changes from cycle to cycle, on the device of the weights.
        chip_seed: the chip.
        weight_format: bits and encoding; by default 8 bits as magnitudes on 2-bit cells.
        verify: all cells, none, or a mask of the weight's shape, or with a last axis of cells.
        array: crossbars to write to; None leaves the time out.
        clip_at_zero: no cell below zero conductance.
        keep_cells: return pulses and error of every cell.

    Raises:
        ConfigError: as :func:`program_weights`.
        DataError: weights that are not finite real numbers.
    """
    form = weight_format or WeightFormat()
    programmer = CellProgrammer(device=device, weight_format=form, clip_at_zero=clip_at_zero)
    scale = form.scale_of(weight, name=name)
    shape, outputs = weight.shape, weight.shape[0] if weight.dim() else 1
    matrix = weight.detach().reshape(outputs, shape[1:].numel())
    mask = _mask(verify, shape, form, name)
    chip = ChipStreams(
        device=_stream(generator.device, chip_seed, name, "device"),
        defects=_stream(generator.device, chip_seed, name, "defects"),
    )
    achieved, tally = torch.empty_like(matrix), WriteTally.nothing(programmer.max_pulses)
    groups = () if array is None else array.groups(outputs * form.cells_per_weight)
    row_reads = torch.zeros(len(groups), matrix.shape[1], device=matrix.device)
    kept = (*matrix.shape, form.cells_per_weight) if keep_cells else (0, 0, 0)
    cell_pulses = torch.empty(kept, dtype=torch.int32, device=weight.device)
    cell_errors = torch.empty(kept, dtype=torch.float32, device=weight.device)
    for place in _blocks(matrix.shape, form.cells_per_weight):
        codes = form.codes_of(matrix[place], scale)
        verified = _verified(mask, place, codes, form)
        block = programmer.program(codes, verified=verified, generator=generator, chip=chip)
        achieved[place] = (form.decode(block.levels, codes).double() * scale).to(matrix.dtype)
        tally = tally + _count(block, verified, programmer.max_pulses)
        if groups and verified is not None:
            reads = block.pulses.where(verified, 0.0).flatten(-2)[..., list(form.column_order)]
            raise_row_reads(row_reads, reads, place, groups=groups)
        if keep_cells:
            cell_pulses[place] = block.pulses.flatten(-2).int()
            cell_errors[place] = block.error.flatten(-2)
    row_read_s, cell_read_J = _read_costs(device, array)
    pulse = device.cell_pulse
    energy = programming_energy_J(
        cells=1,
        write_pulses=tally.write_pulses,
        verify_reads=tally.verify_reads,
        write_energy_J=pulse.energy_J,
        verify_read_energy_J=cell_read_J,
    )
    times = None
    if array is not None:
        times = crossbar_times_s(
            row_reads,
            groups=groups,
            rows=array.rows,
            pulse_width_s=pulse.time_s,
            verify_read_time_s=row_read_s,
            pixels=array.pixels(name, shape),
        )
    return ProgrammedTensor(
        weights=achieved.reshape(shape),
        scale=scale,
        tally=tally,
        energy_J=float(energy),
        crossbar_times_s=times,
        cell_pulses=cell_pulses.reshape(*shape, -1) if keep_cells else None,
        cell_errors=cell_errors.reshape(*shape, -1) if keep_cells else None,
    )


def _read_costs(device: DeviceFile, array: WriteArray | None) -> tuple[float, float]:
    """Return seconds per verify read of a row, and joules per cell."""
    row_s, cell_J = (None, None) if array is None else (array.row_read_s, array.cell_read_J)
    return (
        device.verify_read_time.si if row_s is None else row_s,
        device.verify_read_energy.si if cell_J is None else cell_J,
    )


def _stream(device: torch.device, *key: int | str) -> torch.Generator:
    """Return a generator that follows from the key alone."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    # PyTorch's CPU generator uses the low 32 bits of a seed.
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:4]))


def _blocks(shape: torch.Size, cells_per_weight: int) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix of weights into blocks: whole outputs, or parts of one if it is too long."""
    outputs, inputs = shape
    if not outputs * inputs:
        return
    wide = min(inputs, max(BLOCK_CELLS // cells_per_weight, 1))
    high = max(BLOCK_CELLS // (wide * cells_per_weight), 1)
    for top in range(0, outputs, high):
        for left in range(0, inputs, wide):
            yield slice(top, min(top + high, outputs)), slice(left, min(left + wide, inputs))


def _mask(verify: bool | Tensor, shape: torch.Size, form: WeightFormat, name: str) -> bool | Tensor:
    """Return the mask as a matrix of weights, or of cells per weight."""
    if isinstance(verify, bool):
        return verify
    per_cell = torch.Size([*shape, form.cells_per_weight])
    if verify.dtype != torch.bool or verify.shape not in (shape, per_cell):
        raise ConfigError(
            f"verify['{name}'] is {verify.dtype} of shape {tuple(verify.shape)}; allowed: "
            f"torch.bool of shape {tuple(shape)}, or {tuple(per_cell)} for single cells",
            code=Code.WRONG_TYPE if verify.dtype != torch.bool else Code.SHAPE_MISMATCH,
            field=f"verify['{name}']",
            value=str(verify.dtype) if verify.dtype != torch.bool else tuple(verify.shape),
            allowed=f"torch.bool of shape {tuple(shape)}, or {tuple(per_cell)} for single cells",
        )
    outputs = shape[0] if shape else 1
    tail = (form.cells_per_weight,) if verify.shape == per_cell else ()
    return verify.reshape(outputs, shape[1:].numel(), *tail)


def _verified(
    mask: bool | Tensor, place: tuple[slice, slice], codes: Tensor, form: WeightFormat
) -> Bool[Tensor, "output input side digit"] | None:
    """Return which cells of a block are verified; None for no cell."""
    cells = (*codes.shape, form.sides, form.slices)
    if isinstance(mask, bool):
        return torch.ones(cells, dtype=torch.bool, device=codes.device) if mask else None
    part = mask[place].to(codes.device)
    if not bool(part.any()):
        return None
    return part.reshape(cells) if part.dim() > codes.dim() else part[..., None, None].expand(cells)


def _count(block: CellBlock, verified: Tensor | None, max_pulses: int) -> WriteTally:
    """Count the pulses, failures and errors of a block."""
    squares = block.error.square()
    cells, weights = block.error.numel(), block.error.shape[:-2].numel()
    pulses = torch.zeros(max_pulses + 1, dtype=torch.int64)
    verified_cells = verified_weights = unconverged = hopeless = 0
    verified_squares = 0.0
    if verified is not None:
        all_cells = bool(verified.all())
        taken = block.pulses.flatten() if all_cells else block.pulses[verified]
        pulses = torch.bincount(taken.int(), minlength=max_pulses + 1).cpu()
        verified_cells = taken.numel()
        verified_weights = int(verified.flatten(-2).any(-1).sum())
        failed = verified & ~block.converged
        unconverged = int(failed.sum())
        hopeless = 0 if block.stuck is None else int((failed & block.stuck).sum())
        verified_squares = float((squares * verified).sum(dtype=torch.float64))
    return WriteTally(
        weights=weights,
        verified_weights=verified_weights,
        cells=cells,
        verified_cells=verified_cells,
        unconverged_cells=unconverged,
        stuck_cells=0 if block.stuck is None else int(block.stuck.sum()),
        unconverged_stuck_cells=hopeless,
        verified_by_pulses=pulses,
        squared_error=float(squares.sum(dtype=torch.float64)),
        verified_squared_error=verified_squares,
    )
