"""The documentation builds without a warning, is spelled right, and fits a screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.helpers import ROOT, pages, run_python

WIDEST = 100
#: Words of the field that codespell takes for others.
KNOWN_WORDS = "te,mis,fo,ue,sinc"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Broken links between pages, wrong markup and unknown names are warnings."""
    done = run_python(
        *("-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"),
        *("-d", str(tmp_path / "trees"), "-b", "html", "docs", str(tmp_path / "html")),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    for page in ("index", "reference/generated/keys-chip", "tutorials/first-chip"):
        assert (tmp_path / "html" / f"{page}.html").is_file()


def test_pages_are_spelled_right() -> None:
    names = [str(page.relative_to(ROOT)) for page in pages()]
    done = run_python("-m", "codespell_lib", "--ignore-words-list", KNOWN_WORDS, *names, cwd=ROOT)
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
