"""Damage to ONNX files: to their bytes, and to their messages."""

from __future__ import annotations

import random

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_WHOLE = (0, 1, -1, 2, 3, 7, 64, 2**31 - 1, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63), 10**6)
_TEXTS = (
    *("", "x", "y", "/a/b", "..", "é", "my.ops", "SAME_UPPER", "bchw,bchw->", "bidirectional"),
    *("Conv", "If", "LSTM", "Reshape", "Einsum", "Attention", "ConvTranspose", "Split", "Resize"),
    *("TopK", "DequantizeLinear", "DynamicQuantizeLinear", "Constant", "Shape", "Gemm", "MatMul"),
)
_REALS = (0.0, -1.0, 1e30, float("nan"), float("inf"))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """``content`` with one change to its bytes, or up to three to its messages."""
    return _bytes(content, rng) if rng.random() < 0.4 else _messages(content, rng)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    at, other, size = rng.randrange(len(content)), rng.randrange(len(content)), rng.randint(1, 64)
    kind = rng.choice(("flip", "cut", "insert", "delete", "copy"))
    if kind == "flip":
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del changed[at:]
    elif kind == "insert":
        changed[at:at] = rng.randbytes(size)
    elif kind == "delete":
        del changed[at : at + size]
    else:
        changed[at : at + size] = changed[other : other + size]
    return bytes(changed)


def _messages(content: bytes, rng: random.Random) -> bytes:
    proto = onnx.ModelProto.FromString(content)
    for _ in range(rng.randint(1, 3)):
        message, field = rng.choice(_fields(proto))
        try:
            _change(message, field, rng)
        except (ValueError, TypeError):  # a number that does not fit the field
            continue
    return bytes(proto.SerializeToString())


def _fields(message: Message) -> list[tuple[Message, FieldDescriptor]]:
    found = []
    for field, value in message.ListFields():
        found.append((message, field))
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                found += _fields(inner)
    return found


def _change(message: Message, field: FieldDescriptor, rng: random.Random) -> None:
    if rng.random() < 0.2:
        message.ClearField(field.name)
    elif field.is_repeated:
        values = getattr(message, field.name)
        at = rng.randrange(len(values))
        if rng.random() < 0.3:
            del values[at]
        elif field.type == field.TYPE_MESSAGE:
            values.append(values[at])
        else:
            values[at] = _value(field, rng)
    elif field.type != field.TYPE_MESSAGE:
        setattr(message, field.name, _value(field, rng))


def _value(field: FieldDescriptor, rng: random.Random) -> object:
    if field.type == field.TYPE_BYTES:
        return rng.randbytes(rng.randint(0, 40))
    if field.type == field.TYPE_STRING:
        return rng.choice(_TEXTS)
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.choice(_REALS)
    return rng.choice(_WHOLE)
