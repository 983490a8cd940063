"""Archives from outside: more than they may hold, and names that lead elsewhere."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path
from unittest.mock import ANY

import pytest

from archsim.errors import DataError
from tests.refusals import refused
from tsb.data import files
from tsb.data.files import read_gzipped, read_tree


def archive_of(path: Path, content: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in content.items():
                packed.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz") as tape:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tape.addfile(member, io.BytesIO(data))
    return path


def everything(name: str) -> bool:
    return bool(name)


@pytest.fixture(params=["a.zip", "a.tar.gz"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_archives_and_folders_are_read_alike(place: Path, tmp_path: Path) -> None:
    content = {"a/1.jpg": b"one", "b.bin": b"two"}
    (tmp_path / "folder" / "a").mkdir(parents=True)
    for name, data in content.items():
        (tmp_path / "folder" / name).write_bytes(data)
    assert read_tree(archive_of(place, content), everything) == content
    assert read_tree(tmp_path / "folder", everything) == content


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../b", "a\\b", "a" * 1001])
def test_names_that_lead_elsewhere(place: Path, name: str) -> None:
    archive_of(place, {"fine": b"1", name: b"2"})
    with refused(DataError, code="unsafe-file", field=place, value=ANY, allowed="1000"):
        read_tree(place, everything)


@pytest.mark.parametrize(("limit", "most"), [("MAX_FILE_BYTES", 99), ("MAX_BYTES", 150)])
def test_more_than_it_may_hold(
    place: Path, limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_of(place, {"1": bytes(100), "2": bytes(100)})
    assert len(read_tree(place, everything)) == 2
    monkeypatch.setattr(files, limit, most)
    with refused(DataError, code="out-of-range", field=place, allowed="bytes"):
        read_tree(place, everything)


def test_too_many_files(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive_of(place, {str(number): b"" for number in range(5)})
    monkeypatch.setattr(files, "MAX_FILES", 4)
    with refused(DataError, code="out-of-range", field=place, allowed="at most 4"):
        read_tree(place, everything)


def test_a_gzipped_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(bytes(10_000)))
    assert len(read_gzipped(path)) == 10_000
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 9_999)
    with refused(DataError, code="out-of-range", field=path, allowed="bytes"):
        read_gzipped(path)


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    with refused(DataError, code="cannot-read", field=tmp_path / "pipe.tar", allowed="regular"):
        read_tree(tmp_path / "pipe.tar", everything)
    with refused(DataError, code="cannot-read", field=tmp_path / "pipe.tar", allowed="regular"):
        read_gzipped(tmp_path / "pipe.tar")
