"""How long the evaluation of a sweep's accuracies takes, and when it has to end."""

from __future__ import annotations

import time


class Clock:
    """Time since the evaluation began, and until it ends by what the cases so far took."""

    def __init__(self, limit_s: float, planned_s: float) -> None:
        """Begin; both in seconds."""
        self._begin = time.perf_counter()
        self._limit_s = limit_s
        self._planned_s = planned_s
        self._trained_s = 0.0

    @property
    def seconds(self) -> float:
        """Time since it began, s."""
        return time.perf_counter() - self._begin

    def may_begin(self) -> bool:
        """Whether there is time for another case."""
        return self.seconds < self._limit_s

    def trained(self, planned_s: float) -> None:
        """Count a case that is done.

        Args:
            planned_s: what was planned for it, s.
        """
        self._trained_s += planned_s

    @property
    def left_s(self) -> float | None:
        """Estimated time until all are done, s; None before one is."""
        if not self._trained_s:
            return None
        return self.seconds / self._trained_s * max(0.0, self._planned_s - self._trained_s)
