"""Generated functions are compiled once per text and machine, and never wrong for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tsb.monte_carlo.generated import code_folder, compile_text

_DOUBLE = "def twice(value):\n    return 2.0 * value\n"
_OUTER = "def outer(value):\n    return inner(value) + 1.0\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another cache folder of the user."""
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path / "archsim"))
    return tmp_path


def _hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def test_the_second_time_it_is_there() -> None:
    first, second = (compile_text(_DOUBLE, {}) for _ in range(2))
    assert (first(3.0), second(3.0)) == (6.0, 6.0)
    assert (_hits(first), _hits(second)) == (0, 1)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04N."])
def test_what_is_damaged_is_compiled_anew(content: bytes) -> None:
    assert compile_text(_DOUBLE, {})(3.0) == 6.0
    kept = [path for path in code_folder().rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".py", ".nbi", ".nbc"}
    for path in kept:
        path.write_bytes(content)
    again = compile_text(_DOUBLE, {})
    assert (again(3.0), _hits(again)) == (6.0, 0)
    mended = compile_text(_DOUBLE, {})
    assert (mended(3.0), _hits(mended)) == (6.0, 1)


def test_no_folder_is_no_error(cache: Path) -> None:
    (cache / "archsim").write_text("a file")
    for _ in range(2):
        function = compile_text(_DOUBLE, {})
        assert (function(3.0), _hits(function)) == (6.0, 0)


def test_what_is_called_is_part_of_the_key() -> None:
    """One text around two functions of one name: two programs, the second time too."""
    for hits in (0, 1):
        for factor in (2, 3):
            inner = compile_text(f"def inner(value):\n    return {factor}.0 * value\n", {})
            outer = compile_text(_OUTER, {"inner": inner})
            assert outer(5.0) == factor * 5.0 + 1.0
            assert _hits(outer) == hits
