"""A reference read: one plane of one vector, of every copy, whatever an image asks for."""

from __future__ import annotations

import pytest

from archsim.api.map import map_network
from archsim.arch.design import DesignBatch
from archsim.cost.reference_read import ReferenceRead, reference_read
from archsim.network import from_graph, load_network
from archsim.results.mapped import MapResult
from tests.designs import make_design, near, price

CHIPS = ("rram-22nm", "rram-22nm-neurosim")


def mapped(*settings: str, chip: str = CHIPS[1], network: str = "lenet3") -> MapResult:
    return map_network(network, chip=chip, overrides=settings)


def read_of(result: MapResult) -> ReferenceRead:
    design = DesignBatch.from_resolved(result.resolved, result.design)
    return reference_read(design=design, plan=result.plan)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_read_is_a_small_part_of_an_image(chip: str) -> None:
    """Of a layer that sees one vector it is one plane of eight; of others less."""
    result = mapped("chip.hierarchy.duplication=none", chip=chip)
    read, cost = read_of(result), result.cost
    read_J = sum(cost.energies_J[k] for k in cost.energies_J if k not in ("buffer", "digital"))
    planes = float(result.resolved.chip.precision.input_bits)
    assert 0 < float(read.energy_J) < float(read_J) / planes
    assert 0 < float(read.time_s) < float(cost.latency_s)


def test_copies_are_read_at_the_same_time() -> None:
    """They drift by themselves, so that each needs its energy; what fits a copy needs no sum."""
    one, many = (read_of(mapped(f"chip.hierarchy.duplication={k}")) for k in ("none", "fill"))
    assert float(many.energy_J) > 1.5 * float(one.energy_J)
    assert float(one.time_s) / 2 < float(many.time_s) <= float(one.time_s)


def test_rows_of_a_batch_are_scalar_calls() -> None:
    table = from_graph(load_network("lenet3"))
    designs = [make_design(f"chip.adc.bits={bits}") for bits in (4, 6)]
    batch = DesignBatch.stack(designs)
    found = reference_read(design=batch, plan=price(batch, table)[0])
    for place, design in enumerate(designs):
        alone = reference_read(design=design, plan=price(design, table)[0])
        assert float(found.energy_J[place]) == near(float(alone.energy_J))
        assert float(found.time_s[place]) == near(float(alone.time_s))
