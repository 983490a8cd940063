"""Compiled loops of bit lines with resistance. Importing this module needs numba."""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numpy as np

from tsb.read_path.kernels import compiled


@compiled
@no_type_check
def _series(sums: Any, between: Any) -> None:
    """Put a resistance in series with every bit line."""
    for column in range(len(sums)):
        sums[column] = sums[column] / (1.0 + between * sums[column])


@compiled
@no_type_check
def _through_segments(
    codes: Any,
    cells: Any,
    members: Any,
    shift: Any,
    mask: Any,
    drive: Any,
    segment: Any,
    tail: Any,
    sums: Any,
) -> None:
    """Sum one vector exactly: segment by segment from the farthest row to ground."""
    last = 0
    for place in range(len(members)):
        digit = (codes[members[place]] >> shift) & mask
        if digit == 0:
            continue
        _series(sums, segment * (place - last))
        row, driven = cells[members[place]], drive[digit]
        for column in range(len(sums)):
            sums[column] += driven * row[column]
        last = place
    _series(sums, segment * (len(members) - last + tail))


@compiled
@no_type_check
def _by_distance(
    codes: Any,
    cells: Any,
    members: Any,
    shift: Any,
    mask: Any,
    drive: Any,
    segment: Any,
    tail: Any,
    form: Any,
    sums: Any,
    moments: Any,
) -> None:
    """Sum one vector in closed form: ``S tanh(q) / q`` with ``q^2 = 2 r sum of distance g``."""
    length = len(members)
    for place in range(length):
        digit = (codes[members[place]] >> shift) & mask
        if digit == 0:
            continue
        row, driven = cells[members[place]], drive[digit]
        distance = float(length - place)
        if form == 1:
            distance = 0.5 * (length + tail)
        elif form == 2:
            distance += tail
        for column in range(len(sums)):
            sums[column] += driven * row[column]
            moments[column] += distance * driven * row[column]
    for column in range(len(sums)):
        square = 2.0 * segment * moments[column]
        if square > 0:
            root = math.sqrt(square)
            sums[column] *= math.tanh(root) / root
    if form == 3:
        _series(sums, segment * tail)


@compiled
@no_type_check
def gated_sums(
    codes: Any,
    cells: Any,
    members: Any,
    shift: Any,
    mask: Any,
    drive: Any,
    segment: Any,
    tail: Any,
    form: Any,
    out: Any,
) -> None:
    """Write the sums of one group and plane behind bit lines with resistance.

    Rows that are off carry no current (an access transistor opens), the others have the same
    voltage, so that a bit line is one conductance: from the farthest row on, each segment turns Y
    into ``Y / (1 + segment Y)``.

    Args:
        codes: input codes, ``vector row``.
        cells: conductances, levels, ``row column``.
        members: rows of the group, the farthest from the converters first.
        shift: where the digit of the plane begins, bits.
        mask: of a digit.
        drive: what a digit drives its row with.
        segment: resistance of a segment times the conductance of a level.
        tail: segments between the last row's own and ground.
        form: 0 exact; 1 ``tanh`` of the group's length; 2 of the mean distance to ground; 3 of the
            mean distance to the last row, the tail in series.
        out: sums, ``vector column``.
    """
    moments = np.empty(cells.shape[1], np.float64)
    for vector in range(len(codes)):
        here, sums = codes[vector], out[vector]
        sums[:] = 0.0
        if form == 0:
            _through_segments(here, cells, members, shift, mask, drive, segment, tail, sums)
        else:
            moments[:] = 0.0
            _by_distance(
                here, cells, members, shift, mask, drive, segment, tail, form, sums, moments
            )
