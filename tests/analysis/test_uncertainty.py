"""Intervals from the constants' uncertainty."""

import math

import pytest
import torch

from archsim.analysis.uncertainty import NOT_KNOWN, interval_of, intervals
from archsim.config.resolve import resolve
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from archsim.results.metrics import METRICS, metric_of
from archsim.results.sensitivity import Interval
from reports.tables.analysis import intervals as table_of
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
    resolved = resolve(chip="rram-22nm-neurosim")
    assert run(resolved, table, 20) == run(resolved, table, 20)
    assert run(resolved, table, 20) != run(resolved, table, 20, seed=1)


@pytest.mark.parametrize("chip", ["rram-22nm-neurosim", "rram-22nm"])
def test_every_quantity_has_an_interval_that_holds_its_nominal_value(table, chip):
    # With the policy all every assumed constant of the device counts, too.
    settings = ["chip.programming.policy=all"]
    found = run(resolve(chip=chip, overrides=settings), table, samples=200)
    drawn = {metric.key for metric in METRICS if metric.of_batch and not metric.is_whole}
    assert set(found) == drawn
    for entry in found.values():
        assert entry.because is None
        # Strictly: a percentile beyond it would have been moved to it.
        assert entry.low < entry.nominal < entry.high, entry
        assert entry.low < entry.median < entry.high, entry
    assert found["dynamic_energy_uJ"].high > 1.5 * found["dynamic_energy_uJ"].low


def test_a_value_at_the_end_of_its_range_is_the_median_of_its_draws(table):
    # One pulse per cell, nothing verified: the time is proportional to the pulse width, half of
    # whose draws are at 10 ns and half log-uniform up to 1 us. The 95th percentile is at
    # 10^(0.9 * 2); its exponent has a standard error of 4 sqrt(0.05 * 0.95 / 100) = 0.09.
    width = "{value: 10, unit: ns, source: test, range: [10, 1000]}"
    settings = ["chip.programming.policy=none", f"device.pulse_width={width}"]
    found = run(resolve(chip="rram-22nm-neurosim", overrides=settings), table, samples=100)
    time = found["programming_time_ms"]
    assert time.low == pytest.approx(time.nominal, rel=1e-12, abs=0)
    assert math.log10(time.high / time.nominal) == pytest.approx(1.8, abs=0.2)


def test_zero_with_a_range_is_drawn(table):
    # Nothing else of the device is, so that only stuck cells take more pulses.
    device = {
        "write_verify.tolerance": 0.043,
        "write_verify.step_gain": 0.055,
        "write_verify.step_sigma": 0.02,
        "read_noise_sigma": 0,
        "stuck_on_rate": 0,
        "device_to_device_share": 0.5,
    }
    quiet = [f"device.{key}={{value: {v}, unit: '1', source: test}}" for key, v in device.items()]
    settings = ["chip.programming.policy=all", *quiet]
    pulses = run(resolve(chip="rram-22nm-neurosim", overrides=settings), table)["write_pulses"]
    assert pulses.low == pytest.approx(pulses.nominal, rel=1e-9, abs=0)
    # At most 9 % of the cells are stuck, each for 100 pulses in place of about 10.
    assert 1.3 < pulses.high / pulses.nominal < 2


def test_what_no_drawn_constant_moves_is_not_known_and_counts_are_exact(table):
    factors = {"sensing_time": 1.4, "adc_time": 1.0}
    quiet = [
        f"chip.calibration.{key}={{value: {value}, unit: '1', source: test}}"
        for key, value in factors.items()
    ]
    settings = ["chip.programming.policy=none", *quiet]
    found = run(resolve(chip="rram-22nm-neurosim", overrides=settings), table, samples=20)
    for key in ("latency_us", "clock_ns", "period_us", "throughput_per_s"):
        assert found[key].low is found[key].median is found[key].high is None
        assert found[key].because == NOT_KNOWN
        assert found[key].to_dict()["because"] == NOT_KNOWN
    assert {
        row["median"]
        for row in table_of(found.values()).records()
        if row["total"] in ("latency_us", "clock_ns")
    } == {"not known"}
    pulses = found["write_pulses"]
    assert pulses.low == pulses.median == pulses.high == pulses.nominal > 0


def test_an_interval_reaches_to_the_nominal_value():
    metric = metric_of("energy")
    for nominal, low, high in ((1.0, 1.0, 4.0), (5.0, 2.0, 5.0), (3.5, 2.0, 4.0)):
        found = interval_of(metric, nominal, (2.0, 3.0, 4.0))
        assert found == Interval("energy_uJ", nominal, low, 3.0, high)


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
    found = run(resolve(chip="rram-22nm-neurosim", overrides=quiet + device), table, samples=4000)
    found = found["dynamic_energy_uJ"]
    double = run(
        resolve(
            chip="rram-22nm-neurosim",
            overrides=[*quiet, *device, "chip.calibration.adc_energy=2.0"],
        ),
        table,
        samples=20,
    )["dynamic_energy_uJ"]
    adc_uJ = double.nominal - found.nominal
    for value, z in ((found.low, -1.6449), (found.high, 1.6449)):
        factor = 1 + (value - found.nominal) / adc_uJ
        assert factor == pytest.approx(float(torch.exp(torch.tensor(0.6 * z))), rel=0.05)


@pytest.mark.parametrize("samples", [0, 19, 1_000_001])
def test_number_of_samples_is_bounded(table, samples):
    facts = {"code": "out-of-range", "field": "samples", "value": samples}
    with refused(ConfigError, **facts, allowed="20 to 1000000"):
        run(resolve(chip="rram-22nm-neurosim"), table, samples=samples)
