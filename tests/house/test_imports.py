"""Each package can be the first one imported: import-linter does not see every cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.helpers import run_python

_IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("package", ["archsim", "mapping", "tsb", "reports"])
def test_package_and_all_its_modules_import_first(package: str, tmp_path: Path) -> None:
    done = run_python("-c", _IMPORT_ALL, package, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_import_archsim_is_light(tmp_path: Path) -> None:
    """`archsim --help` answers at once only if the door loads nothing heavy."""
    heavy = "{'torch', 'pandas', 'matplotlib', 'networkx'}"
    code = f"import sys, archsim; print(sorted({heavy} & set(sys.modules)))"
    done = run_python("-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
