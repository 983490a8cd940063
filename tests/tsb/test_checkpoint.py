"""Weights on disk: what is written is read, and everything else is refused by name."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from archsim.errors import DataError
from archsim.network.zoo import build
from tests.refusals import refused, tells
from tsb.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, tensors_hash


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "lenet.safetensors"
    save_checkpoint(path, build("lenet3-bn"), network="lenet3-bn", settings={"sigma": 0.1})
    return path


def test_round_trip_with_buffers_and_metadata(tmp_path):
    model = build("lenet3-bn")
    model(torch.randn(3, 1, 28, 28))  # moves the running statistics
    path = tmp_path / "w.safetensors"
    save_checkpoint(path, model, network="lenet3-bn", settings={"noise": {"sigma": 0.1}})
    found = load_checkpoint(path)
    assert (found.network, found.settings) == ("lenet3-bn", {"noise": {"sigma": 0.1}})
    other = build("lenet3-bn")
    found.load_into(other)
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)
    assert found.tensors["bn1.num_batches_tracked"] == 1


def test_tied_weights_are_saved(tmp_path):
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    save_checkpoint(tmp_path / "w.safetensors", model)
    load_checkpoint(tmp_path / "w.safetensors").load_into(model)


def test_foreign_safetensors_are_read(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(build("lenet3").state_dict(), path)
    found = load_checkpoint(path)
    assert (found.network, found.settings) == ("", {})
    found.load_into(build("lenet3"))


def test_other_architecture_lists_the_first_differences(saved):
    facts = {"code": "shape-mismatch", "field": "checkpoint"}
    with refused(DataError, **facts, value=ANY) as caught:
        load_checkpoint(saved).load_into(build("lenet3"))
    differences = caught.value.value
    assert [text.split()[0] for text in differences[:3]] == [
        "'conv1.bias'",
        "'conv2.bias'",
        "'bn1.bias'",
    ]
    assert len(differences) == 4 + 8  # 2 biases missing, 10 tensors of batch norms too many
    tells(str(caught.value), "'conv1.bias'", "'bn1.bias'", "8")
    wider = build("lenet3-bn", channels=(5, 12))
    before = {name: tensor.clone() for name, tensor in wider.state_dict().items()}
    says = ["'conv2.weight'", "10x5x3x3;", "12x5x3x3"]
    with refused(DataError, **facts, value=ANY, says=says):
        load_checkpoint(saved).load_into(wider)
    assert all(torch.equal(before[name], t) for name, t in wider.state_dict().items())
    tensors = {**load_checkpoint(saved).tensors, "fc.bias": torch.zeros(10, dtype=torch.long)}
    with refused(
        DataError, **facts, value=ANY, says=["'fc.bias'", "torch.int64;", "torch.float32"]
    ):
        Checkpoint(tensors).load_into(build("lenet3-bn"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused_by_name(bad, tmp_path):
    model = build("lenet3")
    with torch.no_grad():
        model.conv2.weight[0, 0, 0, :2] = bad
    facts = {"code": "not-finite", "field": "conv2.weight", "value": 2}
    with refused(DataError, **facts, says=["450"]):
        save_checkpoint(tmp_path / "w.safetensors", model)
    save_file(model.state_dict(), tmp_path / "v.safetensors")
    with refused(DataError, **facts, says=["450", str(tmp_path / "v.safetensors")]):
        load_checkpoint(tmp_path / "v.safetensors")


def test_altered_contents_are_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(content)
    with refused(DataError, code="damaged-file", field=saved, says=["(hash"]):
        load_checkpoint(saved)


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_truncated(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with refused(DataError, code="damaged-file", field=saved):
        load_checkpoint(saved)


def test_missing_and_unwritable(tmp_path):
    path = tmp_path / "w.safetensors"
    with refused(DataError, code="cannot-read", field=path):
        load_checkpoint(path)
    path = tmp_path / "no" / "w.safetensors"
    with refused(DataError, code="cannot-write", field=path):
        save_checkpoint(path, build("lenet3"))
    path = tmp_path / "w.pt"
    with refused(DataError, code="wrong-form", field=path, says=[".safetensors"]):
        save_checkpoint(path, build("lenet3"))


def test_settings_that_are_not_json(tmp_path):
    cases = {"[1]": "archsim", "{": "archsim", '{"settings": 3}': "settings"}
    for text, key in cases.items():
        save_file({"w": torch.ones(1)}, tmp_path / "w.safetensors", {"archsim": text})
        path = tmp_path / "w.safetensors"
        with refused(DataError, code="damaged-file", field=path, says=[f"'{key}'", "JSON"]):
            load_checkpoint(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.bin", "disguised.safetensors"])
@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_are_refused_by_their_bytes(name, legacy, tmp_path):
    path = tmp_path / name
    torch.save(build("lenet3").state_dict(), path, _use_new_zipfile_serialization=not legacy)
    with refused(DataError, code="unsafe-file", field=path):
        load_checkpoint(path)


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580])
def test_a_header_whose_length_looks_like_a_pickle_is_read(length, tmp_path):
    path = tmp_path / "w.safetensors"
    for padding in range(0, 1600, 4):
        save_checkpoint(path, nn.Linear(1, 1), network="x" * padding)
        if path.read_bytes()[:2] == length.to_bytes(2, "little"):
            break
    assert path.read_bytes()[:2] == length.to_bytes(2, "little")
    assert load_checkpoint(path).network == "x" * padding


def test_a_pickles_suffix_is_enough(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"anything")
    with refused(DataError, code="unsafe-file", field=tmp_path / "w.pt"):
        load_checkpoint(tmp_path / "w.pt")


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_printed_command_converts(wrapped, tmp_path):
    path = tmp_path / "my weights.pth"
    state = build("lenet3-bn").state_dict()
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, path)
    with pytest.raises(DataError) as caught:
        load_checkpoint(path)
    command = shlex.split(str(caught.value).splitlines()[-1])
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = load_checkpoint(tmp_path / "my weights.safetensors")
    assert tensors_hash(found.tensors) == tensors_hash(state)


def test_hash_depends_on_names_shapes_and_values_only():
    one, two = torch.arange(6.0), torch.ones(2)
    same = tensors_hash({"a": one, "b": two})
    assert tensors_hash({"b": two, "a": one.clone()}) == same
    assert tensors_hash({"a": one.view(2, 3), "b": two}) != same
    assert tensors_hash({"b": one, "a": two}) != same
    assert tensors_hash({"a": one + 1e-6, "b": two}) != same
    assert tensors_hash({"a": one.view(2, 3).t().contiguous().t(), "b": two}) == tensors_hash(
        {"a": one.view(2, 3), "b": two}
    )


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with refused(DataError, code="cannot-write", field=saved, says=["space"]):
        save_checkpoint(saved, build("lenet3"))
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_metadata_can_be_read_without_us(saved):
    """The first 8 bytes are the length of a JSON header: the safetensors format."""
    content = saved.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about = json.loads(header["__metadata__"]["archsim"])
    assert (about["network"], about["settings"]) == ("lenet3-bn", {"sigma": 0.1})


def test_the_same_content_makes_the_same_file(saved):
    before = saved.read_bytes()
    model = build("lenet3-bn")
    found = load_checkpoint(saved)
    found.load_into(model)
    for _ in range(5):
        save_checkpoint(saved, model, network=found.network, settings=found.settings)
        assert saved.read_bytes() == before
