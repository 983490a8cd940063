"""Compiled loops of the read path: sums of the driven rows of a group, converted at once.

A plane of an input has few rows that are driven, so a sum is that of their rows of cells, added
row by row over all columns together; codes are added to the result while the sums are still in the
cache, and never written elsewhere. Sums run over the rows in a fixed order, codes are whole
numbers: a result does not depend on what else is computed with it.

Columns are flat: slice, side and output together. Importing this module needs numba.
"""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np


def compiled(function: Any) -> Any:
    """Compile a loop, once for all processes."""
    return numba.njit(nogil=True, error_model="numpy", cache=True)(function)


#: Odd constants of the mixing function of splitmix64 (Steele et al., OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@compiled
@no_type_check
def mixed(state: Any) -> Any:
    """Return the bits of splitmix64 at a 64-bit state."""
    z = state + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@compiled
@no_type_check
def normal_at(key: Any, index: Any) -> Any:
    """Return the standard normal number at a place: the same whatever else is drawn.

    Args:
        key: 64 bits, of what is drawn.
        index: 64 bits, of the place.
    """
    bits = mixed(key ^ mixed(index))
    again = mixed(bits)
    radius = math.sqrt(-2.0 * math.log((float(bits >> np.uint64(11)) + 1.0) * 2.0**-53))
    return radius * math.cos(2.0 * math.pi * float(again >> np.uint64(11)) * 2.0**-53)


@compiled
@no_type_check
def _drive_rows(codes: Any, members: Any, shift: Any, mask: Any, rows: Any, digits: Any) -> Any:
    """List the driven rows of a plane and their digits; return how many."""
    count = 0
    for member in members:
        digit = (codes[member] >> shift) & mask
        rows[count] = member
        digits[count] = digit
        count += digit != 0
    return count


@compiled
@no_type_check
def _add_rows(cells: Any, rows: Any, digits: Any, drive: Any, count: Any, sums: Any) -> None:
    """Add up the cells of driven rows, four at a time, over all columns."""
    width = len(sums)
    for column in range(width):
        sums[column] = 0
    one = len(drive) == 2 and drive[1] == 1
    at = 0
    while at + 4 <= count:
        p, q, r, s = rows[at], rows[at + 1], rows[at + 2], rows[at + 3]
        if one:
            for column in range(width):
                sums[column] += (cells[p, column] + cells[q, column]) + (
                    cells[r, column] + cells[s, column]
                )
        else:
            a, b = drive[digits[at]], drive[digits[at + 1]]
            c, d = drive[digits[at + 2]], drive[digits[at + 3]]
            for column in range(width):
                sums[column] += (a * cells[p, column] + b * cells[q, column]) + (
                    c * cells[r, column] + d * cells[s, column]
                )
        at += 4
    while at < count:
        p, a = rows[at], drive[digits[at]]
        for column in range(width):
            sums[column] += a * cells[p, column]
        at += 1


@compiled
@no_type_check
def whole_codes(
    codes: Any,
    cells: Any,
    members: Any,
    shifts: Any,
    mask: Any,
    drive: Any,
    weights: Any,
    factor: Any,
    addend: Any,
    right: Any,
    lowest: Any,
    highest: Any,
    out: Any,
) -> None:
    """Add the codes of whole sums of one group: ``(sum factor + addend) >> right``, clamped.

    Args:
        codes: input codes, ``vector row``.
        cells: levels, ``row column``.
        members: rows of the group.
        shifts: where the digit of each plane begins, bits.
        mask: of a digit.
        drive: what a digit drives its row with, of the type of ``cells``.
        weights: of each plane.
        factor: of each column.
        addend: of each column.
        right: bits.
        lowest: code.
        highest: code.
        out: sums of codes, ``vector column``, added to; the code of a sum of 0 must be 0.
    """
    width = cells.shape[1]
    sums = np.empty(width, cells.dtype)
    rows = np.empty(len(members), np.int64)
    digits = np.empty(len(members), np.int64)
    for vector in range(len(codes)):
        here, result = codes[vector], out[vector]
        for plane in range(len(shifts)):
            count = _drive_rows(here, members, shifts[plane], mask, rows, digits)
            if count == 0:
                continue
            _add_rows(cells, rows, digits, drive, count, sums)
            weight = weights[plane]
            for column in range(width):
                code = (np.int32(sums[column]) * factor[column] + addend[column]) >> right
                result[column] += weight * min(max(code, lowest), highest)


@compiled
@no_type_check
def real_codes(
    codes: Any,
    cells: Any,
    members: Any,
    shifts: Any,
    mask: Any,
    drive: Any,
    weights: Any,
    off_level: Any,
    low: Any,
    span: Any,
    steps: Any,
    lowest: Any,
    highest: Any,
    offsets: Any,
    read_noise: Any,
    converter_noise: Any,
    keys: Any,
    first_vector: Any,
    skip: Any,
    used: Any,
    out: Any,
) -> None:
    """Add the codes of real sums of one group.

    Args:
        codes: input codes, ``vector row``.
        cells: levels with their errors, ``row column``.
        members: rows of the group.
        shifts: where the digit of each plane begins, bits.
        mask: of a digit.
        drive: what a digit drives its row with, of the type of ``cells``.
        weights: of each plane.
        off_level: conductance of level 0 that is not in ``cells``, levels.
        low: of each column's range, levels.
        span: of each column's range, levels.
        steps: of the converter.
        lowest: code.
        highest: code.
        offsets: of each column's converter, steps.
        read_noise: of one cell, levels.
        converter_noise: of one conversion, steps.
        keys: of the two noises, one per plane.
        first_vector: number of the first vector among all.
        skip: whether a plane without driven rows has the code 0 in all columns.
        used: columns that are no padding.
        out: sums of codes, ``vector column``, added to.
    """
    width = cells.shape[1]
    sums = np.empty(width, cells.dtype)
    rows = np.empty(len(members), np.int64)
    digits = np.empty(len(members), np.int64)
    for vector in range(len(codes)):
        here, result = codes[vector], out[vector]
        for plane in range(len(shifts)):
            count = _drive_rows(here, members, shifts[plane], mask, rows, digits)
            if count == 0 and skip:
                continue
            _add_rows(cells, rows, digits, drive, count, sums)
            everything = 0.0
            squares = 0.0
            for at in range(count):
                driven = float(drive[digits[at]])
                everything += driven
                squares += driven * driven
            weight = weights[plane]
            offset = low.dtype.type(off_level * everything)
            if read_noise == 0 and converter_noise == 0:
                for column in range(width):
                    place = (sums[column] + offset - low[column]) * steps / span[column]
                    place = np.floor(place + offsets[column])
                    result[column] += weight * np.int32(min(max(place, lowest), highest))
                continue
            spread = read_noise * math.sqrt(squares)
            base = np.uint64((first_vector + vector) * used)
            for column in range(used):
                total = sums[column] + offset
                if spread > 0:
                    total += spread * normal_at(keys[plane, 0], base + np.uint64(column))
                place = (total - low[column]) * steps / span[column] + offsets[column]
                if converter_noise > 0:
                    place += converter_noise * normal_at(keys[plane, 1], base + np.uint64(column))
                place = np.floor(place)
                result[column] += weight * np.int32(min(max(place, lowest), highest))


@compiled
@no_type_check
def count_sums(
    codes: Any,
    cells: Any,
    members: Any,
    shifts: Any,
    mask: Any,
    drive: Any,
    slice_of: Any,
    lowest: Any,
    out: Any,
) -> None:
    """Count whole sums of one group by slice, sum and total drive of its rows.

    Args:
        codes: input codes, ``vector row``.
        cells: levels, ``row column``.
        members: rows of the group.
        shifts: where the digit of each plane begins, bits.
        mask: of a digit.
        drive: what a digit drives its row with, of the type of ``cells``.
        slice_of: slice of each column; below 0 for columns that are not counted.
        lowest: sum of the first entry.
        out: counts, ``slice drive sum``, added to; one entry of ``drive`` if that does not matter.
    """
    width = cells.shape[1]
    sums = np.empty(width, cells.dtype)
    rows = np.empty(len(members), np.int64)
    digits = np.empty(len(members), np.int64)
    apart = out.shape[1] > 1
    for vector in range(len(codes)):
        here = codes[vector]
        for plane in range(len(shifts)):
            count = _drive_rows(here, members, shifts[plane], mask, rows, digits)
            _add_rows(cells, rows, digits, drive, count, sums)
            everything = 0
            if apart:
                for at in range(count):
                    everything += int(drive[digits[at]])
            for column in range(width):
                if slice_of[column] >= 0:
                    out[slice_of[column], everything, int(sums[column]) - lowest] += 1


@compiled
@no_type_check
def fill_normals(key: Any, first: Any, out: Any) -> None:
    """Write the normal numbers of consecutive places.

    Args:
        key: 64 bits, of what is drawn.
        first: 64 bits, of the first place.
        out: flat.
    """
    for at in range(len(out)):
        out[at] = normal_at(key, first + np.uint64(at))


@compiled
@no_type_check
def fill_from_table(key: Any, first: Any, table: Any, out: Any) -> None:
    """Write random entries of a table for consecutive places, four for each 64 random bits.

    Args:
        key: 64 bits, of what is drawn.
        first: 64 bits, of the first place.
        table: of 2^12 entries, which stay close to the processor.
        out: flat, of the table's type.
    """
    before = np.int64(first & np.uint64(3))
    block = first >> np.uint64(2)
    for start in range(-before, len(out), 4):
        bits = mixed(key ^ mixed(block))
        block += np.uint64(1)
        for quarter in range(max(0, -start), min(4, len(out) - start)):
            out[start + quarter] = table[(bits >> np.uint64(16 * quarter)) & np.uint64(0xFFF)]


@compiled
@no_type_check
def joined(codes: Any, slices: Any, sides: Any, scales: Any, constant: Any, out: Any) -> None:
    """Join sums of codes: slices by what their steps are worth, sides by their difference.

    Args:
        codes: ``vector column``; columns are slice, side and output together, padding last.
        slices: how many.
        sides: 1 or 2.
        scales: what a step of each slice is worth.
        constant: added to every output.
        out: ``vector output``, written.
    """
    width = out.shape[1]
    for vector in range(len(out)):
        for column in range(width):
            out[vector, column] = constant
        for j in range(slices):
            at, scale = j * sides * width, scales[j]
            if sides == 1:
                for column in range(width):
                    out[vector, column] += scale * codes[vector, at + column]
            else:
                for column in range(width):
                    out[vector, column] += scale * (
                        codes[vector, at + column] - codes[vector, at + width + column]
                    )
