"""Fresh interpreters: what an import does can be seen only in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: The checkout these tests belong to.
ROOT = Path(__file__).resolve().parents[2]


def pages() -> list[Path]:
    """Every page that people write and read, below ``docs`` and at the root, by name."""
    below = [page for page in (ROOT / "docs").rglob("*.md") if "generated" not in page.parts]
    return sorted([*ROOT.glob("*.md"), *(page for page in below if "_build" not in page.parts)])


def run_python(
    *arguments: str, cwd: Path, path: Path | None = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run Python in ``cwd`` with ``path`` on the import path, after the working directory."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSAFEPATH", "COLUMNS")
    }
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
