"""Constants fitted to a table, as a file: values, 68 % ranges, chips behind each, and spreads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from archsim.analysis.silicon.calibrate import (
    QUANTITIES,
    Prior,
    calibrate,
    leave_one_out,
    load_prior,
    posterior,
)
from archsim.analysis.silicon.rows import SiliconRow, read_macros
from archsim.arch.silicon import SPREAD_CLASSES
from archsim.config.load import load_preset
from archsim.cost.silicon.interval import spread_class
from archsim.cost.silicon.price import price_macro
from archsim.units import from_si
from archsim.util.atomic_write import write_whole

#: A class with few macros borrows from all: so many macros' worth.
_BORROWED = 2.0
#: A constant that moves ln(prediction) of a macro less than this is not calibrated on it.
_MATTERS = 0.02


def refit(table: str | Path, out: Path, *, prior: str = "priors") -> dict[str, Any]:
    """Fit the constants to a table and write them as a preset.

    Args:
        table: of published macros.
        out: YAML file to write.
        prior: preset with centres and widths.

    Raises:
        DataError: a table that cannot be read, or a file that cannot be written.
    """
    document = fitted_document(read_macros(table), name=out.stem, table=str(table), prior=prior)
    text = yaml.safe_dump(document, sort_keys=False, width=160)
    head = "# Written by `archsim validate --silicon TABLE --refit FILE`; do not edit by hand.\n"
    write_whole(out, (head + text).encode())
    return document


def fitted_document(
    rows: Sequence[SiliconRow], *, name: str, table: str, prior: str = "priors"
) -> dict[str, Any]:
    """Return the preset that a table gives.

    Args:
        rows: of macros.
        name: of the preset.
        table: what it is called in the sources.
        prior: preset with centres and widths.
    """
    before = load_prior(prior)
    document = load_preset("silicon", prior)
    values = calibrate(rows, before)
    sigma = _sigma(rows, before, values)
    counts = _counts(rows, before, values)
    paths = _paths()
    for index, field in enumerate(before.fields):
        block, key = paths[field]
        node = dict(document[block][key])
        low, mid, high = (
            _actual(values[index] + step * sigma[index], bool(before.in_ln[index]), node["unit"])
            for step in (-1, 0, 1)
        )
        node.update(
            value=_short(mid),
            range=[_short(low), _short(high)],
            source="fit",
            note=f"calibrated on {counts[index]} chips; 68 % range",
        )
        node.pop("sigma", None)
        document[block][key] = node
    for quantity, spreads in zip(QUANTITIES, _spreads(rows, before), strict=True):
        document[f"{quantity.name}_spread"] = {
            label: {"value": _short(value), "unit": "1", "source": "left_out"}
            for label, value in zip(SPREAD_CLASSES, spreads, strict=True)
        }
    macros = len({row.macro for row in rows if row.design is not None})
    document["name"] = name
    document["description"] = f"Fitted to {macros} published macros of {Path(table).name}"
    sources = {
        "fit": f"archsim calibration on {macros} macros of {Path(table).name} (each with its paper "
        f"there), maximum a posteriori, see docs/silicon.md",
        "left_out": "archsim calibration: root mean square of ln(predicted / measured) with each "
        "macro left out of the fit, a class of few macros drawn towards all",
    }
    return {"sources": sources, **document}


def _paths() -> dict[str, tuple[str, str]]:
    import dataclasses

    from archsim.arch.silicon import SiliconConstants

    found = {}
    for entry in dataclasses.fields(SiliconConstants):
        block, _, key = str(entry.metadata["path"]).partition(".")
        found[entry.name] = (block, key)
    return found


def _actual(value: Tensor, in_ln: bool, unit: str) -> float:
    return from_si(math.exp(float(value)), unit) if in_ln else float(value)


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _sigma(rows: Sequence[SiliconRow], prior: Prior, values: Tensor) -> Tensor:
    """Width of the posterior around its top, by its curvature (Laplace)."""
    from torch.autograd.functional import hessian

    curvature = hessian(posterior(rows, prior), values)
    covariance: Tensor = torch.linalg.inv(curvature)
    return covariance.diagonal().clamp_min(0.0).sqrt()


def _counts(rows: Sequence[SiliconRow], prior: Prior, values: Tensor) -> list[int]:
    """Macros whose predictions each constant moves."""
    from torch.autograd.functional import jacobian

    behind: list[set[str]] = [set() for _ in prior.fields]
    for row in rows:
        if row.design is None:
            continue
        for quantity in QUANTITIES:
            if quantity.measured(row) is None:
                continue

            def predicted(at: Tensor, row: SiliconRow = row, quantity: Any = quantity) -> Tensor:
                cost = price_macro(macro=row.design, constants=prior.at(at))  # type: ignore[arg-type]
                return torch.log(quantity.computed(cost))

            slopes = jacobian(predicted, values)
            for index, slope in enumerate(slopes.abs().tolist()):
                if slope > _MATTERS:
                    behind[index].add(row.macro)
    return [len(macros) for macros in behind]


def _spreads(rows: Sequence[SiliconRow], prior: Prior) -> list[list[float]]:
    """Root mean square of ln(predicted / measured) by quantity and class, macros left out."""
    others = leave_one_out(rows, prior)
    result = []
    for quantity in QUANTITIES:
        ratios: dict[tuple[int, str], list[float]] = {}
        for row in rows:
            measured = quantity.measured(row)
            if row.design is None or measured is None:
                continue
            cost = price_macro(macro=row.design, constants=others[row.macro])
            key = (int(spread_class(macro=row.design)), row.macro)
            ratios.setdefault(key, []).append(math.log(float(quantity.computed(cost)) / measured))
        squares: dict[int, list[float]] = {}
        for (code, _), values in ratios.items():
            squares.setdefault(code, []).append((sum(values) / len(values)) ** 2)
        everything = [square for mine in squares.values() for square in mine]
        pooled = sum(everything) / max(len(everything), 1)
        result.append(
            [
                math.sqrt(
                    (sum(squares.get(code, [])) + _BORROWED * pooled)
                    / (len(squares.get(code, [])) + _BORROWED)
                )
                for code in range(len(SPREAD_CLASSES))
            ]
        )
    return result
