"""Which archsim a result was made with."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

from archsim import __version__


@lru_cache(maxsize=1)
def provenance() -> dict[str, str]:
    """Return version and commit of this archsim; the commit is "" outside a checkout of it."""
    return {"archsim": __version__, "commit": _commit()}


def _commit() -> str:
    here = Path(__file__)
    # An installed copy may lie in the checkout of something else, whose commit says nothing.
    if not _git(here.parent, "ls-files", here.name):
        return ""
    return _git(here.parent, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    try:
        completed = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return completed.stdout.strip()
