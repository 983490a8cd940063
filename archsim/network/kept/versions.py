"""What a traced graph depends on beside the network: our own sources, and what is installed."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_NETWORK = Path(__file__).resolve().parents[1]
#: What the graphs of built-in networks do not depend on: other ways in, and what reads a graph.
_NOT_OF_ZOO = frozenset(
    {
        *("__init__", "digital", "flow", "formats", "insertion", "layer_calls", "layer_cells"),
        *("layer_file", "load", "offline", "onnx_trace", "own_code", "render", "shipped", "signs"),
        *(
            "store",
            "table",
            "timm_models",
            "user_functions",
            "user_modules",
            "user_network",
            "versions",
            "watch",
        ),
    }
)


@lru_cache(maxsize=1)
def zoo_source() -> str | None:
    """Return the hash of all source that the graphs of built-in networks follow from.

    None where the sources are not there; nothing is taken from a file then.
    """
    return source_hash(
        path
        for path in _NETWORK.rglob("*.py")
        if path.stem not in _NOT_OF_ZOO and not path.stem.startswith("onnx_")
    )


@lru_cache(maxsize=1)
def network_source() -> str | None:
    """Return the hash of the whole package :mod:`archsim.network`; None without its sources."""
    return source_hash(_NETWORK.rglob("*.py"))


def source_hash(paths: Iterable[Path]) -> str | None:
    """Return the hash of source files, whatever their ends of lines; None without them.

    Args:
        paths: in the package :mod:`archsim.network`.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(paths):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            digest.update(path.relative_to(_NETWORK).as_posix().encode() + b"\0" + content + b"\0")
    except OSError:
        return None
    return digest.hexdigest() if digest.digest() != hashlib.sha256().digest() else None


def installed() -> str:
    """Return the hash of Python's version, and of all packages: names, versions, when installed."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in package_folders():
        try:
            said = sorted(
                f"{path.name} {path.stat().st_mtime_ns}"
                for path in folder.iterdir()
                if path.suffix in _ABOUT
            )
        except OSError:
            continue
        digest.update("\0".join([str(folder), *said, ""]).encode())
    return digest.hexdigest()


#: Endings of the folders that say the version of a package.
_ABOUT = frozenset({".dist-info", ".egg-info", ".egg"})


def package_folders() -> tuple[Path, ...]:
    """Return the folders of installed packages, in order of the search path."""
    here = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    return tuple(
        dict.fromkeys(
            path
            for path in (*map(Path, sys.path), *sorted(here))
            if path in here or path.name in ("site-packages", "dist-packages")
        )
    )
