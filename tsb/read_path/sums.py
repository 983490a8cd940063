"""The sums of columns that reach converters: one group of rows, one plane of inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tsb.read_path.converter import Floats

if TYPE_CHECKING:
    from tsb.read_path.product import Codes, MatrixRead

GATED_FORMS = {"gated": 0, "gated-tanh": 1, "gated-tanh-distance": 2,
                "gated-tanh-distance-series": 3}  # fmt: skip


def digits_of(read: MatrixRead, codes: Codes, group: int, plane: int) -> npt.NDArray[np.int64]:
    """Return the digits of a plane that a group of rows is driven with, ``vector row``.

    Args:
        read: the matrix.
        codes: input codes, ``vector row``.
        group: of rows.
        plane: the least significant is 0.
    """
    settings = read.settings
    here = codes[:, read.groups.members(group)].astype(np.int64)
    return np.asarray((here >> (settings.dac_bits * plane)) & settings.top_drive)


def column_sums(read: MatrixRead, codes: Codes, group: int, plane: int) -> Floats:
    """Return the sums without noise, levels, ``vector slice side column``.

    Args:
        read: the matrix.
        codes: input codes, ``vector row``.
        group: of rows.
        plane: the least significant is 0.
    """
    if read.gated:
        return _gated(read, codes, group, plane)
    driven = read.drive[digits_of(read, codes, group, plane)]
    columns = read.prepared(np.float64)[read.groups.members(group)]
    sums = driven @ columns + read.off_level * driven.sum(1)[:, None]
    return np.asarray(sums.reshape(len(codes), read.matrix.slices, read.sides, read.width))


def _gated(read: MatrixRead, codes: Codes, group: int, plane: int) -> Floats:
    """Sums behind bit lines with resistance; see :func:`tsb.read_path.bit_lines.gated_sums`."""
    from tsb.read_path import bit_lines

    settings, wires = read.settings, read.settings.wires
    cells, shape = read.gated_cells()
    out = np.empty((len(codes), cells.shape[1]))
    level_S = (1 - 1 / settings.on_off_ratio) / wires.r_on_ohm / settings.top_level
    bit_lines.gated_sums(
        codes,
        cells,
        read.groups.members(group),
        settings.dac_bits * plane,
        settings.top_drive,
        read.drive,
        wires.ohm_per_cell * level_S,
        tail_segments(read, group),
        GATED_FORMS[wires.model],
        out,
    )
    sums = out.reshape(len(codes), *shape)
    if settings.signed_sums:
        return sums[:, :, :1] - sums[:, :, 1:]
    if settings.subtracts_analog:
        driven = read.drive[digits_of(read, codes, group, plane)]
        sums = sums - settings.off_level * driven.sum(1)[:, None, None, None]
    return sums


def tail_segments(read: MatrixRead, group: int) -> int:
    """Return the segments of bit line between a group's last row and the last of its crossbar.

    Args:
        read: the matrix.
        group: of rows.
    """
    groups, settings = read.groups, read.settings
    after = int(groups.held[group] - groups.first[group] - groups.sizes[group])
    if settings.wires.rows_at == "top":
        after += settings.rows - int(groups.held[group])
    return after
