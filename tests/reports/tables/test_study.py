"""Tables and figures of a study: what is collected is what the rows say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pandas as pd
import pytest

from archsim.errors import ConfigError, DataError
from archsim.results.method_row import MethodRow
from reports.figures.gap import collect_gap, draw_gap, save_gap
from reports.figures.learning_curve import (
    collect_learning_curves,
    draw_learning_curves,
    save_learning_curves,
)
from reports.figures.methods import collect_methods, draw_methods, save_methods
from reports.tables import study as tables
from tests.images import assert_image
from tests.refusals import refused


def row(method: str, sigma: float, accuracy: float, **changes: Any) -> MethodRow:
    usual: dict[str, Any] = {
        "method": method, "sigma": sigma, "accuracy": accuracy, "ci95_low": accuracy - 0.004,
        "ci95_high": accuracy + 0.004, "std_chip": 0.01, "std_run": None, "worst": accuracy - 0.02,
        "ideal_accuracy": 0.98, "gap": 0.98 - accuracy, "gap_closed": 0.5, "gap_shrink": 2.0,
        "gain": 0.01, "gain_low": 0.008, "gain_high": 0.012, "gap_closed_low": 0.4,
        "gap_closed_high": 0.6, "ci95_backbone_low": accuracy - 0.01,
        "ci95_backbone_high": accuracy + 0.01, "kept_share": 0.75, "backbone_macs_share": 0.5,
        "diverged_backbones": 0, "own_images": False, "read_noise": False, "read_after_s": 0.0,
        "beyond_retention": False, "computed_on": "cpu", "backend": "compiled",
        "backbone_computed_on": "cpu", "backbone_seconds": 56.7,
        "seeds": 3, "chips": 8, "runs": 1, "images": 1000, "extra_weights": 25,
        "verified_weights": 25, "verified_share": 0.00463,
        "digital_parameters": 0, "digital_products": 0,
        "tune_seconds": 1.234, "tune_macs_share": 0.119, "diverged": 0,
    }  # fmt: skip
    return MethodRow(**(usual | changes))


ROWS = (
    row("plain", 0.1, 0.96, gap_shrink=1.0),
    row("TSB", 0.1, 0.97, published_accuracy=0.975),
    row("plain", 0.2, 0.90),
    row("TSB", 0.2, 0.985, gap_shrink=None),
)


def all_with(**changes: Any) -> list[MethodRow]:
    """The rows with other values, the same in all; those of a list in turn."""
    return [
        replace(
            each,
            **{
                key: value[place] if isinstance(value, list) else value
                for key, value in changes.items()
            },
        )
        for place, each in enumerate(ROWS)
    ]


def test_accuracies_are_in_per_cent_with_their_interval() -> None:
    found = tables.accuracy(ROWS).records()
    assert [own["accuracy"] for own in found] == ["96.00", "97.00", "90.00", "98.50"]
    assert {own["half_width"] for own in found} == {"0.40"}
    assert {own["backbone_half_width"] for own in found} == {"1.00"}
    assert {own["gap_closed_half_width"] for own in found} == {"10"}
    assert [own["published_accuracy"] for own in found] == [None, "97.50", None, None]
    assert found[3]["gap_shrink"] is None
    assert found[0]["std_run"] is None
    assert (found[0]["gain"], found[0]["gain_half_width"]) == ("1.00", "0.20")


def test_the_encoding_stands_beside_the_accuracy() -> None:
    rows = all_with(encoding="magnitude", chip_encoding="offset", stored_noise_ratio=2.008)
    assert "magnitude" in tables.heading("run", rows)
    (line,) = [line for line in tables.notes(rows) if "offset" in line]
    assert "2.01" in line
    alike = all_with(encoding="offset", chip_encoding="offset", stored_noise_ratio=1.0)
    assert "offset" in tables.heading("run", alike)
    assert not any("offset" in line for line in tables.notes(alike))


def test_the_encoding_stands_beside_the_accuracy_of_chips() -> None:
    stats = dict.fromkeys(("ci95_low", "ci95_high", "std_chip", "std_run", "worst"))
    stats |= {"mean": 0.9, "chips": 2, "runs": 1, "images": 10}  # type: ignore[dict-item]
    table = tables.chip_accuracy("lenet3", "", stats, encoding="differential")
    assert ("encoding", "encoding", "differential", "") in table.rows


def test_no_published_column_without_published_values() -> None:
    rows = all_with(published_accuracy=None)
    assert "published_accuracy" not in tables.accuracy(rows).records()[0]


def test_choice_is_said_and_validation_shown_where_it_is_known() -> None:
    assert "validation_accuracy" not in tables.accuracy(ROWS).records()[0]
    before = all_with(choice_lacks="no validation accuracy")
    assert tables.choice(before, None)[1] == tuple(
        f"sigma {sigma}: no choice; not comparable: plain (no validation accuracy), "
        "TSB (no validation accuracy)"
        for sigma in (0.1, 0.2)
    )
    assert tables.choice(ROWS, 0.001)[1][1] == "sigma 0.2: no choice; all verify more"
    rows = all_with(validation_accuracy=[0.95, 0.96, 0.91, 0.92], chosen=[False, True, False, True])
    shown = [each["validation_accuracy"] for each in tables.accuracy(rows).records()]
    assert shown == ["95.00", "96.00", "91.00", "92.00"]
    title, lines = tables.choice(rows, 0.01)
    assert title == "Chosen by validation accuracy, at most 1 % verified"
    assert lines[0].startswith("sigma 0.1: TSB (96.00 % of the validation images, 97.00 %")
    assert len(lines) == 2


def test_effort() -> None:
    found = tables.effort(ROWS).records()[0]
    assert (found["verified_share"], found["tune_macs_share"]) == ("0.46", "11.9")
    assert (found["backbone_seconds"], found["tune_seconds"]) == ("56.7", "1.23")
    assert tables.effort(ROWS).texts()[0][2] == "25"
    older = tables.effort(all_with(backbone_seconds=None)).records()[0]
    assert older["backbone_seconds"] is None


def test_results_of_different_places_are_told() -> None:
    assert "machine and its load (cpu);" in " ".join(tables.notes(ROWS))
    assert "different places" not in " ".join(tables.notes(ROWS))
    rows = all_with(
        computed_on=["cpu", "cuda:0 (H200)", "cpu", "cpu"],
        backend=["compiled", "batched", "compiled", "compiled"],
        backbone_computed_on=["cpu", "cpu", "cpu; cuda:0 (H200)", "cpu"],
    )
    told = [note for note in tables.notes(rows) if "different places" in note]
    assert [note.partition(":")[0] for note in told] == [
        "Sigma 0.1 was computed in different places, cpu, back end compiled (plain); cuda",
        "Backbones of sigma 0.2 were trained in different places, cpu; cuda",
    ]
    assert "(H200), back end batched (TSB)" in told[0]


def test_heading_and_notes() -> None:
    text = tables.heading("run", ROWS)
    assert text == "run: 3 backbones per point, 8 chips each, 1000 test images"
    assert "1 backbone per point, 1 chip each" in tables.heading("x", all_with(seeds=1, chips=1))
    later = tables.notes(all_with(read_noise=True, read_after_s=3600.0))
    assert "read noise" in later[-2]
    assert "3600 s after" in later[-1]
    scaled = tables.notes(all_with(read_after_s=3600.0, compensation="layer"))
    assert any("compensated for it by layer" in line for line in scaled)
    lost = tables.notes(all_with(read_after_s=1e9, beyond_retention=True))
    assert "1e+09 s is beyond the device's retention time" in lost[-1]
    notes = tables.notes(ROWS)
    assert notes[0] == "Noise-free network, 8-bit weights: 98.00 %."
    shown = tables.notes(all_with(published_ideal=0.9297))[0]
    assert shown == "Noise-free network, 8-bit weights: 98.00 % (published: 92.97 %)."
    assert not any("diverged" in note for note in notes)
    assert "On 4 chips the training" in tables.notes(all_with(diverged=1))[-1]


def test_gap_lines() -> None:
    lines = {line.method: line for line in collect_gap(ROWS)}
    assert lines["plain"].gap == pytest.approx((2.0, 8.0))
    assert lines["plain"].low == pytest.approx((1.6, 7.6))
    assert lines["TSB"].gap == pytest.approx((1.0, -0.5))
    axes = draw_gap(collect_gap(ROWS)).axes[0]
    assert [line.get_label() for line in axes.lines] == ["plain", "TSB"]
    # what is better than the noise-free network lies on the floor of a logarithmic axis
    assert min(axes.lines[1].get_ydata()) > 0


def test_gap_files(tmp_path: Path) -> None:
    save_gap(ROWS, tmp_path / "gap.svg")
    assert "<svg" in (tmp_path / "gap.svg").read_text()
    assert len(pd.read_csv(tmp_path / "gap.csv")) == 4
    with pytest.raises(ConfigError, match="ending"):
        save_gap(ROWS, tmp_path / "gap.bmp")
    with pytest.raises(DataError):
        collect_gap(all_with(ideal_accuracy=None))


EPOCHS = pd.DataFrame(
    [
        {
            "backbone": name, "sigma": 0.1, "seed": seed, "epoch": epoch,
            "noisy_accuracy": 0.9 + epoch / 100, "clean_accuracy": 0.95,
        }
        for name in ("noise", "bounded") for seed in (0, 1) for epoch in (2, 1)
    ]
)  # fmt: skip


def test_learning_curves(tmp_path: Path) -> None:
    panels = collect_learning_curves(EPOCHS)
    assert list(panels) == ["noise, sigma 0.1", "bounded, sigma 0.1"]
    curve = panels["noise, sigma 0.1"][1]
    assert curve.seed == 1
    assert curve.epochs == (1, 2)
    assert curve.noisy == pytest.approx((91.0, 92.0))
    assert len(draw_learning_curves(panels).axes[0].lines) == 4
    save_learning_curves(EPOCHS, tmp_path / "curves.png")
    assert_image(tmp_path / "curves.png")
    assert (tmp_path / "curves.csv").is_file()
    with refused(DataError, code="empty", field=ANY, value=[]):
        collect_learning_curves(EPOCHS[:0])


def test_methods_with_both_intervals() -> None:
    first, second = collect_methods(ROWS)
    assert (first.sigma, second.sigma) == (0.1, 0.2)
    assert first.ideal == pytest.approx(98)
    plain, block = first.dots
    assert (plain.method, plain.accuracy, plain.published) == ("plain", pytest.approx(96), None)
    assert plain.chips == pytest.approx((95.6, 96.4))
    assert plain.backbones == pytest.approx((95, 97))
    assert block.published == pytest.approx(97.5)
    alone = all_with(ci95_backbone_low=None, ci95_backbone_high=None)
    assert all(dot.backbones is None for panel in collect_methods(alone) for dot in panel.dots)


def test_methods_figure(tmp_path: Path) -> None:
    figure = draw_methods(collect_methods(ROWS))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["plain", "TSB"]
    # What was published lies outside of the intervals: the range is that of ours and the ideal.
    low, high = figure.axes[1].get_xlim()
    assert low < 89.6
    assert high > 98.9
    save_methods(ROWS, tmp_path / "methods.png")
    assert_image(tmp_path / "methods.png")
    assert len(pd.read_csv(tmp_path / "methods.csv")) == 4
    for nothing in ([], all_with(accuracy=None)):
        with pytest.raises(DataError):
            collect_methods(nothing)
