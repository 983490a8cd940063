"""What the components of one mapped network do: leakage, share of time at work, energy by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim.units import from_si

if TYPE_CHECKING:
    from archsim.results.mapped import MapResult

#: Rows of :func:`energy_rows` that are of no layer.
LEAKAGE, OFF_CHIP = "leakage", "off_chip"
#: Components that work while the array is read, and have no time of their own.
_IN_READ = ("adc", "mux", "drivers", "control")


@dataclass(frozen=True)
class Use:
    """One component of a chip.

    Attributes:
        component: its name.
        leakage_mW: of all its instances.
        leakage_share: of the leakage of the chip; None where that is 0.
        busy_share: of the time between images in which an instance works, on average over the
            tiles; None for what is not counted.
    """

    component: str
    leakage_mW: float
    leakage_share: float | None
    busy_share: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return plain data for JSON."""
        return {
            "leakage_mW": self.leakage_mW,
            "leakage_share": self.leakage_share,
            "busy_share": self.busy_share,
        }


def uses(mapped: MapResult) -> tuple[Use, ...]:
    """Return the components that leak or work; their leakage adds up to that of the chip.

    Args:
        mapped: feasible.
    """
    cost = mapped.cost
    whole = float(cost.leakage_power_W)
    busy = _busy_shares(mapped)
    found = []
    for name in dict.fromkeys((*cost.energies_J, *cost.leakages_W)):
        own = float(cost.leakages_W[name]) if name in cost.leakages_W else 0.0
        works = name in cost.energies_J and float(cost.energies_J[name]) > 0
        share = busy.get("array" if name in _IN_READ else name) if works else None
        if own or share:
            found.append(Use(name, from_si(own, "mW"), own / whole if whole else None, share))
    return tuple(found)


def _busy_shares(mapped: MapResult) -> dict[str, float]:
    """Share of the period in which each component works, averaged over the tiles of the layers.

    A tile that several layers visit in turn works for all of them, and so does the digital unit,
    of which a chip has one.
    """
    cost, plan = mapped.cost, mapped.plan
    tiles, period = max(float(plan.tiles.sum()), 1.0), float(cost.period_s)
    shared = plan.layers.shared > 0
    common = float((plan.tiles * shared).max())
    counts = [
        common if bool(visits) else float(own)
        for own, visits in zip(plan.tiles, shared.expand(plan.tiles.shape), strict=True)
    ]
    shares = {
        name: sum(n * float(time) for n, time in zip(counts, times, strict=True)) / tiles / period
        for name, times in cost.layer_times_s.items()
    }
    # A shift-add works while the array is read; time of its own is what it takes longer.
    shares["shift_add"] += shares["array"]
    return {**shares, "digital_unit": float(cost.times_s["digital_unit"]) / mapped.chips / period}


def energy_rows(mapped: MapResult) -> list[dict[str, Any]]:
    """Return the energy of one image by layer and component, uJ; the rows add up to the total.

    Leakage is of components and not of layers, and transfers off the chip are of none.

    Args:
        mapped: feasible.
    """
    keys = ("layer", "kind", "component", "energy_uJ")
    return [dict(zip(keys, row, strict=True)) for row in _energies(mapped)]


def _energies(mapped: MapResult) -> Iterator[tuple[str, str, str, float]]:
    """Layer, its kind, component and energy of one image, uJ."""
    cost, plan = mapped.cost, mapped.plan
    for index, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True)):
        for component, values in cost.layer_energies_J.items():
            energy = float(values[index])
            if energy:
                yield name, str(kind), component, from_si(energy, "uJ")
    busy_s = float(cost.leakage_energy_J / cost.leakage_power_W) if cost.leakage_power_W else 0.0
    for component, power in cost.leakages_W.items():
        if float(power):
            yield LEAKAGE, LEAKAGE, component, from_si(float(power) * busy_s, "uJ")
    outside = float(cost.energies_J["off_chip"])
    if outside:
        yield OFF_CHIP, OFF_CHIP, OFF_CHIP, from_si(outside, "uJ")
