"""Data of the user: functions, arrays, image folders and tokens, as the built-in sets are read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from archsim.errors import ConfigError, DataError
from archsim.network.load import load_module
from tests.refusals import refused
from tests.tsb.data import own_data
from tsb.data import Dataset, load_dataset
from tsb.data.own.registry import FORMS

MODULE = "tests.tsb.data.own_data"
TRAIN, TEST = own_data.digits("train"), own_data.digits("test")
#: One of each class is the last tenth of six; of fewer than ten none is.
KEPT = own_data.COUNTS["train"]


def described(path: Path, **document: Any) -> str:
    path.write_text(yaml.safe_dump(document))
    return str(path)


def is_the_digits(data: Dataset) -> None:
    """All training digits lie in train or validation, in their order; the test part is whole."""
    torch.testing.assert_close(data.test.images, TEST[0])
    assert data.test.labels.equal(TEST[1])
    assert len(data.train) + len(data.validation) == KEPT
    assert len(data.validation) >= 1
    together = torch.cat([data.train.images, data.validation.images])
    missing = [image for image in TRAIN[0] if not (together == image).flatten(1).all(1).any()]
    assert missing == []
    assert data.num_classes == 10
    assert "validation items" in data.note or "no validation part" in data.note


@pytest.mark.parametrize("name", ["dataset", "batches", "generator", "arrays", "rows"])
def test_every_kind_of_python_data_is_the_same_set(name: str) -> None:
    data = load_dataset(f"{MODULE}:{name}")
    is_the_digits(data)
    assert data.content_hashes == load_dataset(f"{MODULE}:dataset").content_hashes


@pytest.mark.parametrize("names", [("train_inputs", "train_targets"), ("x_train", "y_train")])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_arrays_in_a_file_are_the_same_set(
    tmp_path: Path, suffix: str, names: tuple[str, str]
) -> None:
    tensors = {}
    for part, pair in (("train", TRAIN), ("test", TEST)):
        tensors |= dict(zip((n.replace("train", part) for n in names), pair, strict=True))
    path = tmp_path / f"digits{suffix}"
    if suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})
    else:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    is_the_digits(load_dataset(str(path)))


def test_arrays_of_bytes_are_scaled_as_stated(tmp_path: Path) -> None:
    pixels = np.arange(4 * 2 * 3 * 3, dtype=np.uint8).reshape(4, 2, 3, 3)
    np.savez(tmp_path / "a.npz", test_inputs=pixels, test_targets=np.array([0, 1, 0, 1]))
    stated = {"divide_by": 255, "mean": [0.1, 0.2], "std": [0.5, 2.0], "classes": 3}
    name = described(tmp_path / "a.yaml", form="arrays", file="a.npz", **stated)
    data = load_dataset(name)
    first = torch.from_numpy(pixels).float()[: len(data.test)] / 255
    assert data.num_classes == 3
    for channel, (mean, std) in enumerate(((0.1, 0.5), (0.2, 2.0))):
        expected = (first[:, channel] - mean) / std
        torch.testing.assert_close(data.test.images[:, channel], expected)


def picture(level: int, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (level, 0, 255)).save(file, "PNG")
    return file.getvalue()


#: Two classes in each part; images of different sizes.
PICTURES = {
    f"{part}/{kind}/{number}.png": picture(level + number, (20 + number, 30))
    for part, count in (("train", 3), ("val", 2), ("test", 2))
    for kind, level in (("cat", 10), ("dog", 100))
    for number in range(count)
}


@pytest.mark.parametrize("archive", [False, True])
def test_image_folders_and_archives(tmp_path: Path, archive: bool) -> None:
    if archive:
        with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as packed:
            for path, content in PICTURES.items():
                packed.writestr(f"top/{path}", content)
    else:
        for path, content in PICTURES.items():
            (tmp_path / "pictures" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "pictures" / path).write_bytes(content)
    folder = "pictures.zip" if archive else "pictures"
    stated = {"resize": 10, "crop": [8, 6], "mean": [0.5], "std": [0.25]}
    name = described(tmp_path / "d.yaml", form="images", folder=folder, **stated)
    data = load_dataset(name)
    assert {len(data.train), len(data.validation), len(data.test)} == {6, 4}
    assert data.image_shape == (3, 8, 6)
    assert data.num_classes == 2
    assert data.note == ""
    levels = (data.test.images[:, 0, 0, 0] * 0.25 + 0.5) * 255
    assert levels.round().tolist() == [10, 11, 100, 101]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    again = load_dataset(name)  # an archive: from the cache
    assert again.content_hashes == data.content_hashes


def test_crop_is_the_middle_and_resize_keeps_the_proportions(tmp_path: Path) -> None:
    image = np.zeros((40, 80, 3), dtype=np.uint8)
    image[10:30, 30:50] = 255  # the middle, half of the height
    (tmp_path / "p/test/a").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(image).save(tmp_path / f"p/test/a/{number}.png")
    name = described(tmp_path / "d.yaml", form="images", folder="p", resize=20, crop=8, grey=True)
    assert load_dataset(name).test.images.unique().tolist() == [1.0]
    half = described(tmp_path / "h.yaml", form="images", folder="p", resize=20, grey=True)
    assert load_dataset(half).image_shape == (1, 20, 40)


TEXT = "the quick brown fox jumps over the lazy dog. " * 8


@pytest.mark.parametrize("tokens", ["bytes", "characters", "numbers"])
def test_the_target_is_the_next_token(tmp_path: Path, tokens: str) -> None:
    text = " ".join(str(ord(letter)) for letter in TEXT) if tokens == "numbers" else TEXT
    for part in ("train", "validation", "test"):
        (tmp_path / f"{part}.txt").write_text(text)
    files = {part: f"{part}.txt" for part in ("train", "validation", "test")}
    name = described(tmp_path / "t.yaml", form="tokens", files=files, tokens=tokens, length=5)
    data = load_dataset(name)
    assert len(data.test) == (len(TEXT) - 1) // 5
    assert data.test.images[:, 1:].equal(data.test.labels[:, :-1])
    letters = sorted(set(TEXT))
    known = {"bytes": 256, "characters": len(letters), "numbers": max(map(ord, TEXT)) + 1}
    assert data.num_classes == known[tokens]
    read = data.test.images.flatten().tolist()
    spelled = [letters[n] if tokens == "characters" else chr(n) for n in read]
    assert "".join(spelled) == TEXT[: len(read)]
    assert len(load_dataset(str(tmp_path / "train.txt")).train)  # one text: cut in three


def test_one_set_is_cut_in_three_and_says_so() -> None:
    data = load_dataset(f"{MODULE}:one_set")
    parts = [data.train, data.validation, data.test]
    assert sum(map(len, parts)) == KEPT
    together = torch.cat([part.images for part in parts])
    assert len(together.flatten(1).unique(dim=0)) == len(TRAIN[0].flatten(1).unique(dim=0))
    assert str(len(data.test)) in data.note
    assert data.content_hashes == load_dataset(f"{MODULE}:one_set").content_hashes


def test_what_is_split_off_a_test_part_is_not_tested_on() -> None:
    data = load_dataset(f"{MODULE}:test_alone")
    assert len(data.test) + len(data.validation) == own_data.COUNTS["test"]
    assert data.train.images.equal(data.validation.images)
    for image in data.validation.images:
        assert not (data.test.images == image).flatten(1).all(1).any()
    assert "not tested on" in data.note


def test_values_have_no_classes() -> None:
    data = load_dataset(f"{MODULE}:pairs_of_values")
    assert data.num_classes is None
    assert data.test.labels.equal(data.test.images * 2)


def test_random_data_are_the_same_every_time_and_leave_no_trace() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first = load_dataset(f"{MODULE}:drawn")
    assert torch.rand(2).equal(expected)
    assert load_dataset(f"{MODULE}:drawn").content_hashes == first.content_hashes


def test_only_what_is_asked_for_is_read_of_a_large_set() -> None:
    with refused(DataError, code="out-of-range", field=ANY, value=ANY, allowed="--test-images"):
        load_dataset(f"{MODULE}:large")
    data = load_dataset(f"{MODULE}:large_test", most={"test": 40})
    numbers = sorted(int(image.max()) for image in (*data.test.images, *data.validation.images))
    assert numbers == [number * 50_000 for number in range(40)]


WHERE = f"data '{MODULE}:"


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("raises", {"code": "call-failed", "field": f"{WHERE}raises'"}),
        ("nothing", {"code": "unknown-name", "field": "data", "value": "nothing"}),
        ("ragged", {"code": "shape-mismatch", "value": (4,)}),
        ("not_finite", {"code": "not-finite", "value": 8}),
        ("negative", {"code": "out-of-range", "value": ANY, "allowed": "0"}),
        ("lengths", {"code": "shape-mismatch", "value": ((4, 2), (2,)), "allowed": "targets"}),
        ("number", {"code": "wrong-type", "value": "int", "allowed": "Dataset"}),
        ("words", {"code": "wrong-type", "value": "list", "allowed": "tensor"}),
        ("strange_part", {"code": "unknown-key", "value": ["trian", "test"], "allowed": "train"}),
        ("no_test", {"code": "missing-key", "value": ["train", "validation"], "allowed": "test"}),
        ("columns", {"code": "missing-key", "value": ["image", "label"], "allowed": "inputs"}),
        ("one_item", {"code": "empty", "value": 1, "allowed": "2"}),
    ],
)
def test_what_a_function_may_not_return(name: str, facts: dict[str, Any]) -> None:
    with refused(DataError, **{"field": ANY, **facts}):
        load_dataset(f"{MODULE}:{name}")


def test_a_module_that_is_not_there() -> None:
    with refused(DataError, code="call-failed", field="data", value="nowhere.at_all"):
        load_dataset("nowhere.at_all:fn")


def test_descriptions_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    with refused(ConfigError, code="unknown-name", field=f"{path}: form", value="image"):
        load_dataset(described(path, form="image"))
    with refused(ConfigError, code="missing-key", field=f"{path}: form", value=None):
        load_dataset(described(path, folder="x"))
    with refused(ConfigError, code="unknown-key", field=f"{path}.croop", value="croop"):
        load_dataset(described(path, form="images", folder="x", croop=3))
    with refused(DataError, code="missing-file", field=tmp_path / "x"):
        load_dataset(described(path, form="images", folder="x"))
    (tmp_path / "a.txt").write_text("1 2 three")
    with refused(DataError, code="wrong-form", field=ANY, value="three"):
        load_dataset(described(path, form="tokens", file="a.txt", tokens="numbers", length=1))
    with refused(DataError, code="empty", field=ANY, value=9, allowed="65"):
        load_dataset(str(tmp_path / "a.txt"))
    np.savez(tmp_path / "o.npz", test_inputs=np.array([{}]), test_targets=np.array([1]))
    with refused(DataError, code="damaged-file", field=tmp_path / "o.npz"):
        load_dataset(str(tmp_path / "o.npz"))
    np.savez(tmp_path / "n.npz", images=np.zeros(3))
    with refused(DataError, code="unknown-key", field=ANY, value=["images"], allowed="x_PART"):
        load_dataset(str(tmp_path / "n.npz"))


def test_what_does_not_fit_a_network() -> None:
    model = load_module("lenet3")
    load_dataset(f"{MODULE}:dataset").check_fits(model, "lenet3")
    field = f"data '{MODULE}:whole_numbers'"
    with refused(DataError, code="wrong-type", field=field, value="int64", allowed="float32"):
        load_dataset(f"{MODULE}:whole_numbers").check_fits(model, "lenet3")
    field = f"data '{MODULE}:drawn'"
    with refused(DataError, code="shape-mismatch", field=field, value="3", allowed="1x28x28"):
        load_dataset(f"{MODULE}:drawn").check_fits(model, "lenet3")


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_every_form_declares_itself(form: Any) -> None:
    assert form.name == form.name.lower()
    assert form.description
    assert form.example
    assert "classes" in form.settings.model_fields
