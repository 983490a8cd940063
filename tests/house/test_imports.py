"""Each package can be the first one imported: import-linter does not see every cycle."""

from __future__ import annotations

from pathlib import Path

from tests.house.helpers import run_python

_PACKAGES = ("archsim", "mapping", "tsb", "reports")
#: Imports what others wrote once, then each package with all its modules in a process that has none
#: of ours. Prints the packages that failed.
_IMPORT_ALL = """
import importlib, os, pkgutil, sys, traceback
packages = sys.argv[1:]
for name in "torch pandas pyarrow.parquet matplotlib.figure networkx typer pydantic".split():
    importlib.import_module(name)
assert not set(packages) & {name.partition(".")[0] for name in sys.modules}

def import_all(package):
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

for package in packages:
    child = os.fork()
    if not child:
        try:
            import_all(package)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(package)
"""


def test_each_package_and_all_its_modules_import_first(tmp_path: Path) -> None:
    done = run_python("-c", _IMPORT_ALL, *_PACKAGES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], done.stderr


def test_import_archsim_is_light(tmp_path: Path) -> None:
    """`archsim --help` answers at once only if the door loads nothing heavy."""
    heavy = "{'torch', 'pandas', 'matplotlib', 'networkx'}"
    code = f"import sys, archsim; print(sorted({heavy} & set(sys.modules)))"
    done = run_python("-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
