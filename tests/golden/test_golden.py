"""Did any mapping change? The texts are compared whole; see regenerate.py to accept a change."""

import difflib

import pytest

from tests.golden.cases import CASES
from tests.golden.regenerate import COMMAND, FOLDER, path_of, without_header


@pytest.mark.parametrize("case", CASES)
def test_text_is_as_stored(case):
    stored = without_header(path_of(case).read_text(encoding="utf-8")).splitlines()
    now = CASES[case]().splitlines()
    changes = list(difflib.unified_diff(stored, now, "stored", "now", n=0, lineterm=""))
    assert not changes, "\n".join(
        [f"{case} changed; if that is right: {COMMAND} {case}", *changes[:40]]
    )


def test_every_stored_text_has_a_case_and_says_where_it_came_from():
    stored = {path: path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.txt")}
    assert set(stored) == {path_of(case) for case in CASES}
    for case in CASES:
        head = stored[path_of(case)]
        for part in (f"# made by: {COMMAND} {case}\n", "# date: 2", "commit: ", "# archsim "):
            assert part in head


def test_a_changed_mapping_is_noticed(monkeypatch):
    text = CASES["mapping/lenet3-common"]()
    monkeypatch.setitem(CASES, "mapping/lenet3-common", lambda: text.replace("0:9", "0:8", 1))
    with pytest.raises(AssertionError, match="regenerate mapping/lenet3-common"):
        test_text_is_as_stored("mapping/lenet3-common")
