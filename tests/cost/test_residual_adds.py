"""Residual adds: counted from the graph, priced in the units of the activations."""

from __future__ import annotations

import dataclasses

import torch

from archsim.cost.component.adder import adder
from archsim.cost.component.flip_flop import flip_flop
from archsim.network import from_graph, load_network
from tests.designs import Conv, make_design, make_table, near, price

LAYER = Conv(size=8, inputs=16, outputs=32, kernel=3, padding=1)
VALUES = 32 * 8 * 8


def test_adds_are_counted_with_the_layer_before_them() -> None:
    table = from_graph(load_network("resnet20"))
    counted = table.added[table.added > 0]
    expected = [16 * 32 * 32] * 3 + [32 * 16 * 16] * 3 + [64 * 8 * 8] * 3
    assert counted.tolist() == expected
    assert from_graph(load_network("vgg8")).added.sum() == 0


def test_an_add_costs_an_adder_a_register_and_two_reads() -> None:
    design = make_design()
    plain = make_table(LAYER)
    residual = dataclasses.replace(plain, added=torch.tensor([float(VALUES)]).double())
    _, without = price(design, plain)
    _, with_add = price(design, residual)
    cell, register = adder(design=design), flip_flop(design.technology)
    difference = float(with_add.energies_J["digital"] - without.energies_J["digital"])
    arithmetic = float(cell.first_bit_energy_J + 7 * cell.next_bit_energy_J)
    own = VALUES * (arithmetic + 9 * float(register.energy_J))
    fetched = difference - own
    # The rest is reading both operands from the global buffer; a read of a bit costs what the
    # buffer charges for it, which the layer's own input traffic shows.
    inputs_bit = VALUES * 2 * 8
    per_bit = fetched / inputs_bit
    assert 0 < per_bit < 10 * float(register.energy_J)
    extra_s = float(with_add.times_s["digital"] - without.times_s["digital"])
    clock = float(with_add.clock_s)
    steps = extra_s / clock
    assert steps == near(round(steps))
    assert steps >= 1
    assert float(with_add.areas_m2["digital"]) > float(without.areas_m2["digital"])
    assert float(with_add.leakage_power_W) > float(without.leakage_power_W)
    for name in ("array", "adc", "buffer", "interconnect"):
        assert torch.equal(with_add.energies_J[name], without.energies_J[name]), name


def test_twice_the_adds_cost_twice_as_much() -> None:
    design = make_design()
    plain = make_table(LAYER)
    costs = [
        price(design, dataclasses.replace(plain, added=torch.tensor([n]).double()))[1]
        for n in (0.0, 1000.0, 2000.0)
    ]
    none, once, twice = (float(cost.energies_J["digital"]) for cost in costs)
    assert twice - none == near(2 * (once - none))
