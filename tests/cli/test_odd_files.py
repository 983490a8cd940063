"""Files and names that no command can use: one message, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from tests.cli.conftest import Run
from tests.refusals import command_refused

LONG = "a" * 300


@pytest.mark.parametrize(
    "command",
    [
        f"map lenet3 --out {LONG}",
        f"map lenet3 --format csv --out {LONG}",
        f"map lenet3 --plot {LONG}.png",
        f"map lenet3 --resolved {LONG}",
        f"map {LONG}.onnx",
        f"map lenet3 --device {LONG}.yaml",
        f"program lenet3 --checkpoint {LONG}.safetensors",
        f"evaluate {LONG}",
        f"evaluate {LONG}.safetensors",
        f"report {LONG}/{LONG}",
        f"report --folder {LONG} --no-train",
        f"report diff {LONG} {LONG}",
        f"sweep show {LONG}",
        f"sweep tsb-size-vgg8 --out {LONG}",
        f"train --run {LONG}",
        f"train {LONG}.yaml",
    ],
)
def test_names_that_are_too_long(run: Run, command: str, tmp_path: Path) -> None:
    done = run(*command.split())
    assert done.exit_code == 2, done.output
    assert "internal error" not in done.stderr
    assert "aaa" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        "map lenet3 --device pipe.yaml",
        "program lenet3 --checkpoint pipe.safetensors",
        "map pipe.onnx",
    ],
)
def test_pipes_are_not_read(run: Run, command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / command.rsplit(maxsplit=1)[-1])
    done = run(*command.split())
    assert done.exit_code == 2, done.output
    assert "pipe" in done.stderr


def _with_metadata(metadata: object, tensors: bytes) -> bytes:
    length = int.from_bytes(tensors[:8], "little")
    header = json.loads(tensors[8 : 8 + length]) | {"__metadata__": metadata}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors[8 + length :]


@pytest.mark.parametrize(
    "metadata",
    [
        {"archsim": "[" * 50_000},
        {"archsim": "[]"},
        {"archsim": "9" * 5000},
        {"archsim": '{"settings": [1]}'},
        {"archsim": '{"hash": 1}'},
        None,
        {},
    ],
)
def test_odd_metadata(run: Run, metadata: object, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(_with_metadata(metadata, save({"a": torch.ones(2)})))
    done = run("program", "lenet3", "--checkpoint", "odd.safetensors")
    assert done.exit_code == 2, done.output
    assert "odd.safetensors" in done.stderr


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64])
def test_formats_that_are_not_calculated_with(run: Run, dtype: torch.dtype, tmp_path: Path) -> None:
    content = save({"conv1.weight": torch.ones(2).to(dtype)})
    (tmp_path / "odd.safetensors").write_bytes(content)
    command_refused(
        run("program", "lenet3", "--checkpoint", "odd.safetensors"), "conv1.weight", "float32",
        code="unsupported",
    )  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        {"designs": 1},
        {"designs": [1]},
        {"designs": [{}]},
        {"designs": [{"method": "a", "sigma": "b", "design": "none"}]},
        {"designs": [{"method": "a", "sigma": 1, "design": "none", "accuracy": "x"}]},
        {"designs": [], "cases": 1},
        {"designs": [], "cases": [1]},
        {"designs": [], "answer": 3},
        {"designs": [], "inputs": []},
        {"designs": [], "inputs": {"studies": 1}},
        {"designs": [], "inputs": {"settings": 1, "settings_of": {}}},
    ],
)
def test_reports_of_another_form(run: Run, damage: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "report.json").write_text(json.dumps({"schema": 1} | damage))
    command_refused(run("report", "diff", "one", "one"), "one/report.json", code="damaged-file")
