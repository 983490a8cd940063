from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.device import (
    one_shot,
    one_shot_distribution,
    pulse_distribution,
    sample_write_verify,
    write_verify_closed_form,
)
from archsim.errors import ConfigError
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded
from tests.refusals import refused

CELLS = 200_000
FIELDS = ("write_pulses", "verify_reads", "residual_sigma", "unconverged_fraction")
CASES = [
    {"model": "redraw", "sigma": 0.1, "tolerance": 0.04, "max_pulses": 20},
    {"model": "redraw", "sigma": 0.1, "tolerance": 0.01, "max_pulses": 7},
    {"model": "redraw", "sigma": 0.05, "tolerance": 0.2, "max_pulses": 3},
    {"model": "redraw", "sigma": 0.3, "tolerance": 0.06, "max_pulses": 1},
    *(
        {
            "model": "incremental",
            "sigma": sigma,
            "tolerance": tolerance,
            "max_pulses": limit,
            "step_gain": gain,
            "step_sigma": step,
        }
        for sigma, tolerance, limit, gain, step in [
            (0.1, 0.043, 100, 0.055, 0.02),
            (0.1, 0.02, 30, 0.5, 0.01),
            (0.2, 0.05, 10, 0.2, 0.05),
            (0.1, 0.03, 8, 0.0, 0.02),
            (0.05, 0.03, 50, 1.3, 0.01),
        ]
    ),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sampler_and_closed_form_agree(case, dtype):
    cells = sample_write_verify(shape=(CELLS,), generator=seeded(3), dtype=dtype, **case)
    assert cells.error.dtype == dtype
    closed, sampled = write_verify_closed_form(**case), cells.stats()
    allowed = {
        "write_pulses": mean_error(cells.pulses),
        "verify_reads": mean_error(cells.pulses),
        "residual_sigma": rms_error(cells.error),
        # Of a rare event with the expected probability, not the sampled one, which may be zero.
        "unconverged_fraction": ERRORS * math.sqrt(float(closed.unconverged_fraction) / CELLS),
    }
    for name in FIELDS:
        difference = abs(float(getattr(closed, name)) - float(getattr(sampled, name)))
        # The documented error of the grid comes on top of the Monte Carlo error.
        grid = {"residual_sigma": 1e-3}.get(name, 2e-5) if case["model"] == "incremental" else 1e-12
        assert difference <= allowed[name] + grid * max(float(getattr(closed, name)), 1e-2), name


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("row", [2, 16])
def test_slowest_cell_of_a_row(case, row):
    cells = sample_write_verify(shape=(CELLS // row, row), generator=seeded(4), **case)
    distribution = pulse_distribution(**case)
    expected = float(distribution.slowest_of(row))
    # Standard error by the distribution itself: a sample may miss rare values.
    # E[X^2] = sum (2k+1) S(k).
    above = 1 - (1 - distribution.survival.clamp(0, 1)) ** row
    odd = 2 * torch.arange(above.shape[-1]) + 1
    variance = max(float((odd * above).sum()) - expected**2, 0.0)
    allowed = ERRORS * math.sqrt(variance / (CELLS // row))
    grid = 1e-4 * expected if case["model"] == "incremental" else 1e-12
    difference = abs(float(cells.pulses.amax(-1).mean()) - expected)
    assert difference <= allowed + grid


def test_redraw_counts_by_hand():
    """Tolerance at the quartile of a normal: half the pulses hit."""
    stats = write_verify_closed_form(
        model="redraw", sigma=1.0, tolerance=0.6744897501960817, max_pulses=4
    )
    assert float(stats.write_pulses) == pytest.approx(1 + 1 / 2 + 1 / 4 + 1 / 8, rel=1e-12)
    assert float(stats.unconverged_fraction) == pytest.approx(1 / 16, rel=1e-12)


def test_redraw_is_a_special_case_of_incremental():
    shared = {"sigma": 0.1, "tolerance": 0.03, "max_pulses": 40}
    redraw = write_verify_closed_form(model="redraw", **shared)
    grid = write_verify_closed_form(model="incremental", step_gain=1.0, step_sigma=0.1, **shared)
    assert float(grid.write_pulses) == pytest.approx(float(redraw.write_pulses), rel=1e-7)
    assert float(grid.residual_sigma) == pytest.approx(float(redraw.residual_sigma), rel=1e-5)
    assert float(grid.unconverged_fraction) == pytest.approx(
        float(redraw.unconverged_fraction), abs=1e-9
    )


def test_one_pulse_is_the_same_in_every_model():
    for model in ("redraw", "incremental"):
        stats = write_verify_closed_form(
            model=model, sigma=0.1, tolerance=0.05, max_pulses=1, step_gain=0.3, step_sigma=0.01
        )
        assert float(stats.write_pulses) == 1
        assert float(stats.residual_sigma) == pytest.approx(0.1, rel=1e-3)
        assert float(stats.unconverged_fraction) == pytest.approx(math.erfc(0.5 / math.sqrt(2)))


def test_one_shot_is_not_verified():
    stats = one_shot(sigma=torch.tensor([0.0, 0.1]))
    assert stats.write_pulses.tolist() == [1, 1]
    assert stats.verify_reads.tolist() == [0, 0]
    assert stats.residual_sigma.tolist() == pytest.approx([0, 0.1])
    assert stats.unconverged_fraction.tolist() == [0, 0]
    outside = one_shot(sigma=0.1, tolerance=0.1).unconverged_fraction
    assert float(outside) == pytest.approx(math.erfc(1 / math.sqrt(2)))
    assert float(one_shot_distribution(sigma=0.1).slowest_of(128)) == 1


# sigma, tolerance, max_pulses, step_gain, step_sigma
EXTREMES = list(
    itertools.product(
        (0.0, 1e-300, 0.1),
        (0.0, 1e-12, 0.04, 1e6),
        (1, 6),
        (0.0, 1.0, 2.0),
        (0.0, 1e-9, 0.02),
    )
)


@pytest.mark.parametrize("model", ["redraw", "incremental"])
def test_extremes_stay_finite_with_finite_gradients(model):
    columns = [torch.tensor(column, dtype=torch.float64) for column in zip(*EXTREMES, strict=True)]
    sigma, tolerance, limit, gain, step = columns
    inputs = [sigma, tolerance, gain, step] if model == "incremental" else [sigma, tolerance]
    for value in inputs:
        value.requires_grad_()
    distribution = pulse_distribution(
        model=model,
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=limit,
        step_gain=gain,
        step_sigma=step,
    )
    stats = distribution.stats()
    for name in FIELDS:
        assert bool(torch.isfinite(getattr(stats, name)).all()), name
    # A sum is finite only if all its terms are: one pass backward instead of one for each field.
    total = sum(getattr(stats, name).sum() for name in FIELDS) + distribution.slowest_of(128).sum()
    for gradient in torch.autograd.grad(total, inputs):
        assert bool(torch.isfinite(gradient).all())
    assert bool(((stats.write_pulses >= 1 - 1e-12) & (stats.write_pulses <= limit + 1e-9)).all())
    outside = stats.unconverged_fraction
    assert bool(((outside >= 0) & (outside <= 1 + 1e-12)).all())


@pytest.mark.parametrize("model", ["redraw", "incremental"])
def test_no_sigma_needs_one_pulse(model):
    stats = write_verify_closed_form(
        model=model, sigma=0.0, tolerance=0.04, max_pulses=50, step_gain=0.1, step_sigma=0.02
    )
    assert [float(getattr(stats, name)) for name in FIELDS] == [1, 1, 0, 0]


def test_unreachable_tolerance_is_reported():
    for model in ("redraw", "incremental"):
        stats = write_verify_closed_form(
            model=model, sigma=0.1, tolerance=0.0, max_pulses=12, step_gain=0.5, step_sigma=0.05
        )
        assert float(stats.write_pulses) == pytest.approx(12)
        assert float(stats.unconverged_fraction) == pytest.approx(1)
        assert float(stats.residual_sigma) > 0


@pytest.mark.parametrize("model", ["redraw", "incremental"])
def test_gradients_match_finite_differences(model):
    values = torch.tensor([0.1, 0.04, 0.2, 0.03], dtype=torch.float64, requires_grad=True)

    def outputs(parameters: torch.Tensor) -> torch.Tensor:
        distribution = pulse_distribution(
            model=model,
            sigma=parameters[0],
            tolerance=parameters[1],
            max_pulses=15,
            step_gain=parameters[2],
            step_sigma=parameters[3],
        )
        stats = distribution.stats()
        averages = [stats.write_pulses, stats.residual_sigma, stats.unconverged_fraction]
        return torch.stack([*averages, distribution.slowest_of(64.0)])

    assert torch.autograd.gradcheck(outputs, values, eps=1e-6, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", ["redraw", "incremental"])
def test_row_of_a_batch_equals_the_scalar_call(model):
    sigma = torch.linspace(0.02, 0.3, 5, dtype=torch.float64)[:, None]
    tolerance = torch.linspace(0.01, 0.1, 9, dtype=torch.float64)
    limit = torch.tensor([1.0, 2, 5, 10, 20, 3, 7, 40, 15])
    step = {"step_gain": 0.2, "step_sigma": 0.02}
    batch = pulse_distribution(
        model=model, sigma=sigma, tolerance=tolerance, max_pulses=limit, **step
    )
    stats = batch.stats()
    assert stats.write_pulses.shape == (5, 9)
    for i, j in itertools.product(range(5), range(9)):
        alone = write_verify_closed_form(
            model=model, sigma=sigma[i, 0], tolerance=tolerance[j], max_pulses=limit[j], **step
        )
        for name in FIELDS:
            # Not bit for bit: a matrix product of many designs adds in another order than of one.
            torch.testing.assert_close(
                getattr(stats, name)[i, j], getattr(alone, name), rtol=1e-10, atol=1e-13
            )


@settings(max_examples=30)
@given(st.floats(0.01, 0.4), st.floats(0.01, 0.2), st.integers(1, 60), st.floats(1.01, 2))
def test_a_looser_tolerance_takes_fewer_pulses(sigma, tolerance, limit, looser):
    for model in ("redraw", "incremental"):
        step = {"step_gain": 0.1, "step_sigma": 0.02}
        tight, loose = (
            write_verify_closed_form(
                model=model, sigma=sigma, tolerance=value, max_pulses=limit, **step
            )
            for value in (tolerance, tolerance * looser)
        )
        assert float(loose.write_pulses) <= float(tight.write_pulses) * (1 + 1e-4)
        assert float(loose.unconverged_fraction) <= float(tight.unconverged_fraction) + 1e-5


def test_slowest_of_one_cell_is_the_mean_and_of_none_is_nothing():
    distribution = pulse_distribution(model="redraw", sigma=0.1, tolerance=0.03, max_pulses=10)
    assert float(distribution.slowest_of(1)) == pytest.approx(
        float(distribution.stats().write_pulses)
    )
    assert float(distribution.slowest_of(0)) == 0
    assert float(distribution.slowest_of(1e9)) == pytest.approx(10)


def test_same_seed_same_cells():
    first, second = (
        sample_write_verify(shape=(100,), generator=seeded(9), **CASES[4]) for _ in range(2)
    )
    assert torch.equal(first.error, second.error)
    assert bool((first.error[first.converged].abs() <= 0.043).all())


def test_unknown_model_and_missing_step_are_explained():
    facts = {"code": "unknown-name", "field": "write_verify.model", "value": "redrawn"}
    with refused(ConfigError, **facts, nearest="redraw"):
        pulse_distribution(model="redrawn", sigma=0.1, tolerance=0.03, max_pulses=10)
    with refused(ConfigError, code="missing-key", field="write_verify.step_sigma"):
        pulse_distribution(
            model="incremental", sigma=0.1, tolerance=0.03, max_pulses=10, step_gain=0.1
        )
