"""Intervals from the constants' uncertainty."""

import pytest
import torch

from archsim.analysis.uncertainty import intervals
from archsim.config.resolve import resolve
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from tests.refusals import refused


@pytest.fixture(scope="module")
def table():
    return from_graph(load_network("lenet3"))


def run(resolved, table, samples=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = intervals(
        resolved=resolved, design="none", table=table, samples=samples, generator=generator
    )
    return {entry.name: entry for entry in found}


def test_same_seed_same_intervals_other_seed_others(table):
    resolved = resolve()
    assert run(resolved, table) == run(resolved, table)
    assert run(resolved, table) != run(resolved, table, seed=1)


def test_percentiles_are_ordered_and_energy_varies_but_time_does_not(table):
    found = run(resolve(), table)
    for entry in found.values():
        assert entry.low <= entry.median <= entry.high
    assert found["dynamic_energy_uJ"].high > 1.5 * found["dynamic_energy_uJ"].low
    latency = found["latency_us"]
    assert latency.low == pytest.approx(latency.nominal)
    assert latency.high == pytest.approx(latency.nominal)


def test_lognormal_factor_has_the_stated_quantiles(table):
    # Only the ADC's energy factor varies: its 5th and 95th percentile are exp(-+1.645 sigma), and
    # dynamic energy is linear in it. The standard error of a 5 % quantile of ln x of 4000 draws is
    # sigma sqrt(0.05 * 0.95 / 4000) / phi(1.645) = 0.02, so 5 % is 2.5 standard errors.
    quantity = "{value: 1.0, unit: '1', sigma: 0.6, source: test}"
    fixed = "{value: 1.0, unit: '1', source: test}"
    quiet = [
        f"chip.calibration.adc_area={fixed}",
        f"chip.calibration.adc_energy={quantity}",
        "chip.activity.input_std={value: 0.25, unit: '1', source: test}",
        "chip.activity.weight_std={value: 0.25, unit: '1', source: test}",
    ]
    device = [
        "device.write_verify.tolerance={value: 0.043, unit: '1', source: test}",
        "device.write_verify.step_gain={value: 0.055, unit: '1', source: test}",
        "device.write_verify.step_sigma={value: 0.02, unit: '1', source: test}",
    ]
    found = run(resolve(overrides=quiet + device), table, samples=4000)
    found = found["dynamic_energy_uJ"]
    double = run(
        resolve(overrides=[*quiet, *device, "chip.calibration.adc_energy=2.0"]), table, samples=20
    )["dynamic_energy_uJ"]
    adc_uJ = double.nominal - found.nominal
    for value, z in ((found.low, -1.6449), (found.high, 1.6449)):
        factor = 1 + (value - found.nominal) / adc_uJ
        assert factor == pytest.approx(float(torch.exp(torch.tensor(0.6 * z))), rel=0.05)


@pytest.mark.parametrize("samples", [0, 19, 1_000_001])
def test_number_of_samples_is_bounded(table, samples):
    facts = {"code": "out-of-range", "field": "samples", "value": samples}
    with refused(ConfigError, **facts, allowed="20 to 1000000"):
        run(resolve(), table, samples=samples)
