"""A test that does not run fails CI, unless tests/skips.toml allows it; it is printed anyway."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.gaps import ALLOWED, read_allowed
from tests.house.helpers import ROOT

pytest_plugins = ["pytester"]

_CONFTEST = """
from tests.gaps import Gaps

def pytest_configure(config):
    config.pluginmanager.register(Gaps({"test_it.py::test_allowed": "there is none here"}))
"""
_ALLOWED = """
import pytest

def test_passes():
    pass

@pytest.mark.parametrize("value", ["a[b]", 1])
def test_allowed(value):
    pytest.skip("no GPU")
"""
#: A test that does not run: its lines, and the gap that is said.
_GAPS = {
    "skip": ("def test_gap():\n    pytest.skip('no X')", "test_it.py::test_gap: no X"),
    "mark": (
        "@pytest.mark.skipif(True, reason='no Y')\ndef test_gap():\n    pass",
        "test_it.py::test_gap: no Y",
    ),
    "parameter": (
        "@pytest.mark.parametrize('it', [pytest.param(1, marks=pytest.mark.skip('not this'))])\n"
        "def test_gap(it):\n    pass",
        "test_it.py::test_gap[1]: not this",
    ),
    "fixture": (
        "@pytest.fixture\ndef it():\n    pytest.skip('no Z')\ndef test_gap(it):\n    pass",
        "test_it.py::test_gap: no Z",
    ),
    "package": (
        "def test_gap():\n    pytest.importorskip('not_there')",
        "test_it.py::test_gap: could not import 'not_there'",
    ),
    "expected failure": (
        "@pytest.mark.xfail(reason='later')\ndef test_gap():\n    raise ValueError",
        "test_it.py::test_gap: expected failure: later",
    ),
}


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small suite with the plugin, in CI."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("CI", "true")
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(test_it=_ALLOWED)
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> tuple[int, str]:
    done = suite.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
    return int(done.ret), done.stdout.str()


@pytest.mark.parametrize("gap", _GAPS)
def test_a_gap_fails_ci_alone(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, gap: str
) -> None:
    test, said = _GAPS[gap]
    suite.makepyfile(test_it=f"{_ALLOWED}\n{test}")
    code, output = run(suite)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert f"GAP {said}" in output
    assert output.count("GAP ") == 1
    for no in ("", "0", "false"):
        monkeypatch.setenv("CI", no)
        assert run(suite)[0] == pytest.ExitCode.OK


def test_what_is_left_out_is_a_gap(suite: pytest.Pytester) -> None:
    code, output = run(suite, "-k", "allowed")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "GAP test_it.py::test_passes: deselected" in output


def test_what_is_allowed_is_printed_and_passes(suite: pytest.Pytester) -> None:
    code, output = run(suite)
    assert code == pytest.ExitCode.OK
    assert "ALLOWED test_it.py::test_allowed[a[b]]: no GPU (there is none here)" in output
    assert "GAP" not in output


def test_workers_tell_of_files_and_of_what_was_left_out(suite: pytest.Pytester) -> None:
    """With xdist the tests, and their selection, are in other processes."""
    suite.makepyfile(test_file="import pytest\npytest.importorskip('not_there')")
    way = ("-p", "xdist", "-n", "1", "-p", "no:cacheprovider", "-k", "not passes")
    done = suite.runpytest_subprocess(*way)
    output = done.stdout.str()
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "GAP test_file.py: could not import 'not_there'" in output
    assert "GAP test_it.py::test_passes: deselected" in output
    assert "ALLOWED test_it.py::test_allowed[1]: no GPU (there is none here)" in output


def test_the_list_is_short_and_names_tests_that_exist() -> None:
    allowed = read_allowed(ALLOWED)
    assert 0 < len(allowed) < 10
    for name, reason in allowed.items():
        file, test = name.split("::")
        tree = ast.parse(Path(ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert reason.strip()
