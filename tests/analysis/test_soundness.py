"""Totals that are no finite positive numbers are an error that names the setting."""

from __future__ import annotations

import pytest

from archsim.api.compare import compare
from archsim.api.map import intervals, map_network
from archsim.arch.design import DesignBatch
from archsim.cost.engine import evaluate
from archsim.cost.soundness import SOUND
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from mapping.compile import compile_plan
from tests.designs import make_design
from tests.refusals import ANY, refused

#: The fit gives a negative conversion time.
LOG = "technology.flash_time_log=[-1.0, -1.0, -1.0]"
#: Refused by their own range.
RANGES = {
    "chip.calibration.sensing_time=0": "chip.calibration.sensing_time",
    "chip.calibration.adc_area=1e300": "chip.calibration.adc_area",
    "technology.cell_height=0": "technology.cell_height",
    "technology.resistance_factor=0": "technology.resistance_factor",
    "technology.i_on_p=0": "technology.i_on_p",
    "technology.c_wire=0": "technology.c_wire",
    "device.pulse_width=0": "device.pulse_width",
}


@pytest.mark.parametrize("setting", RANGES)
def test_what_is_no_silicon_is_out_of_range(setting: str) -> None:
    with refused(ConfigError, code="out-of-range", field=RANGES[setting], value=ANY):
        map_network("lenet3", overrides=[setting], chip="rram-22nm-neurosim")


def test_a_total_below_zero_is_an_error() -> None:
    facts = {"code": "not-finite", "field": "technology.flash_time_log", "value": [-1.0] * 3}
    with refused(ConfigError, **facts):
        map_network("lenet3", overrides=[LOG], chip="rram-22nm-neurosim")
    with refused(ConfigError, **facts):
        compare(["lenet3"], overrides=[LOG], chip="rram-22nm-neurosim")


def test_the_same_in_a_sweep_is_infeasible_with_the_reason() -> None:
    table = from_graph(load_network("lenet3"))
    design = make_design(LOG)
    both = DesignBatch.stack([make_design(), design])
    plan = compile_plan(design=both, table=table, merge_alike=True)
    cost = evaluate(design=both, plan=plan)
    assert cost.feasible.tolist() == [True, False]
    bound = cost.constraints[-1]
    assert (bound.name, bound.violated.tolist()) == (SOUND, [False, True])


def test_intervals_of_draws_that_overflow_are_refused() -> None:
    wide = "chip.calibration.adc_energy={value: 1.0, unit: '1', sigma: 1000.0, source: test}"
    result = map_network("lenet3", overrides=[wide], chip="rram-22nm-neurosim")
    path = "chip.calibration.adc_energy"
    with refused(ConfigError, code="not-finite", field=path, value=1000.0):
        intervals(result, samples=50)
