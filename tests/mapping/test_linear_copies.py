"""Cells of linear layers that are written several times and averaged."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from tests.designs import make_design, near, price
from tests.refusals import refused

PLAIN = "chip.hierarchy.duplication=none"


def lenet(copies: int) -> tuple:
    design = make_design(PLAIN, f"chip.hierarchy.linear_copies={copies}")
    return design, *price(design, from_graph(load_network("lenet3")))


@pytest.mark.parametrize("copies", [2, 4, 8])
def test_only_the_linear_layer_grows(copies: int) -> None:
    """490 x 10 weights of 4 cells: 4 subarrays once, 8, 16 and 31 of them below one another."""
    _, one, before = lenet(1)
    _, plan, after = lenet(copies)
    ratio = (plan.write_cells / one.write_cells).tolist()
    assert ratio == [1, 1, copies]
    assert (plan.layers.rows / one.layers.rows).tolist() == [1, 1, copies]
    assert plan.subarrays_used.tolist()[:2] == one.subarrays_used.tolist()[:2]
    assert float(plan.subarrays_used[2]) == -(-490 * copies // 128)
    assert float(after.macs) == float(before.macs)
    assert float(after.area_m2) >= float(before.area_m2)
    energy = (after.layer_energy_J - before.layer_energy_J).tolist()
    assert energy[2] > 0.5 * (copies - 1) * float(before.layer_energies_J["array"][2])
    pulses = after.programming.write_pulses - before.programming.write_pulses
    assert float(pulses) == near((copies - 1) * 4900 * 4)


def test_a_batch_of_copies_equals_its_designs() -> None:
    designs = [lenet(copies)[0] for copies in (1, 2, 8)]
    table = from_graph(load_network("lenet3"))
    _, batch = price(DesignBatch.stack(designs), table)
    for place, copies in enumerate((1, 2, 8)):
        alone = lenet(copies)[2]
        for key in ("area_m2", "energy_J", "latency_s"):
            own = getattr(batch, key)
            assert float(own[place] if own.dim() else own) == near(float(getattr(alone, key)))


def test_three_are_refused() -> None:
    facts: dict[str, Any] = {"code": "out-of-range", "field": "chip.hierarchy.linear_copies"}
    with refused(ConfigError, **facts, value=3, allowed="1, 2, 4 or 8"):
        resolve(overrides=["chip.hierarchy.linear_copies=3"])


def test_a_convolution_is_not_merged_with_a_linear_layer_of_its_shape() -> None:
    """Six of each on a map of one pixel, beyond the last four, which are never merged."""

    class Pixel(torch.nn.Module):
        input_shape = (8, 1, 1)

        def __init__(self) -> None:
            super().__init__()
            self.convs = torch.nn.Sequential(*(torch.nn.Conv2d(8, 8, 1) for _ in range(6)))
            self.linears = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(6)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linears(self.convs(x).flatten(1))

    from archsim.analysis.totals import evaluate_totals

    table = from_graph(load_network(Pixel()))
    for setting in ("chip.hierarchy.linear_copies=4", "chip.correction.kind=scale-and-bias"):
        design = make_design(PLAIN, setting)
        whole = price(design, table)[1]
        merged = evaluate_totals(design=design.replace(rows=design.rows.reshape(1)), table=table)
        assert float(merged["dynamic_energy_J"]) == near(float(whole.dynamic_energy_J))
        assert float(merged["area_m2"]) == near(float(whole.area_m2))
