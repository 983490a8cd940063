"""Property: what cannot get cheaper, and what a shared block costs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.engine import ENERGY_COMPONENTS
from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from tests.cost.random_designs import Network
from tests.designs import make_design, near, price

# --- monotone where physics is ------------------------------------------------------------------


def sweep(net: Network, field: str, values: list[float], base: DesignBatch) -> CostBreakdown:
    return price(base.replace(**{field: torch.tensor(values, dtype=torch.float64)}), *net)[1]


def never_falls(values: Tensor, name: str) -> None:
    values = values if values.dim() else values.unsqueeze(0)
    assert bool((values[1:] >= values[:-1] * (1 - 1e-12)).all()), (name, values.tolist())


@pytest.mark.parametrize("network", ["lenet3", "vgg8"])
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["flash-current", "flash-voltage", "sar"])
def test_more_adc_bits_never_cost_less(
    paper_nets: dict[str, Network], network: str, kind: int
) -> None:
    base = make_design(design="separate").replace(adc_kind=kind)
    cost = sweep(paper_nets[network], "adc_bits", [3, 4, 5, 6, 7, 8, 9, 10], base)
    never_falls(cost.area_m2, "area")
    never_falls(cost.areas_m2["adc"], "ADC area")
    never_falls(cost.dynamic_energy_J, "energy")
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.clock_s, "clock")
    never_falls(cost.times_s["array"], "array time")
    never_falls(cost.latency_s, "latency")


@pytest.mark.parametrize("model", [1, 2], ids=["andrulis2024", "zigzag-imc"])
def test_more_bits_of_published_adcs_never_cost_energy_or_time_less(
    small_net: Network, model: int
) -> None:
    base = make_design().replace(adc_model=model)
    cost = sweep(small_net, "adc_bits", [4, 5, 6, 7, 8, 9, 10], base)
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.areas_m2["adc"], "ADC area")
    never_falls(cost.clock_s, "clock")


@pytest.mark.parametrize("device", ["rram", "fefet", "sram"])
def test_more_columns_per_adc_never_read_faster_and_need_less_adc_area(
    paper_nets: dict[str, Network], device: str
) -> None:
    base = make_design(device=device)
    cost = sweep(paper_nets["vgg8"], "mux_ratio", [4, 8, 16, 32, 64], base)
    never_falls(cost.times_s["array"], "array time")
    never_falls(-cost.areas_m2["adc"], "ADC area")


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["flash-current", "flash-voltage", "sar"])
def test_more_input_bits_never_cost_less(paper_nets: dict[str, Network], kind: int) -> None:
    base = make_design(design="common").replace(adc_kind=kind)
    cost = sweep(paper_nets["lenet3"], "input_bits", [1, 2, 3, 4, 6, 8, 10, 16], base)
    never_falls(cost.times_s["array"], "array time")
    # Tile buffers change from one wide line to cores of 32-bit lines when they outgrow a core, and
    # a second core doubles their ports, so their time jumps up and down.
    never_falls(cost.latency_s - cost.times_s["buffer"], "latency without buffers")
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.energies_J["drivers"], "driver energy")
    never_falls(cost.dynamic_energy_J, "energy")
    never_falls(cost.area_m2, "area")


@pytest.mark.parametrize("node", ["65nm-lstp", "22nm-lstp", "7nm-lstp"])
def test_higher_supply_never_costs_less_energy(small_net: Network, node: str) -> None:
    base = make_design(node=node, device="fefet", design="common")
    scale = torch.tensor([0.9, 1.0, 1.1, 1.2], dtype=torch.float64)
    technology = base.technology.replace(vdd_V=base.technology.vdd_V * scale)
    _, cost = price(base.replace(technology=technology), *small_net)
    for name in ENERGY_COMPONENTS:
        never_falls(cost.energies_J[name], name)
    never_falls(cost.leakage_power_W, "leakage")


def test_word_lines_and_adders_go_with_the_square_of_the_supply(small_net: Network) -> None:
    """SRAM: the access transistor of a resistive cell is sized by the supply."""
    base = make_design(device="sram")
    technology = base.technology.replace(vdd_V=2 * base.technology.vdd_V)
    _, once = price(base, *small_net)
    _, twice = price(base.replace(technology=technology), *small_net)
    assert float(twice.energies_J["array"] / once.energies_J["array"]) == near(4)
    assert float(twice.energies_J["adder_tree"] / once.energies_J["adder_tree"]) == near(4)


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("duplication", ["none", "fill", "balance"])
def test_copies_share_out_whole_vectors(
    paper_nets: dict[str, Network], network: str, duplication: str
) -> None:
    """The busiest of c copies reads ceil(n / c) vectors, 8 planes x 8 columns per ADC each."""
    base = make_design(f"chip.hierarchy.duplication={duplication}")
    copies = torch.tensor([1, 2, 4, 8], dtype=torch.float64)
    plan, cost = price(base.replace(copies=copies), *paper_nets[network])
    backbone = torch.tensor([kind != "tsb" for kind in plan.kinds])
    busiest = torch.ceil(plan.layers.vectors / plan.copies)
    cycles = cost.layer_times_s["array"] / cost.clock_s.unsqueeze(-1)
    expected = (64 * busiest * backbone).expand(cycles.shape)
    torch.testing.assert_close(cycles, expected, rtol=1e-12, atol=0)
    never_falls(-cost.times_s["array"], "array time")
    never_falls(cost.area_m2, "area")


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("duplication", ["none", "fill", "balance"])
def test_twice_the_copies_halve_the_array_time_of_the_reference(
    paper_nets: dict[str, Network], network: str, duplication: str
) -> None:
    """Its copies share out fractions of vectors, so the time is divided exactly."""
    base = make_design(f"chip.hierarchy.duplication={duplication}", chip="neurosim-v1.4")
    plan, cost = price(
        base.replace(copies=torch.tensor([1, 2, 4, 8], dtype=torch.float64)), *paper_nets[network]
    )
    array = cost.times_s["array"]
    assert (array / array[0]).tolist() == near([1, 1 / 2, 1 / 4, 1 / 8], rel=1e-12)
    copies = plan.copies / plan.copies[0]
    backbone = [kind != "tsb" for kind in plan.kinds]
    assert bool((copies[:, backbone] == torch.tensor([[1.0], [2.0], [4.0], [8.0]])).all())


def test_copies_leave_the_read_energy_alone(paper_nets: dict[str, Network]) -> None:
    base = make_design("chip.hierarchy.duplication=none")
    cost = sweep(paper_nets["vgg8"], "copies", [1, 2, 4], base)
    for name in ("array", "adc", "mux", "drivers", "shift_add"):
        assert cost.energies_J[name].tolist() == near(
            [float(cost.energies_J[name].reshape(-1)[0])] * cost.energies_J[name].numel()
        )


# --- the shared block ---------------------------------------------------------------------------


def placements(net: Network, channels: int, *overrides: str) -> tuple[MappingPlan, CostBreakdown]:
    """None, common and separate as one batch."""
    base = make_design(f"tsb.channels={channels}", *overrides)
    return price(base.replace(placement=torch.tensor([0, 1, 2])), *net)


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("channels", [1, 32, 512])
@pytest.mark.parametrize("duplication", ["none", "balance"])
def test_a_shared_block_never_saves_energy_time_or_area(
    paper_nets: dict[str, Network], network: str, channels: int, duplication: str
) -> None:
    _, cost = placements(paper_nets[network], channels, f"chip.hierarchy.duplication={duplication}")
    for name in ("dynamic_energy_J", "energy_J", "latency_s", "area_m2"):
        none, common, separate = getattr(cost, name).tolist()
        assert common > none, name
        assert separate > none, name


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("channels", [1, 4, 10])
def test_common_needs_no_more_subarrays_and_cells_than_separate(
    paper_nets: dict[str, Network], network: str, channels: int
) -> None:
    """For blocks no wider than the maps: a separate block leaves the corner it cannot use out."""
    plan, cost = placements(paper_nets[network], channels)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    subarrays = (plan.subarrays_used * is_tsb).sum(-1).tolist()
    cells = (plan.write_cells * is_tsb).sum(-1).tolist()
    assert subarrays[0] == 0
    assert 0 < subarrays[1] <= subarrays[2]
    assert 0 < cells[1] <= cells[2]
    pulses = cost.programming.write_pulses.tolist()
    assert pulses[0] < pulses[1] <= pulses[2]


def test_without_insertion_points_the_placement_is_immaterial(small_net: Network) -> None:
    _, cost = placements((small_net[0], ()), 16)
    for name in ("energy_J", "latency_s", "area_m2"):
        values = getattr(cost, name)
        assert values.numel() == 1 or float(values.max()) == float(values.min()), name


def test_all_visits_to_one_common_block_are_one_pipeline_stage(small_net: Network) -> None:
    plan, cost = placements(small_net, 4)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    queue = float((cost.layer_latency_s[1] * is_tsb).sum())
    backbone = float((cost.layer_latency_s[1] * ~is_tsb).max())
    assert float(cost.period_s[1]) == near(max(queue, backbone), rel=1e-12)
    assert float(cost.period_s[2]) == near(float(cost.layer_latency_s[2].max()), rel=1e-12)


def test_more_common_blocks_share_the_queue(small_net: Network) -> None:
    """Each visit's vectors are shared out whole: ceil(n / copies)."""
    base = make_design("tsb.channels=4", "chip.hierarchy.duplication=none", design="common")
    copies = torch.tensor([1, 2, 4], dtype=torch.float64)
    plan, cost = price(base.replace(tsb_copies=copies), *small_net)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    cycles = cost.layer_times_s["array"][:, is_tsb] / cost.clock_s.unsqueeze(-1)
    alone = plan.layers.vectors[0, is_tsb]  # one copy: nothing is shared
    expected = 64 * torch.ceil(alone / copies.unsqueeze(-1))
    torch.testing.assert_close(cycles, expected, rtol=1e-12, atol=0)
    assert plan.blocks[:, is_tsb].tolist() == [[1] * 4, [2] * 4, [4] * 4]


def test_queue_of_the_common_block_by_hand(small_net: Network) -> None:
    """sum over insertions of ceil(C / c) H W depth products, whatever the chip."""
    plan, _ = price(make_design("tsb.channels=16", "tsb.depth=2", design="common"), *small_net)
    tsb = [i for i, kind in enumerate(plan.kinds) if kind == "tsb"]
    # maps: 12 x 10 x 10, 40 x 3 x 3, 40 x 3 x 3, 20 x 3 x 3
    expected = [2 * groups * size**2 for groups, size in ((1, 10), (3, 3), (3, 3), (2, 3))]
    assert plan.layers.vectors[tsb].tolist() == expected
    assert plan.layers.owned[tsb].tolist() == [2, 0, 0, 0]
