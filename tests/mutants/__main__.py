"""Mutate single lines of the product and see which the tests notice: the score per package.

A seeded sample, as many of each package, in a copy of the tree. For each mutation the test files of
its package run, nearest first, until one fails. Not in CI: 200 take hours.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.house.helpers import ROOT
from tests.mutants.mutate import Mutation, mutations
from tests.mutants.run import OUTCOMES, Tree
from tests.mutants.which import files_for

PACKAGES = (
    *("archsim/cost", "archsim/device", "mapping", "archsim/network", "archsim/explore"),
    *("tsb", "archsim/config"),
)


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300.0, help="for each, at most")
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="folders")
    asked = parser.parse_args()
    chosen = sample(ROOT, asked.packages, asked.count, asked.seed)
    counts = {package: Counter[str]() for package in asked.packages}
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree.copy(ROOT, Path(folder))
        for number, (package, mutation) in enumerate(chosen, 1):
            begin = time.monotonic()
            module = mutation.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            outcome, test = tree.run(mutation, files_for(ROOT, module), asked.seconds)
            counts[package][outcome] += 1
            said = mutation.said((ROOT / mutation.path).read_text(encoding="utf-8"))
            survivors += [] if outcome == "killed" else [f"{outcome}: {said}"]
            taken = time.monotonic() - begin
            say(f"{number}/{len(chosen)} {outcome} {taken:.0f} s {test} | {said}")
    say(f"\n{len(chosen)} mutations, seed {asked.seed}, at most {asked.seconds:g} s each\n")
    say("| package | " + " | ".join((*OUTCOMES, "score")) + " |")
    say("|---|" + "---|" * (len(OUTCOMES) + 1))
    for package, found in {**counts, "all": sum(counts.values(), Counter())}.items():
        decided = found["killed"] + found["survived"]
        score = f"{100 * found['killed'] / decided:.0f} %" if decided else ""
        say(f"| {package} | " + " | ".join(str(found[name]) for name in OUTCOMES) + f" | {score} |")
    say("\n" + "\n".join(survivors))
    return 0


def sample(
    root: Path, packages: list[str] | tuple[str, ...], count: int, seed: int
) -> list[tuple[str, Mutation]]:
    """Return mutations with their packages: as many of each, but for one, in a random order."""
    pick = random.Random(seed)
    chosen = []
    for place, package in enumerate(packages):
        share = (count + len(packages) - 1 - place) // len(packages)
        found = [each for path in _files(root, package) for each in _of_file(root, path)]
        chosen += [(package, each) for each in pick.sample(found, min(share, len(found)))]
    pick.shuffle(chosen)
    return chosen


def _of_file(root: Path, path: str) -> list[Mutation]:
    source = (root / path).read_text(encoding="utf-8")
    return mutations(source, path) if source.isascii() else []


def _files(root: Path, package: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", f"{package}/*.py"], cwd=root, capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.split())


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
