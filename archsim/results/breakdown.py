"""What the cost of a chip is broken down into, per component and per layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.results.metrics import all_metrics
from archsim.units import from_si

if TYPE_CHECKING:
    from torch import Tensor

    from archsim.results.cost import CostBreakdown
    from archsim.results.metric import Metric


@dataclass(frozen=True)
class BrokenDown:
    """One metric whose parts are known.

    Attributes:
        key: that of the metric, with its unit.
        of_components: parts by component, SI, ``*batch`` each; those of a component that has none
            are left out.
        of_layers: parts by layer, SI, ``*batch layer``.
    """

    key: str
    of_components: Callable[[CostBreakdown], Mapping[str, Tensor]]
    of_layers: Callable[[CostBreakdown], Tensor]

    @property
    def metric(self) -> Metric:
        """The metric, for title and unit."""
        return next(metric for metric in all_metrics() if metric.key == self.key)

    @property
    def title(self) -> str:
        """Name of the metric."""
        return self.metric.title

    @property
    def unit(self) -> str:
        """Of the values in reports."""
        return self.metric.unit

    def component(self, cost: CostBreakdown, name: str) -> float:
        """Return the part of a component of one design, in the unit of reports; 0 without one.

        Args:
            cost: of shape ``()``.
            name: of the component.
        """
        parts = self.of_components(cost)
        return from_si(float(parts[name]), self.unit) if name in parts else 0.0

    def layer(self, cost: CostBreakdown, place: int) -> float:
        """Return the part of a layer of one design, in the unit of reports.

        Args:
            cost: of shape ``()``.
            place: of the layer.
        """
        return from_si(float(self.of_layers(cost)[place]), self.unit)


def _times_s(cost: CostBreakdown) -> dict[str, Tensor]:
    """Times of components, less what overlap hides of them."""
    hidden = {"overlap": -cost.hidden_s} if bool((cost.hidden_s != 0).any()) else {}
    return {**cost.times_s, **hidden}


#: In the order of tables and figures. Energy is dynamic: leakage is of no part.
BROKEN_DOWN = (
    BrokenDown("area_mm2", lambda cost: cost.areas_m2, lambda cost: cost.layer_area_m2),
    BrokenDown("energy_uJ", lambda cost: cost.energies_J, lambda cost: cost.layer_energy_J),
    BrokenDown("latency_us", _times_s, lambda cost: cost.layer_latency_s),
)
#: Their keys, those of ``MapResult.totals``.
PARTS = tuple(quantity.key for quantity in BROKEN_DOWN)
