"""Figures: what is collected is right, and every format can be written."""

from pathlib import Path

import pandas as pd
import pytest
from torch import nn

from archsim.api.map import map_network
from archsim.api.map import placement as place_subarrays
from archsim.errors import ConfigError, DataError
from archsim.results.sensitivity import Elasticity
from archsim.results.validation import Comparison, ValidationResult
from reports.figures.floorplan import collect_floorplan, draw_floorplan, save_floorplan
from reports.figures.sensitivity import collect_sensitivity, draw_sensitivity, save_sensitivity
from reports.figures.style import save_table
from reports.figures.validation import collect_validation, draw_validation
from tests.images import assert_image
from tests.refusals import refused


@pytest.fixture(scope="module")
def mapped():
    result = map_network(
        "lenet3", design="common", chip="rram-22nm-neurosim", overrides=["tsb.copies=null"]
    )
    return result, place_subarrays(result)


def test_floorplan_has_every_tile_once_with_its_fill(mapped):
    result, placement = mapped
    info = collect_floorplan(result, placement)
    assert len(info.tiles) == result.totals["tiles"]
    assert len({(tile.row, tile.col) for tile in info.tiles}) == len(info.tiles)
    assert [info.names[tile.layer] for tile in info.tiles] == ["conv1", "conv2", "fc", "tsb@conv1"]
    assert [info.is_tsb[tile.layer] for tile in info.tiles] == [False, False, False, True]
    assert info.owners == (0, 1, 2, 3, 3)
    for tile in info.tiles:
        assert 0 < tile.utilisation <= 1
        assert len(tile.pe_utilisation) == tile.pe_grid[0] * tile.pe_grid[1]
        mean = sum(tile.pe_utilisation) / len(tile.pe_utilisation)
        assert mean == pytest.approx(tile.utilisation)
        side = 4  # 2 x 2 PEs of 2 x 2 subarrays
        held = sum(array.rows_share * array.cols_share for array in tile.arrays)
        assert held / side**2 == pytest.approx(tile.utilisation)
        assert all(array.row < side and array.col < side for array in tile.arrays)
    # conv1: 16 copies of 9 x 20 weights' cells in a tile of 512 x 512 cells
    assert info.tiles[0].utilisation == pytest.approx(16 * 9 * 20 / 512**2)
    assert info.subarrays == result.totals["subarrays"] == 64


def test_floorplan_says_what_it_shows(mapped):
    result, placement = mapped
    title = collect_floorplan(result, placement).title
    assert title.startswith("lenet3 on rram-22nm-neurosim, shared block: common\n4 tiles, ")
    assert f"in use: {len(placement)} of 64 subarrays (128 x 128), 11 % of the cells" in title


def test_tiles_of_a_kernel_may_lack_the_last_pe():
    model = nn.Conv2d(128, 128, (7, 1), bias=False)
    shape = {"input_shape": (128, 9, 9), "overrides": ["chip.hierarchy.kernel_per_pe=true"]}
    result = map_network(model, **shape)
    info = collect_floorplan(result, place_subarrays(result))
    tile = info.tiles[0]
    assert tile.pe_grid == (3, 3)
    assert [fill is None for fill in tile.pe_utilisation] == [False] * 7 + [True] * 2
    there = tile.pe_utilisation[:7]
    assert sum(there) / len(there) == pytest.approx(tile.utilisation)
    assert info.subarrays == result.totals["subarrays"]
    draw_floorplan(info)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_floorplan_is_written_in_every_format(mapped, tmp_path, suffix):
    path = tmp_path / f"floorplan{suffix}"
    save_floorplan(*mapped, path)
    assert_image(path)


def test_floorplan_draws_a_legend_entry_per_placed_layer(mapped):
    info = collect_floorplan(*mapped)
    texts = [text.get_text().strip() for text in draw_floorplan(info).legends[0].get_texts()]
    placed = ["1  conv1: 1 tile", "2  conv2: 1 tile", "3  fc: 1 tile", "4  tsb@conv1: 1 tile"]
    assert texts == [*placed, "tsb@conv2: uses 4"]


@pytest.mark.parametrize(
    ("tiles", "fields", "numbers"),
    [(4, 64 + 49 + 4 + 1, 4), (40, 160 + 40 + 10, 40), (500, 500 + 500 + 125, 0)],
)
def test_detail_goes_down_with_size(mapped, tiles, fields, numbers):
    """Fields are subarrays and cells in use, PEs, or tiles; then outlines and hatching."""
    info = collect_floorplan(*mapped)
    many = [
        info.tiles[i % 4]._replace(
            row=i // 25, col=i % 25, array_grid=(2, 2) if tiles < 9 else (4, 4)
        )
        for i in range(tiles)
    ]
    axes = draw_floorplan(info._replace(tiles=tuple(many), grid=(-(-tiles // 25), 25))).axes[0]
    assert len(axes.texts) == numbers
    assert len(axes.patches) == fields


@pytest.mark.parametrize(
    ("name", "code"),
    [("plan.bmp", "wrong-form"), ("plan", "wrong-form"), ("nowhere/plan.png", "missing-file")],
)
def test_bad_places_are_refused(mapped, tmp_path, name, code):
    path = tmp_path / name
    with refused(ConfigError, code=code, field="--plot", value=str(path)):
        save_floorplan(*mapped, path)


def test_a_full_disk_is_told_with_the_file_alone(mapped, tmp_path, monkeypatch):
    """Figures of a run are written without an option that could be named."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    path = tmp_path / "plan.png"
    with refused(DataError, code="cannot-write", field=path, says=["space"]) as caught:
        save_floorplan(*mapped, path)
    assert "--" not in str(caught.value)
    path = tmp_path / "below" / "numbers.csv"
    with refused(DataError, code="cannot-write", field=path):
        save_table(pd.DataFrame({"a": [1]}), path)


def entries():
    return [
        Elasticity(f"p{i}", "continuous", 1.0, None, {"edp": effect, "area": 0.1})
        for i, effect in enumerate((0.2, -3.0, 1.0))
    ]


def test_sensitivity_keeps_the_largest_effects():
    info = collect_sensitivity(entries(), most=2)
    assert info.parameters == ("p1", "p2")
    assert info.elasticities["edp"] == (-3.0, 1.0)
    assert info.elasticities["latency"] == (0.0, 0.0)
    assert len(draw_sensitivity(info).axes[0].patches) == 2 * len(info.elasticities)


def test_sensitivity_is_written(tmp_path: Path):
    save_sensitivity(entries(), tmp_path / "s.svg")
    assert "p1" in (tmp_path / "s.svg").read_text()


def test_validation_has_a_panel_per_metric():
    comparisons = tuple(
        Comparison(f"r{i}", network, "base", None, metric, 1.1 * value, value)
        for metric in ("area", "latency")
        for i, (network, value) in enumerate((("a", 1.0), ("b", 10.0), ("a", 100.0)))
    )
    result = ValidationResult("chip", "folder", comparisons, (), 0, 0)
    info = collect_validation(result)
    assert [panel.metric for panel in info.panels] == ["area", "latency"]
    assert {name: len(pairs) for name, pairs in info.panels[0].points.items()} == {"a": 2, "b": 1}
    assert info.panels[0].median_pct == pytest.approx(10.0)
    assert len(draw_validation(info).axes) == 2
