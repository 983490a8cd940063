"""Property: whatever the schema allows has totals that are numbers, or is refused with a reason.

Draws go over all leaves of the schema. A longer run: ``ARCHSIM_DRAWS=10000 pytest`` with this file.
"""

from __future__ import annotations

import math
import os
import random
from collections import Counter

import pytest
import torch

from archsim.analysis.soundness import refuse_unsound
from archsim.arch.design import DesignBatch
from archsim.config.resolve import Resolved
from archsim.cost.soundness import SOUND
from archsim.errors import ConfigError
from archsim.results.cost import CostBreakdown
from tests.cost.any_configuration import any_configuration, leaves
from tests.designs import Conv, make_table, near, points_after, price

DRAWS, BATCHES = int(os.environ.get("ARCHSIM_DRAWS", "80")), 4
LAYERS = (
    Conv(8, 3, 12, kernel=3, padding=1, pool=True),
    Conv(4, 12, 40, kernel=3, padding=1),
    Conv(1, 640, 10, digital=100.0),
)


def adds_up(cost: CostBreakdown) -> None:
    """Totals are finite, positive, and the sum of their parts; layers are too."""
    totals = {
        "area": (cost.area_m2, cost.areas_m2, None),
        "energy": (cost.dynamic_energy_J, cost.energies_J, cost.layer_energy_J),
        "latency": (cost.latency_s + cost.hidden_s, cost.times_s, cost.layer_latency_s),
    }
    for name, (total, parts, layers) in totals.items():
        whole = float(total)
        assert 0 < whole < math.inf, name
        assert sum(float(part) for part in parts.values()) == near(whole, rel=1e-9), name
        outside = float(parts.get("off_chip", torch.zeros(())))
        if layers is not None:  # Overlap hides something inside layers, and something between them.
            hidden = float(cost.hidden_s) if name == "latency" else 0.0
            summed = float(layers.sum()) + outside
            assert (whole - hidden) * (1 - 1e-9) <= summed <= whole * (1 + 1e-9), name
    others = (
        *(cost.leakage_energy_J, cost.period_s, cost.clock_s, cost.edp_Js, cost.ops_per_J),
        cost.hidden_s,
        *(cost.programming.time_s, cost.programming.energy_J, cost.programming.write_pulses),
    )
    for value in others:
        assert 0 <= float(value) < math.inf
    assert float(cost.period_s) <= float(cost.latency_s) * (1 + 1e-9)


def outcome(resolved: Resolved, placement: str) -> str:
    """What became of a configuration: priced, or the first bound that it breaks."""
    design = DesignBatch.from_resolved(resolved, placement)
    with torch.no_grad():
        _, cost = price(design, make_table(*LAYERS), points_after(*LAYERS))
    broken = [each for each in cost.constraints if bool(each.violated)]
    if not broken:
        adds_up(cost)
        return "priced"
    if [each.name for each in broken] == [SOUND]:
        with pytest.raises(ConfigError) as refusal:
            refuse_unsound(
                cost,
                resolved=resolved,
                design=placement,
                table=make_table(*LAYERS),
                points=points_after(*LAYERS),
            )
        assert refusal.value.field
    assert all(each.describe() for each in broken)
    return broken[0].name


@pytest.mark.parametrize("seed", range(BATCHES))
def test_totals_are_numbers_that_add_up_or_there_is_a_reason(seed: int) -> None:
    pick = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(DRAWS // BATCHES):
        drawn = any_configuration(pick)
        seen["refused" if drawn is None else outcome(*drawn)] += 1
    assert seen["priced"] > DRAWS // BATCHES // 4
    # Coefficients of fits have no range that would keep their sum positive.
    assert seen[SOUND] <= 1 + DRAWS // BATCHES // 20


def test_every_leaf_can_be_drawn() -> None:
    pick = random.Random(0)
    for leaf in leaves():
        for _ in range(3):
            leaf.draw(pick)
    assert len(leaves()) > 150
