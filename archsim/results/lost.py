"""Accuracy that is lost: the difference of two means of counts."""

from __future__ import annotations

#: Means over up to 10^9 images differ by more, and rounding makes less.
_ROUNDING = 1e-12


def accuracy_lost(ideal: float, mean: float) -> float:
    """Return what a mean accuracy lacks to the ideal one; 0 where they differ by rounding only.

    Args:
        ideal: a fraction.
        mean: a fraction.
    """
    lost = ideal - mean
    return lost if abs(lost) > _ROUNDING else 0.0
