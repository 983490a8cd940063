"""The bytes of an ONNX file without its weights, so that no size of weights fills the memory.

An ONNX file is a protobuf message: fields, each a key (number and wire type) and a value; messages
inside messages are values with a length (protobuf.dev/programming-guides/encoding). Field numbers
are those of ``onnx.proto``. What is copied here, protobuf parses; so a mistake in a file is found
there, and only what would take memory is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: Values longer than this are weights, in bytes: more than the largest tensor that is looked into
#: (4096 elements of at most 16 bytes).
MAX_KEPT_BYTES = 2**16
#: Most bytes of everything but weights.
MAX_STRUCTURE_BYTES = 2**26
#: Most fields of the parts that are looked through.
MAX_FIELDS = 1_000_000
#: Key of the note on a tensor whose raw data was left out: how many bytes there were.
DROPPED = "archsim.dropped_bytes"

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
#: Bytes of the values that have a fixed length, by wire type.
_FIXED = {_FIXED64: 8, _FIXED32: 4}
#: Bits of a number that one byte of a varint holds, and most bytes of one.
_VARINT_BITS, _VARINT_BYTES = 7, 10


class WireError(ValueError):
    """The bytes are no protobuf message, or one of unreasonable size."""


@dataclass(frozen=True)
class _Kind:
    """A message: the fields that are messages with tensors in them, and those that are weights."""

    inner: Mapping[int, str] = field(default_factory=dict)
    bulk: frozenset[int] = frozenset()


_RAW_DATA, _METADATA = 9, 16
#: Messages of ``onnx.proto``, and where tensors lie in them.
_KINDS = {
    "model": _Kind(inner={7: "graph", 25: "function"}),
    "function": _Kind(inner={7: "node", 11: "attribute"}),
    "graph": _Kind(inner={1: "node", 5: "tensor", 15: "sparse"}),
    "node": _Kind(inner={5: "attribute"}),
    "attribute": _Kind(
        inner={5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
    ),
    "sparse": _Kind(inner={1: "tensor", 2: "tensor"}),
    "tensor": _Kind(bulk=frozenset({4, 5, 6, 7, _RAW_DATA, 10, 11})),
}


def without_weights(content: memoryview) -> bytes:
    """A copy of the model in ``content`` without the values of its large tensors.

    Where raw data is left out, a note in the tensor's metadata says how many bytes there were.

    Raises:
        WireError: The bytes are damaged, or the rest is too large.
    """
    return _Copy().message(content, _KINDS["model"])


@dataclass
class _Copy:
    """Counts what was seen and kept."""

    fields: int = 0
    kept: int = 0

    def message(self, content: memoryview, kind: _Kind) -> bytes:
        parts: list[bytes] = []
        for number, start, value, end in _fields(content):
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise WireError(f"it has more than {MAX_FIELDS} fields")
            size = end - value
            if number in kind.bulk and size > MAX_KEPT_BYTES:
                parts.append(_note(size) if number == _RAW_DATA else b"")
            elif number in kind.inner and size > MAX_KEPT_BYTES:
                inner = self.message(content[value:end], _KINDS[kind.inner[number]])
                parts.append(_with_length(number, inner))
            else:
                self.kept += end - start
                if self.kept > MAX_STRUCTURE_BYTES:
                    raise WireError(f"without its weights, it is over {MAX_STRUCTURE_BYTES} bytes")
                parts.append(bytes(content[start:end]))
        return b"".join(parts)


def _fields(content: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Number of each field, where it starts, where its value starts, and where it ends."""
    at = 0
    while at < len(content):
        start = at
        key, at = _varint(content, at)
        wire = key & 0b111
        if wire == _VARINT:
            value = at
            _, at = _varint(content, at)
        elif wire == _LENGTH:
            size, value = _varint(content, at)
            at = value + size
        elif wire in _FIXED:
            value, at = at, at + _FIXED[wire]
        else:
            raise WireError(f"unknown wire type {wire}")
        if at > len(content):
            raise WireError("it ends in the middle of a value")
        yield key >> 3, start, value, at


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    number = 0
    for i, byte in enumerate(content[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (_VARINT_BITS * i)
        if byte < 0x80:
            return number, at + i + 1
    raise WireError("a number does not end")


def _as_varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= _VARINT_BITS
    return bytes([*parts, number])


def _with_length(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | _LENGTH) + _as_varint(len(content)) + content


def _note(size: int) -> bytes:
    """A metadata entry (key, value) that says how many bytes were left out."""
    entry = _with_length(1, DROPPED.encode()) + _with_length(2, str(size).encode())
    return _with_length(_METADATA, entry)
