"""Import the Python module in which a user's network stands."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_FILE = ".py"


def import_user_module(name: str) -> ModuleType:
    """Import a module by its dotted name, or a file by its path.

    The installed ``archsim`` command does not look into the working directory, as ``python -m``
    does. Here the module's name was said in this very call, so the working directory is searched
    too, last: no file there can replace an installed package.

    Args:
        name: ``package.module``, or ``path/to/file.py``.

    Raises:
        Exception: whatever the import of the user's code raises.
    """
    if name.endswith(_FILE):
        return _import_file(Path(name))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # something that the module itself imports
        here = str(Path.cwd())
        if here in sys.path or not _is_below(Path(here), name):
            raise
        sys.path.append(here)
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _is_below(folder: Path, name: str) -> bool:
    top = name.partition(".")[0]
    return (folder / f"{top}{_FILE}").is_file() or (folder / top).is_dir()


def _import_file(path: Path) -> ModuleType:
    """Run one file as a module; what lies beside it can be imported from it."""
    whole = path.resolve()
    if not whole.is_file():
        raise ModuleNotFoundError(f"no file {path}")
    folder = str(whole.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(whole.stem, whole)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{path} is no Python file")
    known = sys.modules.get(whole.stem)
    if known is not None and getattr(known, "__file__", None) == str(whole):
        return known
    if known is not None:
        from_ = getattr(known, "__file__", None) or "built in"
        raise ImportError(f"module '{whole.stem}' is there already ({from_}); rename the file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[whole.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[whole.stem]
        raise
    return module
