"""Whether totals are numbers that a chip can have: finite, and above zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from archsim.plan import Constraint

#: Name of the bound that such designs break.
SOUND = "totals that are finite and positive"
#: Rounding by which a part may be below zero, as a share of the total.
_TINY = 1e-9


def sound_totals(
    *, totals: Mapping[str, Tensor], others: Iterable[Tensor], parts: Mapping[str, Iterable[Tensor]]
) -> Constraint:
    """Return the bound that totals are finite and positive, and their parts not negative.

    Args:
        totals: that must be positive, by name, ``*batch``.
        others: that may be zero, ``*batch``.
        parts: of totals, by their name, ``*batch``.
    """
    bad: Tensor | None = None

    def add(wrong: Tensor) -> None:
        nonlocal bad
        count = wrong.to(torch.float64)
        bad = count if bad is None else bad + count

    for value in totals.values():
        add(~_is_sound(value))
    for value in others:
        add(~(torch.isfinite(value) & (value >= 0)))
    for name, values in parts.items():
        least = -_TINY * totals[name]
        for value in values:
            add(~(torch.isfinite(value) & (value >= least)))
    if bad is None:  # pragma: no cover - there are always totals
        raise AssertionError("no totals")
    return Constraint(
        name=SOUND,
        violated=bad > 0,
        demand=torch.zeros_like(bad),
        bound=bad,
        unit="numbers that are not",
        levers=("the constant that is out of all proportion",),
    )


def _is_sound(value: Tensor) -> Tensor:
    return torch.isfinite(value) & (value > 0)
