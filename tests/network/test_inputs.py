"""Unit: inputs that are not one image, and nothing downloaded on the way."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn

from archsim.errors import NetworkError
from archsim.network import LayerGraph, load_network, trace
from archsim.network.frontend.fx_trace import fx_calls
from archsim.network.offline import DownloadRefusedError, offline, wants_download
from tests.refusals import refused


class Encoder(nn.Module):
    """Token numbers, a mask that may be left out, and an image that may not."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(11, 6), nn.Linear(6, 2)
        self.patch = nn.Conv2d(3, 6, 4, stride=4)

    def forward(self, ids: Tensor, image: Tensor, mask: Any = None, scale: int = 2) -> Any:
        x = self.table(ids) + self.patch(image).mean((2, 3)).unsqueeze(1)
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        return self.head(x) * scale


SHAPES: dict[str, tuple[int, ...]] = {"ids": (5,), "image": (3, 8, 8)}


def test_several_inputs_by_name_with_their_number_formats() -> None:
    graph = load_network(Encoder(), input_shape=SHAPES, input_dtype={"ids": "int64"})
    assert [(layer.name, layer.mvms) for layer in graph.layers] == [("patch", 4), ("head", 5)]
    masked = load_network(
        Encoder(),
        input_shape={**SHAPES, "mask": (5,)},
        input_dtype={"ids": "int64", "mask": "bool"},
    )
    assert len(masked.ops) > len(graph.ops)


def test_example_input_is_the_second_argument_and_may_have_names() -> None:
    ids, image = torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 3, 8, 8)
    by_name = load_network(Encoder(), {"ids": ids, "image": image})
    in_order = load_network(Encoder(), (ids, image))
    shapes = load_network(Encoder(), input_shape=SHAPES, input_dtype={"ids": "int64"})
    assert by_name.dump() == in_order.dump() == shapes.dump()


def test_fx_binds_names_and_keeps_defaults() -> None:
    ids, image = torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 3, 8, 8)
    found = fx_calls(Encoder().eval(), (ids,), {"image": image})
    assert [data.shape for data in found.inputs] == [(1, 5), (1, 3, 8, 8)]
    assert [call.op for call in found.calls] == [
        *("embedding", "conv2d", "mean", "unsqueeze", "add", "linear", "mul")
    ]


def test_one_input_of_another_number_format() -> None:
    tokens = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 2))
    assert load_network(tokens, input_shape=(7,), input_dtype="int64").layers[0].mvms == 7
    says = ["--input-dtype", "int64"]
    with refused(NetworkError, code="call-failed", field="input_shape", value=ANY, says=says):
        load_network(tokens, input_shape=(7,))


@pytest.mark.parametrize(
    ("arguments", "code", "field", "facts"),
    [
        ({"input_shape": {"ids": (5,)}}, "missing-key", "image", {}),
        (
            {"input_shape": {**SHAPES, "imag": (3,)}},
            "unknown-name",
            "input_shape",
            {"value": "imag", "nearest": "image"},
        ),
        ({"input_shape": (5,)}, "missing-key", "image", {"says": ["--input-shape", "ids=SHAPE"]}),
        (
            {"input_shape": SHAPES, "input_dtype": {"id": "int64"}},
            "unknown-name",
            "input_dtype",
            {"value": "id", "nearest": "ids"},
        ),
        (
            {"input_shape": SHAPES, "input_dtype": "int46"},
            "unknown-name",
            "input_dtype",
            {"value": "int46", "nearest": "int64"},
        ),
        (
            {"input_shape": (5,), "input_dtype": {"ids": "int64"}},
            "conflict",
            "input_dtype",
            {"value": {"ids": "int64"}},
        ),
        ({"input_shape": {"ids": ()}}, "out-of-range", "input_shape", {"value": ()}),
        ({"input_shape": {}}, "missing-key", "ids", {}),
        ({}, "missing-key", "input_shape", {"allowed": ["input_shape", "example_input"]}),
    ],
)
def test_bad_inputs(arguments: dict[str, Any], code: str, field: str, facts: Any) -> None:
    with refused(NetworkError, code=code, field=field, **facts):
        trace(Encoder(), **arguments)


def test_built_in_networks_take_images() -> None:
    with refused(NetworkError, code="conflict", field="example_input", says=["input_shape"]):
        load_network("lenet3", torch.zeros(1, 1, 28, 28))


class Decoder(nn.Module):
    """Returns a cache of its own type unless told not to, as decoders of transformers do."""

    class Config:
        def __init__(self) -> None:
            self.use_cache = True

    def __init__(self) -> None:
        super().__init__()
        self.config, self.linear = self.Config(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        return (self.linear(x), object()) if self.config.use_cache else self.linear(x)


def test_decoders_are_traced_without_their_cache() -> None:
    model = Decoder()
    assert len(trace(model, (3, 4)).layers) == 1
    assert model.config.use_cache


SOURCE = """
import os, urllib.request
from torch import nn

def downloads():
    urllib.request.urlopen("http://localhost:9/weights")

def told():
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    return nn.Linear(3, 2)

def leaves():
    raise SystemExit("no")
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "archsim_test_offline_nets.py").write_text(SOURCE, encoding="utf-8")
    for name, text in {"downloads": "import archsim_test_offline_nets as n; n.downloads()",
                       "needs": "import archsim_no_such_package",
                       "exits": "raise SystemExit(3)", "syntax": "def f(:"}.items():  # fmt: skip
        (tmp_path / f"archsim_test_{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "archsim_test_offline_nets"


def test_functions_are_told_to_stay_offline_and_the_environment_comes_back(
    user_module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "0")
    graph: LayerGraph = load_network(f"{user_module}:told", input_shape=(3,))
    assert len(graph.layers) == 1
    assert "HF_HUB_OFFLINE" not in os.environ
    assert os.environ["TRANSFORMERS_OFFLINE"] == "0"


@pytest.mark.parametrize(
    ("spec", "value", "says"),
    [
        ("archsim_test_offline_nets:downloads", ..., ["downloads", "from_config"]),
        ("archsim_test_offline_nets:leaves", ..., ["SystemExit:"]),
        ("archsim_test_downloads:f", "archsim_test_downloads", ["downloads", "from_config"]),
        ("archsim_test_needs:f", "archsim_test_needs", ["archsim_no_such_package"]),
        ("archsim_test_exits:f", "archsim_test_exits", ["SystemExit:"]),
        ("archsim_test_syntax:f", "archsim_test_syntax", ["SyntaxError:"]),
        ("archsim_test_absent:f", "archsim_test_absent", ["PYTHONPATH"]),
    ],
)
@pytest.mark.usefixtures("user_module")
def test_functions_and_imports_that_fail(spec: str, value: Any, says: list[str]) -> None:
    """A function that fails is named whole; a module that cannot be imported by its own name."""
    value = spec if value is ... else value
    with refused(NetworkError, code="call-failed", field="network", value=value, says=says):
        load_network(spec, input_shape=(3,))


def test_connections_fail_inside_only_in_this_thread_and_only_to_the_internet() -> None:
    left, right = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server, left, right:
        address = server.getsockname()
        reached: list[bool] = []

        def connect() -> None:
            with socket.create_connection(address, timeout=10):
                reached.append(True)

        with offline():
            with pytest.raises(DownloadRefusedError), socket.socket() as direct:
                direct.connect(address)
            with pytest.raises(DownloadRefusedError):
                socket.getaddrinfo("localhost", 80)
            left.send(b"x")
            assert right.recv(1) == b"x"
            other = threading.Thread(target=connect)
            other.start()
            other.join()
        connect()
    assert reached == [True, True]


def test_the_flag_of_the_hub_is_set_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = ModuleType("huggingface_hub.constants")
    vars(hub)["HF_HUB_OFFLINE"] = False
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", hub)
    with offline():
        assert vars(hub)["HF_HUB_OFFLINE"] is True
    assert vars(hub)["HF_HUB_OFFLINE"] is False


def test_a_refused_download_is_found_behind_other_errors() -> None:
    class LocalEntryNotFoundError(Exception):
        pass

    error = OSError("no weights")
    assert not wants_download(error)
    error.__cause__ = LocalEntryNotFoundError("offline")
    assert wants_download(error)
    loop = ValueError("a")
    loop.__context__ = KeyError("b")
    loop.__context__.__context__ = loop
    assert not wants_download(loop)
