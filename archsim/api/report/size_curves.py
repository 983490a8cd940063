"""Curves of a sweep for the joint report: along the size of the block and the bits of a cell."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.api.sweep import open_sweep
from archsim.config.resolve import device_name
from archsim.config.sweep import Sweep
from archsim.errors import Code, ConfigError, DataError
from archsim.explore.accuracy.accuracy import KEY, sigmas
from archsim.explore.query.result import SweepResult
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.size_curves import SIZES, CurvePoint, SizeCurves

if TYPE_CHECKING:
    import pandas as pd

#: What decides between points that differ in other settings than the sizes.
_BEST = "edp_Js"
#: Settings that tell curves apart, beside the sizes.
_OTHERS = ("design", "network", "chip", "device", "chip.device")
#: Of these, what decides the device.
_DEVICE = ("chip", "device")
_PERCENT = 100


def size_curves(folder: str | Path) -> SizeCurves:
    """Return accuracy and cost of a sweep against the size of the block and the bits of a cell.

    Where the sweep varies other settings too, each size stands with the values of least EDP.

    Args:
        folder: of ``archsim sweep``.

    Raises:
        DataError: not such a folder, nothing in it, or a sweep of other axes.
    """
    result = open_sweep(folder)
    known = [path for path in (*SIZES, *_OTHERS) if path in result.columns]
    rows = result.frame(columns=[*known, _BEST])
    axes = tuple(path for path in SIZES if path in known and rows[path].nunique() > 1)
    if not axes:
        raise DataError(
            f"{folder}: sweep '{result.sweep.name}' varies neither {' nor '.join(SIZES)}; allowed: "
            "a sweep of one of them, e.g. tsb-size-x-cell-bits",
            code=Code.WRONG_FILE,
            field=folder,
            value=result.sweep.name,
            allowed=tuple(SIZES),
        )
    feasible = rows[rows["feasible"].astype(bool)]
    if feasible.empty:
        raise DataError(
            f"{folder}: no point of sweep '{result.sweep.name}' can be built",
            code=Code.EMPTY,
            field=folder,
            value=result.sweep.name,
        )
    networks = _networks(result.sweep, feasible)
    if len(networks) > 1:
        raise DataError(
            f"{folder}: sweep '{result.sweep.name}' is of {len(networks)} networks "
            f"({', '.join(networks)}); allowed: a sweep of one, for curves that can be compared",
            code=Code.WRONG_FILE,
            field=folder,
            value=sorted(networks),
            allowed="a sweep of one",
        )
    keys = [*axes, *(path for path in ("design",) if path in known)]
    chosen = feasible.sort_values(_BEST, kind="stable").drop_duplicates(keys)["point"]
    best = result.rows(sorted(chosen))
    if "design" not in best:
        best = best.assign(design=result.sweep.design)
    known_sigmas = sigmas(result.store)
    points = tuple(
        _point(result, axes, row, known_sigmas) for row in best.astype(object).to_dict("records")
    )
    left = len(feasible) - len(best)
    curves = SizeCurves(
        name=result.sweep.name,
        folder=str(folder),
        networks=networks,
        devices=_devices(result.sweep, feasible),
        axes=axes,
        points=points,
        note="",
        sweep=result.sweep.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )
    note = _about(result.sweep, len(rows) - len(feasible), left, curves.at_sigma)
    return replace(curves, note=note)


def _networks(sweep: Sweep, rows: pd.DataFrame) -> tuple[str, ...]:
    if "network" not in rows:
        return (sweep.network,)
    return tuple(str(name) for name in dict.fromkeys(rows["network"]))


def _devices(sweep: Sweep, rows: pd.DataFrame) -> tuple[str, ...]:
    """Name the devices of a sweep's points: those of its axes, or the one that it has."""
    axes = {name: name if name in rows else f"chip.{name}" for name in _DEVICE}
    paths = {name: path for name, path in axes.items() if path in rows}
    kinds = rows[list(paths.values())].drop_duplicates().to_dict("records") if paths else [{}]
    set_by = [text.partition("=")[2] for text in sweep.settings if text.startswith("chip.device=")]
    base = {"chip": sweep.chip, "device": set_by[-1] if set_by else sweep.device}
    # Not resolved: the settings of a point may be what makes its chip and device fit each other.
    return tuple(
        dict.fromkeys(
            _device(base | {name: kind[path] for name, path in paths.items()}) for kind in kinds
        )
    )


def _device(names: dict[str, Any]) -> str:
    """Name the device of a chip; as the sweep names it where its file is not there any more."""
    try:
        return device_name(**names)
    except ConfigError:
        return str(names["device"] or names["chip"])


def _point(
    result: SweepResult,
    axes: tuple[str, ...],
    row: Mapping[Hashable, Any],
    known_sigmas: Mapping[str, float],
) -> CurvePoint:
    accuracy, low, high = (
        None if (value := _number(row.get(f"accuracy_{key}"))) is None else _PERCENT * value
        for key in ("mean", "ci95_low", "ci95_high")
    )
    number = int(row["point"])
    return CurvePoint(
        point=number,
        design=str(row["design"]),
        sizes={path: None if _number(row[path]) is None else int(row[path]) for path in axes},
        accuracy=accuracy,
        low=low,
        high=high,
        values={
            metric.key: metric.from_column(value)
            for metric in shown_in(Place.CURVES)
            if (value := _number(row.get(metric.column))) is not None
        },
        command=result.map_command(number),
        sigma=None if accuracy is None else known_sigmas.get(str(row.get(KEY))),
    )


def _number(value: Any) -> float | None:
    """Return a finite number, None for everything else."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _about(sweep: Sweep, infeasible: int, left: int, at_sigma: str) -> str:
    """Say what the curves are of, and what was left out."""
    device = "" if sweep.device is None else f", device {sweep.device}"
    text = f"{sweep.network} on chip {sweep.chip}{device}"
    if sweep.fidelity == "accuracy" and sweep.accuracy is not None:
        text += f"; accuracies: method {sweep.accuracy.method} of study {sweep.accuracy.study}"
        text += f", {at_sigma}" if at_sigma else ""
    settings = ", ".join(sweep.settings)
    text += f"; {settings}" if settings else ""
    if left:
        text += f"; of {left} more points with other settings, those of least EDP are left"
    if infeasible:
        text += f"; {infeasible} points cannot be built"
    return text + "."
