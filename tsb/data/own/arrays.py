"""Arrays in a ``.npz`` or ``.safetensors`` file: inputs and targets by part."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from archsim.errors import Code, DataError
from archsim.util.files import check_regular, read_regular
from tsb.checkpoint import read_tensors
from tsb.data.own.form import DataForm, FormSettings, Most
from tsb.data.own.items import (
    MAX_SET_BYTES,
    PARTS,
    WHOLE,
    Collected,
    FoundParts,
    Items,
    scaled,
    spread,
)

_NPZ, _SAFETENSORS = ".npz", ".safetensors"


class ArraySettings(FormSettings):
    """Keys of ``form: arrays``."""

    file: str = Field(min_length=1)
    divide_by: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    mean: list[float] | None = None
    std: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None


class Arrays(DataForm[ArraySettings]):
    """Named arrays: ``train_inputs``, ``train_targets``, ``test_inputs``, ..., or x and y."""

    name = "arrays"
    description = "a .npz or .safetensors file with train_inputs, train_targets, test_inputs, ..."
    example = "digits.npz"
    settings = ArraySettings
    suffixes: ClassVar[tuple[str, ...]] = (_NPZ, _SAFETENSORS)

    def load(self, settings: ArraySettings, folder: Path, where: str, most: Most) -> FoundParts:
        """See :meth:`DataForm.load`."""
        path = folder / settings.file
        arrays = _read(path)
        parts: dict[str, Items] = {}
        for part in (*PARTS, WHOLE):
            names = _names(part, arrays)
            if names is None:
                continue
            collected = Collected(f"{where}: {' and '.join(names)}")
            collected.add((arrays.pop(names[0]), arrays.pop(names[1])), batch=True)
            items = collected.items()
            parts[part] = items.at(torch.tensor(spread(len(items), most.get(part))))
        if arrays or not parts or (WHOLE in parts and len(parts) > 1):
            raise DataError.of(
                Code.UNKNOWN_KEY if arrays else Code.MISSING_KEY,
                path,
                sorted(arrays),
                problem="names of arrays",
                allowed="PART_inputs and PART_targets (or x_PART and y_PART) for train, "
                "validation, test; or inputs and targets alone",
            )
        changes = {"divide_by": settings.divide_by, "mean": settings.mean, "std": settings.std}
        if any(value is not None for value in changes.values()):
            parts = {
                name: Items(
                    scaled(
                        items.inputs,
                        divide_by=settings.divide_by or 1.0,
                        mean=settings.mean,
                        std=settings.std,
                        where=where,
                    ),
                    items.targets,
                )
                for name, items in parts.items()
            }
        return FoundParts(parts=parts, classes=settings.number_of_classes)


def _names(part: str, arrays: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """Return the names of inputs and targets of a part; None where there are none."""
    pairs = [("inputs", "targets"), ("x", "y")]
    if part != WHOLE:
        pairs = [(f"{part}_inputs", f"{part}_targets"), (f"x_{part}", f"y_{part}")]
    return next((pair for pair in pairs if all(name in arrays for name in pair)), None)


def _read(path: Path) -> dict[str, Tensor]:
    """Return all arrays of a file.

    Raises:
        DataError: missing, damaged, too large, objects in place of numbers.
    """
    if path.suffix.lower() == _SAFETENSORS:
        check_regular(path)
        read_regular(path, MAX_SET_BYTES)
        return read_tensors(path)[0]
    if path.suffix.lower() != _NPZ:
        raise DataError.of(
            Code.WRONG_FILE, path, problem="no file of arrays", allowed=(_NPZ, _SAFETENSORS)
        )
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(info.file_size for info in packed.infolist())
        if size > MAX_SET_BYTES:
            raise DataError.of(
                Code.OUT_OF_RANGE, path, size, allowed=f"at most {MAX_SET_BYTES} bytes unpacked"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _tensor(arrays[name], f"{path}: {name}") for name in arrays.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"cannot be read: {error}") from error


def _tensor(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], where: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise DataError.of(
            Code.WRONG_TYPE, where, str(array.dtype), allowed="real or whole numbers"
        )
    native = array.astype(array.dtype.newbyteorder("="))
    if native.dtype.kind == "u" and native.dtype.itemsize > 1:
        native = native.astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(native))
