"""The test images are looked at once, at the very end: nothing that is trained or chosen sees them.

Two data sets that share their training and validation images, but not one test image, must give the
same backbones, masks, corrections and validation accuracies, bit for bit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from archsim.config.study import Study
from tsb.checkpoint import load_checkpoint, read_tensors
from tsb.data import Dataset, Split, load_dataset
from tsb.program.chip import ProgrammedChip, deploy_all
from tsb.study import work
from tsb.study.units import backbone_units, method_units
from tsb.write_verify.selective import Masks

DATA = Path(__file__).parents[2] / "data" / "mnist"
#: One method with everything that looks at images: second derivatives, calibration, training.
STUDY = Study.model_validate(
    {
        "name": "small",
        "network": "lenet3",
        "data": "mnist",
        "sigma": [0.2],
        "chips": 2,
        "runs": 1,
        "score_images": 100,
        "backbones": {"noise": {"epochs": 6, "batch_size": 50, "validation_instances": 2}},
        "tuning": {"steps": 20, "batch_size": 50},
        "methods": [
            {
                "name": "repaired",
                "write": "swim",
                "fraction": 0.1,
                "corrections": "output-match+tsb+biases",
            }
        ],
    }
)


@dataclass
class Found:
    """What one data set led to."""

    backbones: dict[str, dict[str, Tensor]]
    masks: Masks
    corrections: list[dict[str, Tensor]]
    result: dict[str, Any]


def work_out(data: Dataset, folder: Path, patch: pytest.MonkeyPatch) -> Found:
    masks: list[Masks] = []

    def record(*arguments: Any, verified: Masks, **more: Any) -> list[ProgrammedChip]:
        masks.append(verified)
        return deploy_all(*arguments, verified=verified, **more)

    patch.setattr(work, "dataset_of", lambda study, root: data)
    patch.setattr(work, "deploy_all", record)
    for training in backbone_units(STUDY):
        work.train_unit(STUDY, training, folder, None)
    (unit,) = method_units(STUDY)
    work.method_unit(STUDY, unit, folder, None)
    place = folder / "methods" / unit.folder
    return Found(
        backbones={
            path.parent.name: load_checkpoint(path).tensors
            for path in folder.glob("backbones/*/best.safetensors")
        },
        masks=masks[0],
        corrections=[read_tensors(path)[0] for path in sorted(place.glob("*.safetensors"))],
        result=json.loads((place / "result.json").read_text()),
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found]:
    data = load_dataset("mnist", DATA)
    test = data.test
    other = replace(data, test=Split(test.images.flip(-2), (test.labels + 1) % data.num_classes))
    with pytest.MonkeyPatch.context() as patch:
        one, two = (
            work_out(own, tmp_path_factory.mktemp(name), patch)
            for name, own in (("one", data), ("other", other))
        )
    return one, two


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_backbones_do_not_see_the_test_images(both: tuple[Found, Found]) -> None:
    one, other = both
    assert len(one.backbones) == 2
    assert all(same(one.backbones[name], other.backbones[name]) for name in one.backbones)


def test_scores_do_not_see_the_test_images(both: tuple[Found, Found]) -> None:
    one, other = both
    assert sum(int(mask.sum()) for mask in one.masks.values()) == 540
    assert same(dict(one.masks), dict(other.masks))


def test_calibration_and_tuning_do_not_see_the_test_images(both: tuple[Found, Found]) -> None:
    """What was trained is kept; by labels that are all wrong none of it would be."""
    one, other = both
    assert one.result["kept"] == other.result["kept"] == [True, True]
    assert [len(own) for own in one.corrections] == [6, 6]
    assert all(same(a, b) for a, b in zip(one.corrections, other.corrections, strict=True))


def test_what_methods_are_chosen_by_does_not_see_the_test_images(
    both: tuple[Found, Found],
) -> None:
    one, other = both
    assert one.result["validation_accuracy"] == other.result["validation_accuracy"]
    assert one.result["accuracy"] != other.result["accuracy"]
    assert one.result["images"] == other.result["images"] == 300
