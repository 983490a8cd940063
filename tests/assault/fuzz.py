"""Many damaged inputs in this process: what each comes to is one of `OUTCOMES`."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.assault.inputs import Inputs
from tests.assault.odd import CODE
from tests.in_process import Result, archsim

#: Good ones first: what is told by an exit code of 0 (or 1: infeasible), and of 2.
OUTCOMES = ("done", "refused", "internal error", "hang", "code run", "file outside")
#: A command on such small inputs that takes longer hangs: s of the process' own time, whatever else
#: the machine does, and s of waiting for what never comes.
HANG_S, WAIT_S = 60, 600

_MODULE = """
from pathlib import Path
Path({mark!r}).touch()
def network():
    from archsim.network.zoo import entry
    return entry("lenet3").build(device="cpu")
"""


class _Hang(BaseException):
    pass


def _ring(number: int, frame: object) -> None:
    del number, frame
    raise _Hang


class Fuzz:
    """Runs commands on damaged inputs below a folder.

    Args:
        folder: empty; nothing but `work` and `whole` may be written in it.
        with_runs: as of `Inputs`.
    """

    def __init__(self, folder: Path, *, with_runs: bool) -> None:
        self.folder = folder
        self.counts: dict[str, Counter[str]] = {}
        self.failures: list[str] = []
        self.slowest = (0.0, "none")
        self.mark = folder / "code" / "mark"
        for name in ("work", "whole", "code", "cache"):
            (folder / name).mkdir()
        name = CODE.partition(":")[0]
        (folder / "code" / f"{name}.py").write_text(_MODULE.format(mark=str(self.mark)))
        with self._surroundings():
            self.inputs = Inputs(folder / "whole", archsim, with_runs=with_runs)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """A working directory, an importable module of code, no network, and a clock."""
        before, environment = Path.cwd(), dict(os.environ)
        sys.path.insert(0, str(self.folder / "code"))
        os.environ |= {
            "ARCHSIM_CACHE_DIR": str(self.folder / "cache"),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "ARCHSIM_DEBUG": "1",
            "COLUMNS": "100",
        }
        rang = {each: signal.signal(each, _ring) for each in (signal.SIGALRM, signal.SIGPROF)}
        os.chdir(self.folder / "work")
        try:
            yield
        finally:
            os.chdir(before)
            for each, handler in rang.items():
                signal.signal(each, handler)
            sys.path.remove(str(self.folder / "code"))
            os.environ.clear()
            os.environ.update(environment)

    def run(
        self,
        count: int,
        seed: int,
        told: Callable[[str], None] = lambda _: None,
        *,
        first: int = 0,
    ) -> None:
        """Run so many inputs from `first` on, the kinds in turn.

        Input `i` depends on `seed` and `i` alone.
        """
        names = list(self.inputs.kinds)
        begin = time.monotonic()
        with self._surroundings():
            for index in range(first, first + count):
                kind = names[index % len(names)]
                outcome = self._one(kind, random.Random(f"{seed} {index}"), f"{seed} {index}")
                self.counts.setdefault(kind, Counter())[outcome] += 1
                if outcome not in OUTCOMES[:2]:
                    told(self.failures[-1])
                if index % 500 == 499:
                    told(f"inputs to {index + 1}, {time.monotonic() - begin:.0f} s: {self.total}")

    @property
    def total(self) -> dict[str, int]:
        """Inputs by outcome, over all kinds."""
        return {name: sum(each[name] for each in self.counts.values()) for name in OUTCOMES}

    def _one(self, kind: str, rng: random.Random, name: str) -> str:
        place = self.folder / "work" / "here"
        place.mkdir()
        os.chdir(place)
        arguments = self.inputs.kinds[kind](place, rng)
        before = self._outside()
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        signal.alarm(WAIT_S)
        try:
            done = archsim(*arguments)
            outcome, said = _outcome(done), done.stderr
        except _Hang:
            outcome, said = "hang", ""
        finally:
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - begin
        self.slowest = max(self.slowest, (took, f"{kind}, input {name}: {arguments}"))
        if self.mark.exists():
            outcome = "code run"
            self.mark.unlink()
        elif self._outside() != before:
            outcome, said = "file outside", f"{sorted(self._outside() - before)}"
        if outcome not in OUTCOMES[:2]:
            self.failures.append(f"{kind}, input {name}: {outcome}: {arguments}\n{said[-1500:]}")
        os.chdir(self.folder / "work")
        shutil.rmtree(place, ignore_errors=True)
        return outcome

    def _outside(self) -> set[str]:
        """Return what lies where no command was asked to write."""
        places = (self.folder, self.folder / "work", self.folder / "code", Path("/tmp"))
        return {str(path) for place in places for path in place.glob("*escaped*")} | {
            path.name for path in (self.folder / "work").iterdir()
        }


def _outcome(done: Result) -> str:
    ended = done.exception is None or isinstance(done.exception, SystemExit)
    if not ended or "internal error" in done.stderr or done.exit_code not in (0, 1, 2):
        return "internal error"
    return "refused" if done.exit_code == 2 else "done"
