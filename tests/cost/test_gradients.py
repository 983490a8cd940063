"""Property: every derivative is finite, and equal to a difference where nothing is rounded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.results.cost import CostBreakdown
from tests.cost.random_designs import Network
from tests.designs import make_design, price

# --- gradients ----------------------------------------------------------------------------------

CONTINUOUS = tuple(
    name for name, entry in DesignBatch.parameters().items() if entry.kind == "continuous"
)


def merit(cost: CostBreakdown) -> Tensor:
    """One number that hangs on everything, each part of about the same size."""
    written = cost.programming
    parts = (
        cost.area_m2,
        cost.energy_J,
        cost.latency_s,
        cost.period_s,
        written.energy_J,
        written.time_s,
        written.write_pulses,
    )
    return torch.stack([torch.log(part) for part in parts]).sum()


@pytest.mark.parametrize(
    ("node", "device", "kind", "chip"),
    [
        ("22nm-lstp", "rram", "flash-current", "rram-22nm"),
        ("22nm-hp", "rram", "flash-current", "neurosim-v1.4"),
        ("45nm-lstp", "pcm", "sar", "rram-22nm"),
        ("7nm-lstp", "fefet", "flash-voltage", "rram-22nm"),
        ("14nm-lstp", "sram", "flash-current", "neurosim-v1.4"),
    ],
)
def test_every_continuous_parameter_has_a_finite_gradient(
    small_net: Network, node: str, device: str, kind: str, chip: str
) -> None:
    base = make_design(
        f"chip.adc.kind={kind}",
        "chip.programming.policy=all",
        chip=chip,
        node=node,
        device=device,
        design="common",
    )
    values = {name: getattr(base, name).clone().requires_grad_(True) for name in CONTINUOUS}
    _, cost = price(base.replace(**values), *small_net)
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
        merit(cost), list(values.values()), allow_unused=True
    )
    for name, gradient in zip(CONTINUOUS, gradients, strict=True):
        assert gradient is None or bool(torch.isfinite(gradient).all()), name


def test_every_technology_constant_has_a_finite_gradient(small_net: Network) -> None:
    for node in ("32nm-lstp", "10nm-lstp"):
        base = make_design(node=node, device="fefet", design="separate")
        names = base.technology.constant_names()
        values = {
            name: getattr(base.technology, name).clone().requires_grad_(True) for name in names
        }
        design = base.replace(technology=base.technology.replace(**values))
        _, cost = price(design, *small_net)
        gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
            merit(cost), list(values.values()), allow_unused=True
        )
        for name, gradient in zip(names, gradients, strict=True):
            assert gradient is None or bool(torch.isfinite(gradient).all()), (node, name)


@pytest.mark.parametrize(
    "name",
    [
        "r_on_ohm",
        "r_off_ohm",
        "v_read_V",
        "v_access_V",
        "access_ratio",
        "adc_energy",
        "adc_time",
        "shifter_wiring",
        "register_activity",
        "buffer_activity",
        "control_activity",
        "toggle_in",
        "fold",
        "weight_std",
        "input_std",
        "pulse_width_s",
        "write_energy_J",
        "verify_read_time_s",
        "sigma",
    ],
)
def test_gradient_equals_central_difference(small_net: Network, name: str) -> None:
    """Step 1e-4: truncation is its square. Nothing is rounded to cycles within such a step."""
    base = make_design("chip.programming.policy=all", design="common")
    value = getattr(base, name)
    leaf = value.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(
        merit(price(base.replace(**{name: leaf}), *small_net)[1]), leaf
    )
    step = 1e-4 * value
    with torch.no_grad():
        up, down = (
            merit(price(base.replace(**{name: value + sign * step}), *small_net)[1])
            for sign in (1, -1)
        )
    difference = (up - down) / (2 * step)
    scale = float(value)
    assert float(gradient) * scale == pytest.approx(float(difference) * scale, rel=1e-5, abs=1e-7)
