"""Accuracy of a network on programmed chips whose crossbars are read exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archsim.results.read_said import ReadSaid
from tsb.cells.read_out import ReadOut
from tsb.data import Split
from tsb.monte_carlo.evaluate import one_thread
from tsb.monte_carlo.statistics import AccuracyStats, accuracy_stats
from tsb.program.cell_errors import by_sign
from tsb.read_path.describe import describe
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings

#: Chips between two looks at the width of the interval.
_LOOK = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class ExactRead:
    """What an exact read needs beside the cells.

    Attributes:
        settings: of the chip.
        groups: of rows by name of the weight, as mapped.
        inputs: training images that input codes are taken from.
        ranges: those that ranges of converters are taken from.
    """

    settings: ReadSettings
    groups: Mapping[str, RowGroups]
    inputs: Tensor
    ranges: Tensor


@dataclass(frozen=True, eq=False)
class ReadAccuracy:
    """Accuracies of chips, and how they were read."""

    stats: AccuracyStats
    read: ReadSaid


def read_accuracy(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    read_out: ReadOut,
    exact: ExactRead,
    split: Split,
    *,
    chips: int,
    generator: torch.Generator,
    images_per_chip: int | None = None,
    half_width: float | None = None,
) -> ReadAccuracy:
    """Program chips one after the other, and read each exactly.

    Args:
        model: the network, in evaluation mode.
        weights: what is to be programmed, by name.
        read_out: how chips are programmed.
        exact: how they are read.
        split: test images.
        chips: at most so many.
        generator: source of all randomness.
        images_per_chip: own images of each chip; None takes all.
        half_width: of the 95 % interval of the mean, at which no further chips are programmed.

    Raises:
        ConfigError: settings that cannot be read.
        NetworkError: a layer that cannot be read, by name.
    """
    form = read_out.weight_format
    stored = {name: form.quantise(weight, name=name) for name, weight in weights.items()}
    codes = {name: found for name, (found, _) in stored.items()}
    with one_thread():
        network = ReadNetwork.of_codes(
            model,
            exact.settings,
            codes,
            {name: torch.tensor(scale) for name, (_, scale) in stored.items()},
            exact.groups,
        )
        network.calibrate(exact.inputs, range_images=exact.ranges)
        count = images_per_chip or len(split)
        found: list[float] = []
        while len(found) < chips:
            seed = int(torch.randint(1 << 32, (), generator=generator))
            cells = read_out.draw_cells(weights, generator)
            errors = {name: by_sign(one, codes[name], form) for name, one in cells.items()}
            order = torch.arange(len(split))
            if images_per_chip:
                order = torch.randperm(len(split), generator=generator)[:count]
            chip = network.with_errors(errors, chip=seed)
            scores = chip.scores(split.images[order], Noise(seed))
            found.append(float((scores.argmax(-1) == split.labels[order]).double().mean()))
            looks = half_width is not None and len(found) % _LOOK == 0
            if looks and _stats(found, count).half_width <= (half_width or 0.0):
                break
    return ReadAccuracy(_stats(found, count), ReadSaid.of_json(describe(network)))


def _stats(found: list[float], images: int) -> AccuracyStats:
    table = torch.tensor(found, dtype=torch.float64).view(-1, 1)
    return accuracy_stats(table, images=images)
