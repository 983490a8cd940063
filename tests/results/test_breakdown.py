"""What the cost is broken down into: every part adds up to its total, wherever it is shown."""

from __future__ import annotations

import pytest

from archsim.api.map import map_network
from archsim.results.breakdown import BROKEN_DOWN, PARTS, BrokenDown
from archsim.results.mapped import MapResult
from archsim.units import NAME_UNITS
from reports.tables import mapped as tables
from reports.tables.breakdown import leakage_of, parts_table, rest_of


@pytest.fixture(scope="module")
def result() -> MapResult:
    return map_network("lenet3", design="common")


@pytest.mark.parametrize("part", BROKEN_DOWN, ids=lambda part: part.key)
def test_parts_add_up_to_the_metric(part: BrokenDown, result: MapResult) -> None:
    place = PARTS.index(part.key)
    total = result.totals[part.key]
    components = sum(row[part.key] for row in result.breakdown_rows().values())
    components += sum(rest.values[place] for rest in leakage_of(result))
    layers = sum(row[part.key] for row in result.layer_rows())
    layers += sum(rest.values[place] for rest in rest_of(result))
    assert total
    assert components == pytest.approx(total, rel=1e-9, abs=0)
    assert layers == pytest.approx(total, rel=1e-9, abs=0)


@pytest.mark.parametrize("part", BROKEN_DOWN, ids=lambda part: part.key)
def test_every_table_has_it_with_its_title_and_unit(part: BrokenDown, result: MapResult) -> None:
    assert part.unit in NAME_UNITS.values()
    assert part.title
    shown = [
        tables.breakdown(result),
        tables.layers(result),
        parts_table("", (), layers=True),
        parts_table("", (), layers=False),
    ]
    for table in shown:
        (column,) = (column for column in table.columns if column.key == part.key)
        assert (column.title, column.unit) == (part.title, part.unit)
