"""Which tests run the lines of a sample of mutations, and how long they take: one run of all.

In a copy of the tree each line of the sample gets a call of ``tests.mutants.marks.reached`` before
it, then the tests run once. What runs while modules are imported belongs to no test.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants import marks
from tests.mutants.mutate import Mutation

_PYTEST = ("pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "tests.mutants.marks")


@dataclass(frozen=True)
class Reach:
    """Tests of a sample.

    Attributes:
        tests: of each mutation, the tests that run its line, by node id; a name of a file where
            one of its fixtures does.
        seconds: of each test that passed without a mutation.
    """

    tests: tuple[frozenset[str], ...]
    seconds: dict[str, float]

    def order(self, number: int, nearest: Sequence[str]) -> list[str]:
        """Return what to run for a mutation: tests that run its line, quick and near ones first.

        After them come their files as a whole, as a fixture may have kept what a test asks for.
        Where no test runs the line, as modules do when they are imported: the files.

        Args:
            number: of the mutation.
            nearest: files, nearest first.
        """
        rank = {name: place for place, name in enumerate(nearest)}
        found = [name for name in self.tests[number] if "::" in name]
        files = {name.partition("::")[0] for name in self.tests[number]}

        def price(name: str) -> float:
            far = rank.get(name.partition("::")[0], len(rank)) / (1 + len(rank))
            return (0.05 + self.seconds.get(name, 1.0)) * (1 + 9 * far)

        def of_file(name: str) -> float:
            inside = (took for test, took in self.seconds.items() if test.startswith(name + "::"))
            return (0.5 + sum(inside)) * (1 + 9 * rank.get(name, len(rank)) / (1 + len(rank)))

        if not files:
            return list(nearest)
        return sorted(found, key=lambda name: (price(name), name)) + sorted(files, key=of_file)


def reach(root: Path, sample: Sequence[Mutation], kept: Path, options: Sequence[str] = ()) -> Reach:
    """Run the tests once and return which of them run which line.

    Args:
        root: a copy of the tree, which is spoilt.
        sample: mutations of its files.
        kept: a file for what the run finds; where it is there, for the same sample, it is read.
        options: of pytest: which tests, how many workers.
    """
    head = json.dumps([[each.path, each.line, each.start] for each in sample])
    if not kept.is_file() or kept.read_text(encoding="utf-8").partition("\n")[0] != head:
        for path in {each.path for each in sample}:
            lines = {n: each.line for n, each in enumerate(sample) if each.path == path}
            source = (root / path).read_text(encoding="utf-8")
            (root / path).write_text(marked(source, lines), encoding="utf-8")
        begun = kept.with_name(f"{kept.name}.part")  # A run that is stopped leaves nothing kept.
        begun.write_text(head + "\n", encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", *_PYTEST, *options],
            cwd=root,
            env=_outside()
            | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", marks.FILE: str(begun.resolve())},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        begun.replace(kept)
    return read(kept.read_text(encoding="utf-8").splitlines()[1:], len(sample))


def _outside() -> dict[str, str]:
    # A run may start in a test of a worker: it is no worker itself.
    return {name: what for name, what in os.environ.items() if not name.startswith("PYTEST_")}


def read(lines: Iterable[str], count: int) -> Reach:
    """Return what a run wrote down.

    Args:
        lines: of its file, after the first.
        count: mutations.
    """
    tests: list[set[str]] = [set() for _ in range(count)]
    seconds = {}
    for line in lines:
        first, *rest = line.split("\t")
        if first == "s":
            seconds[rest[1]] = float(rest[0])
        elif rest[0]:
            test, _, when = rest[0].rpartition(" ")
            tests[int(first)].add(test if when == "(call)" else test.partition("::")[0])
            tests[int(first)].add(test)
    return Reach(tuple(frozenset(each) for each in tests), seconds)


def marked(source: str, lines: dict[int, int]) -> str:
    """Return a module whose lines say that they run.

    Args:
        source: of the module.
        lines: by the number that each is to say.
    """
    tree = ast.parse(source)
    for number, line in lines.items():
        body, place = _innermost(tree, line)
        call = f"__import__('tests.mutants.marks', fromlist=['marks']).reached({number})"
        if not (isinstance(body[place], ast.ImportFrom)):
            body.insert(place, ast.parse(call).body[0])
    return ast.unparse(ast.fix_missing_locations(tree))


def _innermost(tree: ast.Module, line: int) -> tuple[list[ast.stmt], int]:
    """Return the block, and the place in it, of the smallest statement that has a line."""
    found = None
    for node in ast.walk(tree):  # Outer ones first.
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            for place, each in enumerate(block if isinstance(block, list) else []):
                if isinstance(each, ast.stmt) and _has(each, line):
                    found = block, place
    assert found is not None, line
    return found


def _has(node: ast.stmt, line: int) -> bool:
    # What was put in has the line of the text that it was parsed from: none of the module.
    if isinstance(node, ast.Expr) and ast.unparse(node).startswith("__import__('tests.mutants"):
        return False
    return node.lineno <= line <= (node.end_lineno or node.lineno)
