"""Names in files: what folders and tables are called; never a path."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from archsim.errors import Code, Problem, RejectedValueError

#: Most letters of a name; a file system allows 255 bytes, of which endings and seeds take some.
MAX_NAME_LETTERS = 100

_ALLOWED = "a name without / \\ .. and control characters"


def _is_name(text: str) -> str:
    """Refuse what is a path, or what no folder can be called.

    Raises:
        RejectedValueError: a separator, ``..``, or a character that is none to be seen.
    """
    unseen = any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in text)
    if unseen or any(part in text for part in ("/", "\\", "..")) or not text.strip(" ."):
        said = f"a name is no path; allowed: {_ALLOWED}"
        raise RejectedValueError(
            Problem(said, Code.WRONG_FORM, value=text, allowed=_ALLOWED),
        )
    return text


#: Name of what a file says: a study, a sweep, a method, a chip.
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME_LETTERS,
        description="what tables, folders and other files call it; no path",
    ),
    AfterValidator(_is_name),
]
