"""README, Makefile and CI name the same commands."""

from __future__ import annotations

import re

from tests.house.helpers import ROOT


def _commands(name: str) -> list[str]:
    """The `make` commands of a file, in order."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^make \w+$", text, flags=re.MULTILINE)


def test_two_commands_and_ci_runs_one_of_them() -> None:
    assert _commands("README.md") == ["make demo", "make test"]
    assert _commands(".ci/run") == ["make setup", "make test"]


def test_readme_names_only_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\bmake ([a-z]+)`", text) + [
            c.split()[1] for c in _commands(name)
        ]:
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"{name}: make {target}"
