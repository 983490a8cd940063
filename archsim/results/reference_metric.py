"""What is compared with a reference run: one row per metric, of a chip or of its layers.

A row names the column of the reference's files (``tests/data/reference/README.md``) and reads the
same quantity from a plan and its cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown

Predictor = Callable[[MappingPlan, CostBreakdown], Tensor]

#: Units of the reference's columns: how many make one of the SI.
_PER_SI = {"um2": 1e12, "pJ": 1e12, "ns": 1e9, "tiles": 1.0, "copies": 1.0}


@dataclass(frozen=True, kw_only=True)
class ReferenceMetric:
    """One metric.

    Attributes:
        name: in tables, JSON and figures.
        column: of ``chip.csv``, or of ``layers.csv``.
        unit: of that column.
        of_design: the same from a batch of designs, SI: ``*batch``, or ``*batch layer``.
        per_layer: whether it is one of single layers.
    """

    name: str
    column: str
    unit: str
    of_design: Predictor
    per_layer: bool = False

    def predicted(self, plan: MappingPlan, cost: CostBreakdown) -> Tensor:
        """Return the values of a batch of designs in the unit of the column.

        Args:
            plan: of the batch.
            cost: of the plan.
        """
        return _PER_SI[self.unit] * self.of_design(plan, cost)


def _stage_time(*names: str) -> Predictor:
    """Time of some components: the largest of any layer with a pipeline, else the sum."""

    def predict(plan: MappingPlan, cost: CostBreakdown) -> Tensor:
        per_layer = sum((cost.layer_times_s[name] for name in names), torch.zeros(()))
        piped = cost.period_s < cost.latency_s
        return torch.where(piped, per_layer.amax(-1), per_layer.sum(-1))

    return predict


def _energy(*names: str) -> Predictor:
    return lambda plan, cost: sum((cost.energies_J[n] for n in names), torch.zeros(()))


def _layer_energy(*names: str) -> Predictor:
    return lambda plan, cost: sum((cost.layer_energies_J[n] for n in names), torch.zeros(()))


def _area(*names: str) -> Predictor:
    return lambda plan, cost: sum((cost.areas_m2[n] for n in names), torch.zeros(()))


_ADC = ("array", "adc")
_ACCUMULATION = ("shift_add", "adder_tree")
#: The reference calls everything but ADC and accumulation "other".
_OTHER = ("mux", "drivers", "buffer", "interconnect", "digital")


def _chip(name: str, column: str, unit: str, of_design: Predictor) -> ReferenceMetric:
    return ReferenceMetric(name=name, column=column, unit=unit, of_design=of_design)


def _layer(name: str, column: str, unit: str, of_design: Predictor) -> ReferenceMetric:
    return ReferenceMetric(
        name=f"layer_{name}", column=column, unit=unit, of_design=of_design, per_layer=True
    )


#: All metrics, in the order of tables: those of a whole chip first.
REFERENCE_METRICS = (
    _chip("area", "area_um2", "um2", lambda plan, cost: cost.area_m2),
    _chip("latency", "latency_ns", "ns", lambda plan, cost: cost.period_s),
    _chip("energy", "dyn_energy_pJ", "pJ", lambda plan, cost: cost.dynamic_energy_J),
    _chip("clock_period", "clk_period_ns", "ns", lambda plan, cost: cost.clock_s),
    _chip("tiles", "n_tiles", "tiles", lambda plan, cost: plan.floorplan.tiles),
    _chip("area_array", "area_array_um2", "um2", _area("array")),
    _chip("area_adc", "area_adc_um2", "um2", _area("adc")),
    _chip("area_interconnect", "area_ic_um2", "um2", _area("interconnect")),
    _chip("area_accumulation", "area_accum_um2", "um2", _area(*_ACCUMULATION)),
    _chip("energy_adc", "en_adc_pJ", "pJ", _energy(*_ADC)),
    _chip("energy_accumulation", "en_accum_pJ", "pJ", _energy(*_ACCUMULATION)),
    _chip("energy_interconnect", "en_ic_pJ", "pJ", _energy("interconnect")),
    _chip("energy_buffer", "en_buffer_pJ", "pJ", _energy("buffer")),
    _chip("energy_other", "en_other_pJ", "pJ", _energy(*_OTHER)),
    _chip("latency_adc", "lat_adc_ns", "ns", _stage_time("array")),
    _chip("latency_accumulation", "lat_accum_ns", "ns", _stage_time(*_ACCUMULATION)),
    _chip("latency_interconnect", "lat_ic_ns", "ns", _stage_time("interconnect")),
    _chip("latency_buffer", "lat_buffer_ns", "ns", _stage_time("buffer")),
    _layer("tiles", "tiles", "tiles", lambda plan, cost: plan.tiles),
    _layer("copies", "speedup", "copies", lambda plan, cost: plan.copies),
    _layer("latency", "latency_ns", "ns", lambda plan, cost: cost.layer_latency_s),
    _layer("energy", "dyn_energy_pJ", "pJ", lambda plan, cost: cost.layer_energy_J),
    _layer("energy_adc", "en_adc_pJ", "pJ", _layer_energy(*_ADC)),
    _layer("energy_accumulation", "en_accum_pJ", "pJ", _layer_energy(*_ACCUMULATION)),
    _layer("energy_interconnect", "en_ic_pJ", "pJ", _layer_energy("interconnect")),
    _layer("energy_buffer", "en_buffer_pJ", "pJ", _layer_energy("buffer")),
)
#: Those of a whole chip, and those of single layers.
CHIP_METRICS = tuple(metric for metric in REFERENCE_METRICS if not metric.per_layer)
LAYER_METRICS = tuple(metric for metric in REFERENCE_METRICS if metric.per_layer)
