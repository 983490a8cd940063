"""The folder of a sweep: whole parts or none, and no folder of another sweep."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archsim.api.sweep import SweepResult, open_sweep, sweep
from archsim.errors import DataError
from archsim.explore.accuracy.accuracy import COLUMNS, with_accuracy
from archsim.explore.accuracy.prediction import PREDICTED, with_prediction
from archsim.explore.run.part_file import part_bytes
from archsim.explore.run.store import Store
from archsim.util.atomic_write import write_whole
from tests.explore.sweeps import small_sweep
from tests.refusals import refused

IDENTITY = {"archsim": "1", "sweep": {"axes": {"a": [1, 2]}, "device": None}}
COUNTS = {"combinations": 4, "forbidden": {"rule": 1}}


def table_of(first: int, rows: int = 3) -> pa.Table:
    points = pa.array(range(first, first + rows))
    kind = pa.array(["x", "y", None][:rows]).dictionary_encode()
    return pa.table({"point": points, "kind": kind, "edp_Js": pa.array([1.5, None, 2.0][:rows])})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three parts, of which the middle one is missing."""
    found = Store.create(tmp_path / "new" / "here", IDENTITY, 3, resume=False)
    for number in (0, 2):
        found.write(number, table_of(10 * number), COUNTS)
    return found


def litter(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith("."))


def test_parts_come_back(store: Store) -> None:
    assert store.done() == {0, 2}
    assert store.missing() == [1]
    assert not store.is_complete
    assert store.counts() == {"rows": 6, "combinations": 8, "forbidden": {"rule": 2}}
    assert store.table()["point"].to_pylist() == [0, 1, 2, 20, 21, 22]
    assert store.table(["edp_Js"]).column_names == ["edp_Js"]
    assert store.frame()["kind"].astype(object).tolist()[:2] == ["x", "y"]
    store.write(1, table_of(10), COUNTS)
    assert store.is_complete
    again = Store.open(store.folder)
    assert (again.hash, again.parts, again.identity) == (store.hash, 3, IDENTITY)
    assert litter(store.folder) == []


def test_a_part_of_no_sweep_does_not_make_it_complete(store: Store) -> None:
    store.write(7, table_of(0), COUNTS)
    assert not store.is_complete
    assert store.missing() == [1]


def test_the_same_rows_are_the_same_bytes() -> None:
    one = part_bytes(table_of(0), "hash", 0, COUNTS)
    assert one == part_bytes(table_of(0), "hash", 0, COUNTS)
    assert one != part_bytes(table_of(0), "hash", 1, COUNTS)


def not_made(
    store: Store, identity: dict[str, Any], *, resume: bool = True, **facts: Any
) -> DataError:
    """Expect a store not to be made, for what `refused` has, and its parts to be left."""
    with refused(DataError, **{"field": store.folder, **facts}) as caught:
        Store.create(store.folder, identity, 3, resume=resume)
    assert store.done() == {0, 2}
    assert isinstance(caught.value, DataError)
    return caught.value


def test_another_sweep_is_refused_with_what_differs(store: Store) -> None:
    other = {"archsim": "1", "sweep": {"axes": {"a": [1, 3]}, "device": "pcm"}, "new": 1}
    differ = [
        "new (nothing there, 1 here)",
        "sweep.axes.a ([1, 2] there, [1, 3] here)",
        'sweep.device (nothing there, "pcm" here)',
    ]
    error = not_made(store, other, code="wrong-file", value=differ, says=["--out"])
    assert all(difference in str(error) for difference in differ)


@pytest.mark.parametrize("parts", [10**12, 0, -1, 1.5, "3", True, 10**9])
def test_a_store_that_claims_what_no_sweep_has(tmp_path: Path, parts: object) -> None:
    """Refused from what it says, before anything is counted."""
    place = tmp_path / "s"
    place.mkdir()
    content = {"store": 1, "hash": "0", "parts": parts, "identity": {}}
    (place / "sweep.json").write_text(json.dumps(content))
    field = f"{place / 'sweep.json'}: parts"
    with refused(DataError, code="damaged-file", field=field, value=parts, allowed="100000000"):
        Store.open(place)


def test_many_differences_are_counted(store: Store) -> None:
    other = {f"key{index}": "x" * 100 for index in range(9)}
    error = not_made(store, other, code="wrong-file", value=ANY, says=["6", "more."])
    assert isinstance(error.value, list)
    assert len(error.value) == 5 + 6
    assert len(str(error)) < 1000


def test_parts_without_resume_are_refused(store: Store) -> None:
    says = ["2", "3", "--resume", "--out"]
    not_made(store, IDENTITY, resume=False, code="in-the-way", says=says)


def test_another_version_is_refused(store: Store) -> None:
    about = store.folder / "sweep.json"
    content = json.loads(about.read_text())
    about.write_text(json.dumps({**content, "store": 2}))
    not_made(store, IDENTITY, code="wrong-file", value=2, says=["2;", "1"])
    with refused(DataError, code="wrong-file", field=store.folder, value=2):
        Store.open(store.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"identity": 3}', "\x00"])
def test_a_damaged_description_is_refused(store: Store, content: str) -> None:
    path = store.folder / "sweep.json"
    path.write_text(content)
    not_made(store, IDENTITY, code="damaged-file", field=path)
    with refused(DataError, code="damaged-file", field=path):
        Store.open(store.folder)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.tex"
    thesis.touch()
    for place, code in (
        (tmp_path, "in-the-way"),
        (thesis, "in-the-way"),
        (thesis / "below", "cannot-write"),
        (tmp_path / ("x" * 300), "cannot-write"),
    ):
        with refused(DataError, code=code, field=place):
            Store.create(place, IDENTITY, 1, resume=True)
    with refused(DataError, code="missing-file", field=tmp_path, says=["sweep.json)"]):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("left", [[], ["parts"], [".sweep.0123abcd.tmp"], ["parts", "temporary"]])
def test_a_folder_of_a_run_that_was_killed_at_once_is_a_new_one(
    tmp_path: Path, left: list[str]
) -> None:
    for name in left:
        if name == "parts":
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name.replace("temporary", ".sweep.89abcdef.tmp")).touch()
    store = Store.create(tmp_path, IDENTITY, 1, resume=False)
    assert store.missing() == [0]
    assert litter(tmp_path) == []


def test_temporary_files_of_a_killed_run_go(store: Store) -> None:
    parts = store.folder / "parts"
    (parts / ".part-0000001.0123abcd.tmp").write_bytes(b"half")
    (parts / "notes.txt").touch()
    Store.create(store.folder, IDENTITY, 3, resume=True)
    assert litter(store.folder) == []
    assert (parts / "notes.txt").exists()
    assert store.done() == {0, 2}


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "zeros":
        path.write_bytes(b"\x00" * len(content))
    elif how == "flipped":
        offset = pq.read_metadata(path).row_group(0).column(2).data_page_offset
        place = offset + pq.read_metadata(path).row_group(0).column(2).total_compressed_size - 3
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    elif how == "foreign":
        pq.write_table(table_of(0), path)
    elif how == "renamed":
        path.with_name("part-0000000.parquet").replace(path)
    elif how == "other sweep":
        path.write_bytes(part_bytes(table_of(0), "other", 2, COUNTS))
    else:
        meta = {b"archsim": b"[]"}
        pq.write_table(table_of(0).replace_schema_metadata(meta), path)


@pytest.mark.parametrize(
    "how",
    ["empty", "cut", "zeros", "flipped", "foreign", "renamed", "other sweep", "odd metadata"],
)
def test_damaged_parts_are_found_and_removed(store: Store, how: str) -> None:
    damage(store.path(2), how)
    assert store.verify() == [2]
    assert not store.path(2).exists()
    assert store.verify() == []


def test_a_part_with_other_columns_is_damage(store: Store) -> None:
    other = table_of(10)
    store.write(1, other.rename_columns(["odd", *other.column_names[1:]]), COUNTS)
    with refused(DataError, code="damaged-file", field=store.folder):
        store.table()


def test_one_wrong_bit_anywhere_is_found_or_changes_nothing(store: Store) -> None:
    path = store.path(2)
    good, rows = path.read_bytes(), store.table().to_pylist()
    unnoticed = 0
    for place in range(0, len(good), 5):
        path.write_bytes(good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :])
        if not store.verify():
            unnoticed += 1
            assert store.table().to_pylist() == rows
    assert unnoticed < len(good) / 100


def test_parts_of_another_version_of_arrow_are_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = store.path(2).read_bytes()
    version = pq.read_metadata(store.path(2)).created_by.encode()
    assert content.count(version) == 1
    content = content.replace(version, version.replace(b"version ", b"version_"))
    store.path(2).write_bytes(content)
    assert store.verify() == []
    other = part_bytes(table_of(1), store.hash, 2, COUNTS)
    monkeypatch.setattr("archsim.explore.run.store.part_bytes", lambda *_: other)
    assert store.verify() == [0]
    assert store.path(2).read_bytes() == content


@pytest.mark.parametrize("how", ["empty", "cut", "zeros", "flipped"])
def test_damaged_parts_are_not_read(store: Store, how: str) -> None:
    damage(store.path(2), how)
    field = store.folder if how == "flipped" else store.path(2)
    with refused(DataError, code="damaged-file", field=field):
        store.table()


@pytest.mark.parametrize(("source", "number"), [(0, 1), (0, 3), (2, 7)])
def test_parts_of_another_place_are_not_read(store: Store, source: int, number: int) -> None:
    shutil.copy(store.path(source), store.path(number))
    for read in (store.table, store.counts):
        with refused(DataError, code="conflict", field=store.path(number)):
            read()


def test_parts_of_another_sweep_are_not_read(store: Store) -> None:
    store.path(0).write_bytes(part_bytes(table_of(0), "0123456789abcdef", 0, COUNTS))
    with refused(DataError, code="conflict", field=store.path(0), says=["0123456789abcdef"]):
        store.table()


@pytest.mark.parametrize("how", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_read_for_ever(store: Store, how: str) -> None:
    part = store.path(0)
    part.unlink()
    if how == "pipe":
        os.mkfifo(part)
    elif how == "device":
        part.symlink_to("/dev/zero")
    else:
        part.mkdir()
    for read in (store.columns, store.table, store.counts, lambda: store.rows([1])):
        with refused(DataError, code="cannot-read", field=part, allowed="a regular file"):
            read()
    if how == "folder":
        with refused(DataError, code="in-the-way", field=part):
            store.verify()
    else:
        assert store.verify() == [0]
        assert store.missing() == [0, 1]


@pytest.mark.parametrize("how", ["empty", "no table", "no key", "texts", "pipe"])
@pytest.mark.parametrize("name", ["accuracy", "predictions"])
def test_damaged_tables_beside_the_parts_are_named(store: Store, name: str, how: str) -> None:
    path = store.folder / f"{name}.parquet"
    if how == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"" if how == "empty" else b"PAR1" * 9)
    columns = {"accuracy_key": ["a"]} if how == "texts" else {"other": [1.0]}
    if how in ("no key", "texts"):
        numbers = {key: ["much"] for key in (*COLUMNS, *PREDICTED)}
        pq.write_table(pa.table(columns | numbers), path)
    frame = pd.DataFrame({"accuracy_key": ["a"]})
    joined = with_accuracy if name == "accuracy" else with_prediction
    if how == "pipe":  # as if it were not there
        assert len(joined(store, frame)) == 1
    else:
        with refused(DataError, code="damaged-file", field=path):
            joined(store, frame)


def test_nothing_to_read(tmp_path: Path) -> None:
    store = Store.create(tmp_path, IDENTITY, 1, resume=False)
    with refused(DataError, code="empty", field=tmp_path):
        store.frame()
    assert store.counts() == {"rows": 0, "combinations": 0, "forbidden": {}}


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full:
        """A file that takes some of what is written."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> None:
            self.file.write(content[:10])
            self.file.flush()
            full()

    if step == "write":
        opened = Path.open
        monkeypatch.setattr(Path, "open", lambda path, mode: Full(opened(path, mode)))
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with refused(DataError, code="cannot-write", field=store.path(1), says=["space", "kept,"]):
        store.write(1, table_of(10), COUNTS)
    monkeypatch.undo()
    assert litter(store.folder) == []
    assert store.missing() == [1]
    store.write(1, table_of(10), COUNTS)
    assert store.is_complete


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    path = tmp_path / "nowhere" / "file"
    with refused(DataError, code="cannot-write", field=path):
        write_whole(path, b"x")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    return sweep(small_sweep(), out=tmp_path_factory.mktemp("sweep") / "out", jobs=1)


def test_any_reader_opens_the_parts_by_path(result: SweepResult) -> None:
    folder = result.store.folder
    ours = result.frame()
    assert len(ours) == 60
    for found in (
        pd.read_parquet(folder / "parts"),
        pl.scan_parquet(folder / "parts" / "*.parquet").collect().to_pandas(),
        duckdb.sql(f"select * from '{folder}/parts/*.parquet'").df(),
    ):
        assert list(found.columns) == list(ours.columns)
        rows = found.sort_values("point", ignore_index=True)
        for column in ours.columns:
            own = ours[column].astype(object).where(ours[column].notna(), None)
            other = rows[column].astype(object).where(rows[column].notna(), None)
            assert other.tolist() == own.tolist(), column
    (least,) = duckdb.sql(
        f"select min(edp_Js) from '{folder}/parts/*.parquet' where design = 'common'"
    ).fetchall()
    assert least == (ours.loc[ours["design"] == "common", "edp_Js"].min(),)


def test_only_what_is_asked_is_read(result: SweepResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are those of the whole table, and few columns are read for them."""
    whole = result.frame()
    asked: list[list[str] | None] = []
    read = pq.read_table

    def watched(path: Any, columns: list[str] | None = None, **more: Any) -> Any:
        asked.append(columns)
        return read(path, columns=columns, **more)

    monkeypatch.setattr(pq, "read_table", watched)
    rows, front = result.pareto("edp,area", ["latency_us < 1e6", "rows == 64"], columns=["bits"])
    wanted = {"point", "feasible", "edp_Js", "area_m2", "latency_s", "chip.crossbar.rows"}
    assert {name for columns in asked for name in columns or ["all"]} == {*wanted, "chip.adc.bits"}
    all_rows, all_front = result.pareto("edp,area", ["latency_us < 1e6", "rows == 64"])
    assert set(all_rows.columns) == set(whole.columns)
    assert rows["point"].tolist() == all_rows["point"].tolist()
    assert (front.mask == all_front.mask).all()
    assert front.mask.any()
    assert front.knee == all_front.knee

    asked.clear()
    picked = result.rows([whole["point"].iloc[-1], whole["point"].iloc[3], 10**9])
    assert picked["point"].tolist() == [whole["point"].iloc[3], whole["point"].iloc[-1]]
    expected = whole.iloc[[3, -1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(picked.astype(object), expected.astype(object), check_dtype=False)
    assert asked.count(None) == 2  # of twelve parts, those two that hold them
    found = result.cheapest("edp", ["area_mm2 > 0"])
    assert found.design is not None
    assert found.design["edp_Js"] == whole["edp_Js"].min()
    assert set(found.design.index) == set(whole.columns)


def test_a_sweep_is_opened_again(result: SweepResult) -> None:
    again = open_sweep(result.store.folder)
    assert again.sweep == result.sweep
    pd.testing.assert_frame_equal(again.frame(), result.frame())
    about = json.loads((result.store.folder / "sweep.json").read_text())
    (result.store.folder / "sweep.json").write_text(json.dumps({**about, "sweep": {"axes": 3}}))
    try:
        place = f"{result.store.folder}: sweep.json"
        with refused(DataError, code="damaged-file", field=place, says=["axes"]):
            open_sweep(result.store.folder)
    finally:
        (result.store.folder / "sweep.json").write_text(json.dumps(about))
