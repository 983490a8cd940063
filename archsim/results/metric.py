"""What a metric of a design is: its key and unit, how it is read, and where it is shown.

The metrics themselves are the rows of :mod:`archsim.results.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from archsim.units import DIMENSIONS, NAME_UNITS, TO_SI, from_si

if TYPE_CHECKING:
    from torch import Tensor

    from archsim.plan import MappingPlan
    from archsim.results.cost import CostBreakdown
    from archsim.results.mapped import MapResult

#: Which end is better.
Direction = Literal["lower", "higher", "none"]
#: How a value is written: four digits, a whole number, a fraction in per cent, ``1.234 M``.
Form = Literal["number", "count", "percent", "engineering"]
#: What a name ends in for each unit; units that a name does not say are not in it.
_ENDINGS = {unit: ending for ending, unit in NAME_UNITS.items()}


class Place(StrEnum):
    """Where a metric can be shown; the totals of ``archsim map`` (JSON) hold all metrics.

    A metric is in one of the two boxes of ``archsim map``. What a place takes from another (a table
    from its JSON, a chart from its table) is in :data:`NEEDS`.
    """

    INFERENCE = "map inference"
    CHIP = "map chip"
    SENSITIVITY = "sensitivity"
    SENSITIVITY_FIGURE = "sensitivity figure"
    UNCERTAINTY = "uncertainty"
    COMPARE = "compare"
    OVERHEAD = "overhead"
    PROGRAMMING = "compare programming"
    SWEEP = "sweep"
    SWEEP_FRONT = "sweep front"
    SWEEP_POINT = "sweep point"
    REPORT = "report"
    REPORT_TABLE = "report table"
    REPORT_FIGURE = "report figure"
    PAGE = "page"
    PAGE_CORE = "page core"
    PAGE_CHART = "page chart"
    CURVES = "size curves"
    CURVES_FIGURE = "size figure"
    PUBLISHED = "published costs"


#: A metric that is shown in the first place is in the others too, from which that one takes it.
NEEDS: dict[Place, tuple[Place, ...]] = {
    Place.SENSITIVITY_FIGURE: (Place.SENSITIVITY,),
    Place.OVERHEAD: (Place.COMPARE, Place.REPORT),
    Place.SWEEP_FRONT: (Place.SWEEP,),
    Place.SWEEP_POINT: (Place.SWEEP,),
    Place.REPORT_TABLE: (Place.REPORT,),
    Place.REPORT_FIGURE: (Place.PAGE_CHART,),
    Place.PAGE: (Place.REPORT,),
    Place.PAGE_CORE: (Place.PAGE,),
    Place.PAGE_CHART: (Place.REPORT,),
    Place.CURVES: (Place.SWEEP,),
    Place.CURVES_FIGURE: (Place.CURVES,),
}


@dataclass(frozen=True)
class Shown:
    """How a metric is shown in one place.

    Attributes:
        rank: metrics of a lower rank come first; those of the same rank are in the order of the
            registry.
        title: heading, where it is not the metric's label; may be broken into lines.
        unless: value that goes without saying: then it is left out.
        alone: without its ratio to the base.
    """

    rank: int = 0
    title: str = ""
    unless: int | float | None = None
    alone: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One number of a design: a row of the registry.

    A value comes from :attr:`of_batch` for a batch and, by the same getter, for one design; what
    only a mapped network knows comes from :attr:`of_design`. One of the two is given.

    Attributes:
        key: name in JSON, with the unit at its end where there is one: ``edp_uJ_us``.
        title: name with nothing beside it: in the totals of ``archsim map``.
        about: what it is, in one line.
        direction: which end is better; ``none`` where neither is.
        unit: of the values in reports, a key of ``TO_SI``; ``1`` for counts and shares.
        label: name as a column or an axis; "" for the title.
        form: how a value is written.
        is_whole: whether it is a whole number, which has no gradient.
        of_batch: from the cost and the plan of a batch of designs, SI, ``*batch``.
        of_design: from one mapped network, in the unit of reports.
        shown: where, and how.
    """

    key: str
    title: str
    about: str
    direction: Direction
    unit: str = "1"
    label: str = ""
    form: Form = "number"
    is_whole: bool = False
    of_batch: Callable[[CostBreakdown, MappingPlan], Tensor] | None = None
    of_design: Callable[[MapResult], float | int] | None = None
    shown: Mapping[Place, Shown] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The key without its unit: ``edp``."""
        return self.key.removesuffix(f"_{_ENDINGS[self.unit]}") if self._says_unit else self.key

    @property
    def column(self) -> str:
        """Name in tables of many designs, which are in SI: ``edp_Js``."""
        return f"{self.stem}_{_ENDINGS[self._si_unit]}" if self._says_unit else self.key

    @property
    def overhead_key(self) -> str:
        """Name of its overhead over the base, in per cent: ``edp_overhead_pct``."""
        return f"{self.stem}_overhead_pct"

    @property
    def ratio_key(self) -> str:
        """Name of its ratio to the base: ``edp_uJ_us_ratio``."""
        return f"{self.key}_ratio"

    @property
    def name(self) -> str:
        """What people call it as a column or an axis."""
        return self.label or self.title

    @property
    def is_count(self) -> bool:
        """Whether it counts something: no unit, and no share."""
        return self.unit == "1" and self.form in ("count", "engineering")

    @property
    def shown_unit(self) -> str:
        """The unit as it is printed: ``uJ us``, ``%``, "" for none."""
        if self.form == "percent":
            return "%"
        return "" if self.unit == "1" else self.unit.replace("*", " ")

    @property
    def maximise(self) -> bool | None:
        """Whether more is better; None where neither end is."""
        return {"lower": False, "higher": True, "none": None}[self.direction]

    def title_in(self, place: Place) -> str:
        """Return its heading in a place.

        Args:
            place: one where it is shown.
        """
        return self.shown[place].title or self.name

    def value(self, mapped: MapResult) -> float | int:
        """Return its value for one mapped network, in the unit of reports.

        Args:
            mapped: feasible.
        """
        if self.of_design is not None:
            return self.of_design(mapped)
        value = from_si(float(self.in_si(mapped.cost, mapped.plan)), self.unit)
        return round(value) if self.is_whole else value

    def in_si(self, cost: CostBreakdown, plan: MappingPlan) -> Tensor:
        """Return its values for a batch of designs, SI, a shape that broadcasts to ``*batch``.

        Args:
            cost: of the designs.
            plan: of the same designs.

        Raises:
            ValueError: a metric of single designs alone.
        """
        if self.of_batch is None:
            raise ValueError(f"metric {self.key} has no getter for batches")
        return self.of_batch(cost, plan)

    def in_column(self, cost: CostBreakdown, plan: MappingPlan) -> Tensor:
        """Return its values for a batch of designs as :attr:`column` holds them.

        Args:
            cost: of the designs.
            plan: of the same designs.
        """
        values = self.in_si(cost, plan)
        return values if self._says_unit else values / TO_SI[self.unit]

    def from_column(self, value: float) -> float:
        """Convert a value of :attr:`column` to the unit of reports.

        Args:
            value: in the unit of the column.
        """
        return from_si(value, self.unit) if self._says_unit else value

    @property
    def _says_unit(self) -> bool:
        """Whether names of its columns end in a unit."""
        return self.unit in _ENDINGS

    @property
    def _si_unit(self) -> str:
        units = next(units for units in DIMENSIONS if self.unit in units)
        return next(unit for unit in units if TO_SI[unit] == 1)
