"""Digital corrections of output channels, priced in the cost engine."""

from __future__ import annotations

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.component.adder import adder
from archsim.cost.component.flip_flop import flip_flop
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from tests.designs import Conv, make_design, make_table, near, price
from tests.refusals import refused

#: One crossbar, 32 outputs, 49 positions.
TABLE = make_table(Conv(size=7, inputs=64, outputs=32))
PLAIN = ("chip.hierarchy.duplication=none",)


def priced(kind: str = "none", layers: str = "all", bits: int = 8, table=TABLE):
    settings = (f"chip.correction.{key}={value}" for key, value in
                (("kind", kind), ("layers", layers), ("bits", bits)))  # fmt: skip
    design = make_design(*settings, *PLAIN)
    return design, *price(design, table)


def test_nothing_is_priced_without_a_correction():
    plain = price(make_design(*PLAIN), TABLE)[1]
    found = priced("none", "all", 16)[2]
    assert float(found.area_m2) == float(plain.area_m2)
    assert float(found.energy_J) == float(plain.energy_J)
    assert float(found.latency_s) == float(plain.latency_s)


@pytest.mark.parametrize(
    ("kind", "numbers", "scales", "stored_for"),
    [
        ("bias", 1, 0, 32),
        ("scale-and-bias", 2, 1, 32),
        ("scale", 1, 1, 32),
        ("layer-scale", 1, 1, 1),
    ],
)
@pytest.mark.parametrize("bits", [4, 12])
def test_area_and_energy_by_hand(
    kind: str, numbers: int, scales: int, stored_for: int, bits: int
) -> None:
    """Sums of 128 rows: registers for 32 channels, an adder for each unit and bit of the scale."""
    design, _, cost = priced(kind, bits=bits)
    base = priced()[2]
    cell, register = adder(design=design), flip_flop(design.technology)
    per_value = numbers - scales + scales * bits
    area = float(cost.areas_m2["digital"] - base.areas_m2["digital"])
    stored = stored_for * numbers * bits * float(register.area_m2)
    bit_adders = (area - stored) / float(cell.bit_area_m2) / per_value
    assert bit_adders == near(round(bit_adders), 1e-6)
    # Result units times the width of a sum; the energy says how wide that is.
    energy = float(cost.energies_J["digital"] - base.energies_J["digital"])
    each = energy / (32 * 49) - numbers * bits * float(register.energy_J)
    first, more = float(cell.first_bit_energy_J), float(cell.next_bit_energy_J)
    width = (each / per_value - first) / more + 1
    assert width == near(round(width), 1e-6)
    assert round(bit_adders) % round(width) == 0
    assert 10 <= width <= 24


def test_values_wait_for_their_correction():
    kinds = ("none", "bias", "scale", "scale-and-bias")
    times = [float(priced(kind)[2].latency_s) for kind in kinds]
    assert times == sorted(times)
    assert len(set(times)) == 4
    assert float(priced("layer-scale")[2].latency_s) == times[2]


def test_only_linear_layers_or_all_but_the_shared_block():
    table = from_graph(load_network("lenet3"))
    none, linear, everywhere = (
        priced("scale-and-bias", "linear" if kind == "linear" else "all", table=table)[2]
        if kind != "none"
        else priced(table=table)[2]
        for kind in ("none", "linear", "all")
    )
    more = [
        (cost.layer_energies_J["digital"] - none.layer_energies_J["digital"]).tolist()
        for cost in (linear, everywhere)
    ]
    assert more[0][:2] == [0, 0]
    assert more[0][2] == near(more[1][2])
    # 28 x 28 positions of 5 channels, 14 x 14 of 10, and 10 outputs.
    assert [value / more[1][2] for value in more[1]] == near([392, 196, 1])
    points = load_network("lenet3").insertion_points()
    design = make_design("chip.correction.kind=bias", "chip.correction.layers=all", design="common")
    plan, cost = price(design, table, points)
    bare = price(make_design(design="common"), table, points)[1]
    block = torch.tensor([kind == "tsb" for kind in plan.kinds])
    change = cost.layer_energies_J["digital"] - bare.layer_energies_J["digital"]
    assert float(change[block].abs().max()) == 0
    assert float(change[~block].min()) > 0


def test_designs_with_and_without_share_a_batch():
    kinds = ("none", "bias", "scale-and-bias", "layer-scale")
    designs = [priced(kind)[0] for kind in kinds]
    batch = price(DesignBatch.stack(designs), TABLE)[1]
    for place, kind in enumerate(kinds):
        alone = priced(kind)[2]
        for key in ("area_m2", "energy_J", "latency_s", "leakage_power_W"):
            assert float(getattr(batch, key)[place]) == near(float(getattr(alone, key))), key


@pytest.mark.parametrize(
    ("key", "value", "code", "allowed"),
    [
        ("kind", "gain", "unknown-name", ["'none'", "'bias'", "'scale-and-bias'"]),
        ("layers", "some", "unknown-name", ["'linear'"]),
        ("bits", 1, "out-of-range", [">= 2"]),
        ("bits", 17, "out-of-range", ["<= 16"]),
    ],
)
def test_what_is_not_a_correction_is_refused(
    key: str, value: object, code: str, allowed: list[str]
) -> None:
    field = f"chip.correction.{key}"
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed):
        resolve(overrides=[f"chip.correction.{key}={value}"])
