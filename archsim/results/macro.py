"""What pricing one macro yields: figures as publications report them, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Part of each figure's name, and its unit for people.
MACRO_FIGURES = {
    "energy_pJ": ("energy per invocation", "pJ"),
    "latency_ns": ("time per invocation", "ns"),
    "operations": ("operations per invocation", "1"),
    "bank_area_mm2": ("area of the bank", "mm2"),
    "tops": ("throughput", "TOPS"),
    "tops_per_W": ("energy efficiency", "TOPS/W"),
    "tops_per_mm2": ("compute density", "TOPS/mm2"),
    "operations_1b": ("operations of 1 b", "1"),
    "tops_1b": ("throughput, 1 b", "TOPS"),
    "tops_per_W_1b": ("energy efficiency, 1 b", "TOPS/W"),
    "tops_per_mm2_1b": ("compute density, 1 b", "TOPS/mm2"),
}


@dataclass(frozen=True)
class MacroFigure:
    """A number with the intervals that hold 80 % and 90 % of published chips; None: exact."""

    value: float
    interval80: tuple[float, float] | None
    interval90: tuple[float, float] | None


@dataclass(frozen=True)
class MacroComparison:
    """A measured point beside what is computed for it."""

    condition: str
    metric: str
    unit: str
    measured: float
    computed: float
    low90: float
    high90: float
    source: str

    @property
    def factor(self) -> float:
        """Computed over measured."""
        return self.computed / self.measured


@dataclass(frozen=True)
class MacroResult:
    """One bank as publications report it.

    Attributes:
        name: of the preset.
        description: of the preset.
        citation: the publication.
        constants: preset that prices.
        figures: by key of :data:`MACRO_FIGURES`.
        energy_pJ: by term of one invocation.
        area_mm2: by part of the bank.
        formula_latency_ns: by the formula, where the cycle was given.
        warnings: where the macro lies outside of the calibration, what the user supplied.
        measured: published beside computed.
        settings: of the macro, as in YAML.
    """

    name: str
    description: str
    citation: str
    constants: str
    figures: dict[str, MacroFigure]
    energy_pJ: dict[str, float]
    area_mm2: dict[str, float]
    formula_latency_ns: float
    warnings: tuple[str, ...]
    measured: tuple[MacroComparison, ...]
    settings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim macro``."""
        return {
            "schema": 1,
            "macro": self.name,
            "description": self.description,
            "citation": self.citation,
            "constants": self.constants,
            "figures": {
                key: {
                    "value": figure.value,
                    "interval80": None if figure.interval80 is None else list(figure.interval80),
                    "interval90": None if figure.interval90 is None else list(figure.interval90),
                }
                for key, figure in self.figures.items()
            },
            "energy_pJ": self.energy_pJ,
            "area_mm2": self.area_mm2,
            "formula_latency_ns": self.formula_latency_ns,
            "warnings": list(self.warnings),
            "measured": [{**entry.__dict__, "factor": entry.factor} for entry in self.measured],
            "settings": self.settings,
        }
