"""Studies: units, results, resuming, growing, and the same numbers whatever the processes."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pandas as pd
import pytest
import torch

from archsim import __version__
from archsim.config.study import Study
from archsim.errors import ArchsimError, ConfigError, DataError, NetworkError
from archsim.results.method_row import MethodRow, frame_of
from tests.refusals import refused, tells, warned
from tsb.program.chip import ProgrammedChip, deploy_all
from tsb.study import StudyRun, method_rows, open_run, results, run_study, work
from tsb.study import run as run_module
from tsb.study.estimate import backbone_passes, method_passes, multiply_adds
from tsb.study.network import graph_of
from tsb.study.programming import cell_model
from tsb.study.run import Step
from tsb.study.seed_result import seed_result
from tsb.study.units import backbone_units, chip_seeds, method_settings, method_units

DATA = Path(__file__).parents[2] / "data" / "mnist"
BASE: dict[str, Any] = {
    "name": "small",
    "network": "lenet3",
    "data": "mnist",
    "sigma": [0.2],
    "chips": 3,
    "runs": 2,
    "test_images": 200,
    "score_images": 100,
    "backbones": {
        "noise": {"epochs": 12, "batch_size": 50, "validation_instances": 2},
        "bounded": {"epochs": 12, "batch_size": 50, "validation_instances": 2, "clip": 1.5},
    },
    "tuning": {"steps": 20, "batch_size": 50},
    "methods": [
        {"name": "plain"},
        {"name": "TSB", "corrections": "tsb"},
        {"name": "verified", "write": "all"},
        {"name": "a tenth", "write": "u-swim", "fraction": 0.1},
        {"name": "bounded", "backbone": "bounded", "corrections": "output-match+biases"},
    ],
}


def study(**changes: Any) -> Study:
    return Study.model_validate({**BASE, **changes})


def table_of(study: Study, folder: Path) -> pd.DataFrame:
    return frame_of(method_rows(study, folder))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> StudyRun:
    run = open_run(tmp_path_factory.mktemp("study"), study())
    run_study(run, data_root=str(DATA))
    return run


def test_units_are_worked_out_once() -> None:
    whole = study(sigma=[0.1, 0.2], seeds=[0, 1])
    assert len(method_units(whole)) == 2 * 2 * 5
    # noise-free once per seed; two backbones per sigma and seed, however many methods use them
    assert len(backbone_units(whole)) == 2 + 2 * 2 * 2
    for units in (backbone_units(whole), method_units(whole)):
        assert len({unit.folder for unit in units}) == len(units)


def test_a_backbone_of_fixed_sigma_is_trained_once_for_all_chips() -> None:
    fixed = study(
        sigma=[0.1, 0.2], backbones={"noise": {"sigma": 0.0}}, methods=[{"name": "plain"}]
    )
    assert len(backbone_units(fixed)) == 1 + 1


def test_chips_of_different_seeds_differ() -> None:
    both = [set(chip_seeds(study(), seed)) for seed in (0, 1)]
    assert not both[0] & both[1]
    assert [len(seeds) for seeds in both] == [3, 3]


def test_table(done: StudyRun) -> None:
    table = table_of(done.study, done.folder).set_index("method")
    assert list(table.index) == ["plain", "TSB", "verified", "a tenth", "bounded"]
    assert (table["chips"] == 3).all()
    assert table.loc["TSB", "runs"] == 2
    assert table.loc["plain", "runs"] == 1  # nothing is written again
    assert table.loc["TSB", "extra_weights"] == table.loc["TSB", "verified_weights"] == 25
    assert table.loc["verified", "verified_weights"] == 5395
    assert table.loc["a tenth", "verified_weights"] == 540
    assert table.loc["bounded", "digital_parameters"] == 10 + 10 + 25
    assert table.loc["bounded", "digital_products"] == 10
    assert table.loc["plain", "gap_closed"] == 0
    accuracy = table["accuracy"]
    # Three chips and 200 images: only what is large can be asked for.
    assert accuracy["verified"] > accuracy["plain"]
    assert accuracy["bounded"] > accuracy["plain"]


def test_gap_is_that_of_the_definition(done: StudyRun) -> None:
    table = table_of(done.study, done.folder).set_index("method")
    ideal = table.loc["plain", "ideal_accuracy"]
    gap, whole = ideal - table.loc["TSB", "accuracy"], ideal - table.loc["plain", "accuracy"]
    assert table.loc["TSB", "gap_closed"] == pytest.approx(1 - gap / whole)
    assert table.loc["TSB", "gap_shrink"] == pytest.approx(whole / gap)


def test_gain_is_paired(done: StudyRun) -> None:
    """On the same chips: its interval is that of the differences, not of the accuracies."""
    table = table_of(done.study, done.folder).set_index("method")
    rows = {
        name: torch.tensor(
            json.loads(
                (done.folder / "methods" / f"{name}-sigma0.2-seed0" / "result.json").read_text()
            )["accuracy"]
        ).mean(1)
        for name in ("plain", "verified")
    }
    gains = rows["verified"] - rows["plain"]
    assert table.loc["verified", "gain"] == pytest.approx(float(gains.mean()), rel=1e-5)
    low, high = table.loc["verified", "gain_low"], table.loc["verified", "gain_high"]
    # Student's t of 2 degrees of freedom at 97.5 %: 4.3027 (any table)
    half_width = 4.3027 * float(gains.std()) / 3**0.5
    assert (high - low) / 2 == pytest.approx(half_width, rel=1e-3)
    assert table.loc["plain", "gain"] == 0


def test_training_effort_counts_multiply_adds(done: StudyRun) -> None:
    table = table_of(done.study, done.folder).set_index("method")
    assert table.loc["plain", "backbone_macs_share"] == 1
    # LeNet-3: 5 maps of 28 x 28 from 3 x 3 pixels, 10 of 14 x 14 from 5 x 3 x 3, 490 inputs and 10
    # outputs. The block of 5 channels goes over each pixel of the first maps once, of the second
    # twice. 20 steps of 50 images, of 12 epochs of 12 steps of 50: 634 training images.
    network = 5 * 28**2 * 9 + 10 * 14**2 * 45 + 4900
    block = 25 * (28**2 + 2 * 14**2)
    share = 20 / (12 * 12) * (1 + block / network)
    assert table.loc["TSB", "macs_share"] == pytest.approx(1 + share)
    assert table.loc["TSB", "tune_macs_share"] == pytest.approx(share)
    assert table.loc["plain", "tune_macs_share"] == 0


def test_results_that_counted_the_network_alone_are_raised(done: StudyRun, tmp_path: Path) -> None:
    """Tables of old and new results compare: the block is added to those that left it out."""
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    path = folder / "methods" / "TSB-sigma0.2-seed0" / "result.json"
    found = json.loads(path.read_text())
    whole = found["tune_macs"]
    found["tune_macs"] = 3 * 20 * 50 * (whole // (3 * 20 * 50) - found.pop("correction_macs"))
    assert found["tune_macs"] < whole
    path.write_text(json.dumps(found))
    one, two = (table_of(done.study, place).set_index("method") for place in (done.folder, folder))
    share = one.loc["TSB", "tune_macs_share"]
    assert two.loc["TSB", "tune_macs_share"] == pytest.approx(share, rel=1e-12)


def test_results_say_what_made_them(done: StudyRun) -> None:
    for path in done.folder.glob("*/*/result.json"):
        found = json.loads(path.read_text())
        assert found["archsim"] == __version__
        assert found["commit"] == json.loads((done.folder / "run.json").read_text())["commit"]
    table = table_of(done.study, done.folder)
    assert set(table["computed_on"]) == set(table["backbone_computed_on"]) == {"cpu"}
    assert (table["backbone_seconds"] > 0).all()


def test_work_is_known_beforehand(done: StudyRun) -> None:
    """By hand: 634 training, 66 validation, 200 test images; 12 steps of 50 an epoch."""
    whole, data = study(), work.dataset_of(study(), str(DATA))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [634, 66, 200]
    free, noise, _ = backbone_units(whole)
    assert backbone_passes(whole, free, data) == 12 * (3 * 600 + 2 * 66) + 200
    assert backbone_passes(whole, noise, data) == 12 * (3 * 600 + 3 * 66) + 200
    passes = {unit.method: method_passes(whole, unit, data) for unit in method_units(whole)}
    assert passes["plain"] == passes["verified"] == 3 * (200 + 66)
    assert passes["TSB"] == 3 * (2 * 200 + 66 + 3 * 20 * 50)
    assert passes["bounded"] == 3 * (200 + 66 + 3 * 20 * 50 + 634)
    told = json.loads((done.folder / "backbones" / noise.folder / "result.json").read_text())
    macs = sum(layer.macs for layer in graph_of(whole).layers)
    assert told["training_macs"] == 12 * 3 * 600 * macs
    assert multiply_adds(whole, [noise], data, macs) == backbone_passes(whole, noise, data) * macs


def test_long_work_on_a_cpu_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_LONG_h", 0)
    monkeypatch.setattr(run_module, "_one_by_one", lambda *arguments: None)
    with warned("'small':", "multiply-adds", "--device", "cuda"):
        run_study(open_run(tmp_path, study()), data_root=str(DATA))


def test_nothing_is_done_twice(done: StudyRun) -> None:
    steps: list[Step] = []
    run_study(open_run(done.folder, study()), data_root=str(DATA), news=steps.append)
    assert steps == []


def test_what_a_kill_left_half_written_is_removed(done: StudyRun) -> None:
    unit = next((done.folder / "methods").iterdir())
    left = unit / ".result.json.edf3d7d4.tmp"
    left.write_bytes(b"half of it")
    own = unit / ".notes.tmp"
    own.write_bytes(b"of the user")
    before = set(done.folder.rglob("*"))
    run_study(open_run(done.folder, study()), data_root=str(DATA))
    assert before - set(done.folder.rglob("*")) == {left}
    own.unlink()


def test_a_study_may_grow(done: StudyRun) -> None:
    steps: list[Step] = []
    more = study(methods=[*BASE["methods"], {"name": "biases", "corrections": "biases"}])
    run_study(open_run(done.folder, more), data_root=str(DATA), news=steps.append)
    said = [(step.stage, step.phase, step.done, step.total) for step in steps]
    phases = [("methods", phase, 0, 1) for phase in ("program", "repair", "evaluate")]
    assert said == [*phases, ("methods", None, 1, 1)]
    assert "biases" in set(table_of(more, done.folder)["method"])


def test_a_run_keeps_what_it_has(done: StudyRun, tmp_path: Path) -> None:
    """One method of the study alone: the others stay in the table, and the baseline too."""
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    before = set(table_of(open_run(folder).study, folder)["method"])
    few = study(methods=[BASE["methods"][0], {"name": "scales", "corrections": "scales"}])
    run_study(open_run(folder, few), data_root=str(DATA))
    after = table_of(open_run(folder).study, folder)
    assert set(after["method"]) == before | {"scales"}
    assert open_run(folder).study.baseline_name == "plain"


def test_another_device_under_the_same_name_is_refused(tmp_path: Path) -> None:
    device = tmp_path / "mine.yaml"
    device.write_text("extends: rram\nname: mine\n", encoding="utf-8")
    quick = study(
        device=str(device),
        backbones={"noise": {"epochs": 1, "batch_size": 50}},
        methods=BASE["methods"][:1],
    )
    run_study(open_run(tmp_path / "run", quick), data_root=str(DATA))
    open_run(tmp_path / "run", quick)
    text = "extends: rram\nname: mine\ndescription: other\n"
    device.write_text(text, encoding="utf-8")
    says = ["device_hash:", "--run,"]
    with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=says):
        open_run(tmp_path / "run", quick)


def other_digits(folder: Path) -> Path:
    """The same data set but for one pixel of its last test image."""
    shutil.copytree(DATA, folder)
    path = folder / "t10k-images-idx3-ubyte.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    return folder


QUICK: dict[str, Any] = {
    "backbones": {"noise": {"epochs": 1, "batch_size": 50}},
    "methods": BASE["methods"][:1],
    "test_images": None,
}


def test_other_images_under_the_same_name_are_refused(tmp_path: Path) -> None:
    other = other_digits(tmp_path / "other")
    run = open_run(tmp_path / "run", study(**QUICK))
    run_study(run, data_root=str(DATA))
    run_study(open_run(run.folder, study(**QUICK)), data_root=str(DATA))
    steps: list[Step] = []
    says = ["noise", "(data_hash.test:", "--data-root"]
    # Also for a seed of which the folder has nothing yet.
    for seeds in ([0], [1]):
        grown = open_run(run.folder, study(**QUICK, seeds=seeds))
        with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=says):
            run_study(grown, data_root=str(other), news=steps.append)
    assert steps == []


def test_results_of_before_the_images_were_recorded_are_kept(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run", study(**QUICK))
    run_study(run, data_root=str(DATA))
    for path in run.folder.glob("*/*/result.json"):
        found = json.loads(path.read_text())
        del found["settings"]["data_hash"]
        path.write_text(json.dumps(found))
    more = study(**{**QUICK, "methods": BASE["methods"][:2]})
    run_study(open_run(run.folder, more), data_root=str(DATA))
    assert len(method_rows(more, run.folder)) == 2
    says = ["TSB", "data_hash"]
    with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=says):
        run_study(open_run(run.folder, more), data_root=str(other_digits(tmp_path / "other")))


def test_methods_share_the_images_of_their_runs(tmp_path: Path) -> None:
    """Two names for the same method, one of them behind a method that draws more numbers."""
    own = study(
        sigma=[0.02],
        images_per_run=25,
        runs=6,
        backbones={"noise": {"epochs": 1, "batch_size": 50}},
        methods=[{"name": "plain"}, {"name": "none", "corrections": "tsb", "steps": 0}],
    )
    run_study(open_run(tmp_path, own), data_root=str(DATA))
    plain, none = (
        json.loads((tmp_path / "methods" / f"{name}-sigma0.02-seed0" / "result.json").read_text())
        for name in ("plain", "none")
    )
    assert plain["images"] == none["images"] == 25
    table, other = (torch.tensor(found["accuracy"]) for found in (plain, none))
    assert table.shape == other.shape == (3, 6)
    # A block that is not trained is the identity but for its small writing error: the same answers
    # to nearly all of the same images. Other images would differ as those of other runs do.
    assert float(table.std(1).mean()) > 0.03
    assert float((table - other).abs().mean()) < 0.02


def test_other_settings_are_refused(done: StudyRun) -> None:
    says = ["train.epochs:", "12", "5"]
    with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=says):
        open_run(
            done.folder,
            study(backbones={"noise": {**BASE["backbones"]["noise"], "epochs": 5}, "bounded": {}}),
        )
    with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=["chips:", "3", "4"]):
        open_run(done.folder, study(chips=4))


def test_processes_do_not_change_numbers(done: StudyRun, tmp_path: Path) -> None:
    other = open_run(tmp_path, study(methods=BASE["methods"][:2]))
    run_study(other, data_root=str(DATA), jobs=2)
    for name in ("plain-sigma0.2-seed0", "TSB-sigma0.2-seed0"):
        one, two = (
            json.loads((run.folder / "methods" / name / "result.json").read_text())["accuracy"]
            for run in (done, other)
        )
        assert one == two


def test_methods_share_their_chips(
    done: StudyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a method does not verify has the same errors as without it; the rest smaller ones."""
    chips: list[ProgrammedChip] = []

    def record(*arguments: Any, **more: Any) -> list[ProgrammedChip]:
        made = deploy_all(*arguments, **more)
        chips.extend(made)
        masks.extend([more["verified"]] * len(made))
        return made

    masks: list[Any] = []
    monkeypatch.setattr(work, "deploy_all", record)
    copy = shutil.copytree(done.folder, tmp_path / "copy")
    for name in ("plain", "a tenth"):
        (unit,) = (u for u in method_units(done.study) if u.method == name)
        work.method_unit(done.study, unit, copy, str(DATA))
    plain, tenth = chips[:3], chips[3:]
    for one, other, mask in zip(plain, tenth, masks[3:], strict=True):
        assert one.seed == other.seed
        for weight, own in mask.items():
            wanted = one.wanted[weight]
            errors = [chip.stored[weight] - wanted for chip in (one, other)]
            assert torch.equal(errors[0][~own], errors[1][~own])
            ratio = errors[1][own] / errors[0][own]
            # The same normal number, times the residual instead of the spread.
            assert float(ratio.min()) > 0
            assert float(ratio.max()) < 0.5
    assert sum(int(own.sum()) for own in masks[3].values()) == 540


#: What every ``result.json`` has, of three chips.
RESULT: dict[str, Any] = {
    "method": "plain",
    "sigma": 0.2,
    "seed": 0,
    "images": 100,
    "accuracy": [[0.9], [0.8], [0.7]],
    **dict.fromkeys(("weights", "extra_weights", "written_weights", "verified_weights"), 10),
    "digital_parameters": 0,
    "copied_weights": 0,
    "tune_macs": 0,
    "diverged": False,
}


@pytest.mark.parametrize("key", [key for key in RESULT if key not in ("method", "sigma", "seed")])
def test_a_result_of_another_version_is_refused_with_the_command(
    done: StudyRun, tmp_path: Path, key: str
) -> None:
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    path = folder / "methods" / "TSB-sigma0.2-seed0" / "result.json"
    found = json.loads(path.read_text())
    del found[key]
    path.write_text(json.dumps(found))
    command = f"archsim train {folder}/study.json --run ANOTHER-FOLDER"
    says = [f"'{key}':", *command.split()]
    with refused(DataError, code="wrong-file", field=folder, says=says):
        method_rows(done.study, folder)


def test_chips_that_diverged_are_counted() -> None:
    """Recorded chip by chip; older results have one flag for all chips of a unit."""
    recorded = ([False, True, False], True, False)
    found = [seed_result({**RESULT, "diverged": value}, {}, {}) for value in recorded]
    assert [result.diverged for result in found] == [1, 3, 0]


def test_what_is_off_is_not_part_of_a_result() -> None:
    """Runs of before read noise and drift existed go on; those with them are others."""
    (unit,) = method_units(study(methods=BASE["methods"][:1]))
    off = method_settings(study(methods=BASE["methods"][:1]), unit)
    assert not {"read_noise", "read_after_s", "compensation", "compensated_after_s"} & off.keys()
    on = study(methods=BASE["methods"][:1], device="pcm", read_noise=True, read_after_s=3600)
    assert method_settings(on, unit).items() >= {"read_noise": True, "read_after_s": 3600}.items()
    again = on.model_copy(update={"compensation": "layer", "compensated_after_s": 60.0})
    given = {"compensation": "layer", "compensated_after_s": 60.0}
    assert method_settings(again, unit) == {**method_settings(on, unit), **given}


def test_settings_of_the_device_are_part_of_a_result_and_those_of_the_converter_of_a_read_one():
    plain = study(methods=BASE["methods"][:1])
    (unit,) = method_units(plain)
    drawn = {"device.stuck_on_rate": 0.01, "chip.adc.bits": 4}
    changed = study(methods=BASE["methods"][:1], chip_settings=drawn)
    assert "chip_settings" not in method_settings(plain, unit)
    found = method_settings(changed, unit)
    assert found["chip_settings"] == {"device.stuck_on_rate": 0.01}
    assert {key: found[key] for key in found if key != "chip_settings"} == method_settings(
        plain, unit
    )
    read = study(methods=BASE["methods"][:1], chip_settings=drawn, read_path="exact")
    assert method_settings(read, unit)["read_path"]["converter"]["bits"] == 4
    assert method_settings(read, unit)["chip_settings"] == found["chip_settings"]


def test_chips_drift_after_they_are_tuned_and_every_run_is_another_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same chips and corrections; drifted for a year they are worse, read noise adds runs."""
    common: dict[str, Any] = {
        "device": "pcm",
        "sigma": [0.05],
        "runs": 4,
        "methods": [{"name": "plain"}, {"name": "scales", "corrections": "scales+biases"}],
    }
    found: dict[str, dict[str, Any]] = {}
    for name, more in (("now", {}), ("later", {"read_noise": True, "read_after_s": 3.2e7})):
        own = study(**common, **more)
        folder = (
            shutil.copytree(found["now"]["folder"], tmp_path / name) if found else tmp_path / "now"
        )
        if found:
            shutil.rmtree(folder / "methods")
        run_study(open_run(folder, own), data_root=str(DATA))
        table = table_of(own, folder).set_index("method")
        results_of = {
            method: json.loads(
                (folder / "methods" / f"{method}-sigma0.05-seed0" / "result.json").read_text()
            )
            for method in ("plain", "scales")
        }
        files = sorted((folder / "methods" / "scales-sigma0.05-seed0").glob("*.safetensors"))
        found[name] = {"folder": folder, "table": table, "files": files, **results_of}
    now, later = found["now"], found["later"]
    assert [file.read_bytes() for file in now["files"]] == [
        file.read_bytes() for file in later["files"]
    ]
    assert len(now["files"]) == 3
    assert (now["table"]["runs"] == 1).all()
    assert (later["table"]["runs"] == 4).all()
    assert now["table"].loc["plain", "std_run"] is None
    assert later["table"].loc["plain", "std_run"] > 0
    assert (later["table"]["accuracy"] < now["table"]["accuracy"] - 0.02).all()
    for method in ("plain", "scales"):
        assert later[method]["validation_accuracy"] < now[method]["validation_accuracy"]
    age = study(**common, read_after_s=1e9)
    quiet = open_run(tmp_path / "age", age)
    monkeypatch.setattr(run_module, "_one_by_one", lambda *arguments: None)
    with warned("read_after_s = 1e+09", "'pcm'"):
        run_study(quiet, data_root=str(DATA))
    says = ["read_after_s:", "null", "2600000.0"]
    with refused(ConfigError, code="conflict", field=ANY, value=ANY, says=says):
        open_run(now["folder"], study(**common, read_after_s=2.6e6))


def test_intervals_of_chips_and_of_backbones() -> None:
    """By hand: two backbones of three chips, 0.90 0.91 0.92 and 0.96 0.97 0.98; t4 and t1."""
    rows = [
        seed_result(
            {**RESULT, "seed": seed, "accuracy": [[base], [base + 0.01], [base + 0.02]]},
            {},
            {"clean_accuracy": 0.99},
        )
        for seed, base in enumerate((0.90, 0.96))
    ]
    chips = results._chip_means(rows)
    low, high = results._within(chips)
    assert (low + high) / 2 == pytest.approx(0.94)
    # Student's t of 4 degrees of freedom at 97.5 %: 2.7764; each variance of a mean 1e-4 / 3.
    assert (high - low) / 2 == pytest.approx(2.7764 * (2 * 1e-4 / 3 / 4) ** 0.5, rel=1e-4)
    baseline = [replace(row, accuracy=((0.89 + 0.03 * i,),) * 3) for i, row in enumerate(rows)]
    plain = MethodRow(method="plain", sigma=0.2)
    found = results._against(plain, rows, baseline)
    closed = [1 - 0.08 / 0.10, 1 - 0.02 / 0.07]
    middle = (found.gap_closed_low + found.gap_closed_high) / 2
    assert middle == pytest.approx(sum(closed) / 2)
    half = (found.gap_closed_high - found.gap_closed_low) / 2
    # t of one degree of freedom: 12.706
    assert half == pytest.approx(12.706 * abs(closed[1] - closed[0]) / 2, rel=1e-3)
    assert found.gain == pytest.approx(0.035)
    assert results._against(plain, rows[:1], baseline[:1]).gain_backbone_low is None


def test_cells_are_those_of_the_device() -> None:
    cell = cell_model(study(bits_per_cell=1), 0.3)
    assert (cell.sigma, cell.bits_per_cell) == (0.3, 1)
    with pytest.raises(ConfigError) as caught:
        cell_model(study(bits_per_cell=8), 0.3)
    tells(str(caught.value), "chip.precision.bits_per_cell = 8", "1 to 4")


@pytest.mark.parametrize(
    ("changes", "error", "code", "field", "facts"),
    [
        (
            {"network": "lenet4"},
            ConfigError,
            "unknown-name",
            "study.network",
            {"value": "lenet4", "nearest": "lenet3"},
        ),
        (
            {"network": "vgg8"},
            ConfigError,
            "shape-mismatch",
            "study.data",
            {"value": "mnist", "says": ["(1,", "(3,", "'vgg8'"]},
        ),
        (
            {"options": {"num_classes": 7}},
            ConfigError,
            "shape-mismatch",
            "study.data",
            {"value": "mnist", "says": ["10", "7;"]},
        ),
        (
            {"tsb": {"channels": 64}},
            ConfigError,
            "out-of-range",
            "tsb channels",
            {"value": 64, "allowed": "1 to 10"},
        ),
        (
            {"methods": [{"name": "x", "corrections": "batch-norm"}]},
            NetworkError,
            "unsupported",
            "batch-norm",
            {"value": "lenet3"},
        ),
        (
            {"device": "sram", "bits_per_cell": 1},
            ConfigError,
            "conflict",
            "device",
            {"value": "sram"},
        ),
        (
            {"methods": [{"name": "a b"}, {"name": "a-b"}]},
            ConfigError,
            "conflict",
            "study",
            {"value": ("a b", "a-b")},
        ),
        (
            {"backbones": {"noise-free": {}}, "methods": [{"name": "x"}]},
            ConfigError,
            "given-twice",
            "study.backbones",
            {"value": "noise-free"},
        ),
        (
            {"tuning": {"batch_size": 99999}},
            ConfigError,
            "out-of-range",
            "study.tuning.batch_size",
            {"value": 99999},
        ),
        (
            {"images_per_run": 5000},
            ConfigError,
            "out-of-range",
            "study.images_per_run",
            {"value": 5000, "allowed": "1 to 200"},
        ),
        (
            {"methods": [{"name": "x", "copies": {"fc.weigth": 2}}]},
            ConfigError,
            "unknown-name",
            "study.methods.copies",
            {"value": "fc.weigth", "nearest": "fc.weight"},
        ),
        (
            {"methods": [{"name": "x", "write": "last-layers", "last_layers": 9}]},
            ConfigError,
            "out-of-range",
            "study.methods.last_layers",
            {"value": 9, "allowed": "1 to 3", "says": ["'x';"]},
        ),
        (
            {
                "sigma": [0.9],
                "backbones": {"o": {"objective": "neft-ovf"}},
                "methods": [{"name": "x"}],
            },
            ConfigError,
            "out-of-range",
            "study.backbones.o",
            {"value": 0.9, "says": ["0.15"]},
        ),
        (
            {"read_after_s": 3600},
            ConfigError,
            "conflict",
            "read_after_s",
            {"value": 3600, "says": ["'rram'", "pcm"]},
        ),
        (
            {"read_noise": True},
            ConfigError,
            "conflict",
            "study.read_noise",
            {"value": True, "says": ["'rram'", "pcm"]},
        ),
        (
            {"compensation": "layer"},
            ConfigError,
            "conflict",
            "study.compensation",
            {"value": "layer"},
        ),
        (
            {"compensation": "layer", "read_path": "exact", "read_after_s": 60, "device": "pcm"},
            ConfigError,
            "conflict",
            "study.compensation",
            {"value": "layer"},
        ),
        (
            {"compensated_after_s": 60},
            ConfigError,
            "conflict",
            "study.compensated_after_s",
            {"value": 60},
        ),
        (
            {"data": "mnits"},
            ConfigError,
            "unknown-name",
            "study.data",
            {"value": "mnits", "nearest": "mnist"},
        ),
    ],
)
def test_refused_before_anything_is_trained(
    changes: dict[str, Any],
    error: type[ArchsimError],
    code: str,
    field: str,
    facts: dict[str, Any],
    tmp_path: Path,
) -> None:
    steps: list[Step] = []
    with refused(error, code=code, field=field, **facts):
        run_study(open_run(tmp_path, study(**changes)), data_root=str(DATA), news=steps.append)
    assert steps == []


def test_a_device_that_holds_fewer_bits_is_refused_before_anything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run_study(open_run(tmp_path, study(device="sram")), data_root=str(DATA))
    tells(str(caught.value), "'sram'", "1 to 1")


def test_a_first_epoch_that_diverges_is_told(tmp_path: Path) -> None:
    wild = study(
        backbones={"noise": {"epochs": 1, "batch_size": 50, "learning_rate": 1e30}},
        methods=BASE["methods"][:1],
    )
    facts: dict[str, Any] = {"code": "not-finite", "field": ANY}
    with refused(ConfigError, **facts, allowed="1e+30", says=["learning_rate"]):
        run_study(open_run(tmp_path, wild), data_root=str(DATA))
    tame = study(backbones={"noise": {"epochs": 1, "batch_size": 50}}, methods=BASE["methods"][:1])
    run_study(open_run(tmp_path, tame), data_root=str(DATA))
    assert len(method_rows(tame, tmp_path)) == 1


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_text("{"), lambda path: path.write_bytes(b"\xff\xfe")]
)
def test_damaged_results(damage: Callable[[Path], object], done: StudyRun, tmp_path: Path) -> None:
    place = tmp_path / "methods" / "plain-sigma0.2-seed0"
    place.mkdir(parents=True)
    damage(place / "result.json")
    with refused(DataError, code="damaged-file", field=place / "result.json"):
        open_run(tmp_path, study())


def test_not_a_run(tmp_path: Path) -> None:
    says = ["archsim", "train"]
    with refused(DataError, code="missing-file", field=tmp_path, says=says):
        open_run(tmp_path)
    (tmp_path / "study.json").write_text("[]")
    with refused(DataError, code="damaged-file", field=tmp_path / "study.json", says=["list"]):
        open_run(tmp_path)


def test_jobs(tmp_path: Path) -> None:
    with refused(ConfigError, code="out-of-range", field="jobs", value=0, allowed="1 or more"):
        run_study(open_run(tmp_path, study()), data_root=str(DATA), jobs=0)


def test_backbones_are_reproducible(done: StudyRun, tmp_path: Path) -> None:
    from tsb.checkpoint import load_checkpoint

    other = open_run(tmp_path, study(methods=BASE["methods"][:1]))
    run_study(other, data_root=str(DATA))
    name = Path("backbones") / "noise-sigma0.2-seed0" / "best.safetensors"
    one, two = (load_checkpoint(run.folder / name).tensors for run in (done, other))
    assert all(torch.equal(one[key], two[key]) for key in one)
