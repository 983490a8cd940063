"""Tables of levels of a converter that are not evenly spaced."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

from archsim.errors import Code, ConfigError, DataError

#: Where levels lie, beside tables.
LEVELS = ("linear", "lloyd-max")


def checked_table(levels: tuple[float, ...], *, bits: int) -> None:
    """Check a table of levels.

    Args:
        levels: as fractions of the range.
        bits: of the converter; 0 for none.

    Raises:
        ConfigError: fewer than two levels, more than codes, not sorted, or outside of -1 to 1.
    """
    most = 1 << bits if bits else math.inf
    rising = all(low < high for low, high in itertools.pairwise(levels))
    inside = all(-1 <= level <= 1 for level in levels)
    if 2 <= len(levels) <= most and rising and inside:
        return
    allowed = f"2 to 2^adc.bits ({most}) rising numbers from -1 to 1: fractions of the range"
    raise ConfigError(
        f"adc.levels: a table of {len(levels)} levels; allowed: {allowed}",
        code=Code.OUT_OF_RANGE,
        field="adc.levels",
        value=levels,
        allowed=allowed,
    )


def levels_of(setting: str, *, bits: int, folder: Path | None = None) -> str | tuple[float, ...]:
    """Return the levels that a setting names.

    Args:
        setting: ``linear``, ``lloyd-max``, or the path of a table: numbers, rising, fractions of
            the range, between commas, spaces or line ends; ``#`` begins a comment.
        bits: of the converter.
        folder: that relative paths start from; None for the working directory.

    Raises:
        DataError: no such file, or something else than numbers in it.
        ConfigError: numbers that are no levels.
    """
    if setting in LEVELS:
        return setting
    path = (folder or Path()) / setting
    if not path.is_file():
        raise DataError.of(
            Code.MISSING_FILE,
            path,
            problem=f"adc.levels: no such table; allowed: {', '.join(LEVELS)}, or a file",
        )
    words = [
        word
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        for word in line.partition("#")[0].replace(",", " ").split()
    ]
    try:
        table = tuple(float(word) for word in words)
    except ValueError as error:
        raise DataError.of(
            Code.WRONG_FILE, path, problem=f"adc.levels: not only numbers: {error}"
        ) from error
    checked_table(table, bits=bits)
    return table
