"""Decoded images that are kept in the user's cache folder: those of archives, which take long."""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from archsim.errors import DataError
from archsim.util.files import is_file
from archsim.util.paths import user_cache
from tsb.checkpoint import read_tensors, write_tensors


def kept_place(name: str, place: Path, form: str = "", cache: Path | None = None) -> Path | None:
    """Return where the decoded images of an archive are kept; None for folders, which may change.

    Args:
        name: of the data set or its form.
        place: the archive.
        form: what else the images depend on.
        cache: folder; None for the user's.
    """
    if not is_file(place):
        return None
    about = place.stat()
    key = f"{place.resolve()} {about.st_size} {about.st_mtime_ns}{form and f' {form}'}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return (cache or user_cache()) / f"decoded-{name}-{digest}.safetensors"


def kept_tensors(kept: Path | None) -> dict[str, Tensor] | None:
    """Return decoded images that were kept; None where there are none, or none can be read.

    Args:
        kept: of :func:`kept_place`.
    """
    try:
        if kept is not None and kept.is_file():
            return read_tensors(kept)[0]
    except OSError:  # in a folder that must not be entered
        return None
    return None


def keep(kept: Path | None, tensors: dict[str, Tensor]) -> None:
    """Keep decoded images; where that is not possible they are decoded again next time.

    Args:
        kept: of :func:`kept_place`; None keeps nothing.
        tensors: by name.
    """
    if kept is None:
        return
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(kept, tensors, {})
    except OSError as error:
        _warn_not_kept(f"{kept.parent}: cannot be made: {error.strerror or error}")
    except DataError as error:
        _warn_not_kept(str(error))


@lru_cache(maxsize=16)
def _warn_not_kept(reason: str) -> None:  # once for each reason
    warnings.warn(
        f"decoded images are not kept and will be decoded again next time ({reason}); set "
        "ARCHSIM_CACHE_DIR to a folder that can be written",
        stacklevel=2,
    )
