"""Predict every row of a table of published macros and put it beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from archsim.analysis.silicon.calibrate import QUANTITIES, leave_one_out, load_prior
from archsim.analysis.silicon.mechanism import missing
from archsim.analysis.silicon.rows import SiliconRow, read_macros
from archsim.arch.macro import MACRO_SENSINGS
from archsim.arch.silicon import DEFAULT_CONSTANTS, SiliconConstants, load_constants
from archsim.cost.silicon.interval import Z_90
from archsim.cost.silicon.price import price_macro
from archsim.results.silicon import SiliconComparison, SiliconPoint, SiliconValidation
from archsim.util.paths import configs_dir


def calibration_table() -> Path:
    """Return the table of macros that the shipped constants were fitted to."""
    return configs_dir() / "silicon" / "macros.csv"


def validate_table(
    path: str | Path, *, constants: str = DEFAULT_CONSTANTS, left_out: bool = True
) -> SiliconValidation:
    """Compare the model with a table of published macros.

    Args:
        path: CSV, see :func:`archsim.analysis.silicon.rows.read_macros`.
        constants: preset that predicts.
        left_out: also predict every macro that the shipped constants were fitted to by constants
            that it had no part in (10 s); other macros have no part in them anyway.

    Raises:
        DataError: a file that cannot be read, without rows or without names.
    """
    rows = read_macros(path)
    known = load_constants(constants)
    shown = read_macros(calibration_table())
    fitted = {row.macro for row in shown if row.design is not None}
    mine = tuple(dict.fromkeys(row.macro for row in rows if row.macro in fitted))
    others = leave_one_out(shown, load_prior(), only=mine) if left_out and mine else {}
    return SiliconValidation(
        table=str(path),
        constants=constants,
        rows=tuple(_compare(row, known, others) for row in rows),
        has_left_out=left_out,
        calibrated=mine,
    )


def _compare(
    row: SiliconRow, constants: SiliconConstants, others: Mapping[str, SiliconConstants]
) -> SiliconComparison:
    if row.design is None:
        return SiliconComparison(row.line, row.macro, "", "", row.reason, row.notes, {}, {})
    cost = price_macro(macro=row.design, constants=constants)
    other = others.get(row.macro)
    apart = None if other is None else price_macro(macro=row.design, constants=other)
    points: dict[str, SiliconPoint] = {}
    for quantity in QUANTITIES:
        measured = quantity.measured(row)
        if measured is None:
            continue
        factor = math.exp(Z_90 * float(quantity.spread(cost)))
        predicted = float(quantity.computed(cost))
        alone = None
        if apart is not None:
            value = float(quantity.computed(apart))
            alone = (value, value / factor, value * factor)
        points[quantity.name] = SiliconPoint(
            measured, predicted, predicted / factor, predicted * factor, alone
        )
    return SiliconComparison(
        row.line,
        row.macro,
        row.klass,
        MACRO_SENSINGS[int(row.design.sensing)],
        "",
        row.notes,
        points,
        missing(row.design, points),
    )
