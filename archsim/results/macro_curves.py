"""Energy of a macro over one of its inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MacroCurve:
    """One input, energy per invocation, and of that the cells' currents, pJ."""

    title: str
    x: tuple[float, ...]
    energy_pJ: tuple[float, ...]
    current_pJ: tuple[float, ...]
    is_log: bool = False


@dataclass(frozen=True)
class MacroCurves:
    """All curves of one macro."""

    name: str
    curves: tuple[MacroCurve, ...]
