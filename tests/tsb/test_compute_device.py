"""Studies on another device: names, refusals, and the same numbers as on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from archsim.config.study import Study
from archsim.errors import ConfigError
from tests.house.helpers import ROOT
from tests.refusals import refused
from tests.tsb.study.other_device_study import DATA, LENET, RESNET, results
from tsb.checkpoint import read_tensors
from tsb.compute_device import CPU, compute_device, describe
from tsb.study import open_run, run_study

GPU = torch.cuda.is_available()
#: What differs from one run to the next, and what says where it was.
OWN = ("seconds", "tune_seconds", "computed_on", "backend")
#: A share of the smallest set of images that is looked at, and a bit.
ONE_IMAGE = 1.01 / RESNET["images_per_run"]


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "CPU", "", "cpu:0", "cuda:0 ", "rram"])
def test_unknown_devices_are_refused(name: str) -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "device", "value": name}
    with refused(ConfigError, **facts, allowed="cpu, cuda, cuda:N, auto", says=["study.device"]):
        compute_device(name)


def test_names_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert compute_device("cpu", jobs=4) == compute_device("auto", jobs=4) == CPU
    assert describe(CPU) == "cpu"
    for name in ("cuda", "cuda:1"):
        facts: dict[str, Any] = {"code": "unsupported", "field": "device", "value": name}
        with refused(ConfigError, **facts, allowed="cpu, auto", says=["GPU,", "PyTorch"]):
            compute_device(name)


def test_names_with_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = [compute_device(name) for name in ("cpu", "auto", "cuda", "cuda:1")]
    assert found == [CPU, *(torch.device("cuda", index) for index in (0, 0, 1))]
    facts: dict[str, Any] = {"code": "out-of-range", "field": "device", "value": "cuda:2"}
    with refused(ConfigError, **facts, allowed="cuda:0 to cuda:1"):
        compute_device("cuda:2")
    assert compute_device("cpu", jobs=2) == CPU
    for name in ("cuda", "auto"):
        with refused(ConfigError, code="conflict", field="jobs", value=2, allowed="1"):
            compute_device(name, jobs=2)


@pytest.mark.slow
def test_a_study_on_another_device(tmp_path: Path) -> None:
    """All that should move moves, what is programmed does not, and nothing else changes.

    Both runs draw the same random numbers; sums in another order change the last bits.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.tsb.study.other_device_study", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    for name, units in (("lenet", 2 + 4 + len(LENET["methods"])), ("resnet", 4)):
        here, there = runs[name]["cpu"], runs[name]["other"]
        assert (here.pop("run")["computed_on"], there.pop("run")["computed_on"]) == (
            "cpu",
            "other:0",
        )
        assert len(here) == len(there) == units
        for unit, result in here.items():
            other = there[unit]
            assert (result["computed_on"], other["computed_on"]) == ("cpu", "other:0")
            assert (result["backend"], other["backend"]) == ("loop", "batched")
            assert result.keys() == other.keys()
            for key in result.keys() - set(OWN):
                if "accuracy" in key:
                    one, two = torch.tensor(result[key]), torch.tensor(other[key])
                    assert one.shape == two.shape
                    assert float((one - two).abs().max()) <= ONE_IMAGE, (unit, key)
                else:
                    assert result[key] == other[key], (unit, key)
        files = sorted((tmp_path / f"{name}-cpu").glob("methods/*/correction-*.safetensors"))
        assert files
        for path in files:
            twin = tmp_path / f"{name}-other" / path.relative_to(tmp_path / f"{name}-cpu")
            mine, its = read_tensors(path)[0], read_tensors(twin)[0]
            assert mine.keys() == its.keys()
            for key, tensor in mine.items():
                difference = float((tensor - its[key]).abs().max())
                assert difference <= 1e-3 * float(tensor.abs().max()), (path, key)


def test_a_study_is_refused_before_any_work(tmp_path: Path) -> None:
    run = open_run(tmp_path, Study.model_validate(LENET))
    with refused(ConfigError, code="unknown-name", field="device", value="tpu"):
        run_study(run, data_root=str(DATA), device="tpu")
    assert not (tmp_path / "backbones").exists()


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not GPU, reason="no GPU")
@pytest.mark.parametrize("content", [LENET, RESNET], ids=["lenet", "resnet"])
def test_a_study_on_a_gpu(content: dict[str, Any], tmp_path: Path) -> None:
    """Runs through, and what was trained works on the CPU: the same chips, nearly the accuracy."""
    study = Study.model_validate(content)
    run = open_run(tmp_path, study)
    run_study(run, data_root=str(DATA), device="cuda")
    found = results(tmp_path)
    assert {own["computed_on"] for own in found.values()} == {describe(torch.device("cuda", 0))}
    assert {own["backend"] for own in found.values()} == {"batched"}
    # The same backbones, so the same chips: only rounding and the tuning's path differ.
    for path in tmp_path.glob("methods/*/result.json"):
        path.unlink()
    run_study(open_run(tmp_path, study), data_root=str(DATA))
    for name, own in results(run.folder).items():
        if "accuracy" in own and own["tune_macs"] == 0 and not own["digital_parameters"]:
            once = torch.tensor(found[name]["accuracy"])
            again = torch.tensor(own["accuracy"])
            # TF32 convolutions: a few images at most.
            assert float((once - again).abs().max()) <= 3.01 / own["images"], name


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not GPU, reason="no GPU")
def test_training_in_bfloat16_on_a_gpu(tmp_path: Path) -> None:
    half = {"noise": {**LENET["backbones"]["noise"], "precision": "bfloat16"}}
    content = {**LENET, "backbones": half, "methods": LENET["methods"][:2]}
    run = open_run(tmp_path, Study.model_validate(content))
    run_study(run, data_root=str(DATA), device="cuda")
    assert {own["backend"] for own in results(run.folder).values()} == {"batched-bf16"}
