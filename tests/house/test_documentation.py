"""The documentation builds without a warning, is spelled right, and fits a screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.helpers import ROOT

WIDEST = 100
#: Words of the field that codespell takes for others.
KNOWN_WORDS = "te,mis,fo,ue,sinc"


def pages() -> list[Path]:
    """Every page that people read, in the order of their names."""
    below = [page for page in (ROOT / "docs").rglob("*.md") if "generated" not in page.parts]
    return sorted([*ROOT.glob("*.md"), *(p for p in below if "_build" not in p.parts)])


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Broken links between pages, wrong markup and unknown names are warnings."""
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), "-b", "html", "docs", str(tmp_path / "html")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for page in ("index", "reference/generated/keys-chip", "tutorials/first-chip"):
        assert (tmp_path / "html" / f"{page}.html").is_file()


def test_pages_are_spelled_right() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--ignore-words-list", KNOWN_WORDS]
        + [str(page.relative_to(ROOT)) for page in pages()],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_is_wider_than_a_screen(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    wide = [
        f"{number}: {line}"
        for number, line in enumerate(lines, start=1)
        if len(line) > WIDEST and not line.lstrip().startswith("|")
    ]
    assert wide == []


def test_readme_is_read_in_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
