"""JSON, CSV and files: nothing half, nothing that a strict reader refuses."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from archsim.cli import output
from archsim.errors import DataError
from tests.refusals import refused


def test_json_has_null_for_what_is_not_finite() -> None:
    data = {"a": math.nan, "b": [math.inf, 1.5], "c": (-math.inf,), "d": {"e": None}}
    assert json.loads(output.json_text(data)) == {
        "a": None, "b": [None, 1.5], "c": [None], "d": {"e": None},
    }  # fmt: skip


def test_csv_leaves_out_what_is_not_known_and_quotes() -> None:
    rows: list[dict[str, Any]] = [
        {"a": None, "b": 'x, "y"', "c": ["p", "q"]},
        {"a": math.inf, "b": 1, "c": []},
    ]
    assert output.csv_text(["a", "b", "c"], rows) == 'a,b,c\n,"x, ""y""",p; q\n,1,\n'


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with refused(DataError, code="cannot-write", field=target):
        output.write_file(target, b"new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_mode_and_links_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "result.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    output.write_file(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    output.write_file(tmp_path / "new", b"")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_device_is_written_to_and_not_replaced() -> None:
    output.write_file(Path(os.devnull), b"nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
