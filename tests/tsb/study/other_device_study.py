"""Run a study on the CPU and on the device of :mod:`tests.other_device`; print both as JSON.

A process of its own (``python -m tests.tsb.study.other_device_study FOLDER``): the device stays
registered with PyTorch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from archsim.config.study import Study
from tests.other_device import NAME, OtherDevice, register
from tsb.correction import tune
from tsb.monte_carlo import evaluate
from tsb.study import open_run, run, run_study
from tsb.train import loop as train

DATA = Path(__file__).parents[2] / "data" / "mnist"
SMALL: dict[str, Any] = {
    "data": "mnist",
    "sigma": [0.2],
    "chips": 2,
    "runs": 2,
    "test_images": 200,
    "validation_images": 60,
    "score_images": 100,
}
LENET: dict[str, Any] = {
    **SMALL,
    "name": "lenet",
    "network": "lenet3-bn",
    "backbones": {
        "noise": {"epochs": 4, "batch_size": 50, "validation_instances": 2, "augment": True},
        "bounded": {"epochs": 2, "batch_size": 50, "clip": 1.5, "scaling": "column"},
        "snapshots": {"epochs": 1, "batch_size": 50, "objective": "neft-irs"},
        "feedback": {"epochs": 1, "batch_size": 50, "objective": "neft-ovf"},
        "lipschitz": {"epochs": 1, "batch_size": 50, "objective": "lipschitz"},
    },
    "tuning": {"steps": 10, "batch_size": 50, "validation_images": 60},
    "methods": [
        {"name": "plain"},
        {"name": "tsb", "corrections": "tsb"},
        {"name": "one pulse", "corrections": "own-blocks", "verify": False},
        {"name": "linear", "corrections": "linear-block:5+low-rank:2"},
        {"name": "batch-norm", "corrections": "batch-norm"},
        {"name": "digital", "corrections": "batch-norm+output-match+scales+biases"},
        {"name": "last", "corrections": "last-layers:2"},
        {"name": "u-swim", "write": "u-swim", "fraction": 0.1, "corrections": "tsb"},
        {"name": "random", "write": "random", "fraction": 0.1, "copies": {"fc.weight": 2}},
        {"name": "bounded", "backbone": "bounded"},
        {"name": "snapshots", "backbone": "snapshots"},
        {"name": "feedback", "backbone": "feedback"},
        {"name": "lipschitz", "backbone": "lipschitz"},
    ],
}
#: The block of a ResNet is a module of its own behind each residual block; and cells that drift.
RESNET: dict[str, Any] = {
    **SMALL,
    "name": "resnet",
    "network": "resnet18-cifar",
    "options": {"widths": [4, 4, 4, 4], "in_channels": 1, "input_size": 28},
    "images_per_run": 50,
    "device": "pcm",
    "read_noise": True,
    "read_after_s": 3600.0,
    "backbones": {"noise": {"epochs": 1, "batch_size": 50}},
    "tuning": {"steps": 3, "batch_size": 20, "validation_images": 20, "calibration_images": 50},
    "methods": [{"name": "plain"}, {"name": "both", "corrections": "batch-norm+tsb:4"}],
}


def results(folder: Path) -> dict[str, Any]:
    """Return all results of a run, by ``backbones/UNIT`` or ``methods/UNIT``."""
    return {
        str(path.parent.relative_to(folder)): json.loads(path.read_text())
        for path in sorted(folder.glob("*/*/result.json"))
    }


def worked_out(study: Study, folder: Path, device: str) -> dict[str, Any]:
    run_study(open_run(folder, study), data_root=str(DATA), device=device)
    return results(folder) | {"run": json.loads((folder / "run.json").read_text())}


def main(folder: Path) -> dict[str, Any]:
    # Generated code is for the CPU alone: both runs have the same kernels without it.
    tune.COMPILED_WEIGHTS = evaluate.COMPILED_WEIGHTS = 0
    register()
    found: dict[str, Any] = {}
    # A ResNet on the other device takes long: it takes few steps, which do the same each.
    for content in (LENET, {**RESNET, "train_images": 200}):
        study = Study.model_validate(content)
        found[study.name] = {"cpu": worked_out(study, folder / f"{study.name}-cpu", "cpu")}
        other = OtherDevice()
        with pytest.MonkeyPatch.context() as patch, other:
            patch.setattr(run, "compute_device", lambda name, jobs: torch.device(name, 0))
            patch.setattr(train, "generator_on", other.generator_on)
            found[study.name][NAME] = worked_out(study, folder / f"{study.name}-{NAME}", NAME)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
