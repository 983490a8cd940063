"""Write the stored texts anew: ``python -m tests.golden.regenerate [CASE...]``.

Look at the difference before you commit it: each changed line is a changed mapping. A file whose
text is the same is left as it is, provenance included.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import torch

from archsim import __version__
from tests.golden.cases import CASES

FOLDER = Path(__file__).parent
COMMAND = "python -m tests.golden.regenerate"


def path_of(case: str) -> Path:
    """Where the text of a case is stored."""
    return FOLDER / f"{case}.txt"


def without_header(stored: str) -> str:
    """The text below the comment that says where it came from."""
    lines = stored.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def header(case: str) -> str:
    """Where a text comes from; nothing in it is random, so there is no seed."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=FOLDER, capture_output=True, text=True, check=False,
    )  # fmt: skip
    commit = described.stdout.strip() or "unknown"
    return (
        f"# {CASES[case].__doc__}\n"
        f"# made by: {COMMAND} {case}\n"
        f"# date: {datetime.date.today().isoformat()}, commit: {commit}\n"
        f"# archsim {__version__}, torch {torch.__version__}\n"
    )


def main(chosen: list[str]) -> None:
    """Write what has changed and say so."""
    unknown = [case for case in chosen if case not in CASES]
    if unknown:
        sys.exit(f"unknown case {', '.join(unknown)}; allowed: {', '.join(CASES)}")
    for case in chosen or CASES:
        path, text = path_of(case), CASES[case]()
        same = path.exists() and without_header(path.read_text(encoding="utf-8")) == text
        if not same:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(header(case) + text, encoding="utf-8")
        sys.stdout.write(f"{case}: {'unchanged' if same else 'written'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
