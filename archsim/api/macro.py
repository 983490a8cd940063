"""One compute-in-memory macro as published chips report it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import DEFAULT_CONSTANTS, SiliconConstants, load_constants
from archsim.config.load import Override, Setting
from archsim.config.macro import load_macro, warnings_of
from archsim.config.schema.macro import Macro, MacroFile, MeasuredPoint
from archsim.cost.silicon.interval import Z_80, Z_90
from archsim.cost.silicon.price import MacroCost, price_macro
from archsim.results.macro import MacroComparison, MacroFigure, MacroResult
from archsim.units import from_si

_TERMS = {
    "converters": "converters_J",
    "array": "array_J",
    "cell currents": "dc_J",
    "word lines": "word_lines_J",
    "control": "fixed_J",
    "adder trees": "digital_J",
}
_PARTS = {
    "cells": "cells_m2",
    "converters": "converters_m2",
    "adder trees": "digital_m2",
    "control": "fixed_m2",
}


def macro(
    name: str, *, overrides: Iterable[Override] = (), constants: str | None = None
) -> MacroResult:
    """Price one bank: energy, time and operations per invocation, area, efficiency, intervals.

    Args:
        name: preset of ``configs/macro`` or YAML path.
        overrides: such as ``["macro.adc_bits=5"]``.
        constants: preset of ``configs/silicon`` or YAML path; None for the shipped ones.

    Raises:
        ConfigError: an unknown name or key, a value that is not allowed, parts that do not fit.
    """
    settings = list(overrides)
    file = load_macro(name, settings)
    preset = constants or DEFAULT_CONSTANTS
    known = load_constants(preset)
    cost = price_macro(macro=MacroBatch.from_config(file.macro), constants=known)
    return MacroResult(
        name=file.name,
        description=file.description,
        citation=file.citation,
        constants=preset,
        figures=_figures(file.macro, cost),
        energy_pJ={
            label: from_si(float(getattr(cost.energy, key)), "pJ") for label, key in _TERMS.items()
        },
        area_mm2={
            label: from_si(float(getattr(cost.area, key)), "mm2") for label, key in _PARTS.items()
        },
        formula_latency_ns=from_si(float(cost.formula_latency_s), "ns"),
        warnings=(*warnings_of(file.macro), *_supplied(file.macro)),
        # What was measured is of the design as published, not of one that the user changed.
        measured=() if settings else _measured(name, file, known),
        settings=file.macro.model_dump(mode="json"),
    )


def _supplied(macro: Macro) -> tuple[str, ...]:
    given = [
        key
        for key in ("cell_current_uA", "adc_energy_fJ", "cycle_ns")
        if getattr(macro, key) is not None
    ]
    said = "user supplied, and the interval is not that of it"
    return tuple(f"macro.{key}: {said}" for key in given)


def _figures(macro: Macro, cost: MacroCost) -> dict[str, MacroFigure]:
    energy, area = float(cost.energy.total_J), float(cost.area.total_m2)
    latency = float(cost.latency_s)
    work_1b = float(cost.operations_1b)
    work = work_1b / (macro.input_bits_per_cycle * macro.weight_bits_per_conversion)
    of_energy, of_area = float(cost.spread.energy), float(cost.spread.area)
    of_latency = 0.0 if macro.cycle_ns is not None else float(cost.spread.latency)
    dense = math.hypot(of_latency, of_area)
    area_mm2 = from_si(area, "mm2")
    figures = {
        "energy_pJ": _figure(from_si(energy, "pJ"), of_energy),
        "latency_ns": _figure(from_si(latency, "ns"), of_latency),
        "operations": _figure(work, 0.0),
        "bank_area_mm2": _figure(area_mm2, of_area),
    }
    for ending, done in (("", work), ("_1b", work_1b)):
        if ending:
            figures["operations_1b"] = _figure(work_1b, 0.0)
        tops = done / latency / 1e12
        figures[f"tops{ending}"] = _figure(tops, of_latency)
        figures[f"tops_per_W{ending}"] = _figure(done / energy / 1e12, of_energy)
        figures[f"tops_per_mm2{ending}"] = _figure(tops / area_mm2, dense)
    return figures


def _figure(value: float, spread: float) -> MacroFigure:
    if not spread:
        return MacroFigure(value, None, None)
    wide = [math.exp(z * spread) for z in (Z_80, Z_90)]
    first, second = ((value / factor, value * factor) for factor in wide)
    return MacroFigure(value, first, second)


def _measured(
    name: str, file: MacroFile, constants: SiliconConstants
) -> tuple[MacroComparison, ...]:
    found = []
    for point in file.published:
        changes = [Setting(f"macro.{key}", value) for key, value in point.settings.items()]
        macro = load_macro(name, changes).macro
        cost = price_macro(macro=MacroBatch.from_config(macro), constants=constants)
        found += _compared(point, cost)
    return tuple(found)


def _compared(point: MeasuredPoint, cost: MacroCost) -> list[MacroComparison]:
    rows = (
        ("energy", "pJ", point.energy_per_invocation, cost.energy.total_J, cost.spread.energy),
        ("latency", "ns", point.latency_per_invocation, cost.formula_latency_s,
         cost.spread.latency),
        ("area", "mm2", point.bank_area, cost.area.total_m2, cost.spread.area),
    )  # fmt: skip
    found = []
    for metric, unit, measured, computed, spread in rows:
        if measured is None:
            continue
        value = from_si(float(computed), unit)
        factor = math.exp(Z_90 * float(spread))
        found.append(
            MacroComparison(
                point.condition, metric, unit, from_si(measured.si, unit), value,
                value / factor, value * factor, measured.source,
            )
        )  # fmt: skip
    return found
