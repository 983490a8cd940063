"""A kept graph is the one that was traced, and is read only where nothing has changed."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from archsim.network import LayerGraph, load_network
from archsim.network.kept import store, versions, watch
from archsim.network.kept.graph_data import NotPlainError, from_data, to_text
from archsim.network.kept.watch import not_kept
from archsim.network.trace import trace

_NET = """
import torch
from torch import nn
{before}

def make(width=4):
    {inside}
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2))
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache, a working directory, and no modules of tests, which are not installed either."""
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(watch, "_is_local", _of(tmp_path))


def _of(folder: Path) -> Callable[[object], bool]:
    def is_local(module: object) -> bool:
        return str(getattr(module, "__file__", "")).startswith(str(folder))

    return is_local


_numbers = itertools.count()


def _write(before: str = "", inside: str = "pass") -> str:
    """Write a module of a new name, and return the name of its function."""
    name = f"kept_net_{next(_numbers)}"
    Path(f"{name}.py").write_text(_NET.format(before=before, inside=inside))
    return f"{name}.py:make"


def _load(spec: str, **options: object) -> LayerGraph:
    """As a new process: without the module, and without its folder on the search path."""
    sys.modules.pop(spec.partition(".")[0], None)
    here = str(Path.cwd())
    sys.path[:] = [path for path in sys.path if path != here]
    return load_network(spec, input_shape=(8,), **options)  # type: ignore[arg-type]


def _files() -> set[str]:
    return {path.name for path in store.graphs_folder().glob("*")}


def _is_kept(monkeypatch: pytest.MonkeyPatch, spec: str, **options: object) -> bool:
    """Whether the network is read from the cache."""
    with monkeypatch.context() as patch:
        patch.setattr("archsim.network.load._function_graph", lambda *_: 1 / 0)
        try:
            _load(spec, **options)
        except ZeroDivisionError:
            return False
    return True


def test_a_function_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _write()
    first = _load(spec)
    assert _is_kept(monkeypatch, spec)
    assert to_text(_load(spec)) == to_text(first)
    assert not _is_kept(monkeypatch, spec, width=5)
    assert _load(spec, width=5).layers[0].out_channels == 5
    assert not _is_kept(monkeypatch, spec, name="other")


def test_a_changed_file_is_traced_anew() -> None:
    Path("kept_helper.py").write_text("WIDTH = 4\n")
    spec = _write("import kept_helper", "width = kept_helper.WIDTH")
    assert _load(spec).layers[0].out_channels == 4
    sys.modules.pop("kept_helper")
    Path("kept_helper.py").write_text("WIDTH = 12\n")
    assert _load(spec).layers[0].out_channels == 12


def test_a_file_that_is_read_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("width.txt").write_text("3")
    spec = _write("from pathlib import Path", "width = int(Path('width.txt').read_text())")
    assert _load(spec).layers[0].out_channels == 3
    assert _is_kept(monkeypatch, spec)
    Path("width.txt").write_text("6")
    assert _load(spec).layers[0].out_channels == 6


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("import random", "width = 4"),
        ("import os", "width = int(os.environ.get('NO_SUCH_WIDTH', 4))"),
        ("from os import getenv as ask", "width = int(ask('NO_SUCH_WIDTH', 4))"),
        ("import sys", "width = len(sys.argv) * 0 + 4"),
        ("", "open('log.txt', 'w').close()"),
        ("import archsim", "archsim.load_network('lenet3', num_classes=3)"),
        ("from pathlib import Path", "width = 32 if Path('wide').exists() else 4"),
        ("import glob", "width = 4 + len(glob.glob('*.wide'))"),
        ("try:\n    import no_such_module\nexcept ImportError:\n    pass", "width = 4"),
        ("from safetensors import safe_open", "width = 4"),
        ("load = torch.export.load", "width = 4"),
        ("from torch.jit import load", "width = 4"),
    ],
)
def test_code_that_asks_the_world_is_not_kept(before: str, inside: str) -> None:
    _load(_write(before, inside))
    assert not {name for name in _files() if _holds(name, "kept_net")}


def _holds(name: str, text: str) -> bool:
    return text in (store.graphs_folder() / name).read_text()


def test_a_module_that_was_there_is_not_looked_up() -> None:
    spec = _write()
    load_network(spec, input_shape=(8,))
    Path(spec.partition(":")[0]).write_text(_NET.format(before="", inside="width = 16"))
    # As without a cache: what is in memory counts.
    assert load_network(spec, input_shape=(8,)).layers[0].out_channels == 4
    assert _load(spec).layers[0].out_channels == 16


def test_a_changed_module_in_memory_counts() -> None:
    Path("kept_settings.py").write_text("WIDTH = 4\n")
    spec = _write("import kept_settings", "width = kept_settings.WIDTH")
    assert _load(spec).layers[0].out_channels == 4
    sys.modules["kept_settings"].WIDTH = 16  # type: ignore[attr-defined]
    assert _load(spec).layers[0].out_channels == 16


def test_an_exported_program_is_not_kept() -> None:
    program = "return torch.export.export(nn.Linear(8, 4), (torch.ones(1, 8),))"
    assert _load(_write(inside=program)).layers[0].out_channels == 4
    assert not _files()


def test_a_package_that_is_installed_anew_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    about = Path("site-packages/mine-1.0.dist-info")
    about.mkdir(parents=True)
    monkeypatch.setattr(versions, "package_folders", lambda: (about.parent,))
    first = versions.installed()
    assert versions.installed() == first
    os.utime(about, (1, 1))
    assert versions.installed() != first


def test_a_damaged_cache_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _write()
    good = to_text(_load(spec))
    (name,) = _files()
    path = store.graphs_folder() / name
    whole = path.read_bytes()
    for damaged in (b"", whole[:-9], whole.replace(b"linear", b"lineal"), b"\n" + whole):
        path.write_bytes(damaged)
        assert to_text(_load(spec)) == good
        assert path.read_bytes() == whole
    assert _is_kept(monkeypatch, spec)


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("no folder")
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(Path("file").absolute() / "below"))
    assert _load(_write()).layers[0].out_channels == 4


def test_options_of_built_in_networks_belong_to_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_network("lenet3", num_classes=7)
    monkeypatch.setattr("archsim.network.load._zoo_graph", lambda *_: 1 / 0)
    assert to_text(load_network("lenet3", num_classes=7)) == to_text(first)
    for options in ({"num_classes": 8}, {"num_classes": 7, "batch_norm": True}):
        with pytest.raises(ZeroDivisionError):
            load_network("lenet3", **options)  # type: ignore[arg-type]


def test_what_is_refused_while_it_is_made_is_not_kept() -> None:
    graph = load_network("lenet3")

    def make() -> LayerGraph:
        not_kept("a warning")
        return graph

    asked = store.Asked(spec="a", options={})
    assert store.kept_graph(asked, make) is graph
    assert not _files()
    assert store.kept_graph(asked, lambda: graph) is graph
    assert len(_files()) == 1


def test_only_plain_options_have_a_key() -> None:
    def key(**options: object) -> str | None:
        return store._key(store.Asked(spec="a", options=options))

    assert key(a=torch.ones(2)) is None
    assert key(a=[object()]) is None
    assert key(a={"b": (1, 2)}) == key(a={"b": (1, 2)})
    different = [key(a=1), key(a=1.0), key(a=True), key(a="1"), key(a=(1,)), key(a=[1]), key(b=1)]
    assert len(set(different)) == len(different)


class _Computed(nn.Module):
    """Matrices that are computed of stored tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.stacked = nn.Parameter(torch.ones(12, 8))
        self.scale = nn.Parameter(torch.ones(4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, _, last = self.stacked.chunk(3)
        return nn.functional.linear(x, first) + nn.functional.linear(x, last * self.scale)


def test_computed_matrices_come_back() -> None:
    module = _Computed()
    graph = trace(module, (8,), name="computed")
    back = from_data(json.loads(to_text(graph)))
    tensors = {name: torch.randn(value.shape) for name, value in module.named_parameters()}
    for one, other in zip(graph.stored, back.stored, strict=True):
        assert one.source is not None
        assert other.source is not None
        assert (one.layer, one.alone) == (other.layer, other.alone)
        assert torch.equal(one.source.recipe.value(tensors), other.source.recipe.value(tensors))
        assert one.source.layout == other.source.layout


def test_a_tensor_without_a_name_is_refused() -> None:
    table = torch.ones(4, 8)

    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(x, table)

    with pytest.raises(NotPlainError):
        to_text(trace(Constant(), (8,), name="constant"))
