"""Data sets in all their official forms, and every way in which the files can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from PIL import Image

from archsim.errors import ConfigError, DataError
from archsim.network import zoo
from tests.refusals import refused, warned
from tsb.data import load_dataset
from tsb.data.cifar import decode_python
from tsb.data.dataset import validation_mask
from tsb.data.sources import dataset_names, source
from tsb.train.augment import flip_and_crop

MNIST = Path(__file__).parents[2] / "data" / "mnist"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
CLASSES = source("cifar10").class_names


@pytest.fixture
def plain_mnist(tmp_path: Path) -> Path:
    """The part of MNIST, unpacked, to be damaged."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for file in MNIST.glob("*.gz"):
        (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    return folder


def test_mnist_is_what_lecun_published():
    data = load_dataset("mnist", MNIST)
    assert (len(data.train), len(data.validation), len(data.test)) == (634, 66, 300)
    assert data.train.images.shape == (634, 1, 28, 28)
    assert data.train.images.dtype == torch.float32
    assert (data.num_classes, data.note) == (10, "")
    # The first ten test digits, as printed in many papers.
    assert data.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # Pixels back from the normalised image against the file read by hand.
    raw = gzip.decompress((MNIST / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    pixels = (data.test.images * 0.3081 + 0.1307) * 255
    assert torch.equal(pixels.round().flatten()[: 784 * 3], torch.tensor(list(raw[: 784 * 3])))


def test_normalised_images_have_mean_0_and_std_1():
    images = load_dataset("mnist", MNIST).train.images
    assert abs(float(images.mean())) < 0.03
    assert abs(float(images.std()) - 1) < 0.03


def test_unpacked_files_and_a_folder_above_give_the_same(plain_mnist):
    expected = load_dataset("mnist", MNIST)
    for root in (plain_mnist, plain_mnist.parent):
        found = load_dataset("mnist", root)
        assert torch.equal(found.validation.images, expected.validation.images)
        assert torch.equal(found.validation.labels, expected.validation.labels)


def test_validation_is_the_last_tenth_of_each_class():
    labels = torch.tensor([0] * 25 + [1] * 9 + [2] * 10)
    mask = validation_mask(labels)
    assert mask.nonzero().flatten().tolist() == [23, 24, 43]


def test_splits_are_disjoint_and_complete():
    data = load_dataset("mnist", MNIST)
    hashes = [
        {hashlib.sha256(i.numpy().tobytes()).hexdigest() for i in split.images}
        for split in (data.train, data.validation)
    ]
    assert len(hashes[0] | hashes[1]) == 700
    assert not hashes[0] & hashes[1]


def test_missing_file_is_named(plain_mnist):
    (plain_mnist / FILES[1]).unlink()
    with refused(DataError, code="missing-file", field=plain_mnist, says=[f"'{FILES[1]}'"]):
        load_dataset("mnist", plain_mnist)


@pytest.mark.parametrize("keep", [3, 12, 5000])
def test_truncated_file_is_named(plain_mnist, keep):
    path = plain_mnist / FILES[0]
    path.write_bytes(path.read_bytes()[:keep])
    with refused(DataError, code="damaged-file", field=path):
        load_dataset("mnist", plain_mnist)


def test_truncated_gzip_is_named(plain_mnist):
    (plain_mnist / FILES[0]).unlink()
    packed = (MNIST / f"{FILES[0]}.gz").read_bytes()
    (plain_mnist / f"{FILES[0]}.gz").write_bytes(packed[:4000])
    with refused(DataError, code="damaged-file", field=plain_mnist / f"{FILES[0]}.gz"):
        load_dataset("mnist", plain_mnist)


def test_other_number_of_labels(plain_mnist):
    path = plain_mnist / FILES[1]
    path.write_bytes(struct.pack(">II", 2049, 5) + bytes(5))
    with refused(DataError, code="shape-mismatch", field=plain_mnist, value=(700, 5)):
        load_dataset("mnist", plain_mnist)


def test_swapped_files_and_other_sizes(plain_mnist):
    images, labels = (plain_mnist / name for name in FILES)
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    with refused(DataError, code="shape-mismatch", field=images, value=1, allowed="3"):
        load_dataset("mnist", plain_mnist)
    images.write_bytes(struct.pack(">IIII", 2051, 700, 14, 56) + content[16:])
    facts = {"code": "shape-mismatch", "field": plain_mnist, "value": (14, 56)}
    with refused(DataError, **facts, allowed="(28, 28)"):
        load_dataset("mnist", plain_mnist)


def test_fashion_mnist_is_told_from_mnist(plain_mnist, monkeypatch):
    """Both have the same files and shapes: the full label files are known by their hash."""
    digest = hashlib.md5((plain_mnist / FILES[1]).read_bytes()).hexdigest()
    monkeypatch.setitem(source("fashion-mnist").label_md5, "train", digest)
    facts = {"code": "wrong-file", "field": plain_mnist / FILES[1], "value": "fashion-mnist"}
    with refused(DataError, **facts, allowed="mnist"):
        load_dataset("mnist", plain_mnist)
    assert load_dataset("fashion-mnist", plain_mnist).name == "fashion-mnist"


def test_label_out_of_range(plain_mnist):
    path = plain_mnist / FILES[1]
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    facts = {"code": "out-of-range", "field": "mnist", "value": (0, 11)}
    with refused(DataError, **facts, allowed="0 to 9"):
        load_dataset("mnist", plain_mnist)


def test_nothing_there(tmp_path):
    facts = {"code": "missing-file", "field": tmp_path, "value": "cifar10"}
    with refused(DataError, **facts, says=[source("cifar10").downloads[0].file]):
        load_dataset("cifar10", tmp_path)
    nowhere = tmp_path / "nowhere"
    with refused(DataError, code="missing-file", field=nowhere, value="mnist", says=["folder)"]):
        load_dataset("mnist", nowhere)
    facts = {"code": "unknown-name", "field": "data", "value": "mnits"}
    with refused(ConfigError, **facts, allowed=dataset_names(), nearest="mnist"):
        load_dataset("mnits", tmp_path)


# --- CIFAR-10 ---------------------------------------------------------------------------------


def cifar_batches() -> dict[str, tuple[list[int], np.ndarray]]:
    """Ten random images per batch, in rows of 3072 bytes."""
    rng = np.random.default_rng(0)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {
        name: (list(range(10)), rng.integers(0, 256, (10, 3072), dtype=np.uint8)) for name in names
    }


def python2_pickle(labels: list[int], rows: np.ndarray, fortran: bool = False) -> bytes:
    """A batch as Python 2's cPickle wrote it, protocol 2 (pickle itself no longer does)."""
    text = b"training batch 1 of 5"
    raw = np.asfortranarray(rows).tobytes("F") if fortran else rows.tobytes()
    return b"".join(
        (
            b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U" + bytes([len(text)]) + text + b"q\x03",
            b"U\x06labelsq\x04]q\x05(",
            b"".join(b"K" + bytes([label]) for label in labels),
            b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85U\x01b\x87Rq\x09(K\x01",
            b"M" + struct.pack("<H", len(labels)) + b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xff",
            b"J\xff\xff\xff\xffK\x00tb",
            b"\x88" if fortran else b"\x89",
            b"T" + struct.pack("<i", len(raw)) + raw,
            b"tbU\x09filenamesq\x0c]q\x0d(U\x05a.pngU\x05b.pngeu.",
        )
    )


def python_files() -> dict[str, bytes]:
    return {name: python2_pickle(*batch) for name, batch in cifar_batches().items()}


def binary_files() -> dict[str, bytes]:
    return {
        f"{name}.bin": b"".join(
            bytes([label]) + row.tobytes() for label, row in zip(*batch, strict=True)
        )
        for name, batch in cifar_batches().items()
    }


def as_tar(files: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_the_batch_made_here_is_a_real_pickle():
    """The hand-made bytes mean what numpy means by them: the oracle of the reader."""
    import pickle  # noqa: TID251 - the reader under test does without; its oracle may not

    labels, rows = cifar_batches()["data_batch_1"]
    for fortran in (False, True):
        content = python2_pickle(labels, rows, fortran)
        modern = content.replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
        loaded = pickle.loads(modern, encoding="bytes")
        assert loaded[b"labels"] == labels
        assert np.array_equal(loaded[b"data"], rows)
        decoded = decode_python(content, "here")
        assert decoded.labels.tolist() == labels
        assert np.array_equal(decoded.images.numpy().reshape(10, 3072), rows)


@pytest.mark.parametrize("kind", ["python", "binary"])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar_archives(kind, packed, tmp_path):
    files = python_files() if kind == "python" else binary_files()
    files = {f"cifar-10-batches/{name}": content for name, content in files.items()}
    files["cifar-10-batches/readme.html"] = b"<p>"
    if packed:
        root = as_tar(files, tmp_path / f"cifar-10-{kind}.tar.gz")
    else:
        root = tmp_path / ("cifar-10-batches-py" if kind == "python" else "cifar-10-batches-bin")
        root.mkdir()
        for name, content in files.items():
            (root / Path(name).name).write_bytes(content)
    for place in (root, tmp_path):
        data = load_dataset("cifar10", place)
        # One image per class and batch: five of each class, none for a tenth.
        assert (len(data.train), len(data.validation), len(data.test)) == (50, 0, 10)
        labels, rows = cifar_batches()["test_batch"]
        assert data.test.labels.tolist() == labels
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (source("cifar10").mean, STD))
        pixels = (data.test.images[7] * std + mean) * 255
        assert torch.equal(pixels.round().byte(), torch.tensor(rows[7]).view(3, 32, 32))
        assert data.note == ""


STD = source("cifar10").std


def test_cifar_damage_is_named(tmp_path):
    files = binary_files()
    path = as_tar({**files, "data_batch_3.bin": files["data_batch_3.bin"][:-5]}, tmp_path / "a.tgz")
    place = f"{path}: data_batch_3.bin"
    with refused(DataError, code="damaged-file", field=place):
        load_dataset("cifar10", path)
    del files["data_batch_2.bin"]
    path = as_tar(files, tmp_path / "b.tgz")
    with refused(DataError, code="missing-file", field=path, says=["'data_batch_2'"]):
        load_dataset("cifar10", path)
    packed = as_tar(binary_files(), tmp_path / "c.tgz")
    packed.write_bytes(packed.read_bytes()[:20_000])
    with refused(DataError, code="damaged-file", field=packed):
        load_dataset("cifar10", packed)
    path = as_tar({"x.txt": b""}, tmp_path / "d.tgz")
    with refused(DataError, code="missing-file", field=path):
        load_dataset("cifar10", path)


def test_python_batch_is_not_run(tmp_path):
    """A pickle that would make a file is read without making it, and refused."""
    victim = tmp_path / "made-by-the-pickle"
    evil = f"cos\nsystem\n(S'touch {victim}'\ntR.".encode()
    with refused(DataError, code="damaged-file", field="evil"):
        decode_python(evil, "evil")
    assert not victim.exists()


def test_python_batch_truncated_or_of_cifar100():
    content = python2_pickle(*cifar_batches()["test_batch"])
    for keep in (1, 50, 2000, len(content) - 40):
        with refused(DataError, code="damaged-file", field="test_batch"):
            decode_python(content[:keep], "test_batch")
    with refused(DataError, code="wrong-file", field="test_batch", says=["CIFAR-100,"]):
        decode_python(content.replace(b"U\x06labels", b"U\x0bfine_labels"), "test_batch")


# --- image folders ----------------------------------------------------------------------------


def png(value: int, size: int = 32) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (value, 2 * value, 3 * value)).save(buffer, "PNG")
    return buffer.getvalue()


def image_folder() -> dict[str, bytes]:
    train = {f"train/{c}/{i}.png": png(2 * n + i) for n, c in enumerate(CLASSES) for i in range(3)}
    return train | {f"test/{c}/0.png": png(40 + n) for n, c in enumerate(CLASSES)}


def test_image_archive_and_its_decoded_cache(tmp_path, monkeypatch):
    path = as_tar(image_folder(), tmp_path / "cifar10-jpeg.tar.gz")
    cache = tmp_path / "cache"
    first = load_dataset("cifar10", tmp_path, cache_dir=cache)
    assert first.train.labels.tolist() == [n for n in range(10) for _ in range(3)]
    pixels = (first.test.images[5, :, 0, 0] * torch.tensor(STD) + torch.tensor(MEAN)) * 255
    assert pixels.round().tolist() == [45, 90, 135]
    assert "JPEG" in first.note
    (cached,) = cache.glob("decoded-cifar10-*.safetensors")
    monkeypatch.setattr("tsb.data.cifar.read_tree", lambda *_: pytest.fail("decoded again"))
    second = load_dataset("cifar10", path, cache_dir=cache)
    assert torch.equal(first.train.images, second.train.images)
    assert second.note == first.note
    cached.write_bytes(cached.read_bytes()[:-1])
    with refused(DataError, code="damaged-file", field=cached):
        load_dataset("cifar10", path, cache_dir=cache)


def test_a_cache_is_optional_for_decoded_images(tmp_path, monkeypatch):
    """A file where the folder should be, or a full disk: one warning, and the same images."""
    path = as_tar(image_folder(), tmp_path / "cifar10-jpeg.tar.gz")
    kept = load_dataset("cifar10", path, cache_dir=tmp_path / "cache")
    (tmp_path / "file").write_text("")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        with warned(f"{cache}:"):
            found = load_dataset("cifar10", path, cache_dir=cache)
        assert torch.equal(found.train.images, kept.train.images)
    again = load_dataset("cifar10", path, cache_dir=tmp_path / "file")  # no second warning
    assert torch.equal(again.test.images, kept.test.images)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with warned("space", "ARCHSIM_CACHE_DIR", str(tmp_path / "full")):
        load_dataset("cifar10", path, cache_dir=tmp_path / "full")
    assert list((tmp_path / "full").iterdir()) == []


def test_a_download_needs_the_cache(tmp_path, monkeypatch):
    import pooch

    cache = tmp_path / "file"
    cache.write_text("")
    monkeypatch.setattr(pooch, "retrieve", lambda **_: pytest.fail("asked the network"))
    for name in ("mnist", "cifar10"):
        facts = {"code": "cannot-write", "field": ANY, "says": [str(cache), "ARCHSIM_CACHE_DIR"]}
        with refused(DataError, **facts):
            load_dataset(name, cache_dir=cache)

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch, "retrieve", full)
    full_folder = tmp_path / "full"
    says = ["space", "ARCHSIM_CACHE_DIR", str(full_folder)]
    with refused(DataError, code="cannot-write", field=ANY, says=says):
        load_dataset("mnist", cache_dir=tmp_path / "full")


MEAN = source("cifar10").mean


def without(files: dict[str, bytes], part: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if part not in name}


def test_image_folder_damage_is_named(tmp_path):
    good = image_folder()
    one = "train/cat/1.png"
    cases = [
        ("shape-mismatch", "", {"value": 9, "allowed": "10"}, without(good, "/ship/")),
        (
            "shape-mismatch",
            f": {one}",
            {"value": (16, 16), "allowed": "32x32"},
            {**good, one: png(1, size=16)},
        ),
        ("damaged-file", f": {one}", {}, {**good, one: png(1)[:60]}),
        ("unknown-name", "", {"value": "yacht"}, {**good, "test/yacht/1.png": png(1)}),
        ("empty", None, {"says": ["test"]}, without(good, "test/")),
    ]
    for index, (code, inside, facts, files) in enumerate(cases):
        path = as_tar(files, tmp_path / f"{index}.tgz")
        field = "cifar10" if inside is None else f"{path}{inside}"
        with refused(DataError, code=code, field=field, **facts):
            load_dataset("cifar10", path, cache_dir=tmp_path / "cache")


def test_tiny_imagenet_takes_its_labelled_val_images_for_test(tmp_path):
    files = {
        f"tiny-imagenet-200/train/n{n:08d}/images/n{n:08d}_{i}.JPEG": png(n, 64)
        for n in range(200)
        for i in range(2)
    }
    files |= {f"tiny-imagenet-200/val/images/val_{i}.JPEG": png(50 + i, 64) for i in range(3)}
    files["tiny-imagenet-200/val/val_annotations.txt"] = b"".join(
        f"val_{i}.JPEG\tn{7 * i:08d}\t0\t0\t62\t62\n".encode() for i in range(3)
    )
    files["tiny-imagenet-200/test/images/test_0.JPEG"] = png(9, 64)
    path = tmp_path / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    data = load_dataset("tiny-imagenet", tmp_path, cache_dir=tmp_path)
    assert data.test.labels.tolist() == [0, 7, 14]
    assert (len(data.train), data.num_classes, data.note) == (400, 200, "")


# --- download ---------------------------------------------------------------------------------


def test_download_checks_the_hash_and_is_kept(tmp_path, monkeypatch):
    """With a function in place of the network: pooch checks what it brings, and keeps it."""
    import pooch

    content = as_tar(binary_files(), tmp_path / "served.tgz").read_bytes()
    calls = []

    def served(url: str, known_hash: str, fname: str, path: Path) -> str:
        calls.append(url)
        return original(None, known_hash=known_hash, fname=fname, path=path, downloader=write)

    def write(url: object, output_file: str, _: object) -> None:
        Path(output_file).write_bytes(content)

    original = pooch.retrieve
    monkeypatch.setattr(pooch, "retrieve", served)
    url = source("cifar10").downloads[0].url
    with refused(DataError, code="unreachable", field=url, says=["hash", "--data-root"]):
        load_dataset("cifar10", cache_dir=tmp_path / "cache")
    digest = hashlib.md5(content).hexdigest()
    object.__setattr__(source("cifar10").downloads[0], "md5", digest)
    try:
        data = load_dataset("cifar10", cache_dir=tmp_path / "cache")
        again = load_dataset("cifar10", cache_dir=tmp_path / "cache")
    finally:
        object.__setattr__(
            source("cifar10").downloads[0], "md5", "c32a1d4ab5d03f1284b67883e8d87530"
        )
    assert len(calls) == 2
    assert torch.equal(data.train.images, again.train.images)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("no route to host", "no route to host."),
        (
            "HTTPSConnectionPool(host='x.org', port=443): Max retries exceeded with url: /t.gz "
            "(Caused by NameResolutionError(\"HTTPSConnection(host='x.org', port=443): Failed to "
            "resolve 'x.org' ([Errno -2] Name or service not known)\"))",
            "Failed to resolve 'x.org' ([Errno -2] Name or service not known).",
        ),
        ("404 Client Error: Not Found for url: https://x.org/t.gz", "404 Client Error: Not Found."),
    ],
)
def test_without_network_the_message_says_what_to_do(tmp_path, monkeypatch, raised, reason):
    import pooch

    def offline(**_: object) -> None:
        raise OSError(raised)

    monkeypatch.setattr(pooch, "retrieve", offline)
    url = source("mnist").downloads[0].url
    with refused(DataError, code="unreachable", field=url, says=["--data-root"]) as failed:
        load_dataset("mnist", cache_dir=tmp_path)
    assert f"{url}: {reason}" in str(failed.value)  # the reason is the system's own


def test_every_source_is_complete():
    for name in dataset_names():
        which = source(name)
        assert len(which.mean) == len(which.std) == which.shape[0]
        assert all(len(each.md5) == 32 and each.file in each.url for each in which.downloads)
        assert which.licence


# --- augmentation -----------------------------------------------------------------------------


def test_flip_and_crop_against_a_loop():
    images = torch.rand(64, 3, 6, 5)
    found = flip_and_crop(images, torch.Generator().manual_seed(0), 2)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    seen = set()
    for image, original in zip(found, padded, strict=True):
        matches = [
            (top, left, mirror)
            for top in range(5)
            for left in range(5)
            for mirror in (False, True)
            if torch.equal(
                image,
                original[:, top : top + 6, left : left + 5].flip(2)
                if mirror
                else original[:, top : top + 6, left : left + 5],
            )
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {m for *_, m in seen} == {False, True}
    assert {t for t, *_ in seen} == {left for _, left, _ in seen} == set(range(5))


def test_data_that_a_network_cannot_take() -> None:
    data = load_dataset("mnist-part")
    data.check_fits(zoo.build("lenet3").eval(), "lenet3")
    facts: dict[str, Any] = {"code": "shape-mismatch", "field": f"data '{data.name}'"}
    with refused(DataError, **facts, value="1x28x28", allowed="3x32x32", says=["'vgg8'"]):
        data.check_fits(zoo.build("vgg8", widths=(4, 4, 4), hidden=8).eval(), "vgg8")
    with refused(DataError, **facts, value=10, allowed="7", says=["'lenet3'"]):
        data.check_fits(zoo.build("lenet3", num_classes=7).eval(), "lenet3")
