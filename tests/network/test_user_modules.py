"""Networks that stand in files of the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsim.errors import NetworkError
from archsim.network import load_network

CODE = (
    "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5))\n"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory that is not on the path, as for the installed command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("own_"):
            del sys.modules[name]


def test_working_directory_is_searched(own_folder: Path) -> None:
    (own_folder / "own_net.py").write_text(CODE, encoding="utf-8")
    assert load_network("own_net:net", input_shape=(3, 2, 2)).name == "net"
    assert sys.path[-1] == str(own_folder), "last, so that nothing of ours is hidden"


def test_file_by_its_path(own_folder: Path) -> None:
    (own_folder / "below").mkdir()
    (own_folder / "below" / "own_part.py").write_text(CODE, encoding="utf-8")
    (own_folder / "below" / "own_whole.py").write_text("from own_part import net\n", "utf-8")
    assert load_network("below/own_whole.py:net", input_shape=(3, 2, 2)).name == "net"


def test_missing_module_says_where_it_was_sought() -> None:
    with pytest.raises(NetworkError, match=r"neither in the working directory nor on PYTHONPATH"):
        load_network("own_missing:net", input_shape=(3, 2, 2))
    with pytest.raises(NetworkError, match=r"no file own_missing\.py"):
        load_network("own_missing.py:net", input_shape=(3, 2, 2))


def test_a_file_never_replaces_a_module(own_folder: Path) -> None:
    (own_folder / "json.py").write_text(CODE, encoding="utf-8")
    with pytest.raises(NetworkError, match=r"module 'json' is there already"):
        load_network("json.py:net", input_shape=(3, 2, 2))
