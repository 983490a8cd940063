"""One measured level of a memory device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field, field_validator

from archsim.config.schema.base import Model
from archsim.config.sourced import Quantity, quantity
from archsim.errors import Code, Problem, RejectedValueError

#: Probabilities 0, 1/32, ..., 1: of fewer the tails are cut, of more a file is unreadable.
QUANTILES = 33
#: Most levels of a table: four times those of the finest cell.
MAX_LEVELS = 1024


class MeasuredLevel(Model):
    """Where cells lie that were asked for one level, shares of the range g_on - g_off."""

    mean: quantity("1", minimum=-0.5, maximum=1.5) = Field(  # type: ignore[valid-type]
        description="mean conductance: 0 is 1 / r_off, 1 is 1 / r_on"
    )
    sigma: quantity("1", maximum=1.0) = Field(  # type: ignore[valid-type]
        description="standard deviation after one write"
    )


class LevelShape(Model):
    """The distribution of the errors at one level, whose place and width are those of the level."""

    quantiles: quantity("1", minimum=-100.0, maximum=100.0, length=QUANTILES) = Field(  # type: ignore[valid-type]
        description="of the conductance, in any unit of length 1, at probabilities 0, 1/32, ..., 1"
    )

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, quantiles: Quantity) -> Quantity:
        values = quantiles.si_values
        if any(high < low for low, high in pairwise(values)) or values[0] == values[-1]:
            raise RejectedValueError(
                Problem.of(Code.CONFLICT, problem="they do not rise", allowed="rising values")
            )
        return quantiles


def fitting_bits(levels: int) -> str:
    """Return which bits per cell a table of so many levels has, as an error names them.

    Args:
        levels: N, at least 2.
    """
    bits = [bits for bits in range(1, 9) if (levels - 1) % ((1 << bits) - 1) == 0]
    return ", ".join(map(str, bits))


def root_mean_square_sigma(levels: Sequence[MeasuredLevel]) -> float:
    """Return the root mean square of the spreads of all levels.

    Args:
        levels: at least one.
    """
    squares = [float(level.sigma.si) ** 2 for level in levels]
    return math.sqrt(sum(squares) / len(squares))


def table_problem(levels: Sequence[MeasuredLevel]) -> Problem | None:
    """Return what is wrong with levels together; None for nothing.

    Args:
        levels: of a device.
    """
    if not 2 <= len(levels) <= MAX_LEVELS:
        return Problem.of(
            Code.OUT_OF_RANGE,
            value=len(levels),
            problem="not that many levels",
            allowed=f"2 to {MAX_LEVELS} levels",
        )
    for place, (low, high) in enumerate(pairwise(levels)):
        if high.mean.si <= low.mean.si:
            return Problem.of(
                Code.CONFLICT,
                f"{place + 1}.mean",
                high.mean.si,
                problem=f"not above that of the level before, {low.mean.si:g}",
                allowed="rising means, lowest level first",
            )
    return None
