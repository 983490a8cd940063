"""A copy of the tree in which one line at a time is wrong, and what its tests say of it."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutate import Mutation

#: A test failed; all passed; some had not begun or ended when the time was up.
OUTCOMES = ("killed", "survived", "out of time")
#: pytest's exit code where tests failed, and where a file could not be imported or collected.
_FAILED = (1, 2)


@dataclass(frozen=True)
class Tree:
    """A copy of the tracked files of a tree."""

    root: Path

    @classmethod
    def copy(cls, source: Path, folder: Path) -> Tree:
        """Copy what git tracks, as it is in the working tree.

        Args:
            source: the tree.
            folder: an empty one.
        """
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=source, capture_output=True, check=True
        )
        for name in filter(None, done.stdout.decode().split("\0")):
            if (source / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, folder / name)
        return cls(folder)

    def run(self, mutation: Mutation, tests: Sequence[str], seconds: float) -> tuple[str, str]:
        """Return one of :data:`OUTCOMES`, and the test that failed, or how many files ran.

        Args:
            mutation: of a file of this tree, which is as it was afterwards.
            tests: node ids and files, nearest first.
            seconds: of a processor, for all of them; 20 times that by the clock.

        """
        path = self.root / mutation.path
        source = path.read_text(encoding="utf-8")
        try:
            self._write(path, mutation.of(source))
            return self._judge(tests, seconds)
        finally:
            self._write(path, source)

    def _judge(self, tests: Sequence[str], seconds: float) -> tuple[str, str]:
        if not tests:
            return "survived", "no tests"
        # One process, which imports once; it stops at the first failure.
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-m", "not slow"]
        most = math.ceil(seconds)
        own = {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        started = subprocess.Popen(
            [*command, *tests],
            cwd=self.root,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        resource.prlimit(started.pid, resource.RLIMIT_CPU, (most, most + 5))
        try:
            said, _ = started.communicate(timeout=20 * seconds)
        except subprocess.TimeoutExpired:
            return "out of time", f"{len(tests)} tests"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        if started.returncode == -signal.SIGXCPU:
            return "out of time", f"{len(tests)} tests"
        if started.returncode == 0:
            return "survived", f"{len(tests)} tests"
        if started.returncode not in _FAILED:
            raise RuntimeError(f"pytest ended with {started.returncode}: {said[-2000:]}")
        failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return "killed", failed[0].split(" - ")[0].split(" ", 1)[1] if failed else tests[0]

    def must_pass(self, tests: Iterable[str]) -> None:
        """Run tests without a mutation: what fails anyway tells nothing.

        Raises:
            RuntimeError: one fails.
        """
        outcome, test = self._judge(sorted(set(tests)), 3600)
        if outcome != "survived":
            raise RuntimeError(f"{test}: {outcome} without a mutation")

    @staticmethod
    def _write(path: Path, source: str) -> None:
        """Write a module and forget its bytecode, which goes by size and time alone."""
        Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
        path.write_text(source, encoding="utf-8")
