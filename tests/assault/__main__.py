"""Run the assault and print what inputs and kills came to; exit code 1 if any went wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.assault.fuzz import OUTCOMES, Fuzz
from tests.assault.kills import OUTCOMES as AFTER_KILLS
from tests.assault.kills import Kills
from tests.forks import Server
from tests.house.helpers import ROOT

#: Of the kills, and of the time if that is limited. A report takes ten times as long as the others,
#: and draws for most of that.
_SHARES = {"sweep": (0.75, 0.6), "train": (0.23, 0.25), "report": (0.02, 0.15)}


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.assault", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs")
    parser.add_argument("--killed", nargs="+", choices=_SHARES, default=tuple(_SHARES))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of the kills, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, help="file for what went wrong")
    asked = parser.parse_args()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        if asked.inputs:
            failures += _fuzz(Path(name) / "fuzz", asked.inputs, asked.seed, asked.first)
        if asked.kills:
            folder = Path(name) / "kills"
            failures += _kill(folder, asked.killed, asked.kills, asked.seed, 60 * asked.minutes)
    if asked.failures is not None:
        asked.failures.write_text("\n\n".join(failures))
    for failure in failures[:20]:
        say(failure)
    return int(bool(failures))


def _fuzz(folder: Path, inputs: int, seed: int, first: int) -> list[str]:
    folder.mkdir()
    fuzz = Fuzz(folder, with_runs=True)
    try:
        fuzz.run(inputs, seed, say, first=first)
    finally:  # what was seen counts, also if it is stopped
        say(f"\n{sum(fuzz.total.values())} damaged inputs from {first} on, seed {seed}")
        _print({**fuzz.counts, "all": fuzz.total}, OUTCOMES)
        say("\nslowest, {:.1f} s of the process: {}".format(*fuzz.slowest))
    return fuzz.failures


def _kill(folder: Path, names: Sequence[str], kills: int, seed: int, seconds: float) -> list[str]:
    folder.mkdir()
    all_kills, all_time = (sum(_SHARES[name][part] for name in names) for part in (0, 1))
    server = Server(ROOT, folder)
    begin = time.monotonic()
    try:
        killer = Kills(folder, server, tuple(names))
        used = 0.0
        for name in names:
            share, of_time = _SHARES[name]
            used += of_time / all_time
            wanted = round(kills * share / all_kills)
            killer.run(name, wanted, seed, begin + used * seconds, say)
    finally:
        server.close()
    say(f"\nSIGKILLs, seed {seed}; each resumed, and its files compared with those of a whole run")
    _print(killer.counts, ("kills", "too late", *AFTER_KILLS))
    return killer.failures


def _print(counts: object, outcomes: tuple[str, ...]) -> None:
    assert isinstance(counts, dict)
    say("| | " + " | ".join(outcomes) + " |")
    say("|---|" + "---|" * len(outcomes))
    for kind, found in counts.items():
        say(f"| {kind} | " + " | ".join(str(found[name]) for name in outcomes) + " |")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
