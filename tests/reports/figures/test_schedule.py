"""The picture of a schedule: one lane for each layer, as long as the image takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.api.map import map_network, schedule
from archsim.results.schedule import BLOCK
from reports.figures.schedule import collect_schedule, draw_schedule, save_schedule


@pytest.mark.parametrize("overlap", ["none", "rows"])
def test_the_picture_is_as_long_as_the_latency(overlap: str) -> None:
    result = map_network("lenet3", design="common", overrides=[f"chip.timing.overlap={overlap}"])
    info = collect_schedule("LeNet-3", schedule(result))
    outside_us = 1e6 * float(result.cost.times_s["off_chip"])  # image in, result out
    assert outside_us > 0
    assert info.latency_us + outside_us == pytest.approx(result.totals["latency_us"], rel=1e-9)
    assert {lane.name for lane in info.lanes} == set(result.plan.names)
    assert {lane.hardware for lane in info.lanes if lane.name.startswith("tsb@")} == {BLOCK}
    for lane in info.lanes:
        index = result.plan.names.index(lane.name)
        own = result.layer_rows()[index]["latency_us"]
        assert lane.busy_us == pytest.approx(own, rel=1e-6)
        ends = [start + length for start, length in lane.bars]
        assert all(
            end <= start * (1 + 1e-9) for end, (start, _) in zip(ends, lane.bars[1:], strict=False)
        )


def test_files(tmp_path: Path) -> None:
    result = map_network("vgg8", design="separate", overrides=["chip.timing.overlap=rows"])
    info = collect_schedule("VGG-8", schedule(result))
    assert len(draw_schedule(info).axes[0].collections) == len(info.lanes)
    save_schedule("VGG-8", schedule(result), tmp_path / "schedule.png")
    assert (tmp_path / "schedule.png").stat().st_size > 10_000
