"""The mutations are those of single lines, seeded, and told apart by tests."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.house.helpers import ROOT
from tests.mutants.__main__ import PACKAGES, sample
from tests.mutants.mutate import mutations
from tests.mutants.run import Tree
from tests.mutants.which import files_for


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a + b * c", {"x = a - b * c", "x = a + b / c"}),
        ("x = (a) ** (b)", {"x = (a) * (b)"}),
        ("x = a <= b", {"x = a < b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a is None", {"x = a is not None"}),
        ("x = a and b or c", {"x = a or b or c", "x = a and b and c"}),
        ("x = not a", {"x = a"}),
        ("x = -a", {"x = a"}),
        ("x = 3", {"x = 4"}),
        ("x = 0.5", {"x = 1.0"}),
        ("x = True", {"x = False"}),
        ("x = torch.ceil(max(a, b))", {"x = torch.floor(max(a, b))", "x = torch.ceil(min(a, b))"}),
        ("check(a)", {"pass"}),
        ("x: Literal[1] = f'{a + 1}'", set()),
        ("x = 'text'", set()),
        ("if TYPE_CHECKING: x = 1", set()),
        ("x = 1  # pragma: no cover", set()),
    ],
)
def test_mutations_of_a_line(line: str, expected: set[str]) -> None:
    assert {each.of(line) for each in mutations(line, "a.py")} == expected


def test_every_mutation_is_another_program() -> None:
    """Of a sample of the product: it parses, says something else, and its line is the one named."""
    for _, mutation in sample(ROOT, PACKAGES, 140, seed=1):
        source = (ROOT / mutation.path).read_text(encoding="utf-8")
        changed = mutation.of(source)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), mutation
        line = mutation.line - 1
        assert changed.splitlines()[:line] == source.splitlines()[:line]
        assert changed.splitlines()[line] != source.splitlines()[line]


def test_the_sample_is_seeded_and_even() -> None:
    chosen = sample(ROOT, PACKAGES, 20, seed=3)
    assert chosen == sample(ROOT, PACKAGES, 20, seed=3)
    assert chosen != sample(ROOT, PACKAGES, 20, seed=4)
    counts = [sum(package == each for package, _ in chosen) for each in PACKAGES]
    assert sorted(counts) == [2, 3, 3, 3, 3, 3, 3]


def test_the_nearest_tests_come_first() -> None:
    found = files_for(ROOT, "archsim.cost.component.buffer")
    assert set(found[:3]) == {
        "tests/cost/test_buffers.py",
        "tests/cost/memory/test_closed_form.py",
        "tests/cost/test_small_terms.py",
    }
    assert "tests/cost/test_one_crossbar.py" in found  # through tests/designs.py
    assert "tests/tsb/study/test_behind.py" not in found
    assert files_for(ROOT, "tsb.study.behind")[0] == "tests/tsb/study/test_behind.py"


def test_what_tests_say_of_a_mutation(tmp_path: Path) -> None:
    """A tree of one module: its sum is tested, its product is not, and it is as it was then."""
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.mkdir()
    copy.mkdir()
    source = "def add(a, b):\n    return a + b\n\n\ndef times(a, b):\n    return a * b\n"
    (origin / "product.py").write_text(source)
    (origin / "test_product.py").write_text(
        "from product import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    )
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=origin, check=True)
    tree = Tree.copy(origin, copy, imported=())
    tests = ["test_product.py"]
    of_sum, of_product = mutations(source, "product.py")
    assert tree.run(of_sum, tests, 600) == ("killed", "test_product.py::test_add")
    assert tree.run(of_product, tests, 600) == ("survived", "1 tests")
    assert (copy / "product.py").read_text() == source
    tree.must_pass(tests)
    (copy / "test_product.py").write_text("def test_add():\n    while True:\n        pass\n")
    assert tree.run(of_sum, tests, 2) == ("out of time", "1 tests")
    (copy / "test_product.py").write_text("def test_add():\n    assert False\n")
    with pytest.raises(RuntimeError, match="test_add: killed without a mutation"):
        tree.must_pass(tests)
    tree.close()
