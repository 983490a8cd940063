"""Files from outside: what is no regular file, what is too deep, and names that no file has."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import ANY

import pytest

from archsim.errors import DataError
from archsim.util.files import (
    MAX_DEPTH,
    check_name,
    is_file,
    is_folder,
    parse_json,
    path_exists,
    read_regular,
)
from tests.refusals import refused

IMPOSSIBLE = ("a" * 300, "x\0y", "/".join(["a" * 200] * 30))


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_paths_that_can_be_none_are_not_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert [is_file(path), is_folder(path), path_exists(path)] == [False] * 3
    with refused(DataError, code="cannot-read", field=path):
        read_regular(path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    path = {"pipe": tmp_path / "pipe", "folder": tmp_path, "device": Path("/dev/zero")}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    with refused(DataError, code="cannot-read", field=path, allowed="a regular file", says=[kind]):
        read_regular(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with refused(DataError, code="out-of-range", field=path, value=5, allowed="at most 4"):
        read_regular(path, 4)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 100_000])
def test_deep_json_is_refused(opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    shallow = opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1)
    assert parse_json(shallow)
    with pytest.raises(ValueError, match="nested"):
        parse_json(opening * depth + "1" + closing * depth)


def test_an_integer_of_json_that_is_no_float_is_refused() -> None:
    assert parse_json(f"[{10**308}]") == [10**308]
    for number in (10**309, -(10**400)):
        with pytest.raises(ValueError, match=r"digits; allowed: below 1\.8e308"):
            parse_json(f'{{"a": {number}}}')


@pytest.mark.parametrize("name", ["a" * 241, "é" * 121, "x\0y"])
def test_names_of_files_to_be_written(tmp_path: Path, name: str) -> None:
    check_name(tmp_path / ("a" * 240))
    with refused(
        DataError,
        code="cannot-write",
        field=tmp_path / name,
        value=ANY,
        allowed="at most 240 bytes",
    ):
        check_name(tmp_path / name)
