"""Property: a damaged ONNX file gives an error of archsim or a graph, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import onnx
import torch
from torch import nn

from archsim.errors import NetworkError
from archsim.network import from_graph, load_network
from tests.network.onnx_models import exported
from tests.network.onnx_mutations import damaged

MUTATIONS = 100


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.cells(x)[0][:, -1])
        return scores


def seeds(folder: Path) -> list[bytes]:
    """Small models that hold most kinds of nodes, tensors and attributes."""
    mixed = nn.Sequential(
        nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 2, 3, padding=1, groups=2),
        nn.GroupNorm(1, 2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 3),
    )
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
    cases = (
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (1, 3, 8, 8)),
        (mixed, (1, 3, 8, 8)),
        (encoder, (1, 5, 8)),
        (Recurrent(), (1, 5, 6)),
    )
    paths = [
        exported(folder / f"{i}.onnx", module, torch.zeros(shape), dynamo=False)
        for i, (module, shape) in enumerate(cases)
    ]
    return [path.read_bytes() for path in paths]


def test_damaged_files_never_give_anything_else(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    longest = 0
    path = tmp_path / "damaged.onnx"
    for content in seeds(tmp_path):
        onnx.checker.check_model(content)
        for seed in range(MUTATIONS):
            path.write_bytes(damaged(content, random.Random(seed)))
            try:
                from_graph(load_network(str(path)))
            except NetworkError as error:
                found["refused"] += 1
                longest = max(longest, len(str(error)))
            else:
                found["read"] += 1
    assert longest < 2000
    assert found["refused"] > MUTATIONS
    assert found["read"] > MUTATIONS / 10
