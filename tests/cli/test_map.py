"""`archsim map`: tables, JSON, CSV, files and exit codes."""

from __future__ import annotations

import io
import json
import math
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import archsim
from archsim.cli import render
from archsim.config.choices import PLACEMENTS
from archsim.config.resolve import resolve
from tests.cli.conftest import Run
from tests.images import assert_image
from tests.refusals import command_refused

_NUMBERS = (
    "area_mm2", "dynamic_energy_uJ", "leakage_energy_uJ", "latency_us", "period_us", "edp_uJ_us",
    "edp_period_uJ_us", "throughput_per_s", "tops_per_W", "utilisation", "write_pulses",
    "programming_time_ms", "programming_energy_uJ",
)  # fmt: skip
_COUNTS = ("subarrays", "tiles")


def _strict(text: str) -> Any:
    """Parse JSON and refuse NaN and Infinity, which JSON does not have."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("design", PLACEMENTS)
def test_json_is_the_contract(run: Run, design: str) -> None:
    done = run("map", "lenet3", "--design", design, "--format", "json")
    assert done.exit_code == 0, done.stderr
    data = _strict(done.stdout)
    assert data["schema"] == 1
    assert (data["network"], data["design"], data["chip"]) == ("lenet3", design, "rram-22nm")
    assert data["config_hash"] == resolve(tsb="paper-lenet3").config_hash
    assert data["feasible"] is True
    assert data["infeasible"] == []
    for key in _NUMBERS:
        assert isinstance(data["totals"][key], float), key
    for key in _COUNTS:
        assert isinstance(data["totals"][key], int), key
    for name, part in data["breakdown"].items():
        assert set(part) == {"area_mm2", "energy_uJ", "latency_us"}, name
    names = [layer["name"] for layer in data["layers"]]
    assert names[:3] == ["conv1", "conv2", "fc"]
    assert len(names) == (3 if design == "none" else 5)
    assert {layer["kind"] for layer in data["layers"]} <= {"conv", "linear", "tsb"}


def test_components_add_up_to_the_totals(run: Run) -> None:
    data = _strict(run("map", "lenet3", "--format", "json").stdout)
    parts, totals = data["breakdown"], data["totals"]
    assert parts["adc"]["latency_us"] == 0  # the array is read through it
    for key, total in (
        ("area_mm2", "area_mm2"),
        ("energy_uJ", "dynamic_energy_uJ"),
        ("latency_us", "latency_us"),
    ):
        assert math.fsum(p[key] for p in parts.values()) == pytest.approx(totals[total])


def test_csv_holds_the_layers_of_the_json(run: Run) -> None:
    arguments = ("map", "lenet3", "--design", "common", "--format")
    layers = _strict(run(*arguments, "json").stdout)["layers"]
    frame = pd.read_csv(io.StringIO(run(*arguments, "csv").stdout))
    assert list(frame.columns) == list(layers[0])
    assert frame["name"].tolist() == [layer["name"] for layer in layers]
    assert frame["energy_uJ"].tolist() == pytest.approx([layer["energy_uJ"] for layer in layers])
    assert frame["utilisation"].isna().sum() == 1  # the second insertion reuses the first block


def test_table_shows_layers_totals_breakdown_and_assumptions(run: Run) -> None:
    text = run("map", "lenet3", "--design", "common").stdout
    result = archsim.map_network("lenet3", design="common")
    assert result.resolved.config_hash in text
    for words in ("conv1", "490x80", "tsb@conv2", "One inference", "write pulses", "Breakdown"):
        assert words in text
    assert "TSB: 5 x 5 channels, depth 1, common, in turn; 2 insertions in 3 channel" in text
    assert "write-verified (policy tsb)" in text


def test_the_energy_of_every_layer_and_component_is_written(run: Run, tmp_path: Path) -> None:
    asked = ("map", "lenet3", "--chip", "rram-22nm-neurosim", "--format", "json")
    data = _strict(run(*asked, "--layer-energy", "energy.csv").stdout)
    frame = pd.read_csv(tmp_path / "energy.csv")
    assert frame["component"].tolist() == [row["component"] for row in data["layer_energies"]]
    assert frame["energy_uJ"].sum() == pytest.approx(data["totals"]["energy_uJ"])
    assert set(data["limits"]) == {"latency", "energy", "area"}
    text = run(*asked[:-1], "table").stdout
    for limit in data["limits"].values():
        assert limit["setting"] in text
    assert "read path off" in " ".join(text.split())
    assert "Leakage, and share of the period at work" in text
    small = ("--set", "chip.hierarchy.max_tiles=1")
    assert run(*asked, *small, "--layer-energy", "none.csv").exit_code == 1
    assert not (tmp_path / "none.csv").exists()


_MODELS = """
    import torch
    from torch import nn

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.twice = nn.Linear(8, 8), nn.Linear(8, 8)
            self.pair = nn.Bilinear(8, 8, 8)

        def forward(self, x):
            y = self.twice(self.twice(self.first(x)))
            y = self.pair(y, x) + torch.fft.fft(y).abs()
            return nn.functional.scaled_dot_product_attention(y, y, y)

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.code = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
            self.register_buffer("places", torch.zeros(1, 4, 8, 8))
            self.one, self.other = nn.Parameter(torch.ones(8, 8)), nn.Parameter(torch.ones(8, 8))

        def forward(self, x):
            return (self.conv(x) + self.code(self.places)) @ (self.one @ self.other) * self.one

    def fixed():
        return Fixed()

    def mixed():
        return Mixed()

    def tokens():
        return nn.Sequential(nn.Embedding(50, 8), nn.LSTM(8, 4, batch_first=True))
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models_to_map.py").write_text(textwrap.dedent(_MODELS))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("models")
def test_what_is_covered_and_what_is_not_is_said(run: Run) -> None:
    flat = " ".join(run("map", "models_to_map:mixed", "--input-shape", "6,8").stdout.split())
    # Per token: 3 x 64 on crossbars, 6 keys x (8 + 8) in the digital unit, 8 x 64 nowhere.
    assert "MACs: 36 % of 4.8 k covered; 24 % on crossbars, 12 % with two computed" in flat
    assert "Neither mapped nor priced: 2 operations: pair (bilinear, 64 % of the MACs), " in flat
    assert "Applied at several places, stored once: twice (x2)." in flat
    assert "1024 multiply-adders, shared by all layers, for elementwise x1, attention x1" in flat
    done = run("map", "models_to_map:mixed", "--input-shape", "6,8", "--format", "json")
    data = json.loads(done.stdout)
    assert data["coverage"] == {
        "macs": 4800,
        "covered_share": 0.36,
        "mapped_share": 0.24,
        "digital_share": 0.12,
        "uncovered_share": 0.64,
    }
    found = {entry["op"]: entry for entry in data["unmapped"]}
    assert (found["bilinear"]["macs"], found["bilinear"]["share"]) == (3072, 0.64)
    assert found["fft_fft"]["macs"] == 0
    assert data["capacity"] is None


@pytest.mark.usefixtures("models")
def test_what_the_input_does_not_change_is_named(run: Run) -> None:
    flat = " ".join(run("map", "models_to_map:fixed", "--input-shape", "3,8,8").stdout.split())
    # The convolution of a buffer: 64 pixels x 8 channels x 36 weights each; a product of weights.
    assert "Constant-folded" in flat
    assert "not counted: code (18.43 k MACs), matmul (512 MACs)." in flat
    assert "Trained values that digital operations read (norms, scales, encodings): " in flat
    done = run("map", "models_to_map:fixed", "--input-shape", "3,8,8", "--format", "json")
    assert json.loads(done.stdout)["worked_out_beforehand"] == [
        {"name": "code", "op": "conv2d", "macs": 8 * 64 * 36},
        {"name": "matmul", "op": "matmul", "macs": 8 * 8 * 8},
    ]
    assert (
        json.loads(run("map", "lenet3", "--format", "json").stdout)["worked_out_beforehand"] == []
    )


@pytest.mark.usefixtures("models")
def test_tokens_embeddings_and_recurrent_layers(run: Run) -> None:
    inputs = ("--input-shape", "input=7", "--input-dtype", "int64")
    flat = " ".join(run("map", "models_to_map:tokens", *inputs).stdout.split())
    assert "Embeddings: 3.2 kbit in 1 table of the external memory lpddr4" in flat
    assert "1.weight_hh_l0" in flat
    assert "Recurrent layers: the steps of one input follow one another" in flat


def test_folded_batch_norms_are_counted(run: Run) -> None:
    text = run("map", "resnet20").stdout
    assert "MACs: 100 % of 40.81 M on crossbars." in text
    assert "Batch norms folded into the weights before them: 21." in text


def test_a_network_larger_than_the_chip(run: Run) -> None:
    done = run(
        "map", "vgg8", "--chip", "rram-22nm-neurosim", "--set", "chip.hierarchy.max_tiles=20"
    )
    assert done.exit_code == 1
    flat = " ".join(done.stdout.split())
    assert "3 chips of this size, or 3 loads of one, of about 4,324,480 weights each" in flat
    assert "Writing one of them takes" in flat


def test_the_shared_block_goes_where_names_say(run: Run) -> None:
    rule = "tsb.insertion=pattern:conv?,fc1"
    done = run("map", "vgg8", "--design", "separate", "--set", rule, "--format", "json")
    names = [layer["name"] for layer in json.loads(done.stdout)["layers"]]
    assert [name for name in names if "@" in name] == [
        *(f"tsb@conv{i}" for i in range(1, 7)),
        "tsb@fc1",
    ]
    wrong = run("map", "vgg8", "--design", "common", "--set", "tsb.insertion=pattern:conv9")
    command_refused(wrong, "'conv9'", code="unknown-name")
    wrong = run("map", "vgg8", "--design", "common", "--set", "tsb.insertion=patern:conv1")
    command_refused(wrong, "convolution", "residual_block", "pattern:NAMES", code="unknown-name")


def test_padded_channel_groups_are_named(run: Run) -> None:
    text = run("map", "lenet3", "--design", "common", "--set", "tsb.channels=4").stdout
    flat = " ".join(text.split())
    assert "zero-padded to 4 channels after conv1 (5), conv2 (10)" in flat


@pytest.mark.parametrize("columns", [40, 80, 120, 160])
@pytest.mark.parametrize("network", ["lenet3", "resnet18-cifar"])
def test_no_number_is_cut_at_any_width(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int, network: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run("map", network, "--design", "common").stdout
    assert "…" not in text
    assert "\x1b" not in text
    lines = text.splitlines()
    assert all(line == line.rstrip() for line in lines)
    if columns >= 80:
        assert max(map(len, lines)) <= columns


def test_wide_output_has_one_table_of_layers_and_narrow_has_two(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Layers, mapped" not in run("map", "lenet3").stdout
    monkeypatch.setenv("COLUMNS", "80")
    assert "Layers, mapped" in run("map", "lenet3").stdout


def test_infeasible_table_says_what_is_short_and_exits_1(run: Run) -> None:
    done = run("map", "vgg8", "--set", "chip.hierarchy.max_tiles=3")
    assert done.exit_code == 1
    for words in ("Infeasible", "tiles", "3.000", "chip.hierarchy.max_tiles (more)"):
        assert words in done.stdout
    assert "One inference" not in done.stdout


def test_infeasible_json_has_no_totals_and_exits_1(run: Run) -> None:
    done = run("map", "--set", "chip.hierarchy.max_tiles=3", "--format", "json")
    assert done.exit_code == 1
    data = _strict(done.stdout)
    assert data["feasible"] is False
    assert set(data["totals"].values()) == {None}
    assert data["layers"] is None
    (bound,) = data["infeasible"]
    assert (bound["bound"], bound["unit"]) == (3, "tiles")
    assert bound["demand"] > 3
    assert bound["levers"]


def test_infeasible_csv_is_a_header_and_the_reason_goes_to_stderr(run: Run) -> None:
    done = run("map", "--set", "chip.hierarchy.max_tiles=3", "--format", "csv")
    assert done.exit_code == 1
    assert pd.read_csv(io.StringIO(done.stdout)).empty
    assert "infeasible: tiles: needs" in done.stderr


def test_input_shape_with_and_without_batch_axis(run: Run) -> None:
    shapes = ("3,64,64", "1,3,64,64")
    first, second = (
        run("map", "resnet18-cifar", "--input-shape", shape, "--format", "csv").stdout
        for shape in shapes
    )
    assert first == second
    assert "3x64x64" in first


def test_out_writes_the_file_whole_and_a_note(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")
    done = run("map", "lenet3", "--format", "json", "--out", target)
    assert done.exit_code == 0
    assert done.stdout == f"wrote {target}\n"
    assert _strict(target.read_text())["network"] == "lenet3"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_out_of_a_table_is_plain_text(run: Run, tmp_path: Path) -> None:
    run("map", "lenet3", "--out", tmp_path / "map.txt")
    text = (tmp_path / "map.txt").read_text()
    assert "One inference" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= render.DEFAULT_WIDTH


def test_resolved_is_the_whole_configuration_with_its_hash(run: Run, tmp_path: Path) -> None:
    done = run("map", "lenet3", "--set", "chip.adc.bits=6", "--resolved", "config.yaml")
    assert done.exit_code == 0
    text = (tmp_path / "config.yaml").read_text()
    expected = resolve(tsb="paper-lenet3", overrides=["chip.adc.bits=6"])
    assert f"# config hash: {expected.config_hash}\n" in text
    assert yaml.safe_load(text) == expected.model_dump(mode="json")


def test_resolved_to_stdout_takes_the_place_of_the_result(run: Run) -> None:
    done = run("map", "lenet3", "--resolved", "-")
    assert set(yaml.safe_load(done.stdout)) == {
        *("chip", "technology", "device", "memory", "link", "tsb")
    }


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_draws_the_floorplan(run: Run, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"floorplan{suffix}"
    done = run("map", "lenet3", "--design", "common", "--plot", target, "--format", "json")
    assert done.exit_code == 0, done.stderr
    assert_image(target)
    assert f"wrote {target}" in done.stderr
    _strict(done.stdout)


def test_plot_of_an_infeasible_design_is_not_drawn(run: Run, tmp_path: Path) -> None:
    done = run("map", "--set", "chip.hierarchy.max_tiles=3", "--plot", "floorplan.png")
    assert done.exit_code == 1
    assert "not drawn" in done.stderr
    assert not (tmp_path / "floorplan.png").exists()


def test_sensitivity_and_uncertainty_are_added(run: Run) -> None:
    options = ("--sensitivity", "--uncertainty", "--samples", 20)
    data = _strict(run("map", "lenet3", *options, "--format", "json").stdout)
    assert {"parameter", "edp", "area"} <= set(data["sensitivity"][0])
    assert {"nominal", "p05", "median", "p95"} == set(data["uncertainty"]["area_mm2"])
    text = run("map", "lenet3", *options).stdout
    assert "Elasticities" in text
    assert "Uncertainty of the totals" in text
    rows = pd.read_csv(io.StringIO(run("map", "lenet3", *options, "--format", "csv").stdout))
    assert rows["parameter"].tolist() == [entry["parameter"] for entry in data["sensitivity"]]


def test_no_more_last_layers_than_there_are(run: Run) -> None:
    policy = ("--set", "chip.programming.policy=last-layers")
    for count, code in ((3, 0), (4, 2)):
        done = run("map", "lenet3", *policy, "--set", f"chip.programming.last_layers={count}")
        assert done.exit_code == code
    last = "chip.programming.last_layers = 4"
    command_refused(done, last, "lenet3", "1 to 3", code="conflict")
    done = run("map", "lenet3", "--set", "chip.programming.rewritten_layers=4")
    rewritten = "chip.programming.rewritten_layers = 4"
    command_refused(done, rewritten, "lenet3", "0 to 3", code="conflict")
