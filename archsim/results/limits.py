"""What limits a total of one mapped network, and which one setting takes most off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Said once with the limits.
LEFT_OUT = (
    "Only settings that the read path does not see are tried. Bits of converters, cells, weights "
    "and inputs, rows, rows read at once and voltages are not: map reads no accuracy (read path "
    "off); archsim read and archsim report do."
)


@dataclass(frozen=True)
class Advice:
    """One setting, changed alone.

    Attributes:
        path: of the setting.
        value: that it would have.
        change: relative change of the total, below 0.
        others: relative changes of the other totals, by name; those of 1 % or more.
    """

    path: str
    value: float | str
    change: float
    others: dict[str, float]

    @property
    def said(self) -> str:
        """``chip.adc.kind=sar would take 20 % off it (area +3 %)``."""
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        beside = ", ".join(f"{name} {100 * change:+.3g} %" for name, change in self.others.items())
        less = f"{self.path}={value} would take {-100 * self.change:.3g} % off it"
        return f"{less} ({beside})" if beside else less


@dataclass(frozen=True)
class Limit:
    """What limits one total.

    Attributes:
        total: ``latency``, ``energy`` or ``area``.
        component: the largest part of it.
        component_share: its share of all parts.
        layer: the largest by layer; "shared block" for all visits to one; None for area.
        layer_share: its share of all layers.
        advice: the setting that takes most off; None where none takes 1 % off.
    """

    total: str
    component: str
    component_share: float
    layer: str | None
    layer_share: float
    advice: Advice | None

    @property
    def said(self) -> str:
        """One sentence."""
        where = f"{100 * self.component_share:.3g} % is {self.component.replace('_', ' ')}"
        if self.layer is not None:
            where += f", and {100 * self.layer_share:.3g} % is in {self.layer}"
        if self.advice is None:
            return f"{self.total}: {where}; no single setting takes 1 % off it."
        return f"{self.total}: {where}; {self.advice.said}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        advice = self.advice
        return {
            "component": self.component,
            "component_share": self.component_share,
            "layer": self.layer,
            "layer_share": None if self.layer is None else self.layer_share,
            "setting": None if advice is None else advice.path,
            "value": None if advice is None else advice.value,
            "change_pct": None if advice is None else 100 * advice.change,
            "others_pct": {}
            if advice is None
            else {name: 100 * change for name, change in advice.others.items()},
            "sentence": self.said,
        }
