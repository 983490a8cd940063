"""What a result depends on: its hash, and where two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_MOST_CHARACTERS = 60


def identity_hash(identity: Mapping[str, Any]) -> str:
    """Return sixteen hex digits of SHA-256 over canonical JSON.

    Args:
        identity: everything that a result depends on.
    """
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences_of(before: Any, now: Any, path: str = "") -> list[str]:
    """Say where two JSON values differ, by dotted path.

    Args:
        before: what is there.
        now: what is here.
        path: of both.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        differences = []
        for key in sorted({*before, *now}):
            here = f"{path}.{key}" if path else str(key)
            differences += differences_of(before.get(key), now.get(key), here)
        return differences
    if before == now:
        return []
    return [f"{path} ({_short(before)} there, {_short(now)} here)"]


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
