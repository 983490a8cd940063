"""Say plainly when a user's file hides one of archsim's own packages.

``mapping``, ``tsb`` and ``reports`` are top-level import names. ``python -m archsim`` and a user's
own script put their folder first on the import path, so a ``mapping.py`` there is imported in place
of ours and fails with something obscure. The ``archsim`` command does not search that folder.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from archsim.errors import ArchsimError, Code

#: Our top-level packages, beside ``archsim`` itself.
PACKAGES = ("mapping", "tsb", "reports")


class ShadowedPackageError(ArchsimError, ImportError):
    """``import`` of one of our packages would load something else."""


def check_shadowing() -> None:
    """Check, without importing them, that our top-level packages are the ones Python would load.

    Call it before the first import of one of :data:`PACKAGES`.

    Raises:
        ShadowedPackageError: It names the file in the way and what to do about it.
    """
    home = Path(__file__).resolve().parents[2]
    for package in PACKAGES:
        ours = home / package
        location = _would_load(package)
        if location is None:
            raise ShadowedPackageError(
                f"archsim's own package '{package}' is missing from {home}; install archsim again",
                code=Code.MISSING_PACKAGE,
                field=home,
                value=package,
            )
        if location != ours:
            raise ShadowedPackageError(
                f"{location} hides archsim's own package '{package}' ({ours}). Rename or move "
                f"{location.name}, or start from another directory: `python -m archsim` searches "
                "the working directory and `python script.py` the script's, the `archsim` command "
                "neither",
                code=Code.IN_THE_WAY,
                field=location,
                value=package,
            )


def _would_load(package: str) -> Path | None:
    """Return the module file or package folder that ``import package`` gives."""
    loaded = sys.modules.get(package)
    spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(package)
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    location = folders[0] if folders else spec.origin
    return None if location is None else Path(location).resolve()
