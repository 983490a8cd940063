"""Layer graphs in the user's cache folder.

The name of a file is the hash of what was asked: the name of the network, options, shapes, working
directory and search path, our own source and the versions of all packages. Inside are the files
that the graph depends on, by the hash of their content. Nothing that goes wrong with the folder
matters: what cannot be read is traced, what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError
from archsim.network.graph import LayerGraph
from archsim.network.kept.graph_data import from_data, to_text
from archsim.network.kept.versions import installed, network_source
from archsim.network.kept.watch import has_user_modules, is_loaded, watched
from archsim.util.atomic_write import write_whole
from archsim.util.files import is_file
from archsim.util.paths import user_cache

_SUFFIX = ".graph"
#: Largest file that a graph may depend on, bytes; reading a larger one takes longer than tracing.
_LARGEST = 2**30


def graphs_folder() -> Path:
    """Return the folder of layer graphs in the user's cache."""
    return user_cache() / "graphs"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A network as it was asked for.

    Attributes:
        spec: its name.
        options: all that tracing takes beside it, by name.
        runs_code: whether its name is that of a function of the user.
        files: that it is read from, where it is none.
    """

    spec: str
    options: Mapping[str, object]
    runs_code: bool = False
    files: tuple[Path, ...] = ()


def kept_graph(asked: Asked, make: Callable[[], LayerGraph]) -> LayerGraph:
    """Return a graph that was kept, or make it and keep it.

    Args:
        asked: what the graph depends on.
        make: traces the network.
    """
    key = _key(asked)
    if key is None or (asked.runs_code and (is_loaded(asked.spec) or has_user_modules())):
        return make()
    path = graphs_folder() / f"{key}{_SUFFIX}"
    known = _read(path)
    if known is not None:
        return known
    start = time.time_ns()
    with watched(runs_code=asked.runs_code) as sources:
        graph = make()
    if not sources.refused:
        _write(path, graph, sources.files.union(asked.files), start)
    return graph


def _key(asked: Asked) -> str | None:
    """Return the hash of what was asked; None where it holds more than plain values."""
    source = network_source()
    said = _said(asked.options)
    if source is None or said is None:
        return None
    try:
        where = (os.getcwd(), *sys.path) if asked.runs_code or asked.files else ()  # noqa: PTH109
    except OSError:
        return None
    environment = sorted(f"{name}={os.environ[name]}" for name in os.environ if _steers(name))
    parts = (source, installed(), asked.spec, said, *environment, *where)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _steers(name: str) -> bool:
    """Whether a variable of the environment may steer how a library builds a network.

    Those of the compiler do not, and PyTorch sets one of them when it traces.
    """
    return name.startswith(("TIMM_", "TORCH", "PYTORCH_", "HF_", "TRANSFORMERS_")) and (
        not name.startswith("TORCHINDUCTOR_")
    )


def _said(value: object) -> str | None:
    """Return a text that only equal plain values share; None for other values."""
    if value is None or type(value) in (bool, int, float, str):
        return repr(value)
    if isinstance(value, Mapping):
        items = [(repr(name), _said(item)) for name, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(type(value).__name__, _said(item)) for item in value]
    else:
        return None
    inner = [f"{name}: {item}" for name, item in sorted(items, key=_first)]
    return None if any(item is None for _, item in items) else f"({', '.join(inner)})"


def _first(item: tuple[str, str | None]) -> str:
    return item[0]


def _read(path: Path) -> LayerGraph | None:
    try:
        content = path.read_bytes()
        digest, _, rest = content.partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            return None
        data: dict[str, Any] = json.loads(rest)
        if any(_hash(Path(file)) != known for file, known in data["files"]):
            return None
        return from_data(data["graph"])
    except Exception:  # noqa: BLE001 - whatever is in the file, the network can be traced
        return None


def _write(path: Path, graph: LayerGraph, files: Iterable[Path], start: int) -> None:
    with suppress(OSError, ValueError, ArchsimError):
        if any(file.stat().st_mtime_ns >= start for file in files):
            return  # what was traced may be what the file held before
        hashes = [[str(file), _hash(file)] for file in sorted(files)]
        if any(known is None for _, known in hashes):
            return
        text = f'{{"files": {json.dumps(hashes)}, "graph": {to_text(graph)}}}'.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def _hash(path: Path) -> str | None:
    """Return the hash of a file; None where there is none, or no usual one."""
    try:
        if not is_file(path) or path.stat().st_size > _LARGEST:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
