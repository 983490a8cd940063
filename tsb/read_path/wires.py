"""Wires with resistance: what a crossbar's columns carry when its rows are driven.

Word lines are driven at the left through one segment before the first cell; bit lines end in a
virtual ground one segment below the last word line; every segment between neighbouring cells has
the same resistance (docs/read-path.md). A passive array is a linear network, whatever its inputs:
one effective conductance matrix, computed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsb.read_path.converter import Floats

if TYPE_CHECKING:
    from tsb.read_path.matrix import StoredMatrix
    from tsb.read_path.row_groups import RowGroups
    from tsb.read_path.settings import ReadSettings


def effective_conductances(cells_S: Floats, *, segment_ohm: float, tail: int = 0) -> Floats:
    """Return the current of each column per volt at each row of a passive array, S, exactly.

    Nodal analysis of both wires, ``2 row column`` nodes, with one solution per column.

    Args:
        cells_S: conductances, S, ``row column``, the row farthest from ground first.
        segment_ohm: resistance of a segment, ohm, above 0.
        tail: unused rows between the last row and ground.

    Returns:
        ``row column``.
    """
    from scipy.sparse.linalg import splu

    rows, columns = cells_S.shape
    nodal = _nodal(cells_S, segment_ohm, tail)
    ends = np.zeros((2 * rows * columns, columns))
    lines = np.arange(columns)
    ends[rows * columns + (rows - 1) * columns + lines, lines] = 1.0
    solved = splu(nodal).solve(ends)
    # By reciprocity a current into the end of a bit line tells what each word line's source does.
    source_S, ground_S = 1 / segment_ohm, 1 / (segment_ohm * (1 + tail))
    result: Floats = source_S * ground_S * solved[np.arange(rows) * columns]
    return result


def one_solve_conductances(cells_S: Floats, *, segment_ohm: float, tail: int = 0) -> Floats:
    """Return the conductances that are exact where all rows have the same voltage, S.

    One solution in place of one per column: each cell's conductance times the voltage across it.

    Args:
        cells_S: conductances, S, ``row column``.
        segment_ohm: resistance of a segment, ohm, above 0.
        tail: unused rows between the last row and ground.

    Returns:
        ``row column``.
    """
    from scipy.sparse.linalg import spsolve

    rows, columns = cells_S.shape
    driven = np.zeros(2 * rows * columns)
    driven[np.arange(rows) * columns] = 1 / segment_ohm
    volts = spsolve(_nodal(cells_S, segment_ohm, tail), driven)
    word, bit = volts[: rows * columns], volts[rows * columns :]
    result: Floats = cells_S * (word - bit).reshape(rows, columns)
    return result


def _nodal(cells_S: Floats, segment_ohm: float, tail: int):  # type: ignore[no-untyped-def]
    """Return the nodal matrix, word-line nodes first, then those of the bit lines."""
    from scipy.sparse import coo_matrix

    rows, columns = cells_S.shape
    wire_S = 1 / segment_ohm
    word = np.arange(rows * columns).reshape(rows, columns)
    bit = word + rows * columns
    ends = [
        (word.ravel(), bit.ravel(), cells_S.ravel()),
        (word[:, :-1].ravel(), word[:, 1:].ravel(), np.full(rows * (columns - 1), wire_S)),
        (bit[:-1].ravel(), bit[1:].ravel(), np.full((rows - 1) * columns, wire_S)),
    ]
    diagonal = np.zeros(2 * rows * columns)
    diagonal[word[:, 0]] += wire_S
    diagonal[bit[-1]] += wire_S / (1 + tail)
    places, values = [], []
    for first, second, conductance in ends:
        np.add.at(diagonal, first, conductance)
        np.add.at(diagonal, second, conductance)
        places += [(first, second), (second, first)]
        values += [-conductance, -conductance]
    everything = np.arange(len(diagonal))
    places.append((everything, everything))
    values.append(diagonal)
    row = np.concatenate([one for one, _ in places])
    column = np.concatenate([other for _, other in places])
    return coo_matrix((np.concatenate(values), (row, column))).tocsc()


def bit_line_currents(
    cells_S: Floats, inputs: Floats, *, segment_ohm: float, tail: int = 0, model: str = "gated"
) -> Floats:
    """Return the currents of bit lines at 1 V whose rows that are off carry nothing, A.

    Args:
        cells_S: conductances, S, ``row column``, the row farthest from ground first.
        inputs: 1 for the rows that are on, ``vector row``.
        segment_ohm: resistance of a segment, ohm.
        tail: unused rows between the last row and ground.
        model: ``gated`` or one of its closed forms.

    Returns:
        ``vector column``.
    """
    from tsb.read_path import bit_lines
    from tsb.read_path.sums import GATED_FORMS

    out = np.empty((len(inputs), cells_S.shape[1]))
    bit_lines.gated_sums(
        np.ascontiguousarray(inputs).astype(np.uint8),
        np.ascontiguousarray(cells_S),
        np.arange(len(cells_S)),
        0,
        1,
        np.array([0.0, 1.0]),
        segment_ohm,
        tail,
        GATED_FORMS[model],
        out,
    )
    return out


def driven_levels(matrix: StoredMatrix, groups: RowGroups, settings: ReadSettings) -> Floats:
    """Return what each cell of a passive array contributes behind its wires, levels.

    Columns lie output by output, those of a weight in the order of its encoding, the most
    significant slice first, and are cut into crossbars.

    Args:
        matrix: what the cells hold.
        groups: of the rows.
        settings: of the chip, with wires.

    Returns:
        ``row slice side output``, with the conductance of level 0.
    """
    wires = settings.wires
    level_S = (1 - 1 / settings.on_off_ratio) / wires.r_on_ohm / settings.top_level
    held = matrix.held + settings.off_level
    solve = one_solve_conductances if wires.model == "driven-one-solve" else effective_conductances
    flat = laid_out(held, settings)
    effective = np.empty_like(flat)
    for rows, tail in _crossbars(groups, settings):
        for at in range(0, flat.shape[1], wires.columns):
            cut = np.s_[at : at + wires.columns]
            effective[rows, cut] = (
                solve(flat[rows, cut] * level_S, segment_ohm=wires.ohm_per_cell, tail=tail)
                / level_S
            )
    order = np.argsort(np.asarray(settings.stored_format.column_order))
    slices, sides, outputs = held.shape[1:]
    cells = effective.reshape(-1, outputs, slices * sides)[:, :, order]
    placed = cells.reshape(-1, outputs, sides, slices)[..., ::-1]
    return np.ascontiguousarray(np.moveaxis(placed, (1, 2, 3), (3, 2, 1)))


def laid_out(cells: Floats, settings: ReadSettings) -> Floats:
    """Lay cells out as they lie in crossbars: see :func:`driven_levels`.

    Args:
        cells: ``row slice side output``, the least significant slice first.
        settings: of the chip.

    Returns:
        ``row column``.
    """
    # row output side slice, most significant first
    laid = np.moveaxis(cells[:, ::-1], (1, 2, 3), (3, 2, 1))
    flat = laid.reshape(*laid.shape[:2], -1)
    order = np.asarray(settings.stored_format.column_order)
    return np.ascontiguousarray(flat[:, :, order].reshape(len(flat), -1))


def _crossbars(
    groups: RowGroups, settings: ReadSettings
) -> list[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], int]]:
    """Return the rows of each crossbar, and the unused ones between them and ground."""
    found = []
    for group in range(len(groups)):
        if groups.first[group]:
            continue
        held, start = int(groups.held[group]), int(groups.starts[group])
        tail = settings.rows - held if settings.wires.rows_at == "top" else 0
        found.append((groups.order[start : start + held], tail))
    return found
