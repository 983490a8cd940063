"""``tsb.copies=auto`` is the best of what can be tried by hand."""

from __future__ import annotations

import torch

from archsim.analysis.copies import TRIED, Aim, settled
from archsim.api.map import map_network
from archsim.arch.design import AUTO
from archsim.config.load import Setting
from archsim.config.resolve import resolve
from archsim.network import from_graph, load_network
from archsim.results.mapped import MapResult
from tests.designs import make_design

GRAPH = load_network("lenet3")


def mapped(copies: object, *more: str, design: str = "common") -> MapResult:
    overrides = [Setting("tsb.copies", copies), *more]
    return map_network(GRAPH, design=design, overrides=overrides)


def edp(result: MapResult) -> float:
    return float(result.cost.edp_Js)


def test_auto_is_the_best_number_within_the_area() -> None:
    first = mapped(1)
    most = 1.1 * float(first.cost.area_m2)
    tried = [mapped(number) for number in (*TRIED, "fill")]
    best = min(edp(one) for one in tried if float(one.cost.area_m2) <= most)
    found = mapped("auto")
    assert edp(found) <= best * 1.001
    assert found.copies_asked == "auto"
    assert found.resolved.tsb.copies not in ("auto", 1)


def test_more_area_allows_more_copies_and_none_keeps_the_tile() -> None:
    tight, wide = (mapped("auto", f"tsb.most_area={share}") for share in (0, 2))
    assert float(tight.cost.area_m2) <= float(mapped(1).cost.area_m2) * (1 + 1e-9)
    assert edp(wide) <= edp(tight)


def test_the_objective_is_what_is_made_small() -> None:
    by_period = mapped("auto", "tsb.objective=period", "tsb.most_area=1")
    by_energy = mapped("auto", "tsb.objective=energy", "tsb.most_area=1")
    assert float(by_period.cost.period_s) <= float(by_energy.cost.period_s)
    assert float(by_energy.cost.energy_J) <= 1.001 * float(by_period.cost.energy_J)


def test_each_design_of_a_batch_finds_its_own() -> None:
    points = GRAPH.insertion_points("default")
    channels = torch.tensor([1.0, 5.0, 32.0, 5.0], dtype=torch.float64)
    asked = torch.tensor([AUTO, AUTO, AUTO, 2.0], dtype=torch.float64)
    batch = make_design(design="common", tsb="paper-lenet3")
    many = settled(
        design=batch.replace(tsb_channels=channels, tsb_copies=asked),
        table=from_graph(GRAPH),
        points=points,
        aim=Aim(),
    )
    for row in range(3):
        one = settled(
            design=batch.replace(tsb_channels=channels[row], tsb_copies=AUTO),
            table=from_graph(GRAPH),
            points=points,
            aim=Aim(),
        )
        assert float(many.tsb_copies[row]) == float(one.tsb_copies)
    assert float(many.tsb_copies[3]) == 2


def test_without_a_block_there_is_nothing_to_find() -> None:
    assert mapped("auto", design="none").resolved.tsb.copies == 1
    assert resolve(overrides=["tsb.copies=auto"]).tsb.copies == "auto"
