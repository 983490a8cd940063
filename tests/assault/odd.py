"""Values that nobody means to give, and damage to texts, documents and bytes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

#: A function that leaves a mark where it is imported or called: see `tests.assault.fuzz`.
CODE = "code_of_the_assault:network"

TEXTS: tuple[str, ...] = (
    *(
        "null",
        "true",
        "no",
        "~",
        "",
        " ",
        "-1",
        "0",
        "1",
        "2.5",
        "1e308",
        "1e400",
        "-1e-320",
        ".nan",
    ),
    *(".inf", "-.inf", "nan", "9" * 400, "9" * 5000, "0x1F", "1_000", "1:30", "2020-02-30"),
    *(
        "2020-02-28",
        "2020-02-28T25:61:00Z",
        "!!int ''",
        "!!bool maybe",
        "!!float x",
        "!!binary '='",
    ),
    *("!!python/object/apply:os.system ['true']", "! x", "*a", "&a 1", "[1, 2", "{a: b", "'", '"'),
    *("[]", "{}", "[[[[]]]]", "[1, 2, 4]", "{a: 1}", "{from: 1, to: 2, points: 3}", "@", "%", "|"),
    *("> x", "- a", "? a", ": x", "a: b: c", "é" * 60, "a" * 300, "../../escaped", "/tmp/escaped"),
    *("a/b", "..", ".", "\x00", "a\x00b", "\x07", "\u2028", "\ufeff", "\t", "\n", "x\ny: z"),
    *(CODE, "timm:resnet18", "lenet3", "rram", "none", "ohm", "1 kohm", "{value: 1, unit: ohm}"),
    *("{value: 1, unit: ohm, source: mine}", "[" * 200 + "]" * 200, "none.yaml", "/dev/zero"),
)

VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 10**6, 2**31, 2**63, 10**30, -(10**30), 0.5, 1e308, -1e308),
    *(
        1e-320,
        float("nan"),
        float("inf"),
        "",
        "x",
        "null",
        "1",
        "a" * 300,
        "../../escaped",
        "/tmp/x",
    ),
    *(
        "a\x00b",
        CODE,
        "timm:resnet18",
        [],
        {},
        [1],
        [[]],
        [None],
        {"a": 1},
        {"value": 1},
        ["x", "y"],
    ),
)


_FORMATS = ("F8_E4M3", "F8_E5M2", "BF16", "F64", "I64", "BOOL", "C64")


def deep(rng: random.Random) -> Any:
    """Return a value, now and then one that is nested deeply."""
    if rng.random() < 0.03:
        nested: Any = 1
        for _ in range(rng.choice((50, 100, 300))):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        return nested
    return copy.deepcopy(rng.choice(VALUES))  # the next damage may change it


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one damage."""
    changed = bytearray(content or b"x")
    at, other, size = rng.randrange(len(changed)), rng.randrange(len(changed)), rng.randint(1, 64)
    kind = rng.choice(("flip", "flip", "cut", "insert", "delete", "copy", "empty", "zero"))
    if kind == "flip":
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del changed[at:]
    elif kind == "insert":
        changed[at:at] = rng.randbytes(size)
    elif kind == "delete":
        del changed[at : at + size]
    elif kind == "copy":
        changed[at : at + size] = changed[other : other + size]
    elif kind == "empty":
        changed.clear()
    else:
        changed[at : at + size] = bytes(size)
    return bytes(changed)


def damaged_yaml(text: str, rng: random.Random) -> str:
    """Return the text of a YAML file with up to three damages, mostly to its values."""
    for _ in range(rng.randint(1, 3)):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        kind = rng.choice(("value", "value", "value", "word", "drop", "twice", "shift", "bytes"))
        key, colon, _ = lines[at].partition(":")
        if kind == "value" and colon:
            lines[at] = f"{key}: {rng.choice(TEXTS)}"
        elif kind == "word" and lines[at].split():
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(TEXTS)
            lines[at] = " ".join(words)
        elif kind == "drop":
            del lines[at]
        elif kind == "twice":
            lines.insert(at, lines[at])
        elif kind == "shift":
            lines[at] = " " * rng.randint(1, 4) + lines[at]
        elif kind == "bytes":
            return damaged_bytes(text.encode(), rng).decode("utf-8", errors="replace")
        text = "\n".join(lines) or "x"
    return text


def damaged_document(document: Any, rng: random.Random) -> Any:
    """Return a JSON document with up to three values that are others, more or gone."""
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            return deep(rng)
        holder, key = rng.choice(places)
        kind = rng.choice(("other", "other", "other", "gone", "more"))
        if kind == "other":
            holder[key] = deep(rng)
        elif kind == "gone":
            del holder[key]
        elif isinstance(holder, dict):
            holder[rng.choice(("name", "x", "", "a" * 300))] = deep(rng)
        else:
            holder.append(copy.deepcopy(holder[key]))
    return changed


def _places(node: Any) -> Any:
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def damaged_json(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON file with damage to its values, or to its bytes."""
    if rng.random() < 0.25:
        return damaged_bytes(content, rng)
    try:
        return json.dumps(damaged_document(json.loads(content), rng)).encode()
    except ValueError:
        lines = content.splitlines()
        if len(lines) < 2 or not all(line.startswith(b"{") for line in lines):
            return damaged_bytes(content, rng)
        at = rng.randrange(len(lines))  # a curve: a document a line
        lines[at] = json.dumps(damaged_document(json.loads(lines[at]), rng)).encode()
        return b"\n".join(lines)


def damaged_safetensors(content: bytes, rng: random.Random) -> bytes:
    """Return a safetensors file with damage to its header, its metadata, or its bytes."""
    if rng.random() < 0.3:
        return damaged_bytes(content, rng)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    about = header.get("__metadata__", {}).get("archsim")
    if about is not None and rng.random() < 0.6:
        header["__metadata__"]["archsim"] = damaged_json(about.encode(), rng).decode(
            "utf-8", errors="replace"
        )
    elif rng.random() < 0.3:
        name = rng.choice([name for name in header if name != "__metadata__"])
        header[name]["dtype"] = rng.choice(_FORMATS)
    else:
        header = damaged_document(header, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def damaged_table(text: str, rng: random.Random) -> str:
    """Return the text of a CSV file with up to three other cells, or damaged bytes."""
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.2:
            return damaged_bytes(text.encode(), rng).decode("latin-1")
        rows = [line.split(",") for line in text.split("\n")]
        row = rng.choice(rows)
        kind = rng.choice(("other", "other", "more", "fewer", "twice"))
        if kind == "other":
            row[rng.randrange(len(row))] = rng.choice(TEXTS)
        elif kind == "more":
            row.append(rng.choice(TEXTS))
        elif kind == "fewer" and len(row) > 1:
            row.pop()
        elif kind == "twice":
            rows.append(list(row))
        text = "\n".join(",".join(row) for row in rows)
    return text
