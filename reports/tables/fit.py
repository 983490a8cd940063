"""A fit of measured cells as tables: levels, numbers of the device, residuals."""

from __future__ import annotations

from archsim.device.fit import Estimate, Fitted
from reports.tables.table import Cell, Column, Table

_NUMBERS = (
    Column("key", "number"),
    Column("value", "value", "number"),
    Column("low", "95 % interval", "number", "from"),
    Column("high", "", "number", "to"),
    Column("unit", "unit"),
    Column("count", "data", "count"),
    Column("of_what", "of"),
    Column("reason", "not identified"),
)


def levels(fitted: Fitted) -> Table:
    """Collect the levels.

    Args:
        fitted: a fit.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            level.target,
            level.mean_uS,
            level.sigma_uS,
            level.mean.value,
            level.sigma.value,
            level.sigma.low,
            level.sigma.high,
            level.writes,
            level.devices,
            level.distance,
        )
        for level in fitted.levels
    ]
    columns = (
        Column("target", "target", "number", "" if fitted.target_unit == "level" else "uS"),
        Column("mean_uS", "mean", "number", "uS"),
        Column("sigma_uS", "sigma", "number", "uS"),
        Column("mean", "mean", "number", "of range"),
        Column("sigma", "sigma", "number", "of range"),
        Column("sigma_low", "95 % interval", "number", "from"),
        Column("sigma_high", "", "number", "to"),
        Column("writes", "writes", "count"),
        Column("devices", "cells", "count"),
        Column("distance", "from normal", "number"),
    )
    title = f"{fitted.file}: {fitted.rows} rows, {fitted.devices} cells"
    return Table(title, columns, tuple(rows))


def numbers(fitted: Fitted) -> Table:
    """Collect the numbers of the device; shares are of the range g_on - g_off.

    Args:
        fitted: a fit.
    """
    return Table("Device", _NUMBERS, tuple(map(_row, fitted.estimates)))


def residuals(fitted: Fitted) -> Table:
    """Collect how far the data are from the laws.

    Args:
        fitted: a fit.
    """
    keys = ("key", "value", "count", "of_what")
    table = Table("Residuals", _NUMBERS, tuple(map(_row, fitted.residuals)))
    return table.select(keys)


def _row(one: Estimate) -> tuple[Cell, ...]:
    unit = "" if one.unit == "1" else one.unit
    return (one.key, one.value, one.low, one.high, unit, one.count, one.of_what, one.reason)
