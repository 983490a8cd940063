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
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.forks import Server
from tests.mutants.mutate import Mutation

#: A test failed; all passed; some had not begun or ended when the time was up.
OUTCOMES = ("killed", "survived", "out of time")
#: pytest's exit code where tests failed, and where a file could not be imported or collected.
_FAILED = (1, 2)


_OPTIONS = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-m", "not slow")
#: What tests import of others, once for all mutations.
_IMPORTED = (
    *("torch.export._trace", "pandas", "pyarrow.dataset", "onnx", "numba", "matplotlib.pyplot"),
    *("safetensors.torch", "typer.testing", "rich.progress", "pydantic"),
)


def copied(source: Path, folder: Path) -> Path:
    """Copy what git tracks, as it is in the working tree, and return where it is.

    Args:
        source: the tree.
        folder: an empty one.
    """
    done = subprocess.run(["git", "ls-files", "-z"], cwd=source, capture_output=True, check=True)
    for name in filter(None, done.stdout.decode().split("\0")):
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, folder / name)
    return folder


@dataclass(frozen=True)
class Tree:
    """A copy of the tracked files of a tree, and what runs its tests; to be closed."""

    root: Path
    server: Server

    @classmethod
    def copy(cls, source: Path, folder: Path, imported: Sequence[str] = _IMPORTED) -> Tree:
        """Copy what git tracks, and be ready to run its tests.

        Args:
            source: the tree.
            folder: an empty one.
            imported: modules that tests find imported; none of the tree's.
        """
        copied(source, folder)
        said = folder / ".said"
        said.mkdir()
        return cls(folder, Server(folder, said, "pytest", imported))

    def close(self) -> None:
        """End what runs its tests."""
        self.server.close()

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
        # One process, which stops at the first failure.
        started = self.server.start(*_OPTIONS, *tests, cwd=self.root)
        most = math.ceil(seconds)
        resource.prlimit(started.pid, resource.RLIMIT_CPU, (most, most + 5))
        late = time.monotonic() + 20 * seconds
        while started.poll() is None and time.monotonic() < late:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        code, said = started.ended()[0], started.stdout.read_text()
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "out of time", f"{len(tests)} tests"
        if code == 0:
            return "survived", f"{len(tests)} tests"
        if code > max(_FAILED):
            raise RuntimeError(f"pytest ended with {code}: {said[-2000:]}")
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
