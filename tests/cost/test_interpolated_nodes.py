"""Technologies between tabulated nodes lie between their neighbours."""

from __future__ import annotations

import itertools

import pytest

from archsim.api.map import map_network
from archsim.config.load import load_preset

NODES = (22, 28, 32, 40, 45, 55, 65)


@pytest.mark.parametrize("chip", ["rram-22nm", "rram-22nm-neurosim"])
def test_energy_time_and_area_of_vgg8_rise_with_the_node(chip: str) -> None:
    totals = [map_network("vgg8", chip=chip, technology=f"{n}nm-lstp").totals for n in NODES]
    for key in ("energy_uJ", "latency_us", "area_mm2"):
        values = [entry[key] or 0.0 for entry in totals]
        assert all(0 < low < high for low, high in itertools.pairwise(values)), key


@pytest.mark.parametrize("node", [28, 40, 55])
def test_interpolated_numbers_say_so(node: int) -> None:
    document = load_preset("technology", f"{node}nm-lstp")
    assert document["i_on_n"]["source"].startswith("interpolated: between ")
