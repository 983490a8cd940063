"""The idx format of MNIST: magic number, big-endian sizes, bytes (Y. LeCun's MNIST page)."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from archsim.errors import Code, DataError
from tsb.data.dataset import RawImages
from tsb.data.files import read_gzipped
from tsb.data.reader import Reader, ReadImages

if TYPE_CHECKING:
    from tsb.data.sources import Source

#: Training and test files of MNIST and what looks like it: part -> (images, labels).
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

_UNSIGNED_BYTE = 8
_HEADER = struct.Struct(">HBB")
_LABEL_DIMS, _IMAGE_DIMS = 1, 3


def read_idx(content: bytes, where: str) -> UInt8[Tensor, "*shape"]:
    """Decode an idx file of unsigned bytes.

    Args:
        content: unpacked.
        where: the file, for errors.

    Raises:
        DataError: not idx, not bytes, or not as long as its header says.
    """
    if len(content) < _HEADER.size:
        raise DataError.of(
            Code.DAMAGED_FILE, where, problem=f"{len(content)} bytes; not an idx file"
        )
    zero, kind, dims = _HEADER.unpack_from(content)
    start = _HEADER.size + 4 * dims
    if zero != 0 or kind != _UNSIGNED_BYTE or len(content) < start:
        raise DataError.of(
            Code.DAMAGED_FILE,
            where,
            problem=f"not an idx file of unsigned bytes (starts {content[:4].hex()})",
        )
    shape = struct.unpack_from(f">{dims}I", content, _HEADER.size)
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise DataError.of(
            Code.DAMAGED_FILE,
            where,
            problem=f"{len(content)} bytes; its header says {expected}: truncated or damaged",
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).copy()).view(shape)


@final
class IdxFiles(Reader):
    """A folder of four idx files, gzipped or not."""

    has_own_folder: ClassVar[bool] = True

    def holds(self, folder: Path) -> bool:
        """Return whether it has at least one of the four files."""
        return any(_path(folder, name) for pair in IDX_FILES.values() for name in pair)

    def check(self, place: Path, source: Source) -> None:
        """Refuse a single file."""
        if not place.is_dir():
            raise DataError.of(
                Code.WRONG_FILE,
                place,
                problem=f"{source.name} is a folder of idx files, not one file",
            )

    def read(self, place: Path, source: Source) -> ReadImages:
        """Decode the four files."""
        train, test = (_read_part(place, source, part) for part in IDX_FILES)
        return ReadImages(train, test)


def _read_part(folder: Path, source: Source, part: str) -> RawImages:
    tensors = []
    for name, dims in zip(IDX_FILES[part], (_IMAGE_DIMS, _LABEL_DIMS), strict=True):
        path = _path(folder, name)
        if path is None:
            raise DataError.of(
                Code.MISSING_FILE, folder, problem=f"{source.name} needs '{name}' (or '{name}.gz')"
            )
        content = read_gzipped(path)
        tensor = read_idx(content, str(path))
        if tensor.dim() != dims:
            raise DataError(
                f"{path}: {tensor.dim()} dimensions; expected {dims}",
                code=Code.SHAPE_MISMATCH,
                field=path,
                value=tensor.dim(),
                allowed=str(dims),
            )
        if dims == _LABEL_DIMS:
            _check_labels(content, path, source)
        tensors.append(tensor)
    images, labels = tensors
    if images.shape[1:] != source.shape[1:]:
        raise DataError(
            f"{folder}: {part} images are {tuple(images.shape[1:])}; {source.name} has "
            f"{source.shape[1:]}",
            code=Code.SHAPE_MISMATCH,
            field=folder,
            value=tuple(images.shape[1:]),
            allowed=str(source.shape[1:]),
        )
    if len(images) != len(labels):
        raise DataError(
            f"{folder}: {len(images)} {part} images but {len(labels)} labels",
            code=Code.SHAPE_MISMATCH,
            field=folder,
            value=(len(images), len(labels)),
        )
    return RawImages(images.unsqueeze(1), labels.long())


def _check_labels(content: bytes, path: Path, source: Source) -> None:
    """Tell MNIST from Fashion-MNIST, which have the same files, shapes and counts."""
    from tsb.data.sources import source_with_labels  # which names this module

    owner = source_with_labels(hashlib.md5(content, usedforsecurity=False).hexdigest())
    if owner not in (None, source.name):
        raise DataError(
            f"{path}: these are the labels of {owner}, not of {source.name}",
            code=Code.WRONG_FILE,
            field=path,
            value=owner,
            allowed=source.name,
        )


def _path(folder: Path, name: str) -> Path | None:
    spellings = (name, f"{name}.gz", name.replace("-idx", ".idx"))
    return next((folder / each for each in spellings if (folder / each).is_file()), None)
