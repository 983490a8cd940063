"""`archsim compare`: the EDP-overhead table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from archsim.api.compare import PAPER_NETWORKS
from tests.cli.conftest import Run

_METRICS = ("area_mm2", "energy_uJ", "latency_us", "period_us", "edp_uJ_us", "edp_period_uJ_us")


def test_json_has_a_row_per_network_and_design(run: Run) -> None:
    done = run("compare", "lenet3", "vgg8", "--format", "json")
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["schema"] == 1
    keys = [(row["network"], row["design"]) for row in data["rows"]]
    assert keys == [(n, d) for n in ("lenet3", "vgg8") for d in ("none", "common", "separate")]
    for row in data["rows"]:
        base = next(
            r for r in data["rows"] if (r["network"], r["design"]) == (row["network"], "none")
        )
        for metric in _METRICS:
            assert row[f"{metric}_ratio"] == pytest.approx(row[metric] / base[metric])
        overhead = 100 * (row["edp_uJ_us"] / base["edp_uJ_us"] - 1)
        assert row["edp_overhead_pct"] == pytest.approx(overhead)
        assert isinstance(row["edp_period_overhead_pct"], float)
    assert [row["tsb_channels"] for row in data["rows"]] == [None, 5, 5, None, 128, 128]


def test_networks_of_the_paper_are_the_default(run: Run) -> None:
    rows = pd.read_csv(io.StringIO(run("compare", "--format", "csv").stdout))
    assert tuple(dict.fromkeys(rows["network"])) == PAPER_NETWORKS
    assert len(rows) == 9


def test_the_base_is_always_there(run: Run) -> None:
    rows = json.loads(run("compare", "lenet3", "--design", "separate", "--format", "json").stdout)
    assert [row["design"] for row in rows["rows"]] == ["none", "separate"]


@pytest.mark.parametrize("columns", [40, 80, 120, 160])
def test_table_is_whole_at_any_width(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = run("compare", "lenet3", "resnet18-cifar-nodown")
    assert done.exit_code == 0
    assert "…" not in done.stdout
    for words in ("lenet3", "resnet18-cifar-nodown", "base", "(C) common", "(S) separate"):
        assert words in done.stdout
    row = json.loads(run("compare", "lenet3", "--format", "json").stdout)["rows"][1]
    assert f"x{row['energy_uJ_ratio']:.3f}" in done.stdout
    assert f"{row['edp_overhead_pct']:+.1f}" in done.stdout
    if columns >= 80:
        assert max(map(len, done.stdout.splitlines())) <= columns


def test_infeasible_rows_are_shown_with_the_reason(run: Run) -> None:
    done = run("compare", "lenet3", "vgg8", "--chip", "neurosim-v1.4")
    assert done.exit_code == 0  # vgg8 is feasible
    flat = " ".join(done.stdout.split())
    assert "infeasible" in flat
    assert "Infeasible: lenet3, base, (C) common, (S) separate: tile width" in flat
    assert "chip.hierarchy.size_check=false" in flat


@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_exit_1_when_nothing_is_feasible(run: Run, style: str) -> None:
    done = run("compare", "lenet3", "--set", "chip.hierarchy.max_tiles=1", "--format", style)
    assert done.exit_code == 1
    if style == "json":
        rows = json.loads(done.stdout)["rows"]
        assert all(row["feasible"] is False and row["infeasible"] for row in rows)
        assert all(row["edp_overhead_pct"] is None for row in rows)
    if style == "csv":
        rows = pd.read_csv(io.StringIO(done.stdout))
        assert rows["area_mm2"].isna().all()
        assert rows["infeasible"].str.contains("max_tiles").all()


def test_input_shape_holds_for_every_network(run: Run) -> None:
    done = run("compare", "resnet18-cifar", "resnet18-tiny", "--input-shape", "3,32,32",
               "--design", "common", "--format", "json")  # fmt: skip
    wide = run("compare", "resnet18-tiny", "--design", "common", "--format", "json")
    macs = [row["macs"] for row in json.loads(done.stdout)["rows"]]
    assert macs[2] < json.loads(wide.stdout)["rows"][0]["macs"] / 3


def test_out(run: Run, tmp_path: Path) -> None:
    done = run("compare", "lenet3", "--out", "table.txt")
    assert done.stdout == "wrote table.txt\n"
    assert "(S) separate" in (tmp_path / "table.txt").read_text()


def test_the_table_shows_what_programming_takes(run: Run) -> None:
    policy = ("--set", "chip.programming.policy=fraction")
    done = run("compare", "lenet3", *policy)
    assert "Programming, write-verify policy fraction, 10 % of every layer by weight" in done.stdout
    rows = json.loads(run("compare", "lenet3", *policy, "--format", "json").stdout)["rows"]
    for row in rows:
        assert f"{row['programming_time_ms']:.4g}"[:5] in done.stdout
