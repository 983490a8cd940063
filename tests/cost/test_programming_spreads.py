"""Programming of devices with two spreads and with device errors, in the cost engine."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archsim.arch.design import SIGMA_PROFILES, WRITE_MODELS, DesignBatch
from archsim.cost import write_pulses
from archsim.cost.verify_read import verify_read
from archsim.device import (
    PulseDistribution,
    WeightMixture,
    mix_cells,
    profile_sigmas,
    pulse_distribution,
)
from archsim.device.variation import NEFT_MIDDLE_SHARE
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price

#: Two strips of columns, 128 and 64 cells wide, of two crossbars each.
TABLE = make_table(Conv(size=1, inputs=200, outputs=48))
PLAIN = ("chip.hierarchy.duplication=none",)
FIELDS = ("write_pulses", "verify_reads", "residual_sigma", "energy_J", "time_s")


def designed(*settings: str, device: str, policy: str = "all") -> DesignBatch:
    """One design without copies."""
    return make_design(f"chip.programming.policy={policy}", *PLAIN, *settings, device=device)


def distribution_of(design: DesignBatch, sigma: Tensor) -> PulseDistribution:
    """The distribution of cells of one spread."""
    return pulse_distribution(
        model=WRITE_MODELS[int(design.write_model)],
        sigma=sigma,
        tolerance=design.write_tolerance,
        max_pulses=design.max_pulses,
        step_gain=design.step_gain,
        step_sigma=design.step_sigma,
        device_share=design.device_share,
    )


def priced(design: DesignBatch) -> CostBreakdown:
    """The one layer."""
    return price(design, TABLE)[1]


@pytest.mark.parametrize(
    "settings", [(), ("device.write_verify.model=redraw", "device.write_verify.max_pulses=20")]
)
@pytest.mark.parametrize("device", ["fefet2", "rram4", "fefet6"])
def test_weights_in_the_middle_are_neft_s_share(device: str, settings: tuple[str, ...]) -> None:
    design = designed(*settings, device=device)
    outer, middle = (
        distribution_of(design, sigma)
        for sigma in profile_sigmas(sigma=design.sigma, factor=design.sigma_factor)
    )
    assert float(design.sigma_factor) == float(device[-1])
    per_cell = 0.4 * float(middle.survival.sum()) + 0.6 * float(outer.survival.sum())
    found = priced(design).programming
    assert float(found.write_pulses) / (200 * 48 * 4) == near(per_cell)
    distribution = WeightMixture(
        outer, middle, torch.tensor(NEFT_MIDDLE_SHARE, dtype=torch.float64)
    )
    rows = sum(
        float(distribution.slowest_of_chosen(weights=weights, fraction=1.0, cells_per_weight=4))
        for weights in (32, 16)
    )
    both = float(design.cell_pulse.time_s + verify_read(design=design).row_s)
    assert float(found.time_s) == near(200 * rows * both)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_levels_in_the_middle_are_counted(bits: int) -> None:
    design = designed(
        "device.sigma_profile.kind=level",
        "device.sigma_profile.factor=4",
        f"chip.precision.bits_per_cell={bits}",
        device="rram",
    )
    outer, middle = (
        distribution_of(design, sigma) for sigma in profile_sigmas(sigma=design.sigma, factor=4.0)
    )
    distribution = mix_cells(outer, middle, 0.0 if bits == 1 else 0.5)
    found = priced(design).programming
    cells = float(found.cells)
    assert float(found.write_pulses) / cells == near(float(distribution.survival.sum()))
    assert float(found.residual_sigma) == near(float(distribution.residual_sigma))


@pytest.mark.parametrize("policy", ["all", "fraction"])
def test_a_factor_of_one_is_uniform(policy: str) -> None:
    uniform = priced(designed(device="rram", policy=policy)).programming
    for kind in ("weight", "level"):
        other = designed(f"device.sigma_profile.kind={kind}", device="rram", policy=policy)
        for field in FIELDS:
            expected = float(getattr(uniform, field))
            assert float(getattr(priced(other).programming, field)) == near(expected), field


def test_device_errors_cost_pulses_where_they_are_met_again() -> None:
    """Redraw meets the error of the cell in every pulse; incremental pulses correct it."""

    def pulses(model: str, share: float) -> float:
        design = designed(
            f"device.write_verify.model={model}", f"device.device_to_device_share={share}",
            device="rram",
        )  # fmt: skip
        return float(priced(design).programming.write_pulses) / (200 * 48 * 4)

    assert pulses("incremental", 0.0) == pulses("incremental", 1.0)
    assert pulses("redraw", 0.5) > 1.5 * pulses("redraw", 0.0)
    # A cell that fails once fails up to the limit of 100 pulses.
    fails = float(torch.erfc(torch.tensor(0.43 / 2**0.5, dtype=torch.float64)))
    assert pulses("redraw", 1.0) == near(1 + 99 * fails, rel=1e-5)


@pytest.mark.parametrize("policy", ["all", "fraction"])
def test_a_batch_of_all_kinds_equals_its_designs(policy: str) -> None:
    """All pairs of write model and profile, with sigmas and shares of their own."""
    kinds = [
        (model, profile) for model in range(len(WRITE_MODELS))
        for profile in range(len(SIGMA_PROFILES))
    ]  # fmt: skip
    count = len(kinds)
    base = designed("device.write_verify.max_pulses=12", device="rram", policy=policy)
    columns = {
        "write_model": torch.tensor([model for model, _ in kinds]),
        "sigma_profile": torch.tensor([profile for _, profile in kinds]),
        "sigma_factor": torch.linspace(1, 6, count, dtype=torch.float64),
        "sigma": torch.linspace(0.05, 0.3, count, dtype=torch.float64),
        "device_share": torch.linspace(0, 1, count, dtype=torch.float64),
        "parallel_subarrays": torch.arange(1, count + 1, dtype=torch.float64),
    }
    batch = priced(base.replace(**columns)).programming
    for index in range(count):
        alone = priced(base.replace(**{name: value[index] for name, value in columns.items()}))
        for field in FIELDS:
            expected = float(getattr(alone.programming, field))
            assert float(getattr(batch, field)[index]) == near(expected), (kinds[index], field)


def test_gradients_of_factor_and_share_are_those_of_differences() -> None:
    base = designed(
        "device.write_verify.model=redraw", "device.write_verify.max_pulses=9", device="rram4"
    )

    def seconds(factor: Tensor, share: Tensor) -> Tensor:
        design = base.replace(sigma_factor=factor, device_share=share)
        return price(design, TABLE)[1].programming.time_s

    at = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (3.0, 0.6)]
    slopes = torch.autograd.grad(seconds(*at), at)
    step = 1e-4
    for index, slope in enumerate(slopes):
        up, down = ([value.detach().clone() for value in at] for _ in range(2))
        up[index] += step
        down[index] -= step
        with torch.no_grad():
            difference = (seconds(*up) - seconds(*down)) / (2 * step)
        assert float(slope) == near(float(difference), rel=1e-4)


@pytest.mark.parametrize("profile", SIGMA_PROFILES)
@pytest.mark.parametrize("name", ["r_on_ohm", "bits_per_cell", "encoding"])
def test_designs_whose_cells_are_alike_share_a_distribution(name: str, profile: str) -> None:
    """Resistances, bits and encodings of a sweep share one distribution."""
    varied = {
        "r_on_ohm": torch.tensor([5e4, 1e5, 2e5], dtype=torch.float64),
        "bits_per_cell": torch.tensor([1, 2, 4], dtype=torch.float64),
        "encoding": torch.tensor([0, 1, 2]),
    }
    design = designed(device="rram").replace(**{name: varied[name]})
    assert write_pulses._cell_distribution(
        design, "incremental", design.sigma * design.range_factor
    ) is (
        write_pulses._cell_distribution(design, "incremental", design.sigma * design.range_factor)
    )
    distribution = write_pulses._distribution(design, "incremental", profile)
    inner = distribution.outer if isinstance(distribution, WeightMixture) else distribution
    if profile != "level":
        assert inner.survival.dim() == 1
    of_maximum = design.replace(spread_of_maximum=torch.tensor(True))
    survival = write_pulses._distribution(of_maximum, "incremental", "uniform").survival
    assert survival.dim() == (2 if name == "r_on_ohm" else 1)
