"""One run at a time in a folder, and nothing written outside of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from archsim.errors import DataError
from archsim.util.lock import LOCK, locked
from tests.cli.conftest import Run, run
from tests.refusals import command_refused, refused

__all__ = ["run"]


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    told: list[BaseException] = []

    def second() -> None:
        try:
            with locked(tmp_path / "a"):
                pass
        except DataError as error:
            told.append(error)

    with locked(tmp_path / "a"), locked(tmp_path / "a"):  # the same call may ask twice
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert [error.code for error in told if isinstance(error, DataError)] == ["in-the-way"]
    with locked(tmp_path / "a"):
        pass


def test_a_folder_made_for_nothing_is_taken_away(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "a" / "b" / "c"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "kept").touch()
    assert (tmp_path / "a" / "b" / "kept").exists()
    with locked(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a" / "b" / "kept").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "lock", "nested"])
def test_links_that_lead_out_are_refused(tmp_path: Path, kind: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    (home / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_text("theirs")
    link = home / {"folder": "parts", "file": "study.json", "lock": LOCK, "nested": "inner/x"}[kind]
    link.symlink_to(outside if kind in ("folder", "nested") else outside / "file")
    with refused(DataError, code="unsafe-file", field=link), locked(home):
        pass
    assert (outside / "file").read_text() == "theirs"


def test_links_inside_and_to_the_folder_are_no_matter(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "inner").mkdir(parents=True)
    (home / "link").symlink_to(home / "inner")
    (tmp_path / "alias").symlink_to(home)
    with locked(tmp_path / "alias"):
        assert (home / LOCK).exists()


@pytest.mark.parametrize(
    "command",
    [
        "train tsb-lenet3 --run busy",
        "report tsb-lenet3 --run busy",
        "report tsb-lenet3 --no-train --folder busy",
        "sweep tsb-size-vgg8 --out busy",
        "program lenet3 --checkpoint none.safetensors --curve busy",
    ],
)
def test_commands_do_not_share_a_folder(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "busy").mkdir()
    with FileLock(tmp_path / "busy" / LOCK):
        command_refused(run(*command.split()), "busy", code="in-the-way")
    assert [path.name for path in (tmp_path / "busy").iterdir()] == [LOCK]
