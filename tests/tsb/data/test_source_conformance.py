"""What every data set must declare and how its files are found: a new entry inherits all of it."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.config.study import Study
from archsim.errors import ConfigError, DataError
from tests.refusals import refused
from tsb.data import load_dataset, sources
from tsb.data.cifar import CifarBatches
from tsb.data.idx import IDX_FILES, IdxFiles
from tsb.data.image_folder import ImageFolder
from tsb.data.reader import Reader
from tsb.data.sources import Source, dataset_names, source
from tsb.study.citations import citations_of
from tsb.study.load import checked_study

#: Images of each class, in training and for testing.
_COUNTS = {"train": 10, "test": 2}


def labels_of(which: Source, part: str) -> list[int]:
    return [label for label in range(which.num_classes) for _ in range(_COUNTS[part])]


def value_of(label: int, which: Source) -> int:
    """Grey value of all images of a class."""
    return 20 + 200 * label // which.num_classes


def write_idx(which: Source, folder: Path) -> None:
    _, height, width = which.shape
    for part, (images, labels) in IDX_FILES.items():
        own = labels_of(which, part)
        pixels = b"".join(bytes([value_of(label, which)]) * (height * width) for label in own)
        sizes = struct.pack(">IIII", 0x803, len(own), height, width)
        (folder / images).write_bytes(sizes + pixels)
        (folder / labels).write_bytes(struct.pack(">II", 0x801, len(own)) + bytes(own))


def write_batches(which: Source, folder: Path) -> None:
    size = which.shape[0] * which.shape[1] * which.shape[2]
    for part, names in (
        ("train", [f"data_batch_{place}.bin" for place in range(1, 6)]),
        ("test", ["test_batch.bin"]),
    ):
        own = labels_of(which, part)
        for place, name in enumerate(names):
            batch = own[place :: len(names)]
            records = (bytes([n]) + bytes([value_of(n, which)]) * size for n in batch)
            (folder / name).write_bytes(b"".join(records))


def write_images(which: Source, folder: Path) -> None:
    _, height, width = which.shape
    names = which.class_names or tuple(f"n{place:08d}" for place in range(which.num_classes))
    for part, count in _COUNTS.items():
        for label, name in enumerate(names):
            below = folder / part / name
            below.mkdir(parents=True)
            file = io.BytesIO()
            Image.new("RGB", (width, height), (value_of(label, which),) * 3).save(file, "PNG")
            for place in range(count):
                (below / f"{place}.png").write_bytes(file.getvalue())


#: How a copy of a data set is made, by the form of its files.
WRITERS: dict[type[Reader], Callable[[Source, Path], None]] = {
    IdxFiles: write_idx,
    CifarBatches: write_batches,
    ImageFolder: write_images,
}

# Every check takes a data set: those of the registry, and one that a test plants.


def declares_what_others_say_of_it(which: Source, place: Path) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", which.name)
    assert len(which.shape) == 3
    assert min(which.shape) > 0
    assert len(which.mean) == len(which.std) == which.shape[0]
    assert all(0 < number < 1 for number in (*which.mean, *which.std))
    assert len(which.class_names) in (0, which.num_classes)
    assert list(which.class_names) == sorted(set(which.class_names))
    # Whose it is can be found: by its number, or by the year.
    assert re.search(r"(19|20)\d\d|doi:|arXiv", which.licence)
    assert all(len(md5) == 32 and int(md5, 16) for md5 in which.label_md5.values())


def says_where_its_files_are(which: Source, place: Path) -> None:
    assert which.folders
    assert all(name and not name.startswith("/") for name in which.folders)
    others = {n for name in dataset_names() if name != which.name for n in source(name).folders}
    assert not others & set(which.folders)
    assert bool(which.shipped) != bool(which.downloads)
    for download in which.downloads:
        assert len(download.md5) == 32
        assert int(download.md5, 16)
        assert download.url.startswith("http")
        assert download.url.endswith(download.file)
    if which.shipped:
        assert which.reader.holds(Path(sources.__file__).parent / which.shipped)


def is_read_from_each_of_its_folders(which: Source, place: Path) -> None:
    for number, name in enumerate(("", *which.folders)):
        if Path(name).suffix:  # an archive
            continue
        root = place / str(number)
        folder = root / name
        folder.mkdir(parents=True)
        assert not which.reader.holds(folder)
        WRITERS[type(which.reader)](which, folder)
        assert which.reader.holds(folder)
        data = load_dataset(which.name, root)
        assert data.num_classes == which.num_classes
        assert len(data.train) + len(data.validation) == _COUNTS["train"] * which.num_classes
        assert sorted(data.test.labels.tolist()) == labels_of(which, "test")
        assert data.test.images.shape[1:] == which.shape
        for channel in range(which.shape[0]):
            wanted = [value_of(label, which) for label in data.test.labels.tolist()]
            normal = data.test.images[:, channel].mean((1, 2))
            pixels = (normal * which.std[channel] + which.mean[channel]) * 255
            torch.testing.assert_close(pixels, torch.tensor(wanted) * 1.0, rtol=0, atol=0.01)
        if number:  # one folder by its name is enough for large sets
            return


def is_not_there_in_an_empty_folder(which: Source, place: Path) -> None:
    with refused(DataError, code="missing-file", field=place, value=which.name):
        load_dataset(which.name, place)
    file = place / "a-file.txt"
    file.write_text("no data")
    with refused(DataError, code="wrong-file", field=file):
        load_dataset(which.name, file)


def is_a_data_set_of_studies(which: Source, place: Path) -> None:
    assert which.name in file_schema(SchemaKind.STUDY)["properties"]["data"]["examples"]
    content = {
        "name": "small",
        "network": "lenet3",
        "data": which.name,
        "backbones": {"first": {}},
        "methods": [{"name": "it"}],
    }
    study = checked_study(Study.model_validate(content))
    (cited,) = (line for line in citations_of(study) if f"data {which.name}" in line)
    assert which.licence in cited


def is_listed(which: Source, place: Path) -> None:
    done = CliRunner().invoke(app, ["list", "data", "--format", "json"])
    (item,) = (own for own in json.loads(done.stdout)["items"] if own["name"] == which.name)
    assert item["input"] == "x".join(map(str, which.shape))
    assert (item["classes"], item["licence"]) == (which.num_classes, which.licence)


CHECKS: list[Callable[[Source, Path], None]] = [
    declares_what_others_say_of_it,
    says_where_its_files_are,
    is_read_from_each_of_its_folders,
    is_not_there_in_an_empty_folder,
    is_a_data_set_of_studies,
    is_listed,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", dataset_names())
def test_conformance(name: str, check: Callable[[Source, Path], None], tmp_path: Path) -> None:
    check(source(name), tmp_path)


@pytest.mark.parametrize("reader", [IdxFiles(), CifarBatches(), ImageFolder()])
def test_a_new_data_set_works_everywhere_without_another_file(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with refused(ConfigError, code="unknown-name", field="data", value="planted"):
        source("planted")
    alike = source("mnist" if isinstance(reader, IdxFiles) else "cifar10")
    planted = replace(alike, name="planted", folders=("planted",), label_md5={}, reader=reader)
    monkeypatch.setitem(sources._SOURCES, "planted", planted)
    for place, check in enumerate(CHECKS):
        own = tmp_path / str(place)
        own.mkdir()
        check(planted, own)


def test_a_data_set_says_how_it_is_read() -> None:
    facts = {key: getattr(source("mnist"), key) for key in ("name", "shape", "num_classes")}
    with pytest.raises(TypeError, match="reader"):
        Source(**facts, mean=(0.5,), std=(0.5,), downloads=(), folders=(), licence="")  # type: ignore[call-arg]
    for abstract in ("holds", "check", "read"):
        assert abstract in Reader.__abstractmethods__
