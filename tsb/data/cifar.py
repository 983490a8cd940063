"""The two official archives of CIFAR-10: binary records, and pickled Python batches.

Nothing is unpickled: a batch is a stream of opcodes, which :mod:`pickletools` lists without running
them, and the two things wanted are literal arguments of it: one string with all pixels, and a
list of small integers after the key ``labels``.
"""

from __future__ import annotations

import pickletools
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from torch import Tensor

from archsim.errors import Code, DataError
from tsb.data.dataset import RawImages
from tsb.data.files import read_tree
from tsb.data.image_folder import ImageFolder, is_image
from tsb.data.reader import ReadImages

if TYPE_CHECKING:
    from tsb.data.sources import Source

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEST = "test_batch"
_LIST_OPS = {"MARK", "EMPTY_LIST", "APPENDS", "APPEND", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_INT_OPS = {"BININT1", "BININT", "BININT2", "INT"}
_STRING_OPS = {"BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"}
_STRING_OPS |= {"BINUNICODE", "SHORT_BINUNICODE"}


_JPEG_NOTE = (
    "read from JPEG files: not the original pixels, and accuracies are slightly lower than theirs"
)


@final
class CifarBatches(ImageFolder):
    """Batches of CIFAR-10 in a folder or an archive; images in their place are copies of it."""

    def holds(self, folder: Path) -> bool:
        """Return whether it has a batch, or a folder ``train``."""
        return super().holds(folder) or any(is_batch(file.name) for file in folder.iterdir())

    def read(self, place: Path, source: Source) -> ReadImages:
        """Decode the batches; without any, the images."""
        files = read_tree(place, lambda name: is_batch(name) or is_image(name))
        batches = {path: content for path, content in files.items() if is_batch(path)}
        if batches:
            return ReadImages(*read_batches(batches, str(place)))
        if not files:
            raise DataError.of(
                Code.MISSING_FILE,
                place,
                problem=f"neither batches nor images of {source.name} in it",
            )
        return self.decoded(files, source, str(place))

    def kept_note(self, source: Source) -> str:
        """Say that CIFAR-10 is not published as images."""
        del source
        return _JPEG_NOTE


def is_batch(name: str) -> bool:
    """Return whether a file name is one of CIFAR's (python or binary batches)."""
    return PurePosixPath(name).name.removesuffix(".bin") in (*_BATCHES, _TEST)


def read_batches(files: dict[str, bytes], where: str) -> tuple[RawImages, RawImages]:
    """Decode training and test images.

    Args:
        files: contents by path, from :func:`tsb.data.files.read_tree`.
        where: the folder or archive, for errors.

    Raises:
        DataError: a batch is missing, damaged, or of another data set.
    """
    by_name = {PurePosixPath(path).name: content for path, content in files.items()}
    parts = []
    for batches in (_BATCHES, (_TEST,)):
        decoded = []
        for batch in batches:
            if f"{batch}.bin" in by_name:
                decoded.append(decode_binary(by_name[f"{batch}.bin"], f"{where}: {batch}.bin"))
            elif batch in by_name:
                decoded.append(decode_python(by_name[batch], f"{where}: {batch}"))
            else:
                raise DataError.of(
                    Code.MISSING_FILE,
                    where,
                    problem=f"'{batch}' is missing; it has {sorted(by_name)}",
                )
        images = torch.cat([raw.images for raw in decoded])
        parts.append(RawImages(images, torch.cat([raw.labels for raw in decoded])))
    train, test = parts
    return train, test


def decode_binary(content: bytes, where: str) -> RawImages:
    """Decode a binary batch: per image one label byte, then 3072 pixels, channel by channel.

    Args:
        content: of one ``.bin`` file.
        where: the file, for errors.

    Raises:
        DataError: not a whole number of records.
    """
    if not content or len(content) % (_PIXELS + 1):
        raise DataError.of(
            Code.DAMAGED_FILE,
            where,
            problem=f"{len(content)} bytes; not a whole number of records of {_PIXELS + 1}: "
            "truncated, or not CIFAR-10",
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _PIXELS + 1)
    return RawImages(_as_images(records[:, 1:]), torch.from_numpy(records[:, 0].astype(np.int64)))


def decode_python(content: bytes, where: str) -> RawImages:
    """Decode a Python batch without running it.

    Args:
        content: of one batch file.
        where: the file, for errors.

    Raises:
        DataError: not such a batch, truncated, or of CIFAR-100.
    """
    labels: list[int] = []
    pixels, fortran, previous, in_labels = b"", False, "", False
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if isinstance(argument, str | bytes) and opcode.name in _STRING_OPS:
                text = argument.encode("latin-1") if isinstance(argument, str) else argument
                if text == b"fine_labels":
                    raise DataError.of(
                        Code.WRONG_FILE,
                        where,
                        problem="these are labels of CIFAR-100, not of CIFAR-10",
                    )
                in_labels = text == b"labels"
                if len(text) >= _PIXELS:
                    # The state of a pickled array: (version, shape, type, Fortran order?, bytes).
                    pixels, fortran = text, previous == "NEWTRUE"
            elif in_labels and isinstance(argument, int) and opcode.name in _INT_OPS:
                labels.append(argument)
            elif opcode.name not in _LIST_OPS:
                in_labels = False
            previous = opcode.name
    except (ValueError, IndexError) as error:
        raise DataError.of(
            Code.DAMAGED_FILE, where, problem=f"truncated or not a CIFAR-10 batch: {error}"
        ) from error
    if not labels or len(pixels) != len(labels) * _PIXELS:
        raise DataError.of(
            Code.DAMAGED_FILE,
            where,
            problem=f"{len(labels)} labels and {len(pixels)} bytes of pixels; expected {_PIXELS} "
            "per label: not a CIFAR-10 batch",
        )
    flat = np.frombuffer(pixels, np.uint8)
    rows = flat.reshape(_PIXELS, -1).T if fortran else flat.reshape(-1, _PIXELS)
    return RawImages(_as_images(rows), torch.tensor(labels))


def _as_images(rows: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.array(rows, order="C")).view(-1, *_SHAPE)
