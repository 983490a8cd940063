"""Text files for language models: windows of tokens, each with the tokens that follow them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from archsim.errors import Code, DataError
from archsim.util.files import read_regular
from tsb.data.own.form import DataForm, FormSettings, Most
from tsb.data.own.items import PARTS, WHOLE, FoundParts, Items, spread

#: Largest text, bytes.
_MAX_TEXT_BYTES = 2**28


class TokenSettings(FormSettings):
    """Keys of ``form: tokens``."""

    file: str | None = None
    files: dict[str, str] | None = None
    tokens: Literal["bytes", "characters", "numbers"] = "bytes"
    length: Annotated[int, Field(strict=True, ge=1, le=2**20)] = 64


class Tokens(DataForm[TokenSettings]):
    """A text per part, cut into windows that do not overlap; the target is the next token."""

    name = "tokens"
    description = "text files as bytes, characters or token numbers; the target is the next token"
    example = "{form: tokens, files: {train: a.txt, test: b.txt}, tokens: characters, length: 64}"
    settings = TokenSettings
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)

    def load(self, settings: TokenSettings, folder: Path, where: str, most: Most) -> FoundParts:
        """See :meth:`DataForm.load`."""
        if (settings.file is None) == (not settings.files):
            raise DataError.of(
                Code.MISSING_KEY,
                f"{where}: file, files",
                problem="texts are given once",
                allowed=f"file, or files with {', '.join(PARTS)}",
            )
        wrong = [part for part in settings.files or {} if part not in PARTS]
        if wrong:
            raise DataError.of(
                Code.UNKNOWN_KEY, f"{where}: files", wrong[0], allowed=", ".join(PARTS)
            )
        one = {WHOLE: settings.file or ""}
        named: Mapping[str, str] = settings.files if settings.files else one
        texts = {part: _text(folder / name) for part, name in named.items()}
        first = texts.get("train", next(iter(texts.values())))
        letters = sorted(set(first)) if settings.tokens == "characters" else []
        parts = {}
        for part, text in texts.items():
            numbers = _numbers(text, settings.tokens, letters, f"{where}: {named[part]}")
            count = (len(numbers) - 1) // settings.length
            if count < 1:
                raise DataError.of(
                    Code.EMPTY,
                    f"{where}: {named[part]}",
                    len(numbers),
                    problem="tokens, fewer than one window",
                    allowed=f"{settings.length + 1} or more",
                )
            rows = torch.tensor(spread(count, most.get(part))).unsqueeze(1)
            index = rows * settings.length + torch.arange(settings.length)
            parts[part] = Items(numbers[index], numbers[index + 1])
        known = {"bytes": 256, "characters": len(letters), "numbers": None}[settings.tokens]
        return FoundParts(parts=parts, classes=settings.number_of_classes or known)


def _text(path: Path) -> str:
    try:
        return read_regular(path, _MAX_TEXT_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"no text in UTF-8: {error}") from error


def _numbers(text: str, tokens: str, letters: list[str], where: str) -> Tensor:
    """Return the tokens of a text.

    Raises:
        DataError: a character that the training text has not, or a word that is no number.
    """
    if tokens == "bytes":
        return torch.tensor(list(text.encode("utf-8")), dtype=torch.long)
    if tokens == "characters":
        numbers = {letter: number for number, letter in enumerate(letters)}
        strange = sorted(set(text) - set(letters))
        if strange:
            raise DataError.of(
                Code.UNKNOWN_NAME,
                where,
                strange[0],
                problem="a character that the training text has not; give tokens: bytes",
            )
        return torch.tensor([numbers[letter] for letter in text], dtype=torch.long)
    words = text.split()
    wrong = next((word for word in words if not word.isascii() or not word.isdigit()), None)
    if wrong is not None:
        raise DataError.of(Code.WRONG_FORM, where, wrong[:20], allowed="token numbers, 0 or more")
    return torch.tensor([min(int(word), 2**62) for word in words], dtype=torch.long)
