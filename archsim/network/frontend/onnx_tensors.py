"""Tensors stored in an ONNX file: their shapes, and the values of the small ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError
from archsim.network.frontend.onnx_file import external_file
from archsim.network.frontend.onnx_wire import DROPPED
from archsim.network.kept.watch import depends_on

if TYPE_CHECKING:
    import numpy
    import onnx

#: Largest tensor whose values are looked at, in elements: enough for shapes, axes and scales.
MAX_VALUES = 4096
#: Most elements of one tensor: up to here float64, in which costs are counted, holds every integer.
MAX_ELEMENTS = 2**53
#: Most axes of a tensor, as in NumPy.
MAX_RANK = 64


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor of an ONNX file.

    Attributes:
        name: Its name.
        elem_type: ``TensorProto.DataType`` of its elements.
        shape: Its shape.
        small: The tensor itself, where it has at most :data:`MAX_VALUES` elements.
        external: Its file, where small values lie outside the model.
    """

    name: str
    elem_type: int
    shape: tuple[int, ...]
    small: onnx.TensorProto | None
    external: Path | None = None

    @property
    def elements(self) -> int:
        """Number of its elements."""
        return math.prod(self.shape)


def stored(tensor: onnx.TensorProto, folder: Path) -> Stored:
    """Describe ``tensor`` of a model in ``folder``, and let go of its values if it is large.

    Raises:
        NetworkError: Its type or shape is impossible, its values do not fill its shape, or its
            external data lies outside the folder.
    """
    name = str(tensor.name)
    shape = checked_shape(f"ONNX tensor '{name}'", tensor.dims)
    elem_type = int(tensor.data_type)
    bits = element_bits(elem_type)
    if bits is None:
        raise NetworkError(
            f"ONNX tensor '{name}': its element type {elem_type} is unknown",
            code=Code.UNSUPPORTED,
            field=name,
            value=elem_type,
        )
    external = _external(tensor, folder, name)
    elements = math.prod(shape)
    given = _raw_bytes(tensor)
    if external is None and bits and given is not None:
        _check_bytes(name, shape, given=given, needed=-(-elements * bits // 8))
    small = tensor if elements <= MAX_VALUES and bits else None
    return Stored(name=name, elem_type=elem_type, shape=shape, small=small, external=external)


def _external(tensor: onnx.TensorProto, folder: Path, name: str) -> Path | None:
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return None
    said = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    return external_file(folder, name, said.get("location", ""))


def _raw_bytes(tensor: onnx.TensorProto) -> int | None:
    """Bytes of raw data that the file holds of ``tensor``; None if it has none."""
    dropped = [str(e.value) for e in tensor.metadata_props if e.key == DROPPED]
    if dropped and dropped[-1].isdecimal():
        return int(dropped[-1])
    return len(tensor.raw_data) if tensor.HasField("raw_data") else None


def _check_bytes(name: str, shape: tuple[int, ...], *, given: int, needed: int) -> None:
    if given != needed:
        raise NetworkError(
            f"ONNX tensor '{name}': the file holds {given} bytes of it, its shape {shape} needs "
            f"{needed}; the file is damaged",
            code=Code.DAMAGED_FILE,
            field=name,
            value=given,
            allowed=f"{needed} bytes",
        )


def element_bits(elem_type: int) -> int | None:
    """Bits of one element; 0 for strings, None for a type that ONNX does not know."""
    import onnx

    names = {int(value): str(key) for key, value in onnx.TensorProto.DataType.items()}
    name = names.get(elem_type, "UNDEFINED")
    if name == "UNDEFINED":
        return None
    if name == "STRING":
        return 0
    for prefix, bits in _SUB_BYTE.items():
        if name.startswith(prefix):
            return bits
    return int(onnx.helper.tensor_dtype_to_np_dtype(elem_type).itemsize) * 8


#: Types that lie packed in raw data.
_SUB_BYTE = {"INT4": 4, "UINT4": 4, "FLOAT4": 4, "INT2": 2, "UINT2": 2}


def is_weight_type(elem_type: int) -> bool:
    """Whether trained weights have elements of this type: real numbers, or integers of 8 bits."""
    import onnx

    names = {int(value): str(key) for key, value in onnx.TensorProto.DataType.items()}
    name = names.get(elem_type, "")
    is_real = name.startswith(("FLOAT", "DOUBLE", "BFLOAT"))
    return is_real or name in ("INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2")


def checked_shape(owner: str, dims: Iterable[int]) -> tuple[int, ...]:
    """``dims`` as a tuple.

    Raises:
        NetworkError: A size is negative, or there are too many axes or elements.
    """
    shape = tuple(int(size) for size in dims)
    if len(shape) > MAX_RANK:
        raise NetworkError(
            f"{owner}: it has {len(shape)} axes; at most {MAX_RANK} are allowed",
            code=Code.OUT_OF_RANGE,
            field=owner,
            value=len(shape),
            allowed=f"at most {MAX_RANK} axes",
        )
    if any(size < 0 for size in shape):
        raise NetworkError(
            f"{owner}: its shape {shape} has a negative size",
            code=Code.OUT_OF_RANGE,
            field=owner,
            value=shape,
            allowed="0 or more",
        )
    if math.prod(shape) > MAX_ELEMENTS or max(shape, default=0) > MAX_ELEMENTS:
        raise NetworkError(
            f"{owner}: its shape {shape} is absurd; at most {MAX_ELEMENTS} elements can be counted",
            code=Code.OUT_OF_RANGE,
            field=owner,
            value=shape,
            allowed=f"at most {MAX_ELEMENTS} elements",
        )
    return shape


def values_of(tensor: Stored) -> numpy.ndarray | None:
    """The values of ``tensor``; None where it is large, holds text, or its file is missing.

    Raises:
        NetworkError: The values do not fill the shape.
    """
    import onnx.numpy_helper

    if tensor.small is None:
        return None
    proto = tensor.small
    if tensor.external is not None:
        content = _external_bytes(tensor)
        if content is None:
            return None
        proto = onnx.TensorProto(data_type=tensor.elem_type, dims=tensor.shape, raw_data=content)
    try:
        return onnx.numpy_helper.to_array(proto)
    except (ValueError, TypeError, OverflowError) as error:
        raise NetworkError(
            f"ONNX tensor '{tensor.name}': its values do not fill its shape {tensor.shape}; the "
            "file is damaged",
            code=Code.DAMAGED_FILE,
            field=tensor.name,
            value=tensor.shape,
        ) from error


def _external_bytes(tensor: Stored) -> bytes | None:
    """The bytes of a small tensor from its external file, None where that is missing."""
    small = tensor.small
    if small is None or tensor.external is None:
        return None
    depends_on(tensor.external)
    said = {str(entry.key): str(entry.value) for entry in small.external_data}
    bits = element_bits(tensor.elem_type) or 0
    length = -(-tensor.elements * bits // 8)
    try:
        if not tensor.external.is_file():  # opening a pipe would wait for ever
            return None
        offset = int(said.get("offset", "0"))
        with tensor.external.open("rb") as file:
            file.seek(offset)
            content = file.read(length)
    except (OSError, ValueError, OverflowError):
        return None
    return content if len(content) == length else None
