"""im2col: every layer as a matrix and a number of input vectors.

A convolution is a matrix of ``Cin/groups * kh * kw`` rows and ``Cout`` columns that is applied once
per output pixel; a linear layer is applied once per token. Groups of a grouped convolution are
packed on the block diagonal of a subarray as far as they fit. Every pack has inputs of its own, so
packs share no word line: each starts in a subarray of its own, and they stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.network.table import LayerTable
from mapping.bit_slice import matrix_columns


@dataclass(frozen=True, eq=False)
class Matrices:
    """Backbone layers as matrices, ``*batch layer``; see :class:`archsim.plan.MatrixLayers`."""

    rows: Tensor
    weights_wide: Tensor
    columns: Tensor
    fill: Tensor
    input_rows: Tensor
    vectors: Tensor
    padding_share: Tensor


def backbone_matrices(*, design: DesignBatch, table: LayerTable) -> Matrices:
    """Turn a layer table into matrices and vector counts.

    Args:
        design: ``*batch``.
        table: ``layer``.
    """
    group_rows = table.in_channels / table.groups * table.kernel_h * table.kernel_w
    group_wide = table.out_channels / table.groups
    packed = _packed_groups(design, table.groups, group_rows, group_wide)
    packs = torch.ceil(table.groups / packed)
    dense = matrix_columns(design=design, weights_wide=table.out_channels)
    cols = design.cols.unsqueeze(-1)
    pack = matrix_columns(design=design, weights_wide=packed * group_wide)
    aligned = packs * torch.ceil(pack / cols) * cols
    columns = torch.where(packs > 1, aligned, dense)
    return Matrices(
        rows=packed * group_rows,
        weights_wide=table.out_channels,
        columns=columns,
        fill=dense / columns,
        input_rows=table.in_channels * table.kernel_h * table.kernel_w,
        vectors=vector_count(design=design, table=table),
        padding_share=_padding_share(design, table),
    )


def _packed_groups(
    design: DesignBatch, groups: Tensor, group_rows: Tensor, group_wide: Tensor
) -> Tensor:
    """Groups on the block diagonal of one subarray: at least one, at most all."""
    fit_rows = torch.floor(design.rows.unsqueeze(-1) / group_rows)
    fit_cols = torch.floor(
        design.cols.unsqueeze(-1) / (group_wide * design.columns_per_weight.unsqueeze(-1))
    )
    return torch.minimum(torch.minimum(fit_rows, fit_cols), groups).clamp_min(1.0)


def vector_count(*, design: DesignBatch, table: LayerTable) -> Tensor:
    """Return the matrix-vector products per image, ``*batch layer``.

    With ``timing.count_padding`` off, output positions that would touch padding are left out and
    the count is truncated once, as DNN+NeuroSim V1.4 does (docs/validation.md).

    Args:
        design: ``*batch``.
        table: ``layer``.
    """
    return torch.where(
        design.count_padding.unsqueeze(-1), table.mvms, _vectors_without_padding(table)
    )


def _vectors_without_padding(table: LayerTable) -> Tensor:
    """Output positions that touch no padding, as the reference counts them."""
    inner = torch.floor(
        ((table.in_height - table.kernel_h + 1) / table.stride_h).clamp_min(0.0)
        * ((table.in_width - table.kernel_w + 1) / table.stride_w).clamp_min(0.0)
    )
    is_conv = table.kernel_h * table.kernel_w * table.in_height * table.in_width > 1
    return torch.where(is_conv, inner, table.mvms)


def _padding_share(design: DesignBatch, table: LayerTable) -> Tensor:
    """Share of kernel taps that read zero padding, over the vectors that are counted."""
    everything, counted = _padding_shares(table)
    return torch.where(design.count_padding.unsqueeze(-1), everything, counted)


@lru_cache(maxsize=32)
def _padding_shares(table: LayerTable) -> tuple[Tensor, Tensor]:
    """Padded share over all vectors and over those that touch no padding, ``layer``."""
    return (
        _padded_taps(table, table.mvms),
        _padded_taps(table, _vectors_without_padding(table)),
    )


def _padded_taps(table: LayerTable, vectors: Tensor) -> Tensor:
    """Padded share over the first ``vectors`` output positions in raster order."""
    result = torch.zeros_like(vectors)
    for layer, (pad_h, pad_w) in enumerate(
        zip(table.padding_h.tolist(), table.padding_w.tolist(), strict=True)
    ):
        if pad_h == 0 and pad_w == 0:
            continue
        valid_y = _valid_taps(
            table.out_height[layer],
            table.stride_h[layer],
            table.kernel_h[layer],
            table.in_height[layer],
            pad_h,
        )
        valid_x = _valid_taps(
            table.out_width[layer],
            table.stride_w[layer],
            table.kernel_w[layer],
            table.in_width[layer],
            pad_w,
        )
        taps = table.kernel_h[layer] * table.kernel_w[layer]
        count = vectors[..., layer].clamp(1, len(valid_y) * len(valid_x))
        result[..., layer] = 1 - _first(valid_y, valid_x, count.long()) / (taps * count)
    return result


def _first(valid_y: Tensor, valid_x: Tensor, count: Tensor) -> Tensor:
    """Taps inside the map over the first ``count`` positions: whole lines and a part of one.

    Sums of whole numbers, exact below 2^53; the map itself is never laid out.
    """
    line, column = count // len(valid_x), count % len(valid_x)
    above = torch.cat([torch.zeros(1, dtype=valid_y.dtype), torch.cumsum(valid_y, 0)])
    before = torch.cat([torch.zeros(1, dtype=valid_x.dtype), torch.cumsum(valid_x, 0)])
    in_line = torch.cat([valid_y, torch.zeros(1, dtype=valid_y.dtype)])
    return above[line] * before[-1] + in_line[line] * before[column]


def _valid_taps(
    outputs: Tensor, stride: Tensor, kernel: Tensor, size: Tensor, padding: float
) -> Tensor:
    """For every output coordinate, the kernel taps that fall inside the map."""
    start = torch.arange(int(outputs), dtype=torch.float64) * stride - padding
    end = torch.minimum(start + kernel, size)
    return (end - start.clamp_min(0.0)).clamp_min(0.0)
