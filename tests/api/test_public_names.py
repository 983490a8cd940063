"""`import archsim`: light, complete, and the same names for people, tools and type checkers."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import archsim
from tests.house.helpers import run_python


def test_every_public_name_loads() -> None:
    for name in archsim.__all__:
        assert getattr(archsim, name) is not None
        assert name in dir(archsim)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = archsim.map_netwrok
    assert caught.value.name == "map_netwrok"
    with pytest.raises(ImportError):
        importlib.import_module("archsim.map_netwrok")


def test_the_stub_names_what_the_module_has() -> None:
    stub = Path(archsim.__file__).with_suffix(".pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imported = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported | {"__version__"} == set(archsim.__all__)


def test_five_lines_give_a_mapped_network(tmp_path: Path) -> None:
    code = """
import archsim
result = archsim.map_network("lenet3", design="common")
print(list(result.layers.index), result.totals["tiles"])
print(archsim.compare(["lenet3"]).frame.shape[0])
"""
    done = run_python("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "'tsb@conv1'" in done.stdout
    assert done.stdout.splitlines()[-1] == "3"
