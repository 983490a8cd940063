"""Data as a user brings them: real digits of MNIST's part, in every form."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tsb.data import load_dataset

#: Digits of each part.
COUNTS = {"train": 60, "test": 30}


def digits(part: str) -> tuple[torch.Tensor, torch.Tensor]:
    split = getattr(load_dataset("mnist-part"), part).spread(COUNTS[part])
    return split.images, split.labels


def dataset() -> dict[str, Dataset]:
    return {part: TensorDataset(*digits(part)) for part in COUNTS}


def batches() -> dict[str, DataLoader]:
    return {part: DataLoader(TensorDataset(*digits(part)), 7) for part in COUNTS}


def generator() -> dict[str, Iterator[tuple[torch.Tensor, torch.Tensor]]]:
    return {part: iter([digits(part)]) for part in COUNTS}


def arrays() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {part: tuple(tensor.numpy() for tensor in digits(part)) for part in COUNTS}


class Rows:
    """As datasets.Dataset: items by number that are dictionaries of columns."""

    def __init__(self, part: str) -> None:
        self.images, self.labels = digits(part)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> dict[str, object]:
        return {
            "inputs": self.images[number].tolist(),
            "targets": int(self.labels[number]),
            "n": 0,
        }


def rows() -> dict[str, Rows]:
    return {part: Rows(part) for part in COUNTS}


def one_set() -> Dataset:
    images, labels = digits("train")
    return TensorDataset(images, labels)


def test_alone() -> dict[str, Dataset]:
    return {"test": dataset()["test"]}


test_alone.__test__ = False  # type: ignore[attr-defined]  # a part, not a test


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    values = [torch.rand(20, 3), torch.from_numpy(np.random.rand(20, 2))]  # noqa: NPY002
    return values[0], values[1] + random.random()


def pairs_of_values() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(20.0).view(20, 1), torch.arange(20.0).view(20, 1) * 2


def raises() -> None:
    raise RuntimeError("the disk is on fire")


def ragged() -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(torch.zeros(2, 3), torch.zeros(2).long()), (torch.zeros(2, 4), torch.zeros(2).long())]


def not_finite() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((4, 2), float("nan")), torch.zeros(4).long()


def negative() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(4, 2), torch.tensor([0, -1, 1, 2])


def lengths() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(4, 2), torch.tensor([0, 1])


def number() -> int:
    return 3


def words() -> list[tuple[list[str], list[int]]]:
    return [(["a", "b"], [0, 1])]


def strange_part() -> dict[str, object]:
    return {"trian": dataset()["train"], "test": dataset()["test"]}


def no_test() -> dict[str, object]:
    return {"train": dataset()["train"], "validation": dataset()["test"]}


def columns() -> list[dict[str, object]]:
    return [{"image": torch.zeros(2, 3), "label": torch.zeros(2)}]


def one_item() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(1, 3), torch.zeros(1).long()


def whole_numbers() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = digits("train")
    return (images * 10).long(), labels


def large() -> Dataset:
    class Large(Dataset):
        def __len__(self) -> int:
            return 2_000_000

        def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
            return torch.full((1, 28, 28), float(number)), number % 10

    return Large()


def large_test() -> dict[str, Dataset]:
    return {"test": large()}
