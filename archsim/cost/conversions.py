"""Energy of all conversions of a layer: full and partly filled crossbars, groups of rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.activity import LevelStatistics, level_statistics
from archsim.cost.component.column_read import branch_moments, column_energy_J, empty_energy_J
from archsim.cost.pieces import Pieces
from archsim.cost.reads import columns_per_conversion, converted_dummies, row_groups, rows_read
from archsim.cost.subarray import Subarray
from archsim.plan import MappingPlan


def conversions_J(
    *,
    design: DesignBatch,
    array: Subarray,
    plan: MappingPlan,
    pieces: Pieces,
    probability: Tensor,
) -> Tensor:
    """Return the ADC energy per input vector and pass, J, ``*batch layer``.

    Columns of full arrays and of the last, partly filled ones; an analog pair of columns is one
    conversion of the mean energy of the two. Dummy columns are taken as cells at level 0.

    Args:
        design: ``*batch``.
        array: the subarray.
        plan: counts.
        pieces: PE pieces of every matrix.
        probability: P(bit = 1), ``*batch layer plane``.
    """
    rows, cols = design.rows.unsqueeze(-1), design.cols.unsqueeze(-1)
    layers = plan.layers
    each = _Columns(design, array)
    # Full arrays differ between layers only in their inputs.
    full = pieces.total(lambda r, c: torch.floor(r / rows) * c)
    strips = pieces.total(lambda r, c: torch.floor(r / rows) * torch.ceil(c / cols))
    first, group = _representatives(layers.input_group)
    chosen = probability[..., first, :]
    energy = full * each.read_J(rows, cols, chosen)[..., group]
    dummies = strips * each.dummies_J(rows, cols, chosen)[..., group]
    # The last array of a piece may be partly filled; only layers that have one are computed.
    narrow = torch.minimum(layers.columns, cols)
    for last in (False, True):
        held = pieces.last_rows if last else pieces.rows
        rest = torch.remainder(held, rows)
        widths = (
            (pieces.counts[last, False], pieces.cols),
            (pieces.counts[last, True], pieces.last_cols),
        )
        wide = widths[0][0] * widths[0][1] + widths[1][0] * widths[1][1]
        part = torch.where(rest > 0, wide, 0.0)
        needed = (part > 0).reshape(-1, part.shape[-1]).any(0)
        if not bool(needed.any()):
            continue
        first, group = _representatives(layers.matrix_group, needed.tolist())
        used, across = rest[..., first].clamp_min(1.0), narrow[..., first]
        chosen = probability[..., first, :]
        energy = energy + part * each.read_J(used, across, chosen)[..., group]
        beside = sum(count * torch.ceil(width / cols) for count, width in widths)
        strips = torch.where(rest > 0, beside, 0.0)
        dummies = dummies + strips * each.dummies_J(used, across, chosen)[..., group]
    return layers.fill * energy + dummies


class _Columns:
    """Energy per vector of the columns of an array, by the rows that it uses.

    Args:
        design: ``*batch``.
        array: the subarray.
    """

    def __init__(self, design: DesignBatch, array: Subarray) -> None:
        self._design, self._array = design, array
        self._levels = level_statistics(design=design)
        self._off = LevelStatistics(
            self._levels.level[..., :1].expand_as(self._levels.level),
            torch.nn.functional.one_hot(
                torch.tensor(0, device=design.rows.device), self._levels.probability.shape[-1]
            ).to(torch.float64),
        )
        self._grouped = bool((row_groups(design) > 1).any())

    def read_J(self, rows: Tensor, cols: Tensor, probability: Tensor) -> Tensor:
        """Return the energy of a column that holds weights; see :func:`conversions_J`."""
        pairs = columns_per_conversion(self._design).unsqueeze(-1)
        return self._column_J(rows, cols, probability, self._levels) / pairs

    def dummies_J(self, rows: Tensor, cols: Tensor, probability: Tensor) -> Tensor:
        """Return the energy of all converted dummy columns of an array."""
        count = converted_dummies(self._design).unsqueeze(-1)
        if not bool((count > 0).any()):
            return torch.zeros_like(count * rows * probability[..., 0])
        return count * self._column_J(rows, cols, probability, self._off)

    def _column_J(
        self, rows: Tensor, cols: Tensor, probability: Tensor, levels: LevelStatistics
    ) -> Tensor:
        design, adc = self._design, self._array.adc
        # Groups of rows lie along the whole line: on average as far from the ADC as all of them.
        moments = branch_moments(
            design=design, array=self._array.array, levels=levels, rows_used=rows, cols_used=cols
        )

        def of(rows_read: Tensor) -> Tensor:
            return column_energy_J(
                design=design,
                adc=adc,
                moments=moments,
                rows_used=rows_read,
                probability=probability,
            )

        if not self._grouped:
            return of(rows)
        together = rows_read(design).unsqueeze(-1)
        whole = torch.floor(rows / together)
        rest = rows - whole * together
        idle = row_groups(design).unsqueeze(-1) - whole - (rest > 0).to(torch.float64)
        some = torch.where(rest > 0, of(rest.clamp_min(1.0)), 0.0)
        return whole * of(together) + some + idle * empty_energy_J(design=design, adc=adc)


def _representatives(
    groups: Sequence[int], needed: Sequence[bool] | None = None
) -> tuple[list[int], list[int]]:
    """First member of every group that has a needed member, and each row's place among them.

    Rows of groups without one get place 0; whatever they are given is multiplied by zero.
    """
    wanted = {g for g, use in zip(groups, needed or [True] * len(groups), strict=True) if use}
    place: dict[int, int] = {}
    first: list[int] = []
    for index, group in enumerate(groups):
        if group in wanted and group not in place:
            place[group] = len(first)
            first.append(index)
    return first, [place.get(group, 0) for group in groups]
