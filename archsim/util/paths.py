"""Where the files that archsim ships are."""

from __future__ import annotations

import os
from pathlib import Path

from archsim.errors import Code, DataError

_PACKAGE = Path(__file__).resolve().parents[1]


def configs_dir() -> Path:
    """Return the folder of the shipped YAML presets, whatever the working directory is.

    In a wheel it is ``archsim/_configs``. In a source checkout, installed as editable or not, it is
    ``configs/`` beside the package.

    Raises:
        DataError: Neither is there: the installation is damaged.
    """
    installed = _PACKAGE / "_configs"
    if installed.is_dir():
        return installed
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "configs").is_dir():
        return checkout / "configs"
    raise DataError(
        f"the presets of archsim are neither in {installed} nor in {checkout / 'configs'}; "
        "install archsim again",
        code=Code.MISSING_FILE,
        field=installed,
    )


def user_cache() -> Path:
    """Return the user's cache folder of archsim: ``ARCHSIM_CACHE_DIR``, or the system's place."""
    said = os.environ.get("ARCHSIM_CACHE_DIR")
    if said:
        return Path(said)
    import platformdirs

    return Path(platformdirs.user_cache_dir("archsim"))
