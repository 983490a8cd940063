"""Curves along the size of the block and the bits of a cell: what is collected and drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsim.errors import DataError
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.size_curves import CurvePoint, SizeCurves
from reports.figures.size_curves import collect_size_curves, draw_size_curves
from reports.page.curves import curves_data, curves_table
from tests.refusals import tells

CHANNELS, BITS = "tsb.channels", "chip.precision.bits_per_cell"


def point(number: int, design: str, channels: int | None, bits: int) -> CurvePoint:
    return CurvePoint(
        point=number,
        design=design,
        sizes={CHANNELS: channels, BITS: bits},
        accuracy=90.0 + number,
        low=89.0 + number,
        high=None if number == 0 else 91.0 + number,
        values=dict.fromkeys((own.key for own in shown_in(Place.CURVES)), 1.0 + number),
        command=f"archsim map {number}",
    )


def curves(*points: CurvePoint) -> SizeCurves:
    return SizeCurves(
        name="<b>sweep</b>",
        folder="sweeps/x",
        networks=("lenet3",),
        devices=("rram",),
        axes=(CHANNELS, BITS),
        points=points,
        note="of lenet3.",
        sweep={"name": "own"},
    )


@pytest.fixture
def own() -> SizeCurves:
    sizes = [(design, c, b) for design in ("common", "separate") for c in (2, 5) for b in (1, 2)]
    rows = [("none", None, 1), ("none", None, 2), *sizes]
    return curves(*(point(number, *row) for number, row in enumerate(rows)))


def test_lines_along_channels_are_placements_and_bits(own):
    info = collect_size_curves(own, CHANNELS)
    assert [(line.label, line.sizes) for line in info.lines] == [
        ("no block, 1 bit per cell", ()),
        ("no block, 2 bits per cell", ()),
        ("common block, 1 bit per cell", (2, 5)),
        ("common block, 2 bits per cell", (2, 5)),
        ("separate blocks, 1 bit per cell", (2, 5)),
        ("separate blocks, 2 bits per cell", (2, 5)),
    ]


def test_lines_along_bits_are_placements_and_channels(own):
    info = collect_size_curves(own, BITS)
    assert [(line.label, line.sizes) for line in info.lines][:2] == [
        ("no block", (1, 2)),
        ("common block, 2 channels", (1, 2)),
    ]


def test_every_line_is_drawn_with_its_values(own):
    figure = draw_size_curves(collect_size_curves(own, BITS))
    panel = figure.axes[0]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in panel.get_lines()}
    assert drawn["no block"] == [90.0, 91.0]
    assert drawn["separate blocks, 5 channels"] == [98.0, 99.0]
    assert [axes.get_ylabel().split(",")[0] for axes in figure.axes] == [
        *("accuracy", "EDP", "area", "write pulses (less is better)")
    ]


def test_hardware_alone_has_no_panel_for_accuracy(own):
    bare = [CurvePoint(**{**vars(each), "accuracy": None}) for each in own.points]
    figure = draw_size_curves(collect_size_curves(curves(*bare), CHANNELS))
    assert len(figure.axes) == 3
    assert "accuracy" not in [each["key"] for each in curves_data(curves(*bare))["metrics"]]


def test_more_lines_than_eyes_can_tell_apart_are_refused():
    many = curves(*(point(bits, "none", None, bits) for bits in range(1, 27)))
    with pytest.raises(DataError) as caught:
        collect_size_curves(many, CHANNELS)
    tells(str(caught.value), "26", "24")


def test_an_axis_that_the_sweep_has_not_is_refused(own):
    with pytest.raises(DataError) as caught:
        collect_size_curves(own, "tsb.depth")
    tells(str(caught.value), "tsb.depth;", CHANNELS)


def test_the_page_gets_the_same_numbers_as_data_and_as_table(own):
    data = curves_data(own)
    rows = curves_table([own]).records()
    assert [each["values"]["accuracy"] for each in data["points"]] == [
        row["accuracy"] for row in rows
    ]
    assert data["metrics"][0] == {"key": "accuracy", "label": "accuracy", "unit": "%"}
    assert rows[0][CHANNELS] is None
    assert rows[-1]["command"] == "archsim map 9"


def test_sigma_of_the_accuracies_is_said():
    known = [replace(point(k, "common", 2 + k, 1), sigma=0.1) for k in range(2)]
    bare = replace(point(2, "common", 8, 1), accuracy=None, sigma=None)
    own = curves(*known, bare)
    assert own.at_sigma == "at sigma 0.1"
    assert curves(*known, replace(known[0], sigma=0.2)).at_sigma == "at sigma 0.1 and 0.2"
    assert curves(bare).at_sigma == ""
    assert [row["sigma"] for row in own.rows()] == [0.1, 0.1, None]
    assert curves_data(own)["metrics"][0]["label"] == "accuracy at sigma 0.1"
    assert [row["sigma"] for row in curves_table([own]).records()] == [0.1, 0.1, None]
