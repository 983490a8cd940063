"""Cells of a layer table: text becomes numbers and names, or an error that names row and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archsim.errors import NOT_GIVEN, Code, NetworkError

#: Height and width.
Pair = tuple[int, int]

#: Largest number in a cell: sizes beyond it are no layer.
MAX_NUMBER = 2**24
#: Longest name, in characters.
MAX_NAME = 100
#: Tables with empty cells are often written with every number as a fraction: 3.0.
_WHOLE = r"(\d{1,8})(?:\.0+)?"
_NUMBER = re.compile(rf"\+?0*{_WHOLE}")
_PAIR = re.compile(rf"{_WHOLE}(?:\s*[x*]\s*{_WHOLE})?", re.IGNORECASE)
_POOL = re.compile(
    rf"(?:(max|avg)\s*)?{_WHOLE}(?:\s*[x*]\s*{_WHOLE})?(?:\s*/\s*{_WHOLE})?", re.IGNORECASE
)
_YES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, kw_only=True)
class Window:
    """A pooling behind a layer: kind, kernel and stride in pixels."""

    kind: str
    kernel: Pair
    stride: Pair


@dataclass(frozen=True, kw_only=True)
class Cells:
    """One row of a table, by column; empty cells are left out.

    Attributes:
        path: The table.
        row: Which line of the file it is, from 1.
        texts: Text by column.
    """

    path: Path
    row: int
    texts: Mapping[str, str]

    def __contains__(self, column: str) -> bool:
        """Whether the cell is there and holds something."""
        return column in self.texts

    def error(
        self,
        column: str,
        problem: str,
        code: Code,
        value: object = NOT_GIVEN,
        allowed: str | tuple[str, ...] | None = None,
    ) -> NetworkError:
        """The error about one cell."""
        place = f"{self.path}, row {self.row}, column '{column}'"
        said = f"layer table {place}: {problem}"
        if allowed is not None:
            said += f"; allowed: {allowed if isinstance(allowed, str) else ', '.join(allowed)}"
        return NetworkError(said, code=code, field=place, value=value, allowed=allowed)

    def whole(self, column: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number; ``default`` where the cell is empty.

        Raises:
            NetworkError: It is something else, out of range, or not given and without a default.
        """
        text = self.texts.get(column)
        if text is None:
            if default is None:
                raise self.error(column, "is not given", Code.MISSING_KEY)
            return default
        match = _NUMBER.fullmatch(text)
        if match is None:
            what = f"'{text}' is no whole number"
            raise self.error(column, what, Code.WRONG_TYPE, text, _range(least))
        return self._within(column, int(match[1]), least)

    def pair(self, column: str, default: Pair | None = None, *, least: int = 1) -> Pair:
        """``3`` or ``3x5`` (height, width), or the columns ``column_h`` and ``column_w``.

        Raises:
            NetworkError: As :meth:`whole`.
        """
        ends = [f"{column}_h", f"{column}_w"]
        if any(end in self for end in ends):
            height, width = (
                self.whole(end, None if default is None else default[axis], least=least)
                for axis, end in enumerate(ends)
            )
            return height, width
        text = self.texts.get(column)
        if text is None:
            if default is None:
                raise self.error(column, "is not given", Code.MISSING_KEY)
            return default
        match = _PAIR.fullmatch(text)
        if match is None:
            what = f"'{text}' is neither a whole number nor two, such as 3x5"
            raise self.error(column, what, Code.WRONG_TYPE, text, _range(least))
        height = self._within(column, int(match[1]), least)
        return height, self._within(column, int(match[2] or match[1]), least)

    def window(self, column: str) -> Window | None:
        """``2``, ``2x2``, ``max 3/2`` or ``avg 2``; None where there is no pooling.

        Raises:
            NetworkError: It is something else.
        """
        text = self.texts.get(column, "0")
        if text.lower() in ("0", "0.0", "no", "none", "false"):
            return None
        match = _POOL.fullmatch(text)
        allowed = "0 or none, or a window such as 2, 3x3, max 3/2 (stride 2), avg 2"
        if match is None:
            raise self.error(column, f"'{text}' is no pooling", Code.WRONG_FORM, text, allowed)
        height, width = (self._within(column, int(match[i] or match[2]), 1) for i in (2, 3))
        step = None if match[4] is None else self._within(column, int(match[4]), 1)
        return Window(
            kind=(match[1] or "max").lower(),
            kernel=(height, width),
            stride=(height, width) if step is None else (step, step),
        )

    def yes(self, column: str, default: bool) -> bool:
        """A yes or no.

        Raises:
            NetworkError: It is something else.
        """
        text = self.texts.get(column)
        if text is None:
            return default
        if text.lower() not in _YES:
            raise self.error(column, f"is '{text}'", Code.WRONG_FORM, text, tuple(_YES))
        return _YES[text.lower()]

    def word(self, column: str, default: str, allowed: Mapping[str, str]) -> str:
        """One of some words, by what they stand for.

        Raises:
            NetworkError: It is another one.
        """
        text = self.texts.get(column)
        if text is None:
            return default
        if text.lower() not in allowed:
            known = tuple(dict.fromkeys(allowed.values()))
            raise self.error(column, f"is '{text}'", Code.UNKNOWN_NAME, text, known)
        return allowed[text.lower()]

    def name(self, column: str, default: str) -> str:
        """A name that can be printed.

        Raises:
            NetworkError: It is too long or has control characters.
        """
        text = self.texts.get(column, default)
        if len(text) > MAX_NAME or not text.isprintable():
            limit = f"at most {MAX_NAME} printable characters"
            raise self.error(column, "is no name", Code.WRONG_FORM, text[:MAX_NAME], limit)
        return text

    def names(self, column: str) -> tuple[str, ...]:
        """Names with blanks or ``+`` between them."""
        return tuple(re.split(r"[\s+]+", self.texts[column])) if column in self else ()

    def _within(self, column: str, value: int, least: int) -> int:
        if not least <= value <= MAX_NUMBER:
            raise self.error(column, f"is {value}", Code.OUT_OF_RANGE, value, _range(least))
        return value


def _range(least: int) -> str:
    return f"whole numbers from {least} to {MAX_NUMBER}"
