"""The read path written plainly: loops over groups, planes, slices and sides, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from archsim.device import WeightFormat
from tsb.read_path.conversion import GroupConversion
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings


def settings(**changes: Any) -> ReadSettings:
    """Settings of a test: encoding, weight and cell bits, and those of the converter, flat."""
    form = {
        "weight_bits": changes.pop("weight_bits", 8),
        "bits_per_cell": changes.pop("bits_per_cell", 2),
        "encoding": changes.pop("encoding", "offset"),
    }
    names = ("bits", "range", "percentile", "snap", "slice_ranges", "noise_lsb", "offset_lsb",
             "levels", "columns_per_converter")  # fmt: skip
    converter = {name: changes.pop(name) for name in names if name in changes}
    converter = {"bits": 0, "range": "full-scale", **converter}
    return ReadSettings(
        weight_format=WeightFormat(**form), converter=Converter(**converter), **changes
    )


def matrix_read(
    codes: np.ndarray, chip: ReadSettings, errors: np.ndarray | None = None, /, **more: Any
) -> MatrixRead:
    """The product under test. ``errors``: ``row output side slice``, lowest slice first."""
    groups = more.pop("groups", None) or RowGroups.in_order(
        len(codes), rows=chip.rows, rows_at_once=chip.rows_at_once
    )
    wrong = None if errors is None else torch.from_numpy(errors).flip(-1)
    matrix = StoredMatrix.of_codes(torch.from_numpy(codes), chip.stored_format, wrong)
    return MatrixRead(matrix=matrix, settings=chip, groups=groups, **more)


def levels_of(codes: np.ndarray, chip: ReadSettings) -> np.ndarray:
    """Levels of cells, ``row output side slice``, the least significant slice first."""
    form = chip.stored_format
    slices = math.ceil(form.weight_bits / form.bits_per_cell)
    held = (
        [codes + 2 ** (form.weight_bits - 1)]
        if form.encoding == "offset"
        else [np.maximum(codes, 0), np.maximum(-codes, 0)]
    )
    base = 2**form.bits_per_cell
    return np.stack(
        [np.stack([side // base**j % base for j in range(slices)], -1) for side in held], 2
    ).astype(float)


def converted(sums: np.ndarray, bits: int, low: float, high: float, *, signed: bool) -> np.ndarray:
    """What a linear converter says: ties up, a step of a level or more."""
    if signed:
        steps = 2 ** (bits - 1) - 1
        span = max(high, steps)
        return np.clip(np.floor(sums * steps / span + 0.5), -steps, steps) * span / steps
    steps = 2**bits - 1
    span = max(high - low, steps)
    return low + np.clip(np.floor((sums - low) * steps / span + 0.5), 0, steps) * span / steps


def expected(  # noqa: C901
    codes: np.ndarray,
    inputs: np.ndarray,
    chip: ReadSettings,
    *,
    errors: np.ndarray | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    ranges: Sequence[tuple[float, float]] | None = None,
    sign_plane: bool = False,
) -> np.ndarray:
    """The product in steps, ``vector output``, as section after section of docs/read-path.md."""
    form = chip.stored_format
    top, most = 2**form.bits_per_cell - 1, 2**chip.dac_bits - 1
    rows_read = chip.rows if chip.rows_at_once is None else chip.rows_at_once
    off = top / (chip.on_off_ratio - 1)
    pairs, analog = chip.stored_format.sides == 2, chip.pair == "analog"
    how = "pairs" if pairs else chip.offset_subtraction
    seen = 0.0 if (analog if pairs else how == "analog") else off
    cells = levels_of(codes, chip) + (0 if errors is None else errors) + seen
    slices, base = cells.shape[3], 2**form.bits_per_cell
    zero = 2 ** (form.weight_bits - 1)
    reference = (
        np.zeros(slices) if how == "off-column" else zero // base ** np.arange(slices) % base
    )
    if groups is None:
        crossbars = [
            range(at, min(at + chip.rows, len(codes))) for at in range(0, len(codes), chip.rows)
        ]
        groups = [
            crossbar[at : at + rows_read]
            for crossbar in crossbars
            for at in range(0, len(crossbar), rows_read)
        ]
    total = np.zeros((len(inputs), codes.shape[1]))
    planes = math.ceil(chip.input_bits / chip.dac_bits)
    for group in groups:
        for plane in range(planes):
            digits = inputs[:, list(group)].astype(np.int64) >> (plane * chip.dac_bits) & most
            worth = float(2 ** (plane * chip.dac_bits))
            worth = -worth if sign_plane and plane == planes - 1 else worth
            for j in range(slices):
                used = len(group) if chip.converter.range == "full-scale-used" else rows_read
                high = used * most * (top + seen)
                if chip.converter.range == "unit-step":
                    high = 2 ** (chip.converter.bits - (pairs and analog)) - 1.0
                low = 0.0
                if ranges is not None:
                    low, high = ranges[j]

                def read(sums: np.ndarray, low: float = low, high: float = high) -> np.ndarray:
                    if not chip.converter.bits:
                        return sums
                    return converted(sums, chip.converter.bits, low, high, signed=pairs and analog)

                sums = [digits @ cells[list(group), :, side, j] for side in range(cells.shape[2])]
                driven = digits.sum(1)[:, None]
                if pairs:
                    both = read(sums[0] - sums[1]) if analog else read(sums[0]) - read(sums[1])
                elif how in ("off-column", "zero-column"):
                    both = read(sums[0]) - read(driven * (reference[j] + off))
                elif how == "analog":
                    both = read(sums[0])
                else:
                    both = read(sums[0]) - off * driven
                total += worth * base**j * both
    if pairs or how == "zero-column":
        return total
    value = inputs.astype(np.int64)
    if sign_plane:
        value = value - (value >> (chip.input_bits - 1) << chip.input_bits)
    return total - zero * value.sum(1)[:, None]


def example(
    seed: int, chip: ReadSettings, *, rows: int = 37, outputs: int = 5, vectors: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """Random codes of weights and inputs, some of them 0 and some at the top."""
    rng = np.random.default_rng(seed)
    form = chip.stored_format
    most = 2 ** (form.weight_bits - (form.encoding == "offset")) - 1
    codes = rng.integers(-most, most + 1, (rows, outputs))
    inputs = rng.integers(0, 2**chip.input_bits, (vectors, rows))
    inputs[rng.random(inputs.shape) < 0.3] = 0
    inputs[0], inputs[1] = 0, 2**chip.input_bits - 1
    return codes, inputs.astype(np.uint8 if chip.input_bits <= 8 else np.uint16)


def cell_errors(seed: int, codes: np.ndarray, chip: ReadSettings, sigma: float) -> np.ndarray:
    """Normal errors of cells, levels."""
    form = chip.stored_format
    shape = (*codes.shape, form.sides, form.slices)
    return np.random.default_rng(seed).normal(0, sigma, shape)


def but_converter(chip: ReadSettings, **changes: Any) -> ReadSettings:
    """The same chip with another converter."""
    return chip.but(converter=replace(chip.converter, **changes))


def sum_by_sum(
    conversion: GroupConversion, inputs: np.ndarray, noise: Noise | None, first: int
) -> np.ndarray:
    """What converters say where no compiled loop is used, ``vector column``."""
    sums = conversion.read_sums(inputs, noise, first)
    worth = 2.0 ** (conversion.read.matrix.form.bits_per_cell * np.arange(sums.shape[1]))
    return np.einsum("vjc,j->vc", sums, worth)
