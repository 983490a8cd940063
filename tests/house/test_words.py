"""House: one meaning per word, as docs/glossary.md has it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.house.helpers import ROOT

PACKAGES = ("archsim", "mapping", "tsb", "reports")
#: What a placement may be: a word (none, common, separate), its code in a batch, or coordinates.
PLACEMENT_TYPES = {"str", "Tensor", "Placement"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def classes() -> dict[str, list[Path]]:
    """Files by name of the public classes that they define at their top."""
    defined: dict[str, list[Path]] = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(path)
    return defined


def test_a_class_name_stands_for_one_class() -> None:
    found = {name: paths for name, paths in classes().items() if len(paths) > 1}
    assert not found, found


def test_a_placement_is_none_common_or_separate() -> None:
    others = []
    for path, tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.AnnAssign(target=ast.Name(id="placement"), annotation=kind):
                    pass
                case ast.arg(arg="placement", annotation=ast.expr() as kind):
                    pass
                case _:
                    continue
            if ast.unparse(kind) not in PLACEMENT_TYPES:
                others.append((str(path), node.lineno, ast.unparse(kind)))
    assert others == []


def test_classes_that_the_glossary_names_are_there() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:archsim\.)?([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", text))
    assert named
    assert named - classes().keys() == set()
