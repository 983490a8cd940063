"""Selective write-verify: masks of the weights that are checked.

A mask per weight tensor. Circuits verify rows, not single cells, so a choice by score has a
granularity: single weights, rows of a crossbar, or subarrays. Where the border of a crossbar may
cut a weight in two (slices that do not divide the columns), rows and subarrays give a mask with a
flag per cell. Who chooses, and by which score: :mod:`tsb.write_verify.policy`. What a choice costs
is in :mod:`tsb.write_verify.effort`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.device import WeightFormat, digit_significances
from archsim.errors import Code, ConfigError, close_matches
from tsb.cells.weight_cells import Weights
from tsb.write_verify.granularity import check_granularity

#: True where a weight is write-verified, by parameter name; or where a cell is (a last axis).
Masks = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How a layer's matrix lies on crossbars, as the mapping compiler and the sampler lay it.

    The matrix has a row per input (``Cin kh kw``) and ``slices`` neighbouring columns per output,
    and is cut into ``rows x cols`` subarrays; a weight may be cut in two. Layers do not share
    subarrays, and neither do the kernel pixels of layers that have a PE for each. A grouped
    convolution counts as one matrix with all its outputs side by side.

    Attributes:
        rows: word lines per crossbar.
        cols: bit lines per crossbar.
        slices: columns that a weight takes, of both signs.
        order: the cell that each of them holds; empty for cells in order.
        shares: part of a weight's noise that each of its cells has, adding up to 1; empty for
            equal parts. It divides the score of a weight that is cut in two.
        kernel_layers: names of the tensors whose kernel pixels have subarrays of their own, with
            the input channels of one pixel in their rows; all others are unrolled (im2col).
    """

    rows: int
    cols: int
    slices: int
    order: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    kernel_layers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: a size below 1, or shares of another number of columns.
        """
        for key in ("rows", "cols", "slices"):
            if getattr(self, key) < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, key, getattr(self, key), allowed="1 or more"
                )
        if self.shares and len(self.shares) != self.slices:
            raise ConfigError(
                f"{len(self.shares)} shares for slices = {self.slices}; allowed: as many, or none",
                code=Code.SHAPE_MISMATCH,
                field="shares",
                value=len(self.shares),
                allowed=str(self.slices),
            )

    @classmethod
    def of(
        cls,
        weight_format: WeightFormat,
        *,
        rows: int,
        cols: int,
        kernel_layers: frozenset[str] = frozenset(),
    ) -> Tiling:
        """Return the tiling of weights in a format.

        Args:
            weight_format: bits and encoding.
            rows: word lines per crossbar.
            cols: bit lines per crossbar.
            kernel_layers: names of the tensors whose kernel pixels have subarrays of their own.
        """
        digits = digit_significances(
            weight_bits=weight_format.weight_bits, bits_per_cell=weight_format.bits_per_cell
        ).tolist()
        cells = digits * weight_format.sides
        whole = sum(digit**2 for digit in cells)
        return cls(
            rows=rows,
            cols=cols,
            slices=len(cells),
            order=weight_format.column_order,
            shares=tuple(digit**2 / whole for digit in cells),
            kernel_layers=kernel_layers,
        )

    @property
    def cell_shares(self) -> Float[Tensor, " cell"]:
        """Part of a weight's noise that each of its cells has."""
        return torch.tensor(self.shares or [1 / self.slices] * self.slices, dtype=torch.float64)

    def groups(
        self, shape: torch.Size, granularity: str, *, name: str = ""
    ) -> Int[Tensor, "*groups"]:
        """Number the groups of a weight tensor from 0 on.

        Args:
            shape: of the weights, outputs first.
            granularity: one of :data:`archsim.config.choices.GRANULARITIES`.
            name: of the tensor, which says whether its kernel pixels have subarrays of their own.

        Returns:
            The group of each weight; or, of rows and subarrays whose borders may cut a weight in
            two, of each of its cells (a last axis).

        Raises:
            ConfigError: an unknown granularity.
        """
        check_granularity(granularity)
        if granularity == "weight":
            return torch.arange(shape.numel()).view(shape)
        if granularity == "row":
            columns = self._columns(shape, 1)
        else:
            pixels = shape[2:].numel() if name in self.kernel_layers else 1
            columns = self._columns(shape, self.rows, pixels)
        if self.cols % self.slices == 0:
            return columns[..., 0]
        order = torch.tensor(self.order or range(self.slices))
        return columns[..., order.argsort()]

    def _columns(
        self, shape: torch.Size, rows: int, pixels: int = 1
    ) -> Int[Tensor, "*weights column"]:
        """Number blocks of ``rows`` rows in strips of columns, for each column.

        Of inputs that are channels times ``pixels``, a block holds channels of one pixel.
        """
        outputs, channels = shape[0], shape[1:].numel() // pixels
        strip = torch.arange(outputs * self.slices).view(outputs, 1, 1, self.slices) // self.cols
        blocks = -(-channels // rows)
        channel = torch.arange(channels).view(1, channels, 1, 1)
        pixel = torch.arange(pixels).view(1, 1, pixels, 1)
        line = (strip * pixels + pixel) * blocks + channel // rows
        return line.view(*shape, self.slices)


def verify_none(weights: Weights) -> Masks:
    """Verify nothing."""
    return {name: torch.zeros(w.shape, dtype=torch.bool) for name, w in weights.items()}


def verify_all(weights: Weights) -> Masks:
    """Verify every weight."""
    return {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}


def verify_named(weights: Weights, names: Collection[str]) -> Masks:
    """Verify whole tensors.

    Args:
        weights: tensors on the crossbars, by name.
        names: those to verify.

    Raises:
        ConfigError: a name that is not among ``weights``.
    """
    for name in names:
        if name not in weights:
            raise ConfigError(
                f"no weights '{name}' to verify.{close_matches(name, weights)}",
                code=Code.UNKNOWN_NAME,
                field="weights",
                value=name,
                allowed=tuple(weights),
            )
    return {n: torch.full(w.shape, n in names, dtype=torch.bool) for n, w in weights.items()}


def verify_fraction(
    scores: Mapping[str, Tensor],
    fraction: float,
    *,
    granularity: str = "weight",
    tiling: Tiling | None = None,
) -> Masks:
    """Verify the best part of all weights.

    The target is ``fraction`` times the number of weights, rounded to the nearest whole number
    (halves up); a part of a weight counts as such. Groups are taken in the order of their summed
    score (equal ones in the order of the tensors) until the target is reached: exactly for single
    weights, else the last group goes beyond it, by less than its own size. A fraction of 0 takes
    none.

    Args:
        scores: importance of each weight, by name; higher is better.
        fraction: share of the weights, 0 to 1.
        granularity: one of :data:`archsim.config.choices.GRANULARITIES`.
        tiling: needed for ``row`` and ``subarray``.

    Raises:
        ConfigError: a fraction outside 0 to 1, an unknown granularity, a missing tiling, or scores
            that are not numbers.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError.of(Code.OUT_OF_RANGE, "fraction", fraction, allowed="0 to 1", form="g")
    ranked = _rank(scores, granularity, tiling)
    target = int(fraction * ranked.weights + 0.5) * ranked.cells
    return ranked.take(int((ranked.before < target).sum()))


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Groups of all tensors, best first.

    ``before`` counts, for each group, the members of all better ones: weights, or ``cells`` cells
    for each of them.
    """

    order: Tensor
    before: Tensor
    groups: dict[str, Tensor]
    weights: int
    cells: int

    def take(self, count: int) -> Masks:
        """Mark the members of the ``count`` best groups."""
        chosen = torch.zeros(self.order.shape, dtype=torch.bool)
        chosen[self.order[:count]] = True
        return {name: chosen[group] for name, group in self.groups.items()}


def _rank(scores: Mapping[str, Tensor], granularity: str, tiling: Tiling | None) -> _Ranked:
    check_granularity(granularity)
    if tiling is None and granularity != "weight":
        raise ConfigError(
            f"granularity '{granularity}' needs a tiling (rows, cols, slices)",
            code=Code.MISSING_KEY,
            field="tiling",
            value=granularity,
        )
    tiling = tiling or Tiling(rows=1, cols=1, slices=1)
    groups: dict[str, Tensor] = {}
    parts, start, cells = [], 0, 1
    for name, score in scores.items():
        if bool(score.isnan().any()):
            raise ConfigError(
                f"scores of '{name}' are not all numbers",
                code=Code.NOT_FINITE,
                field=name,
            )
        tensor_groups = tiling.groups(score.shape, granularity, name=name) + start
        groups[name], start = tensor_groups, int(tensor_groups.max()) + 1
        part = score.detach().double().cpu()
        if tensor_groups.dim() > score.dim():
            part, cells = part.unsqueeze(-1) * tiling.cell_shares, tensor_groups.shape[-1]
        parts.append(part.flatten())
    flat = torch.cat(parts)
    member = torch.cat([group.flatten() for group in groups.values()])
    sums = torch.zeros(start, dtype=torch.float64).index_add(0, member, flat)
    sizes = member.bincount(minlength=start)
    order = sums.argsort(descending=True, stable=True)
    sizes = sizes[order]
    return _Ranked(
        order=order,
        before=sizes.cumsum(0) - sizes,
        groups=groups,
        weights=member.numel() // cells,
        cells=cells,
    )
