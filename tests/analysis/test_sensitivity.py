"""Elasticities against finite differences, and relations that follow from dimensions."""

import math

import pytest
import torch

from archsim.analysis.sensitivity import sensitivities
from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.engine import evaluate
from archsim.network import from_graph, load_network
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan

METRICS = tuple(metric.stem for metric in shown_in(Place.SENSITIVITY))
#: Relative step of the central difference; the error of the difference is its square.
STEP = 1e-5


@pytest.fixture(scope="module")
def lenet():
    graph = load_network("lenet3")
    return from_graph(graph), graph.insertion_points()


@pytest.fixture(scope="module")
def design():
    return DesignBatch.from_resolved(
        resolve(chip="rram-22nm-neurosim", tsb="paper-lenet3"), "common"
    )


@pytest.fixture(scope="module")
def entries(lenet, design):
    table, points = lenet
    return {e.path: e for e in sensitivities(design=design, table=table, points=points)}


def totals(lenet, design):
    table, points = lenet
    with torch.no_grad():
        cost = evaluate(design=design, plan=compile_plan(design=design, table=table, points=points))
    return {
        "edp": cost.edp_Js,
        "energy": cost.energy_J,
        "latency": cost.latency_s,
        "period": cost.period_s,
        "area": cost.area_m2,
    }


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("r_on_ohm", "device.r_on"),
        ("r_off_ohm", "device.r_off"),
        ("sensing_time", "chip.calibration.sensing_time"),
        ("adder_activity", "chip.calibration.adder_activity"),
        ("toggle_out", "chip.interconnect.toggle_out"),
        ("adc_area", "chip.calibration.adc_area"),
        ("weight_std", "chip.activity.weight_std"),
        ("input_std", "chip.activity.input_std"),
    ],
)
def test_autograd_equals_central_difference(lenet, design, entries, field, path):
    value = getattr(design, field)
    up = totals(lenet, design.replace(**{field: value * (1 + STEP)}))
    down = totals(lenet, design.replace(**{field: value * (1 - STEP)}))
    width = math.log((1 + STEP) / (1 - STEP))
    for metric in METRICS:
        expected = float(torch.log(up[metric] / down[metric])) / width
        got = entries[path].values.get(metric, 0.0)
        assert got == pytest.approx(expected, abs=2e-6), metric


@pytest.mark.parametrize("constant", ["vdd_V", "i_on_n_A_per_m", "c_wire_F_per_m", "v_read_V"])
def test_technology_constants_equal_central_difference(lenet, design, entries, constant):
    value = getattr(design.technology, constant)

    def at(factor):
        technology = design.technology.replace(**{constant: value * factor})
        changed = {"technology": technology}
        if constant == "v_read_V":
            changed["v_read_V"] = technology.v_read_V
        return totals(lenet, design.replace(**changed))

    up, down = at(1 + STEP), at(1 - STEP)
    width = math.log((1 + STEP) / (1 - STEP))
    for metric in METRICS:
        expected = float(torch.log(up[metric] / down[metric])) / width
        got = entries[f"technology.{constant}"].values.get(metric, 0.0)
        assert got == pytest.approx(expected, abs=5e-5), metric


def test_edp_elasticity_is_energy_plus_latency(entries):
    for entry in entries.values():
        values = entry.values
        parts = values.get("energy", 0.0) + values.get("latency", 0.0)
        assert values.get("edp", 0.0) == pytest.approx(parts, abs=1e-9)


def test_sensing_time_stretches_time_in_proportion(entries):
    assert entries["chip.calibration.sensing_time"].values["latency"] == pytest.approx(1.0)


def test_more_adc_bits_cost_more_of_everything(entries):
    entry = entries["chip.adc.bits"]
    assert entry.kind == "integer"
    assert (entry.value, entry.stepped_to) == (5.0, 6.0)
    assert min(entry.values[metric] for metric in ("edp", "energy", "latency", "area")) > 0


def test_largest_edp_effect_comes_first(lenet, design):
    table, points = lenet
    found = sensitivities(design=design, table=table, points=points)
    effects = [abs(entry.values.get("edp", 0.0)) for entry in found]
    assert effects == sorted(effects, reverse=True)
