"""Mutate single lines of the product and see which the tests notice: the score per package.

A seeded sample, as many of each package, in copies of the tree. All quick tests run once, to see
which of them run which line; then for each mutation those that do, near and quick ones first, until
one fails. Without that run (`--near N`) it is the N nearest files: cheaper for few mutations, but
what survives those may be killed by others. Not in CI.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue

from tests.house.helpers import ROOT
from tests.mutants.mutate import Mutation, mutations
from tests.mutants.reach import Reach, reach
from tests.mutants.run import OUTCOMES, Tree, copied
from tests.mutants.which import files_for

PACKAGES = (
    *("archsim/cost", "archsim/device", "mapping", "archsim/network", "archsim/explore"),
    *("tsb", "archsim/config"),
)


#: What a run of all tests is not needed for: it tests the repository, or this.
_LEFT_OUT = ("tests/house", "tests/assault", "tests/mutants")


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300.0, help="of a processor, for each")
    parser.add_argument("--jobs", type=int, default=1, help="at a time")
    parser.add_argument("--reach", type=Path, help="file: which tests run which line; kept")
    parser.add_argument("--near", type=int, help="no run of all: so many files, the nearest")
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="folders")
    asked = parser.parse_args()
    chosen = sample(ROOT, asked.packages, asked.count, asked.seed)
    counts = {package: Counter[str]() for package in asked.packages}
    survivors = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = Reach((frozenset(),) * len(chosen), {})
        if asked.near is None:
            found = _reach(chosen, folder, asked.reach or folder / "reach.txt", asked.jobs)
        judged = _judge(chosen, found, folder, asked.near, asked.jobs, asked.seconds)
        for number, outcome, line in judged:
            package, mutation = chosen[number]
            counts[package][outcome] += 1
            said = mutation.said((ROOT / mutation.path).read_text(encoding="utf-8"))
            survivors += [] if outcome == "killed" else [f"{outcome}: {said}"]
            say(f"{sum(counts.values(), Counter()).total()}/{len(chosen)} {line} | {said}")
    say(f"\n{len(chosen)} mutations, seed {asked.seed}, each {asked.seconds:g} s of a processor\n")
    say("| package | " + " | ".join((*OUTCOMES, "score")) + " |")
    say("|---|" + "---|" * (len(OUTCOMES) + 1))
    for package, each in {**counts, "all": sum(counts.values(), Counter())}.items():
        decided = each["killed"] + each["survived"]
        score = f"{100 * each['killed'] / decided:.0f} %" if decided else ""
        say(f"| {package} | " + " | ".join(str(each[name]) for name in OUTCOMES) + f" | {score} |")
    say("\n" + "\n".join(survivors))
    return 0


def _reach(chosen: Sequence[tuple[str, Mutation]], folder: Path, kept: Path, jobs: int) -> Reach:
    (folder / "marked").mkdir()
    root = copied(ROOT, folder / "marked")
    options = ["-m", "not slow", "-n", str(jobs), "--dist", "loadfile"]
    options += [f"--ignore={name}" for name in _LEFT_OUT]
    return reach(root, [mutation for _, mutation in chosen], kept, options)


def _judge(
    chosen: Sequence[tuple[str, Mutation]],
    found: Reach,
    folder: Path,
    near: int | None,
    jobs: int,
    seconds: float,
) -> Iterator[tuple[int, str, str]]:
    """Yield number, outcome and what there is to say of each mutation as it is judged."""
    trees: Queue[Tree] = Queue()
    killers: set[str] = set()
    for job in range(jobs):
        (folder / str(job)).mkdir()
        trees.put(Tree.copy(ROOT, folder / str(job)))

    def one(number: int) -> tuple[int, str, str]:
        _, mutation = chosen[number]
        begin = time.monotonic()
        module = mutation.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        tests = found.order(number, files_for(ROOT, module)[:near])
        tree = trees.get()
        try:
            outcome, test = tree.run(mutation, tests, seconds)
        finally:
            trees.put(tree)
        if outcome == "killed":
            killers.add(test)
        return number, outcome, f"{outcome} {time.monotonic() - begin:.0f} s {test}"

    try:
        with ThreadPoolExecutor(jobs) as pool:
            for done in as_completed([pool.submit(one, number) for number in range(len(chosen))]):
                yield done.result()
        trees.queue[0].must_pass(killers)
    finally:
        for tree in trees.queue:
            tree.close()


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
