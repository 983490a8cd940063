"""``python -m archsim`` in a process of its own, without the seconds that its imports take.

A server imports what the command needs and forks a child for every command. The child is a process
like any other: it has its own pid, is killed and interrupted, starts workers, and ends as Python
does. It runs the same ``archsim.__main__``. What it does not show is a process that ends while it
imports: a test of that starts an interpreter. Any other module runs in the same way.

The server is this module run as a script; it has one thread and has run nothing when it forks, but
for what :meth:`Server.warm` asks for.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO

#: What commands import when they run, and then what that imports late.
_IMPORTED = (
    *("archsim.cli.app", "archsim.api.sweep", "archsim.api.train", "archsim.api.map"),
    *("torch.export._trace", "pandas", "pyarrow.dataset", "moocore", "rich.progress"),
)
#: Longer than any command of a test takes, s.
_TIMEOUT_S = 300.0
#: Between looks at a command that runs, s.
_LOOK_S = 0.01


@dataclass
class Forked:
    """A command that runs; what of :class:`subprocess.Popen` tests use."""

    server: Server
    pid: int
    stdout: Path
    stderr: Path
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self.server.ask({"poll": self.pid})
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def ended(self) -> tuple[int, str]:
        """Wait for the end; return exit code and stderr."""
        late = time.monotonic() + _TIMEOUT_S
        while self.poll() is None:
            assert time.monotonic() < late, f"still runs: {self.stderr.read_text()}"
            time.sleep(_LOOK_S)
        assert self.returncode is not None
        return self.returncode, self.stderr.read_text()

    def used(self, seconds: float = float("inf")) -> float:
        """Wait until it took so long of a processor, or has ended; return what it took, s."""
        late, took = time.monotonic() + _TIMEOUT_S, 0.0
        while took < seconds and self.poll() is None:
            assert time.monotonic() < late, f"still runs: {self.stderr.read_text()}"
            time.sleep(_LOOK_S)
            took = max(took, self._seconds())
        return took

    def _seconds(self) -> float:
        try:
            words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            return 0.0
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """Forks commands; to be closed.

    Args:
        root: of the checkout.
        folder: for what they print.
        module: that is run.
        imported: modules that it finds imported.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        module: str = "archsim",
        imported: Sequence[str] = _IMPORTED,
    ) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__, module, *imported],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._count = 0

    def ask(self, request: Mapping[str, object]) -> int | None:
        """Send a request, and return what is answered."""
        to, from_ = self._process.stdin, self._process.stdout
        assert to is not None
        assert from_ is not None
        to.write(json.dumps(request) + "\n")
        to.flush()
        return json.loads(from_.readline())

    def start(self, *arguments: object, cwd: Path) -> Forked:
        """Start ``archsim ARGUMENTS`` in a folder, as a process group of its own."""
        self._count += 1
        files = [self.folder / f"{self._count}.{name}" for name in ("stdout", "stderr")]
        for file in files:
            file.touch()  # also if it is killed at once
        given = {"arguments": [str(each) for each in arguments], "cwd": str(cwd)}
        pid = self.ask({**given, "files": [str(file) for file in files]})
        assert pid is not None
        return Forked(self, pid, *files)

    def warm(self, *arguments: object) -> None:
        """Run a command in the server: what it compiles, later ones have. It must end well."""
        assert self.ask({"warm": [str(each) for each in arguments]}) == 0

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _serve(module: str, requests: IO[str], answers: IO[str]) -> list[str] | None:
    """Answer requests; return the arguments of a command in its child, None at the end."""
    for line in requests:
        request = json.loads(line)
        if "poll" in request:
            answer = _status(request["poll"])
        elif "warm" in request:
            answer = _code_of(module, request["warm"])
        else:
            answer = os.fork()
            if answer == 0:
                _become(request)
                return request["arguments"]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return None


def _code_of(module: str, arguments: list[str]) -> int | str | None:
    """Run a command here, and return its exit code."""
    try:
        _run(module, arguments)
    except SystemExit as end:
        return end.code
    return 0


def _run(module: str, arguments: list[str]) -> None:
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _become(request: Mapping[str, object]) -> None:
    """Give a child the streams, the folder and the handler of SIGINT of a fresh process."""
    for number, (path, mode) in enumerate(
        [(os.devnull, os.O_RDONLY), *((f, os.O_WRONLY) for f in request["files"])]
    ):
        handle = os.open(path, mode)
        os.dup2(handle, number)
        os.close(handle)
    os.setpgid(0, 0)
    os.chdir(str(request["cwd"]))
    sys.path[0] = str(request["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Serve; in a child, run its command and end as Python does."""
    module, *imported = sys.argv[1:]
    sys.path[0] = str(Path.cwd())  # this folder holds tests of mapping, not mapping
    for name in imported:
        import_module(name)
    # Streams of its own: the child's sys.stdin and sys.stdout are what they are in a fresh process.
    requests = os.fdopen(os.dup(0), closefd=False)
    answers = os.fdopen(os.dup(1), "w", closefd=False)
    os.dup2(2, 1)  # what is run here prints elsewhere
    arguments = _serve(module, requests, answers)
    if arguments is not None:
        _run(module, arguments)


if __name__ == "__main__":
    main()
