"""`archsim report`: one table of accuracy, cost and programming; its folder; its difference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from archsim import pipeline
from archsim.cli.app import app
from archsim.config.study import Study
from archsim.joint import JointResult
from archsim.joint_diff import diff
from archsim.pipeline_report import hardware_of, join, join_runs
from reports.figures.joint import collect_joint
from reports.joint_tables import answer, designs, recommended
from tsb.study.run import open_run, run_study

DATA = Path(__file__).parents[1] / "data" / "mnist"
STUDY: dict[str, Any] = {
    "name": "small <b>",
    "network": "lenet3",
    "data": "mnist",
    "sigma": [0.2],
    "chips": 3,
    "runs": 2,
    "test_images": 200,
    "score_images": 100,
    "backbones": {"noise": {"epochs": 3, "batch_size": 50, "validation_instances": 1}},
    "tuning": {"steps": 10, "batch_size": 50},
    "tsb": {"channels": 5},
    "methods": [
        {"name": "plain"},
        {"name": "TSB <script>", "corrections": "tsb"},
        {"name": "verified", "write": "all"},
        {"name": "own", "corrections": "own-blocks"},
        {"name": "best", "corrections": "output-match+scales+biases"},
        {"name": "last", "corrections": "last-layers:1"},
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = open_run(tmp_path_factory.mktemp("run") / "small", Study.model_validate(STUDY))
    run_study(run, data_root=str(DATA))
    return run.folder


@pytest.fixture(scope="module")
def result(folder: Path) -> JointResult:
    return join(folder)


def at(result: JointResult, method: str, design: str = "none") -> dict[str, Any]:
    return next(row for row in result.rows() if (row["method"], row["design"]) == (method, design))


def test_a_method_with_a_block_has_both_placements_and_the_others_none(result):
    assert [(row["method"], row["design"]) for row in result.rows()] == [
        ("plain", "none"),
        ("TSB <script>", "common"),
        ("TSB <script>", "separate"),
        ("verified", "none"),
        ("own", "none"),
        ("best", "none"),
        ("last", "none"),
    ]


@pytest.mark.parametrize(
    ("method", "design", "settings"),
    [
        ("plain", "none", ["chip.programming.policy=none"]),
        ("TSB <script>", "separate", ["chip.programming.policy=tsb", "tsb.channels=5"]),
        ("verified", "none", ["chip.programming.policy=all"]),
        (
            "best",
            "none",
            [
                "chip.programming.policy=none",
                "chip.correction.kind=scale-and-bias",
                "chip.correction.layers=all",
            ],
        ),
        ("last", "none", ["chip.programming.policy=last-layers", "chip.programming.last_layers=1"]),
    ],
)
def test_cost_is_that_of_map_with_the_same_settings(result, method, design, settings):
    overrides = ["chip.precision.bits_per_cell=2", "device.sigma=0.2", *settings]
    tsb = "paper-lenet3" if design == "none" else None
    alone = pipeline.map_network(
        "lenet3", design=design, device="rram", tsb=tsb, overrides=overrides
    ).totals
    row = at(result, method, design)
    for name in ("area_mm2", "edp_uJ_us", "write_pulses", "programming_time_ms"):
        assert row[name] == pytest.approx(alone[name], rel=1e-12, abs=0), name


def test_what_the_engine_does_not_know_is_empty_and_said(result):
    row = at(result, "own")
    assert row["area_mm2"] is None
    assert row["edp_overhead_pct"] is None
    assert "not in the cost engine" in row["notes"][0]
    assert row["accuracy"] is not None


def test_overheads_refer_to_the_baseline(result):
    base, block = at(result, "plain"), at(result, "TSB <script>", "common")
    assert base["edp_overhead_pct"] == 0
    expected = 100 * (block["edp_uJ_us"] / base["edp_uJ_us"] - 1)
    assert block["edp_overhead_pct"] == pytest.approx(expected, abs=0)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ({"corrections": "biases"}, ["chip.correction.kind=bias", "chip.correction.layers=all"]),
        (
            {"corrections": "output-match"},
            ["chip.correction.kind=scale-and-bias", "chip.correction.layers=linear"],
        ),
        (
            {"write": "swim", "fraction": 0.1},
            ["chip.programming.policy=fraction", "chip.programming.fraction=0.1"],
        ),
        ({"copies": {"fc.weight": 2}}, ["chip.hierarchy.linear_copies=2"]),
        ({"corrections": "tsb", "verify": False}, ["chip.programming.policy=none"]),
        (
            {"write": "last-layers", "last_layers": 2},
            ["chip.programming.policy=last-layers", "chip.programming.last_layers=2"],
        ),
    ],
)
def test_settings_of_methods(method, expected):
    study = Study.model_validate({**STUDY, "methods": [{"name": "it", **method}]})
    found = hardware_of(study, study.methods[0], 0.2)
    assert set(expected) <= set(found.overrides or ())


def test_a_spread_of_the_maximum_is_converted():
    """stt-mram says its spread relative to the maximum; a study relative to the range."""
    study = Study.model_validate({**STUDY, "device": "stt-mram", "bits_per_cell": 1})
    overrides = hardware_of(study, study.methods[0], 0.2).overrides or ()
    own = next(text for text in overrides if text.startswith("device.sigma="))
    assert float(own.removeprefix("device.sigma=")) < 0.19


def test_the_recommended_design_is_chosen_without_the_test_images(result):
    own = recommended(result, 0.2)
    assert own is not None
    turned = JointResult(
        result.name,
        result.network,
        result.device,
        tuple(
            type(each)(**{**vars(each), "measured": {**each.measured, "accuracy": 0.5}})
            for each in result.designs
        ),
    )
    again = recommended(turned, 0.2)
    assert again is not None
    assert again.label == own.label


def test_the_answer_names_the_design_and_its_cost(result):
    (text,) = answer(result)
    own = recommended(result, 0.2)
    assert own is not None
    assert own.label in text
    assert "%" in text


def test_figure_has_every_priced_design(result):
    info = collect_joint(result, 0.2)
    assert len(info.marks) == 6
    assert {mark.design for mark in info.marks} == {"none", "common", "separate"}


@pytest.fixture(scope="module")
def out(folder: Path) -> Path:
    """The folder of the report, written once."""
    done = CliRunner().invoke(app, ["report", str(folder), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((folder / "report/report.json").read_text())
    return folder / "report"


def test_the_folder(out):
    said = json.loads((out / "report.json").read_text())
    assert said["schema"] == 1
    assert len(said["designs"]) == 7
    for name in ("designs", "breakdown", "layers"):
        csv = pd.read_csv(out / "tables" / f"{name}.csv")
        parquet = pd.read_parquet(out / "tables" / f"{name}.parquet")
        assert len(csv) == len(parquet) > 0
    for suffix in ("png", "svg", "pdf"):
        assert (out / "figures" / f"accuracy-cost-sigma0.2.{suffix}").stat().st_size > 1000
        assert (out / "figures" / f"floorplan-common.{suffix}").is_file()
    assert Study.model_validate(yaml.safe_load((out / "study.yaml").read_text())).chips == 3


def test_the_table_is_that_of_the_result(result):
    table = designs(result, 0.2)
    assert table.title == "Designs at sigma 0.2"
    assert len(table.rows) == 7


def test_a_report_does_not_differ_from_itself_and_a_moved_number_shows(run, out, tmp_path):
    same = run("report", "diff", out, out, "--format", "json")
    assert json.loads(same.stdout)["moved"] == []
    content = json.loads((out / "report.json").read_text())
    first, last = content["designs"][0], content["designs"][-1]
    first["accuracy"] += 1e-6
    last["accuracy"] -= 0.5
    last["area_mm2"] *= 1.1
    content["inputs"]["studies"][0]["chips"] = 4
    (tmp_path / "report.json").write_text(json.dumps(content))
    done = run("report", "diff", out, tmp_path, "--format", "json")
    found = json.loads(done.stdout)
    moved = {(own["design"], own["number"]): own["beyond_noise"] for own in found["moved"]}
    assert moved == {
        ("plain, sigma 0.2, none", "accuracy"): False,
        ("last, sigma 0.2, none", "accuracy"): True,
        ("last, sigma 0.2, none", "area_mm2"): True,
    }
    assert [own[0] for own in found["inputs"]] == ["studies"]
    assert run("report", "diff", out, tmp_path).exit_code == 0


def test_noise_of_a_difference_is_that_of_both():
    def report(mean: float, half: float) -> dict[str, Any]:
        row = {"method": "m", "sigma": 0.1, "design": "none", "accuracy": mean}
        row |= {"ci95_low": mean - half, "ci95_high": mean + half}
        return {"schema": 1, "designs": [row]}

    inside = diff(report(0.90, 0.03), report(0.949, 0.04))  # root of sum of squares: 0.05
    outside = diff(report(0.90, 0.03), report(0.951, 0.04))
    assert [own.beyond_noise for own in (*inside.moved, *outside.moved)] == [False, True]


def test_mixed_devices_are_refused(run, folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    study = json.loads((other / "study.json").read_text())
    study["device"] = "fefet"
    (other / "study.json").write_text(json.dumps(study))
    done = run("report", folder, other)
    assert done.exit_code == 2
    assert "device differs" in done.stderr
    assert "--allow-mixed" in done.stderr
    assert len(join_runs([folder, other], allow_mixed=True).designs) == 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "nonsense"), "unknown study 'nonsense'"),
        (("report", "a", "b"), "a: not the folder of a run"),
        (("report", "diff", "a", "b"), "a: not the folder of a report"),
    ],
)
def test_bad_input(run, arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_designs_table_marks_the_chosen(result):
    labels = [row[0] for row in designs(result, 0.2).texts()]
    assert sum("(chosen)" in label for label in labels) >= 1
