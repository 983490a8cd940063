"""Matrix-vector products and currents of crossbars against reference data."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file

from archsim.device import WeightFormat
from archsim.results.read_path import ReferenceCase
from tsb.read_path.converter import ConverterGrid
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.neurosim14 import neurosim14_product
from tsb.read_path.product import MatrixRead
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings
from tsb.read_path.wires import bit_line_currents, effective_conductances

Floats = npt.NDArray[np.float64]
#: The reference's cells: resistances, and the voltage of one input.
_R_ON_OHM, _R_OFF_OHM, _INPUT_V = 1e5, 1.7e6, 0.2
#: Seeds of the reference's hash: driven (shared, kept elsewhere) and gated.
_DRIVEN_SEEDS, _GATED_SEEDS = (11, 12), (21, 22)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Read the rows of a reference file.

    Args:
        path: with a header.
    """
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def read_settings(row: dict[str, str], **changes: Any) -> ReadSettings:
    """Return the settings of a reference row; columns that it does not have are defaults.

    Args:
        row: of a reference file.
        changes: further settings.
    """
    rows = int(row["rows"])
    rule = row["rule"]
    return ReadSettings(
        weight_format=WeightFormat(
            weight_bits=int(row.get("weight_bits") or 8),
            bits_per_cell=int(row["bits_per_cell"]),
            encoding=row["encoding"],
        ),
        input_bits=int(row.get("input_bits") or 8),
        dac_bits=int(row.get("dac_bits") or 1),
        rows=rows,
        rows_at_once=int(row.get("rows_read") or rows),
        offset_subtraction=row.get("offset_subtraction") or "digital",
        pair=row.get("pair") or "digital",
        converter=Converter(
            bits=int(row["adc_bits"]),
            range={"none": "full-scale"}.get(rule, rule.partition("calibrated")[1] or rule),
            percentile=float(row.get("percentile") or 99.9),
            snap=False,
        ),
        **{"on_off_ratio": float(row.get("on_off") or "inf"), **changes},
    )


def compare_products(folder: Path) -> Iterator[ReferenceCase]:
    """Compare matrix-vector products.

    Args:
        folder: with ``mvm_cases.csv`` and ``mvm_data.safetensors``.
    """
    data = load_file(folder / "mvm_data.safetensors")
    for row in rows_of(folder / "mvm_cases.csv"):
        name = f"{int(row['case']):03d}"
        codes, inputs, wanted = (data[f"{name}.{key}"] for key in "quy")
        settings = read_settings(row)
        groups = RowGroups.in_order(
            len(codes), rows=settings.rows, rows_at_once=settings.rows_at_once
        )
        read = MatrixRead(
            matrix=StoredMatrix.of_codes(codes.long(), settings.stored_format),
            settings=settings,
            groups=groups,
        )
        ranges = row["ranges_lo:hi_per_slice"]
        if ranges and settings.converter.bits:
            read.grids = [
                ConverterGrid.of_range(
                    *map(float, one.split(":")),
                    bits=settings.converter.bits,
                    signed=settings.signed_sums,
                )
                for one in ranges.split(";")
            ]
        wanted_values = wanted.numpy()
        vectors: npt.NDArray[np.integer] = inputs.numpy().astype(
            np.uint8 if settings.input_bits <= 8 else np.uint16
        )
        worst = float(np.abs(read(vectors) - wanted_values).max())
        span = float(wanted_values.max() - wanted_values.min())
        yield ReferenceCase("mvm", row["case"], worst, worst / (span or 1.0))


def compare_neurosim14(folder: Path) -> Iterator[ReferenceCase]:
    """Compare the product of DNN+NeuroSim V1.4, whose converters span the batch.

    Args:
        folder: with ``neurosim14_cases.csv`` and ``neurosim14_data.safetensors``.
    """
    data = load_file(folder / "neurosim14_data.safetensors")
    for row in rows_of(folder / "neurosim14_cases.csv"):
        name = f"{int(row['case']):03d}"
        here = neurosim14_product(
            data[f"{name}.w128"].float() / 128,
            data[f"{name}.u"],
            bits_per_cell=int(row["bits_per_cell"]),
            adc_bits=int(row["adc_bits"]),
            on_off_ratio=float(row["on_off"]),
            rows=int(row["rows"]),
        )
        wanted = data[f"{name}.y"]
        worst, span = float((here - wanted).abs().max()), float(wanted.max() - wanted.min())
        yield ReferenceCase("neurosim14", row["case"], worst, worst / (span or 1.0))


def compare_driven(folder: Path) -> Iterator[ReferenceCase]:
    """Compare currents of passive arrays.

    Args:
        folder: with ``irdrop_currents.csv``.
    """
    remembered: dict[tuple[Any, ...], Floats] = {}
    for fields, wanted in _currents(folder / "irdrop_currents.csv", fields=6):
        case, rows, columns, ohm, pattern, inputs = fields
        shape = int(rows), int(columns)
        differences = []
        for seed in _DRIVEN_SEEDS:
            key = (*shape, ohm, pattern, seed)
            if key not in remembered:
                cells = _cells(pattern, *shape, seed)
                remembered = {old: value for old, value in remembered.items() if old[:4] == key[:4]}
                remembered[key] = effective_conductances(cells, segment_ohm=float(ohm))
            here = _INPUT_V * _inputs(inputs, shape[0], seed) @ remembered[key]
            differences.append(float(np.abs(here - wanted).max()))
            if _random(pattern, inputs) is False:
                break
        worst = min(differences)
        full_scale = _INPUT_V * shape[0] / _R_ON_OHM
        said = f"{case}: {rows} x {columns}, {ohm} ohm, {pattern}, {inputs}"
        yield ReferenceCase("irdrop", said, worst, worst / full_scale)


def compare_gated(folder: Path) -> Iterator[ReferenceCase]:
    """Compare currents of bit lines whose rows that are off are disconnected.

    Args:
        folder: with ``irdrop_gated_currents.csv``.
    """
    for fields, wanted in _currents(folder / "irdrop_gated_currents.csv", fields=5):
        rows, columns, ohm, pattern, inputs = fields
        shape = int(rows), int(columns)
        worst = min(
            float(
                np.abs(
                    bit_line_currents(
                        _cells(pattern, *shape, seed),
                        _inputs(inputs, shape[0], seed)[None],
                        segment_ohm=float(ohm),
                    )
                    - wanted
                ).max()
            )
            for seed in _GATED_SEEDS
        )
        said = f"{rows} x {columns}, {ohm} ohm, {pattern}, {inputs}"
        yield ReferenceCase("irdrop_gated", said, worst, worst * _R_ON_OHM / shape[0])


def _currents(path: Path, *, fields: int) -> Iterator[tuple[list[str], Floats]]:
    """Yield the first fields of each row, and the currents behind them, ``column``."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            yield line[:fields], np.array([float(value) for value in line[fields:] if value])


def _random(pattern: str, inputs: str) -> bool:
    """Whether the reference's hash, and with it its seed, decides anything."""
    return pattern not in ("all-on", "gradient") or inputs in ("bits-half", "bits-tenth")


def _hash(rows: npt.NDArray[Any], columns: npt.NDArray[Any], seed: int) -> Floats:
    """Return the reference's numbers in 0 to 1 (its README): integers modulo 2^32."""
    wrap = np.uint64(0xFFFFFFFF)
    bits = (rows.astype(np.uint64) * np.uint64(73856093)) & wrap
    bits ^= (columns.astype(np.uint64) * np.uint64(19349663)) & wrap
    bits ^= np.uint64(seed * 83492791 % 2**32)
    for _ in range(2):
        bits = (bits * np.uint64(2654435761)) & wrap
        bits ^= bits >> np.uint64(15)
    return bits / 2.0**32


def _cells(pattern: str, rows: int, columns: int, seed: int) -> Floats:
    """Return conductances of a pattern, S, ``row column``."""
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    drawn = _hash(row, column, seed)
    levels = {
        "all-on": np.ones((rows, columns)),
        "levels-2bit": np.floor(4 * drawn) / 3,
        "binary-half": np.floor(2 * drawn),
        "sparse": (drawn < 0.2).astype(float),
        "gradient": column / max(columns - 1, 1),
    }[pattern]
    off_S = 1 / _R_OFF_OHM
    return np.asarray(off_S + levels * (1 / _R_ON_OHM - off_S))


def _inputs(name: str, rows: int, seed: int) -> Floats:
    """Return inputs, 0 or 1, ``row``."""
    row = np.arange(rows)
    drawn = _hash(row, np.full(rows, 1000003), seed)
    return {
        "all-on": np.ones(rows),
        "bits-half": (drawn < 0.5).astype(float),
        "bits-tenth": (drawn < 0.1).astype(float),
        "top-quarter": (row < rows // 4).astype(float),
    }[name]
