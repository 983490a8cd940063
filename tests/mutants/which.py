"""Which tests say something of a module: those that import it, then its package's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path


def files_for(root: Path, module: str) -> list[str]:
    """Return the test files that import a module or its package, the nearest first.

    Imports through other files of the tests count. First come files that import the module by
    name or are called like it, then those in the folders that mirror its own, deepest first;
    smaller ones first.

    Args:
        root: of the tree.
        module: dotted name, for example ``archsim.cost.chip``.
    """
    package = package_of(module)
    parts = module.removeprefix("archsim.").split(".")
    ranked = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        direct, all_ = _imports(root, name), _closure(root, name)
        if name.startswith("tests/house/"):
            continue
        # A name that is imported from a package stands as ``package.name``.
        by_name = any(found == module or found.startswith(module + ".") for found in direct)
        pairs = zip(parts, name.split("/")[1:-1], strict=False)
        alike = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        by_name |= alike > 0 and Path(name).stem == f"test_{parts[-1]}"
        if by_name or alike or any(_is_in(found, package) for found in all_):
            ranked.append((not by_name, -alike, path.stat().st_size, name))
    return [name for *_, name in sorted(ranked)]


def package_of(module: str) -> str:
    """Return the package that a module counts to: ``archsim.cost``, ``tsb``."""
    return ".".join(module.split(".")[: 2 if module.startswith("archsim.") else 1])


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@cache
def _imports(root: Path, name: str) -> frozenset[str]:
    """Modules, and names of modules, that a file imports."""
    return frozenset(_imported(ast.parse((root / name).read_text(encoding="utf-8"))))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _closure(root: Path, name: str) -> frozenset[str]:
    """What a file imports, by itself and through files of the tests, its conftest among them."""
    seen, waiting, found = set(), [name], set()
    conftest = (root / name).with_name("conftest.py")
    if conftest.is_file():
        waiting.append(conftest.relative_to(root).as_posix())
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for module in _imports(root, here):
            found.add(module)
            path = module.replace(".", "/") + ".py"
            if module.startswith("tests.") and (root / path).is_file():
                waiting.append(path)
    return frozenset(found)
