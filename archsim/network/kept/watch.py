"""What the graph of a user's network depends on: the files that its code was read from.

While a user's function is imported and called, the files that are opened are written down, and
afterwards the modules that came with it. A graph is kept only if that is all: not where the code
asks for the environment, the time, random numbers, another process or the network, whether a file
or a module is there, or for a file that is opened without Python; where a module of the user was
there before (it may differ from its file), or where a file is written.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from archsim.network.kept.versions import package_folders

#: Modules of Python that know what no file says.
_WORLD = frozenset(
    {
        *("random", "secrets", "uuid", "time", "datetime", "subprocess", "multiprocessing"),
        *("ctypes", "socket", "urllib", "http", "requests", "platform", "getpass", "argparse"),
        # These open files without Python, so that nothing is written down.
        *("safetensors", "sqlite3", "h5py", "tables", "netCDF4", "pyarrow", "polars"),
    }
)
#: Names that stand for the environment, the command line or the keyboard, for what is in a folder,
#: for modules that may be missing, and for files that are opened without Python.
_ASKS = frozenset(
    {
        *("environ", "environb", "getenv", "argv", "stdin", "now", "urandom", "random"),
        *("exists", "lexists", "is_file", "isfile", "is_dir", "isdir", "stat", "getsize"),
        *("getmtime", "glob", "iglob", "rglob", "iterdir", "listdir", "scandir", "walk"),
        *("ImportError", "ModuleNotFoundError", "find_spec", "system", "popen", "cpu_count"),
        *("export.load", "jit.load"),
    }
)
#: The program that runs, which nothing imports; multiprocessing gives it a second name.
_MAIN = ("__main__", "__mp_main__")
_OURS = Path(__file__).resolve().parents[3]
_OUR_PACKAGES = ("archsim", "mapping", "tsb", "reports")


@dataclass(eq=False)
class Sources:
    """What was read while a user's network was made.

    Attributes:
        runs_code: whether files are written down.
        files: that its graph depends on.
        refused: why the graph cannot be kept; "" where it can.
    """

    runs_code: bool = True
    files: set[Path] = field(default_factory=set)
    refused: str = ""


class _Watch(threading.local):
    """What this thread watches."""

    sources: Sources | None = None


_watch = _Watch()
_installed = threading.Event()


def is_loaded(spec: str) -> bool:
    """Say whether the module of a network's function is in this process already.

    Args:
        spec: ``package.module:function`` or ``path/to/file.py:function``.
    """
    module = spec.partition(":")[0]
    return (Path(module).stem if module.endswith(".py") else module) in sys.modules


def has_user_modules() -> bool:
    """Say whether modules of the user are in this process, which may differ from their files."""
    return any(_is_local(module) for name, module in list(sys.modules.items()) if name not in _MAIN)


@contextmanager
def watched(*, runs_code: bool) -> Iterator[Sources]:
    """Write down what keeps a graph that is made inside from being kept.

    Args:
        runs_code: whether code of the user is run: then what is read too, which is complete when
            the context ends.
    """
    tempfile.gettempdir()  # the first call in a process writes a file
    sources, outer, before = Sources(runs_code), _watch.sources, dict(sys.modules)
    if runs_code and has_user_modules():
        sources.refused = "modules of the user were there before"
    if outer is not None:
        outer.refused = "a network in a network"
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_audit)
    _watch.sources = sources
    try:
        yield sources
    finally:
        _watch.sources = outer
    if runs_code:
        for name, module in list(sys.modules.items()):
            if before.get(name) is not module and name not in _MAIN and _is_local(module):
                _add_module(module, sources)


def not_kept(reason: str) -> None:
    """Say that a graph that is being made cannot be kept.

    Args:
        reason: for example that a warning belongs to it.
    """
    if _watch.sources is not None:
        _watch.sources.refused = reason


def depends_on(path: Path) -> None:
    """Say that a graph that is being made follows from what a file holds, or from its absence.

    Args:
        path: of the file; where there is none, the graph cannot be kept.
    """
    sources = _watch.sources
    if sources is not None and path.is_file():
        sources.files.add(path.absolute())
    else:
        not_kept(f"{path} is not there")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    sources = _watch.sources
    if event != "open" or sources is None or not sources.runs_code:
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes):
        return
    try:
        place = Path(path if isinstance(path, str) else path.decode()).absolute()
        if "__pycache__" in place.parts or _is_foreign(place):
            return
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & 3
        ):
            sources.refused = "a file is written"
        sources.files.add(place)
    except (ValueError, OSError):
        sources.refused = "a file that has no path"


def _add_module(module: ModuleType, sources: Sources) -> None:
    path = Path(str(module.__file__))
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        sources.refused = f"{path} is no source"
        return
    sources.files.add(path.absolute())
    for node in ast.walk(tree):
        names = _names(node)
        asked = (names[:1] and names[0].partition(".")[0] in _WORLD) or _ASKS & set(names)
        if asked:
            sources.refused = f"{path}, line {getattr(node, 'lineno', '?')}, asks the world"


def _names(node: ast.AST) -> list[str]:
    """Modules and names that a node of a program mentions; a module comes first."""
    if isinstance(node, ast.Import):
        worldly = [one.name for one in node.names if one.name.partition(".")[0] in _WORLD]
        return worldly or [node.names[0].name]
    if isinstance(node, ast.ImportFrom):
        module, names = node.module or "", [one.name for one in node.names]
        return [module, *names, *(f"{module.rpartition('.')[2]}.{name}" for name in names)]
    if isinstance(node, ast.Attribute):
        of = getattr(node.value, "attr", getattr(node.value, "id", ""))
        return ["", node.attr, f"{of}.{node.attr}"]
    return ["", node.id] if isinstance(node, ast.Name) else []


def _is_local(module: object) -> bool:
    """Whether a module is of the user: neither Python's, nor installed, nor ours."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not Path(path).is_file():  # torch.ops says "_ops.py"
        return False
    top = str(getattr(module, "__name__", "")).partition(".")[0]
    if top in _OUR_PACKAGES and _OURS in Path(path).absolute().parents:
        return False
    return not _is_foreign(Path(path).absolute())


def _is_foreign(path: Path) -> bool:
    """Whether a file belongs to the system, to Python or to an installed package."""
    text = str(path)
    return text.startswith(_SYSTEM) or not _foreign().isdisjoint(path.parents)


_SYSTEM = ("/proc/", "/sys/", "/dev/")


def _foreign() -> frozenset[Path]:
    standard = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    ours = {_OURS / name for name in _OUR_PACKAGES}
    return frozenset({*package_folders(), *standard, *ours})
