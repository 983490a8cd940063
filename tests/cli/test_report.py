"""`archsim report`: one table of accuracy, cost and programming; its folder; its difference."""

from __future__ import annotations

import html
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import archsim
from archsim.api.map import map_network
from archsim.api.report.join import join, join_runs
from archsim.cli.app import app
from archsim.config.study import Study
from archsim.errors import DataError
from archsim.results.recommend import Exclusion, Reason, Recommendation, recommendations
from archsim.results.report import JointResult
from reports.figures.report import collect_joint
from reports.tables.report import answer, beside, designs, how_recommended, methods
from tests.cli.light_report import render_only
from tests.images import assert_image
from tests.refusals import command_refused, refused
from tsb.data import load_dataset
from tsb.study import open_run, run_study

DATA = Path(__file__).parents[1] / "data" / "mnist"
STUDY: dict[str, Any] = {
    "chip": "rram-22nm-neurosim",
    "device": "rram",
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
    return next(
        row for row in result.records() if (row["method"], row["design"]) == (method, design)
    )


def the_one(result: JointResult) -> Recommendation:
    """What is recommended in a report of one case."""
    (found,) = recommendations(result)
    return found


def test_a_method_with_a_block_has_both_placements_and_the_others_none(result):
    assert [(row["method"], row["design"]) for row in result.records()] == [
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
        (
            "last",
            "none",
            [
                "chip.programming.policy=last-layers",
                "chip.programming.last_layers=1",
                "chip.programming.rewritten_layers=1",
            ],
        ),
    ],
)
def test_cost_is_that_of_map_with_the_same_settings(result, method, design, settings):
    overrides = ["chip.precision.bits_per_cell=2", "device.sigma=0.2", *settings]
    tsb = "paper-lenet3" if design == "none" else None
    alone = map_network(
        "lenet3", design=design, chip=STUDY["chip"], device="rram", tsb=tsb, overrides=overrides
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


def test_the_recommended_design_is_chosen_without_the_test_images(result):
    before = the_one(result).design
    assert before is not None
    turned = tuple(
        replace(each, measured=replace(each.measured, accuracy=0.5)) for each in result.designs
    )
    after = the_one(replace(result, designs=turned)).design
    assert after is not None
    assert after.label == before.label


def test_a_correction_without_a_price_is_not_recommended_though_it_is_the_best(result):
    """It is perfect on all images: it is named, with its lack, and never taken for free."""
    perfect = tuple(
        replace(each, measured=replace(each.measured, accuracy=1.0, validation_accuracy=1.0))
        if each.method == "own"
        else each
        for each in result.designs
    )
    found = the_one(replace(result, designs=perfect))
    before = the_one(result).design
    assert before is not None
    assert found.design is before
    assert found.most_accurate is not None
    assert found.most_accurate.method == "own"
    assert Reason.MOST_ACCURATE not in found.reasons
    (excluded,) = (each for each in found.excluded if each.design.method == "own")
    assert excluded.why is Exclusion.NO_COST
    (row,) = (row for row in result.rows() if row.method == "own")
    assert set(row.hardware.values()) == {None}, "no metric of it counts as nothing"


def test_the_answer_names_the_design_and_its_cost(result):
    (text,) = answer(result)
    design = the_one(result).design
    assert design is not None
    assert design.label in text
    assert "%" in text
    assert how_recommended(result).startswith("Recommended")


@pytest.mark.parametrize(
    ("noise", "words"),
    [(0.01, "behind the most accurate, more than that noise"), (0.5, "the most accurate, at")],
)
def test_the_answer_says_why_the_best_on_the_test_images_is_not_chosen(result, noise, words):
    """One design is perfect on the test images and bad on the validation images."""
    designs = tuple(
        replace(
            each,
            measured=replace(each.measured, accuracy=1.0, validation_accuracy=0.0),
            behind=replace(each.behind, mean=0.4, half_width=noise),
        )
        if each.placement == "separate"
        else each
        for each in result.designs
    )
    said = answer(replace(result, designs=designs))[0]
    assert (
        "On the test images, which are never used to choose, TSB <script> (separate) is best"
        in said
    )
    assert words in said
    assert "which are never used to choose" not in answer(replace(result, designs=designs[:1]))[0]
    both = tuple(
        replace(each, measured=replace(each.measured, accuracy=1.0, validation_accuracy=1.0))
        if each.placement != "none"
        else each
        for each in result.designs
    )
    assert "which are never used to choose" not in answer(replace(result, designs=both))[0]


def test_noise_of_validation_images_is_in_the_recommendation(result):
    """Designs are compared on chips and images; 500 of them leave about a point of noise."""
    known = [design for design in result.designs if design.is_priced]
    best = max(known, key=lambda design: design.measured.validation_accuracy)
    for design in known:
        assert design.behind.images == len(load_dataset("mnist", str(DATA)).validation)
        mean = best.measured.validation_accuracy - design.measured.validation_accuracy
        assert design.behind.mean == pytest.approx(mean, rel=1e-9, abs=1e-12)
        assert (design.behind.half_width == 0) == (design.measured is best.measured)
    assert all(design.behind is None for design in result.designs if not design.is_priced)


def test_cheapest_of_the_good_ones_is_recommended(result):
    """The same designs, with other noise: the widest interval lets the cheapest one win."""

    def with_noise(noise: float) -> JointResult:
        changed = [
            design
            if design.behind is None
            else replace(design, behind=replace(design.behind, half_width=noise))
            for design in result.designs
        ]
        return replace(result, designs=tuple(changed))

    sure, unsure = the_one(with_noise(0.0)).design, the_one(with_noise(1.0)).design
    assert sure is not None
    assert unsure is not None
    known = [each.measured.validation_accuracy for each in result.designs if each.is_priced]
    assert sure.measured.validation_accuracy == max(known)
    assert unsure.method == "plain"


def test_figure_has_every_priced_design(result):
    info = collect_joint(result, 0.2)
    assert len(info.marks) == 6
    assert {mark.placement for mark in info.marks} == {"none", "common", "separate"}


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
        for name in ("accuracy-cost-sigma0.2", "floorplan-common"):
            assert_image(out / "figures" / f"{name}.{suffix}")
    assert Study.model_validate(yaml.safe_load((out / "study.yaml").read_text())).chips == 3


@pytest.mark.parametrize("name", ["breakdown", "layers"])
def test_parts_add_up_to_the_design(out, result, name):
    keys, values = ["method", "sigma", "design"], ["area_mm2", "energy_uJ", "latency_us"]
    parts = pd.read_parquet(out / "tables" / f"{name}.parquet")
    sums = parts.groupby(keys)[values].sum()
    whole = result.frame().set_index(keys)[values].loc[sums.index]
    assert len(sums) > 3
    assert sums.to_numpy() == pytest.approx(whole.to_numpy().astype(float), rel=1e-9, abs=0)
    names = set(parts["component" if name == "breakdown" else "name"])
    assert {"breakdown": {"adc", "leakage"}, "layers": {"conv1", "tsb@conv2"}}[name] <= names


def test_methods_that_train_nothing_take_no_time(result):
    seconds = {row["method"]: row["tune_seconds"] for row in result.records()}
    assert seconds["plain"] == seconds["verified"] == 0
    assert min(seconds["best"], seconds["last"]) > 0


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
    assert found["inputs"] == [["study.chips", 3, 4]]
    shown = run("report", "diff", out, tmp_path)
    assert shown.exit_code == 0
    assert "-50.00 points" in shown.stdout
    assert "+10 %" in shown.stdout
    assert "The answers are the same." in shown.stdout


def test_mixed_devices_are_refused(run, folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    study = json.loads((other / "study.json").read_text())
    study["device"] = "fefet"
    (other / "study.json").write_text(json.dumps(study))
    done = run("report", folder, other)
    command_refused(done, "device", "rram", "fefet", "--allow-mixed", code="conflict")
    mixed = join_runs([folder, other], allow_mixed=True)
    assert len(mixed.designs) == 14
    table = designs(mixed, 0.2)
    assert [row["device"] for row in table.records()] == ["rram"] * 7 + ["fefet"] * 7
    bases = [row for row in mixed.records() if row["method"].endswith(" / plain")]
    assert [row["edp_overhead_pct"] for row in bases] == [0, 0]
    assert bases[0]["write_pulses"] != bases[1]["write_pulses"] or bases[0] != bases[1]
    assert {own.device for own in mixed.designs} == {"rram", "fefet"}
    assert " on rram" in answer(mixed)[0] or " on fefet" in answer(mixed)[0]


def test_accuracies_of_different_read_paths_are_not_mixed(run, folder, tmp_path):
    other = copied(folder, tmp_path / "other")
    study = json.loads((other / "study.json").read_text())
    study["read_path"] = "exact"
    (other / "study.json").write_text(json.dumps(study))
    done = run("report", folder, other)
    command_refused(done, "read_path", "off", "exact", "--allow-mixed", code="conflict")


def copied(folder: Path, place: Path) -> Path:
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("report"))
    return place


def test_differences_are_to_the_best_of_all_runs_or_not_known(folder, tmp_path):
    """The best is of a run that kept no images: a difference within the other run is not one."""
    older = copied(folder, tmp_path / "older")
    for path in older.glob("methods/*/result.json"):
        content = json.loads(path.read_text())
        del content["validation_right"]
        path.write_text(json.dumps(content))
    both = join_runs([older, folder])
    assert all(design.behind is None for design in both.designs)
    assert Reason.NOISE_OF_CHIPS_ALONE in the_one(both).reasons
    known = join_runs([folder, copied(folder, tmp_path / "same")])
    assert all((design.behind is None) != design.is_priced for design in known.designs)
    assert Reason.NOISE_OF_CHIPS_ALONE not in the_one(known).reasons


@pytest.mark.usefixtures("light")
def test_unfinished_run_says_what_is_missing_and_serves_the_rest(run, folder, tmp_path):
    other = copied(folder, tmp_path / "other")
    (other / "methods" / "verified-sigma0.2-seed0" / "result.json").unlink()
    done = run("report", other, "--format", "json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    (line,) = said["missing"]
    assert "1 of 6 results are missing (verified-sigma0.2-seed0)" in line
    assert f"archsim train {other}/study.json --run {other}" in line
    assert line in done.stderr.replace("\n", " ")
    assert line in html.unescape((other / "report/index.html").read_text())
    row = next(row for row in said["designs"] if row["method"] == "verified")
    assert row["accuracy"] is None
    assert row["area_mm2"] > 0


@pytest.mark.usefixtures("light")
def test_without_a_run_there_is_hardware_alone(run, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(STUDY))
    place = tmp_path / "none"
    done = run("report", tmp_path / "small.yaml", "--no-train", "--run", place, "--format", "json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert all(row["accuracy"] is None for row in said["designs"])
    assert "nothing can be recommended" in said["answer"][0]
    assert "there is no run yet" in said["missing"][0]
    page = (place / "report" / "index.html").read_text()
    assert "No accuracy was measured" in page
    assert not (place / "study.json").exists(), "nothing but the report is written"


def test_run_of_another_version_says_so(folder, tmp_path):
    other = copied(folder, tmp_path / "other")
    about = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**about, "archsim": "0.0.9"}))
    assert "made by archsim 0.0.9" in join(other).gaps[0]
    path = other / "methods" / "plain-sigma0.2-seed0" / "result.json"
    content = json.loads(path.read_text())
    del content["weights"]
    path.write_text(json.dumps(content))
    with refused(
        DataError, code="wrong-file", field=other, says=["'weights':", "archsim", "train"]
    ):
        join(other)


def test_published_claims_stand_beside_ours_with_their_source(run, folder, tmp_path):
    other = copied(folder, tmp_path / "other")
    study = json.loads((other / "study.json").read_text())
    claim = {"quantity": "verified_share", "method": "verified", "number": 0.5, "bound": "<"}
    cost = {"design": "none", "quantity": "period_us", "number": 128.74, "chip": "neurosim-v1.4"}
    study["published_claims"] = [{**claim, "source": "a claim <i>"}]
    study["published_costs"] = [{**cost, "network": "vgg8", "source": "a table"}]
    (other / "study.json").write_text(json.dumps(study))
    claimed, priced = join(other).published
    assert (claimed.ours, claimed.published) == (100.0, 50.0)
    assert priced.ours == pytest.approx(128.73, rel=1e-3, abs=0)
    (table,) = beside((claimed, priced))
    rows = table.records()
    assert [row["deviation"] for row in rows] == ["+100.0 %", "-0.0 %"]
    assert [row["source"] for row in rows] == ["a claim <i>", "a table"]


@pytest.mark.slow
def test_sweep_gives_curves(run, folder, tmp_path, monkeypatch):
    archsim.sweep(
        "tsb-size-x-cell-bits",
        out=tmp_path / "sweep",
        overrides=["sweep.fidelity=hardware", "sweep.objectives=[edp,area]"],
    )
    place = tmp_path / "report"
    render_only(monkeypatch, "size-channels", "size-bits-per-cell")
    done = run("report", folder, "--sweep", tmp_path / "sweep", "--folder", place)
    assert done.exit_code == 0, done.output
    for suffix in ("png", "svg", "pdf"):
        for name in ("channels", "bits-per-cell"):
            assert_image(place / "figures" / f"size-{name}.{suffix}")
    rows = pd.read_parquet(place / "tables" / "size-curves.parquet")
    assert len(rows) == 27
    own = rows[(rows["design"] == "common") & (rows["tsb.channels"] == 5)]
    own = own[own["chip.precision.bits_per_cell"] == 2]
    alone = map_network("lenet3", design="common", overrides=["tsb.channels=5"]).totals
    assert float(own["edp_uJ_us"].iloc[0]) == pytest.approx(alone["edp_uJ_us"], rel=1e-9, abs=0)
    assert 'id="chart-curves"' in (place / "index.html").read_text()
    said = json.loads((place / "report.json").read_text())
    file, out = place / "sweep.yaml", tmp_path / "sweep"
    command = f"archsim sweep {file} --out {out} --resume"
    assert command in said["commands"]
    assert run(*command.split()[1:]).exit_code == 0, "the same sweep"
    assert run("report", folder, "--folder", tmp_path / "other").exit_code == 0
    found = json.loads(run("report", "diff", place, tmp_path / "other", "--format", "json").stdout)
    assert [own[0] for own in found["inputs"]] == ["sweeps"]
    again = run("report", folder, "--folder", place)
    assert again.exit_code == 0
    assert not (place / "figures" / "size-channels.png").exists(), "of the former report"


def test_sweep_of_another_network_is_refused(run, folder, tmp_path):
    archsim.sweep("tsb-size-vgg8", out=tmp_path / "sweep")
    done = run("report", folder, "--sweep", tmp_path / "sweep", "--folder", tmp_path / "report")
    command_refused(done, "network", "vgg8", "lenet3", "--allow-mixed", code="conflict")


@pytest.mark.parametrize(
    ("keys", "devices"),
    [
        ({"device": "pcm"}, ["pcm"]),
        ({"axes": {"device": ["rram", "pcm", "fefet"]}}, ["fefet", "pcm"]),
        ({"axes": {"chip.device": ["rram", "pcm"]}}, ["pcm"]),
        ({"set": ["chip.device=fefet"]}, ["fefet"]),
    ],
)
def test_sweep_of_another_device_is_refused(run, folder, tmp_path, keys, devices):
    axes = {"tsb.channels": [2, 5], **keys.get("axes", {})}
    sweep = {
        "name": "own", "network": "lenet3", "design": "common", "axes": axes,
        "objectives": ["edp", "area"],
    }  # fmt: skip
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({**keys, **sweep}))
    assert run("sweep", file, "--out", tmp_path / "sweep").exit_code == 0
    place = tmp_path / "report"
    done = run("report", folder, "--sweep", tmp_path / "sweep", "--folder", place)
    command_refused(done, "device", *devices, "rram", "--allow-mixed", code="conflict")


@pytest.mark.usefixtures("light")
def test_sweep_whose_device_file_is_gone_is_reported_all_the_same(run, folder, tmp_path):
    device = tmp_path / "mine.yaml"
    device.write_text("extends: rram\nname: mine\n")
    settings = {"axes": {"tsb.channels": [2, 5]}, "objectives": ["edp", "area"]}
    sweep = {"name": "own", "network": "lenet3", "design": "common", "device": str(device)}
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({**sweep, **settings}))
    assert run("sweep", file, "--out", tmp_path / "sweep").exit_code == 0
    arguments = ("report", folder, "--sweep", tmp_path / "sweep", "--folder", tmp_path / "report")
    command_refused(run(*arguments), "mine", "--allow-mixed", code="conflict")
    device.unlink()
    command_refused(run(*arguments), str(device), "--allow-mixed", code="conflict")
    assert run(*arguments, "--allow-mixed").exit_code == 0


@pytest.mark.slow
def test_report_shows_in_a_notebook(folder, tmp_path, monkeypatch):
    render_only(monkeypatch, "accuracy-cost-sigma0.2")
    written = archsim.report(folder, folder=tmp_path)
    shown = written._repr_html_()
    assert "TSB &lt;script&gt; (common)" in shown
    assert "<script" not in shown
    assert "data:image/png;base64," in shown
    assert written.figure("floorplan-common").is_file()
    facts: dict[str, Any] = {"code": "unknown-name", "field": "figure", "value": "nonsense.svg"}
    with refused(DataError, **facts, allowed=["accuracy-cost-sigma0.2"]):
        written.figure("nonsense")


@pytest.mark.parametrize(
    ("arguments", "code", "facts"),
    [
        (("report", "nonsense"), "unknown-name", ("'nonsense'", "tsb-lenet3")),
        (("report", "a", "b"), "missing-file", ("a:",)),
        (("report", "diff", "a", "b"), "missing-file", ("a:", "report.json")),
        (("report", ".", "--set", "study.chips=2"), "conflict", ("--run", "--set")),
        (("report", "."), "missing-file", (".:", "study.json")),
        (
            ("report", "tsb-lenet3", "--no-train", "--sweep", "."),
            "missing-file",
            (".:", "sweep.json"),
        ),
        (("report", "--out", "."), "cannot-write", (".:", "--folder")),
    ],
)
def test_bad_input(run, arguments, code, facts):
    command_refused(run(*arguments), *facts, code=code)


def test_designs_table_marks_the_answer_and_the_most_accurate_by_validation(result):
    labels = [row[0] for row in designs(result, 0.2).texts()]
    own = the_one(result).design
    assert own is not None
    (marked,) = [label for label in labels if "recommended" in label]
    assert marked.startswith(f"{own.label} (recommended")
    best = [each.label for each in result.designs if each.chosen]
    said = [label for label in labels if "most accurate in validation" in label]
    assert best
    assert len(said) == len(best)
    assert all(label.startswith(name) for label, name in zip(said, best, strict=True))
    assert not any("chosen" in label for label in labels)


def test_every_method_is_said_in_one_line(result, out):
    said = dict(methods(result).rows)
    assert said["plain"] == "noise injection; one pulse per cell; no repair"
    assert said["TSB <script>"].endswith("shared block of 5 channels (verified)")
    assert list(said) == [own["name"] for own in STUDY["methods"]]
    own = the_one(result).design
    assert own is not None
    assert f"{own.label} [{said[own.method]}]" in answer(result)[0]
    page = html.unescape((out / "index.html").read_text())
    for line in said.values():
        assert f">{line}</td>" in page
    assert 'class="badge">most accurate (validation)<' in page


@pytest.mark.usefixtures("light")
def test_terminal_says_what_the_methods_are(run, folder, tmp_path):
    shown = run("report", folder, "--folder", tmp_path)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "- verified: noise injection; all weights verified; no repair" in text
    assert "(recommended" in text


def test_encodings_stand_beside_accuracy_and_cost(result: JointResult) -> None:
    """The accuracy assumes magnitude, the chip stores offset: said once, with the factor."""
    content = result.to_dict()
    assert {(row["encoding"], row["chip_encoding"]) for row in content["designs"]} == {
        ("magnitude", "offset")
    }
    (warning,) = content["warnings"]
    assert "2.01" in warning
