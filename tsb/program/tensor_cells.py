"""The cells of one tensor of a chip: their errors given the weights', and what drift does to them.

All in units of the range g_on - g_off of a cell, or in steps of the weight's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archsim.device import drift_cells
from tsb.cells.cell_model import cell_distributions
from tsb.cells.weight_cells import cell_values, weight_cells
from tsb.program.compensation.base import Compensation
from tsb.program.storage import WeightStorage

if TYPE_CHECKING:
    from tsb.program.chip_read import Drift

#: Weights whose cells are drawn at once, which bounds memory on large layers.
_WEIGHTS_AT_ONCE = 1 << 18


@dataclass(frozen=True, eq=False)
class ReferenceReads:
    """Reference reads of one tensor.

    Attributes:
        compensation: what they are for.
        outputs: channels, the first axis of the tensor.
        errors: of both reads, ``read channel``, in steps of the code.
    """

    compensation: Compensation
    outputs: int
    errors: Tensor

    def factors(self, first: Tensor, later: Tensor) -> Tensor:
        """Return the factor of each weight from the currents of its cells, ``weight``."""
        sums = (each.view(self.outputs, -1).sum(1) for each in (first, later))
        readings = (own + error for own, error in zip(sums, self.errors, strict=True))
        own = self.compensation.factors(*readings)
        return own.repeat_interleave(len(first) // self.outputs)


@dataclass(frozen=True, eq=False)
class CellsOfTensor:
    """The cells of one tensor, all in units of the range g_on - g_off.

    Attributes:
        codes: of the weights, ``weight``.
        levels: that the cells were asked for, ``weight cell``.
        squares: mean squared errors about their mean, ``weight cell``.
        biases: mean errors of cells that work, ``weight cell``.
        values: what the range of each cell is worth, in steps of the weight's code.
        signs: of each weight, where cells do not know it; else 1.
        copies: of every cell; their outputs are averaged.
        step: of the code, relative to full scale.
    """

    codes: Tensor
    levels: Tensor
    squares: Tensor
    biases: Tensor
    values: Tensor
    signs: Tensor
    copies: int
    step: float

    @classmethod
    def of(cls, target: Tensor, mask: Tensor, storage: WeightStorage, copies: int) -> CellsOfTensor:
        """Return the cells that were asked for a target, of which a mask says what was verified."""
        cell = storage.cell
        cells = weight_cells({"w": target}, cell)["w"]
        distributions, verified = cell_distributions(cell), cells.verified_cells(mask)
        biases = distributions.biases(verified, cells.classes)
        squares = (distributions.squares(verified, cells.classes) - biases**2).clamp_min(0.0)
        step = 1 / cell.weight_format.largest_code
        codes = cell.weight_format.codes_of(target, step).flatten()
        negative = (codes < 0) & (cell.encoding == "magnitude")
        values, top = cell_values(cell), cell.levels - 1
        return cls(
            codes=codes.double(),
            levels=(cells.classes % cell.levels).view(-1, len(values)).double() / top,
            squares=squares.view(-1, len(values)),
            biases=biases.view(-1, len(values)),
            values=values,
            signs=torch.where(negative, -1.0, 1.0).double(),
            copies=copies,
            step=step,
        )

    def change(
        self,
        held: Tensor,
        drift: Drift,
        generator: torch.Generator,
        reference: ReferenceReads | None = None,
    ) -> Tensor:
        """Return what drift does to weights, in steps of their codes, as ``held`` is.

        A factor acts on what cells conduct, so also on what is subtracted for level 0 and codes of
        zero: where all cells have lost the same share, it undoes the drift.
        """
        errors = held - self.codes
        parts = torch.arange(len(errors)).split(_WEIGHTS_AT_ONCE)
        each = [self._currents(errors, part, drift, generator) for part in parts]
        change = torch.cat([own.change for own in each])
        if reference is None:
            return change
        factors = reference.factors(
            torch.cat([own.first for own in each]), torch.cat([own.measured for own in each])
        )
        return change + (factors - 1) * torch.cat([own.later for own in each])

    def errors(self, held: Tensor, generator: torch.Generator) -> Tensor:
        """Return errors of cells that add up to those of weights, ``weight cell``, without copies.

        Args:
            held: weights as the cells hold them, in steps of their codes, ``weight``.
            generator: source of all randomness, on the CPU.
        """
        errors = self.signs * (held - self.codes)
        parts = torch.arange(len(errors)).split(_WEIGHTS_AT_ONCE)
        drawn = [
            self._cell_errors(
                errors[part],
                self.squares[part].unsqueeze(1),
                self.biases[part].unsqueeze(1),
                self.values,
                generator,
            )
            for part in parts
        ]
        return torch.cat(drawn).squeeze(1)

    def _currents(
        self, errors: Tensor, part: Tensor, drift: Drift, generator: torch.Generator
    ) -> CellCurrents:
        values = self.values / self.copies
        squares = self.squares[part].unsqueeze(1).expand(-1, self.copies, -1)
        biases = self.biases[part].unsqueeze(1).expand(-1, self.copies, -1)
        own = (self.signs * errors)[part]
        cell_errors = self._cell_errors(own, squares, biases, values, generator)
        landed = self.levels[part].unsqueeze(1) + cell_errors + drift.off

        def at(time_s: float) -> Tensor:
            return drift_cells(
                conductance=landed,
                time_s=time_s,
                start_s=drift.start_s,
                drift_nu=drift.nu,
                drift_nu_sigma=drift.nu_sigma,
                generator=generator,
            )

        exponents = generator.get_state()
        measured = landed
        if drift.compensation is not None:
            measured = at(drift.calibrated_s)
            generator.set_state(exponents)
        later, signs = at(drift.time_s), self.signs[part]
        return CellCurrents(
            change=signs * ((later - landed) * values).sum((1, 2)),
            later=signs * (later * values).sum((1, 2)),
            first=(landed * values.abs()).sum((1, 2)),
            measured=(measured * values.abs()).sum((1, 2)),
        )

    def _cell_errors(
        self,
        errors: Tensor,
        squares: Tensor,
        biases: Tensor,
        values: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Draw errors of cells, ``weight copy cell``, that add up to those of the weights."""
        normal = torch.randn(squares.shape, generator=generator, dtype=torch.float64)
        drawn = biases + squares.sqrt() * normal
        lacking = errors - (values * drawn).sum((1, 2))
        shares = values * squares
        whole = (values * shares).sum((1, 2))
        per_step = torch.where(whole > 0, lacking / whole, 0.0)
        return drawn + shares * per_step.view(-1, 1, 1)


@dataclass(frozen=True, eq=False)
class CellCurrents:
    """What cells of weights conduct, ``weight``, in steps of the code, level 0 not subtracted.

    Attributes:
        change: of the weight, by drift.
        later: what the weight's cells conduct after the drift, with signs.
        first: before it, all cells added.
        measured: when a compensation is measured, all cells added.
    """

    change: Tensor
    later: Tensor
    first: Tensor
    measured: Tensor
