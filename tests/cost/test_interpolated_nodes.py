"""Technologies between tabulated nodes lie between their neighbours."""

from __future__ import annotations

import itertools

import pytest

from archsim.api.map import map_network
from archsim.arch.technology import Technology
from archsim.config.load import load_preset
from archsim.config.resolve import resolve

NODES = (22, 28, 32, 40, 45, 55, 65)


@pytest.mark.parametrize("chip", ["rram-22nm", "rram-22nm-neurosim"])
def test_energy_time_and_area_of_vgg8_rise_with_the_node(chip: str) -> None:
    totals = [map_network("vgg8", chip=chip, technology=f"{n}nm-lstp").totals for n in NODES]
    for key in ("energy_uJ", "latency_us", "area_mm2"):
        values = [entry[key] or 0.0 for entry in totals]
        assert all(0 < low < high for low, high in itertools.pairwise(values)), key


def test_energy_time_and_area_of_lenet3_rise_with_the_node_of_finfets() -> None:
    nodes = (5, 7, 10, 12, 14, 16, 22)
    totals = [
        map_network("lenet3", chip="rram-22nm", technology=f"{n}nm-lstp").totals for n in nodes
    ]
    for key in ("energy_uJ", "latency_us", "area_mm2"):
        values = [entry[key] or 0.0 for entry in totals]
        assert all(0 < low < high for low, high in itertools.pairwise(values)), key


@pytest.mark.parametrize(("node", "published_um2"), [(16, 0.074), (12, 0.063), (5, 0.021)])
def test_bit_cell_is_near_the_published_one(node: int, published_um2: float) -> None:
    """High-density 6T cells, configs/silicon/nodes.yaml; NeuroSim's FinFET cells are others."""
    cell = Technology.from_file(resolve(technology=f"{node}nm-lstp").technology)
    area_m2 = cell.sram_cell_height * cell.sram_cell_width * cell.node_m**2
    assert float(area_m2) * 1e12 == pytest.approx(published_um2, rel=0.2)


def test_gate_pitch_of_5_nm_is_that_of_a_foundry() -> None:
    """TSMC's 5 nm has 51 nm from gate to gate, which the extrapolation knows nothing of."""
    cell = Technology.from_file(resolve(technology="5nm-lstp").technology)
    assert float(cell.gate_pitch * cell.node_m) == pytest.approx(51e-9, rel=0.05)


@pytest.mark.parametrize("node", [12, 16, 28, 40, 55])
def test_interpolated_numbers_say_so(node: int) -> None:
    document = load_preset("technology", f"{node}nm-lstp")
    assert document["wire_resistance"]["source"].startswith("interpolated: between ")


def test_extrapolated_numbers_say_so() -> None:
    document = load_preset("technology", "5nm-lstp")
    assert document["i_on_n"]["source"].startswith("extrapolated: ")
