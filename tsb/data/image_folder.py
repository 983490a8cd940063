"""Image folders: ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``, and Tiny ImageNet's form."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from archsim.errors import Code, DataError
from tsb.data.dataset import RawImages
from tsb.data.files import read_tree
from tsb.data.reader import Reader, ReadImages

if TYPE_CHECKING:
    from tsb.data.sources import Source

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_ARCHIVES = (".tar", ".gz", ".tgz", ".zip", ".xz", ".bz2")
#: Which file of Tiny ImageNet's validation folder says what the images are.
ANNOTATIONS = "val_annotations.txt"


class ImageFolder(Reader):
    """Images below ``train/`` and ``test/`` or ``val/``, in a folder or an archive."""

    has_own_folder: ClassVar[bool] = False

    def holds(self, folder: Path) -> bool:
        """Return whether it has a folder ``train``."""
        return (folder / "train").is_dir()

    def check(self, place: Path, source: Source) -> None:
        """Refuse a file that is named like no archive."""
        if place.is_file() and place.suffix.lower() not in _ARCHIVES:
            raise DataError.of(
                Code.WRONG_FILE,
                place,
                problem=f"{source.name} is an archive ({', '.join(_ARCHIVES)}) or a folder",
            )

    def read(self, place: Path, source: Source) -> ReadImages:
        """Decode every image."""
        files = read_tree(place, is_image)
        if not files:
            raise DataError.of(Code.MISSING_FILE, place, problem=f"no images of {source.name}")
        return self.decoded(files, source, str(place))

    def decoded(self, files: dict[str, bytes], source: Source, where: str) -> ReadImages:
        """Decode images that were read.

        Args:
            files: contents by path.
            source: the data set that they should be.
            where: the folder or archive, for errors.
        """
        train, test = read_image_folder(files, source, where)
        return ReadImages(train, test, self.kept_note(source), is_slow=True)


def is_image(name: str) -> bool:
    """Return whether a file name is an image's, or that of Tiny ImageNet's list of labels."""
    path = PurePosixPath(name)
    labelled = {"train", "val", "test"} & set(path.parts)
    return bool(labelled) and (path.suffix.lower() in IMAGE_SUFFIXES or path.name == ANNOTATIONS)


def read_image_folder(
    files: dict[str, bytes], source: Source, where: str
) -> tuple[RawImages, RawImages]:
    """Decode training and test images; labels number the sorted class names.

    Tiny ImageNet's own test images have no labels: its ``val`` images are our test images.

    Args:
        files: contents by path, from :func:`tsb.data.files.read_tree`.
        source: the data set that they should be.
        where: the folder or archive, for errors.

    Raises:
        DataError: other classes, no images, or one that is damaged or of another size.
    """
    train = _labelled(files, "train")
    annotations = next((p for p in files if PurePosixPath(p).name == ANNOTATIONS), None)
    test = _labelled(files, "test") if annotations is None else _annotated(files, annotations)
    class_names = sorted(set(train.values()))
    expected = list(source.class_names) or class_names
    if len(class_names) != source.num_classes or class_names != expected:
        raise DataError(
            f"{where}: {len(class_names)} classes in train/ ({', '.join(class_names[:3])}...); "
            f"{source.name} has {source.num_classes}"
            + (f": {', '.join(expected)}" if source.class_names else ""),
            code=Code.SHAPE_MISMATCH,
            field=where,
            value=len(class_names),
            allowed=str(source.num_classes),
        )
    strange = sorted(set(test.values()) - set(class_names))
    if strange:
        raise DataError(
            f"{where}: test images of class '{strange[0]}', which train/ has not",
            code=Code.UNKNOWN_NAME,
            field=where,
            value=strange[0],
        )
    numbers = {name: number for number, name in enumerate(class_names)}
    return _decode(train, files, numbers, source, where), _decode(
        test, files, numbers, source, where
    )


def _labelled(files: dict[str, bytes], part: str) -> dict[str, str]:
    """Map each image below ``part/<class>/`` to its class."""
    result = {}
    for path in files:
        parts = PurePosixPath(path).parts
        if part in parts[:-2] and PurePosixPath(path).name != ANNOTATIONS:
            result[path] = parts[parts.index(part) + 1]
    return result


def _annotated(files: dict[str, bytes], annotations: str) -> dict[str, str]:
    folder = PurePosixPath(annotations).parent / "images"
    rows = [line.split("\t") for line in files[annotations].decode().splitlines() if line.strip()]
    result = {str(folder / row[0]): row[1] for row in rows}
    missing = [path for path in result if path not in files]
    if missing:
        raise DataError(
            f"{annotations} lists {missing[0]}, which is missing",
            code=Code.MISSING_FILE,
            field=annotations,
            value=missing[0],
        )
    return result


def _decode(
    labelled: dict[str, str],
    files: dict[str, bytes],
    numbers: dict[str, int],
    source: Source,
    where: str,
) -> RawImages:
    channels, height, width = source.shape
    images = torch.empty((len(labelled), height, width, channels), dtype=torch.uint8)
    for row, path in enumerate(labelled):
        images[row] = _decode_one(files[path], source, f"{where}: {path}")
    labels = torch.tensor([numbers[name] for name in labelled.values()], dtype=torch.long)
    return RawImages(images.permute(0, 3, 1, 2).contiguous(), labels)


def _decode_one(content: bytes, source: Source, where: str) -> Tensor:
    from PIL import Image

    _, height, width = source.shape
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.array(image.convert("RGB"))
    except OSError as error:
        raise DataError(
            f"{where}: not a readable image: {error}",
            code=Code.DAMAGED_FILE,
            field=where,
        ) from error
    if pixels.shape[:2] != (height, width):
        raise DataError(
            f"{where}: {pixels.shape[1]}x{pixels.shape[0]} pixels; {source.name} has "
            f"{width}x{height}",
            code=Code.SHAPE_MISMATCH,
            field=where,
            value=(pixels.shape[1], pixels.shape[0]),
            allowed=f"{width}x{height}",
        )
    return torch.from_numpy(pixels)
