"""Which test runs which line: marked modules, what is written down, and the order of tests."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from tests.house.helpers import ROOT
from tests.mutants import marks
from tests.mutants.mutate import mutations
from tests.mutants.reach import Reach, marked, reach, read

MODULE = '''"""A module."""

from __future__ import annotations


def sign(a):
    if a > 0:
        return 1
    elif a < 0:
        return -1
    return 0 + a
'''


@pytest.mark.parametrize(("value", "lines"), [(3, [7]), (-3, [7, 9, 10]), (0, [7, 9, 11])])
def test_marked_lines_say_that_they_run(
    value: int, lines: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(marks.FILE, str(tmp_path / "reached"))
    monkeypatch.setattr(marks, "_seen", set())
    source = marked(MODULE, {line: line for line in (7, 9, 10, 11)})
    assert ast.get_docstring(ast.parse(source)) == "A module."
    module: dict[str, object] = {}
    exec(compile(source, "module", "exec"), module)
    assert callable(module["sign"])
    for _ in range(2):  # said once
        module["sign"](value)
    said = (tmp_path / "reached").read_text().splitlines()
    assert [int(line.partition("\t")[0]) for line in said] == lines
    assert {line.partition("\t")[2] for line in said} == {os.environ["PYTEST_CURRENT_TEST"]}


def test_what_a_fixture_runs_belongs_to_its_file_and_what_an_import_runs_to_no_test() -> None:
    found = read(
        ["0\ta.py::one (call)", "0\ta.py::two (setup)", "1\t", "s\t0.250\ta.py::one"], count=2
    )
    assert found.tests == (frozenset({"a.py::one", "a.py::two", "a.py"}), frozenset())
    assert found.seconds == {"a.py::one": 0.25}


def test_quick_and_near_tests_come_first_and_whole_files_last() -> None:
    seconds = {"far.py::quick": 0.1, "near.py::quick": 0.1, "near.py::slow": 9.0}
    found = Reach((frozenset(seconds), frozenset()), seconds)
    assert found.order(0, ["near.py", "far.py"]) == [
        "near.py::quick", "far.py::quick", "near.py::slow", "far.py", "near.py",
    ]  # fmt: skip
    assert found.order(1, ["near.py", "far.py"]) == ["near.py", "far.py"]


def test_one_run_of_the_tests_finds_who_runs_a_line_and_is_kept(tmp_path: Path) -> None:
    for name in ("tests/__init__.py", "tests/mutants/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    plugin = "tests/mutants/marks.py"
    (tmp_path / plugin).write_text((ROOT / plugin).read_text())
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "test_module.py").write_text(
        "from module import sign\n\n\ndef test_above():\n    assert sign(2) == 1\n\n\n"
        "def test_below():\n    assert sign(-2) == 1\n"
    )
    sample = [each for each in mutations(MODULE, "module.py") if each.line in (8, 10)]
    kept = tmp_path / "kept"
    found = reach(tmp_path, sample, kept)
    said = {each.line: tests for each, tests in zip(sample, found.tests, strict=True)}
    assert said == {8: {"test_module.py::test_above"}, 10: {"test_module.py::test_below"}}
    assert set(found.seconds) == {"test_module.py::test_above"}  # the other one fails
    (tmp_path / "test_module.py").unlink()
    assert reach(tmp_path, sample, kept) == found
