"""SIGKILL at any moment of a sweep, a training and a report; then on, and compared bit for bit.

A moment is one of the time that the process gets of a processor: what else the machine does changes
neither where kills fall nor how many fall too late.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.assault.inputs import STUDY, SWEEP
from tests.forks import Server

#: What a command may say of itself that differs from one time to the other.
_TIMES = ("seconds", "started", "finished")
OUTCOMES = ("same", "other", "not resumed")
#: A part for each point: much is written between little that is computed.
_SWEEP = SWEEP | {"axes": {"device.r_on": [20, 200], "chip.adc.bits": [4, 5, 6]}, "part_points": 1}


class Kills:
    """Kills commands that write below a folder.

    Args:
        folder: empty.
        server: forks commands.
        names: which of `sweep`, `train`, `report`.
    """

    def __init__(self, folder: Path, server: Server, names: Sequence[str]) -> None:
        self.folder, self.server = folder, server
        self.failures: list[str] = []
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        (folder / "sweep.yaml").write_text(yaml.safe_dump(_SWEEP))
        (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
        self.seconds: dict[str, float] = {}
        self.whole: dict[str, dict[str, object]] = {}
        if names != ("sweep",):  # compiling is nine tenths of so small a training
            server.warm("train", folder / "study.yaml", "--run", folder / "run")

    def _command(self, name: str, place: Path, *, first: bool) -> list[object]:
        resume = [] if first else ["--resume"]
        commands: dict[str, list[object]] = {
            "sweep": ["sweep", self.folder / "sweep.yaml", "--out", place, "--jobs", 1, *resume],
            "train": ["train", self.folder / "study.yaml", "--run", place],
            "report": ["report", self.folder / "run", "--folder", place],
        }
        return commands[name]

    def _finish(self, command: Sequence[object]) -> float:
        """Run a command to its end, and return what it took of a processor, s."""
        process = self.server.start(*command, cwd=self.folder)
        took = process.used()
        code, stderr = process.ended()
        assert code == 0, stderr
        return took

    def run(
        self,
        name: str,
        kills: int,
        seed: int,
        until: float = float("inf"),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Kill a command so often, up to three times in a row, then let it end and compare.

        What has ended before it was to be killed is not counted as a kill.
        """
        counts, trial = self.counts[name], 0
        place = self.folder / "whole" / name
        self.seconds[name] = self._finish(self._command(name, place, first=True))
        self.whole[name] = contents(place)
        while counts["kills"] < kills and time.monotonic() < until:
            rng = random.Random(f"{seed} {name} {trial}")
            count = min(rng.choice((1, 1, 2, 3)), kills - counts["kills"])
            counts[self._one(name, count, rng)] += 1
            trial += 1
            if trial % 10 == 0:
                told(f"{name}: {dict(counts)}")

    def _one(self, name: str, count: int, rng: random.Random) -> str:
        place = self.folder / "killed" / name
        shutil.rmtree(place, ignore_errors=True)
        for _ in range(count):
            begun = not (place / "sweep.json").exists()
            process = self.server.start(*self._command(name, place, first=begun), cwd=self.folder)
            process.used(rng.uniform(0, self.seconds[name]))
            process.send_signal(signal.SIGKILL)
            self.counts[name]["kills" if process.ended()[0] < 0 else "too late"] += 1
        first = not (place / "sweep.json").exists()
        process = self.server.start(*self._command(name, place, first=first), cwd=self.folder)
        code, stderr = process.ended()
        if code != 0:
            self.failures.append(f"{name}: not resumed, exit code {code}\n{stderr[-1500:]}")
            return "not resumed"
        found = contents(place)
        if found == self.whole[name]:
            return "same"
        differ = [
            key
            for key in sorted(found.keys() | self.whole[name].keys())
            if found.get(key) != self.whole[name].get(key)
        ]
        self.failures.append(f"{name}: other after {count} kills: {differ}")
        return "other"


def contents(folder: Path) -> dict[str, object]:
    """Return all files of a folder: bytes, JSON without times; of figures that they are there."""
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: _timeless(json.loads(path.read_bytes())),
        ".jsonl": lambda path: [_timeless(json.loads(line)) for line in path.open()],
        **dict.fromkeys((".png", ".svg", ".pdf", ".html"), lambda path: path.stat().st_size > 0),
        ".safetensors": _tensors,
        ".csv": _table,
        ".parquet": _parquet,
    }
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.name != ".lock":
            found[name] = readers.get(path.suffix, Path.read_bytes)(path)
    return found


def _timeless(node: Any) -> Any:
    """Return a document without wall times and without the folder that it was made in."""
    if isinstance(node, dict):
        kept = {k: v for k, v in node.items() if not any(word in k for word in _TIMES)}
        return {key: _timeless(value) for key, value in kept.items()}
    if isinstance(node, list):
        return [_timeless(value) for value in node]
    if isinstance(node, str):
        return node.replace("/killed/", "/whole/")
    return node


def _tensors(path: Path) -> object:
    """Return the bytes of the tensors; the header before them has the times of epochs."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def _table(path: Path) -> object:
    import pandas as pd

    frame = pd.read_csv(path)
    kept = [name for name in frame if not any(word in str(name) for word in _TIMES)]
    return _timeless(frame[kept].to_csv(index=False))


def _parquet(path: Path) -> object:
    import pandas as pd

    if path.parent.name == "parts":
        return path.read_bytes()
    frame = pd.read_parquet(path)
    kept = [name for name in frame if not any(word in str(name) for word in _TIMES)]
    return _timeless(frame[kept].to_csv(index=False))
