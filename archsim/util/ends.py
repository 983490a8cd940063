"""How a process ends that is told to: as one that is interrupted, with what is done kept."""

from __future__ import annotations

import signal
from types import FrameType

#: Exit codes of a process that a signal ends: 128 and the number of SIGINT, of SIGTERM.
INTERRUPTED, TERMINATED = 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever Ctrl-C does is done."""


def end_code(error: KeyboardInterrupt) -> int:
    """Return the exit code of a process that was interrupted.

    Args:
        error: what ended it.
    """
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def raise_on_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated` in the main thread; a second one ends it at once."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
