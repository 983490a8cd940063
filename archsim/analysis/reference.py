"""Predict a folder of reference runs of DNN+NeuroSim V1.4 and compare.

The folder holds ``chip.csv`` (one run per row with all its settings), ``layers.csv`` (one layer per
row, optional) and ``networks/NAME.csv``. Runs that failed in the reference are left out; runs in
modes that archsim does not model are left out by name, never guessed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.engine import evaluate
from archsim.errors import Code, DataError
from archsim.network.table import LayerTable, from_layer_csv
from archsim.results.reference_metric import CHIP_METRICS, LAYER_METRICS
from archsim.results.validation import Comparison, ValidationResult
from archsim.util.files import check_regular
from mapping.compile import compile_plan

#: Chip preset that has the reference's artefacts switched on.
REFERENCE_CHIP = "neurosim-v1.4"
#: A dynamic energy above this, pJ, is memory garbage in the reference (its README).
_GARBAGE_PJ = 1e12

_MEMORIES = {"1": "sram", "2": "rram-neurosim", "3": "fefet"}
_ROADMAPS = {"1": "hp", "2": "lstp"}
_UNCALIBRATED = (
    "chip.calibration.sensing_time=1",
    "chip.calibration.register_activity=1",
    "chip.calibration.buffer_activity=0",
    "chip.calibration.adder_activity=1",
    "chip.calibration.control_activity=1",
    "chip.calibration.io_device_shifters=false",
)

Row = dict[str, str]


def validate(folder: str | Path, *, chip: str = REFERENCE_CHIP) -> ValidationResult:
    """Compare the engine with every valid run of a reference folder.

    Args:
        folder: with ``chip.csv``, ``networks/`` and, optionally, ``layers.csv``.
        chip: preset that the settings of each run are applied to.

    Raises:
        DataError: the folder or a needed file or column is missing or damaged.
    """
    root = Path(folder)
    runs = _read(root / "chip.csv", required=_CHIP_COLUMNS)
    layer_file = root / "layers.csv"
    layers = _read(layer_file, required=("run_id", "layer")) if layer_file.is_file() else []
    by_run: dict[str, list[Row]] = {}
    for row in layers:
        by_run.setdefault(row["run_id"], []).append(row)
    comparisons: list[Comparison] = []
    skipped: list[tuple[str, str]] = []
    groups: dict[str, list[Row]] = {}
    refused: list[Row] = []
    for row in runs:
        reason = _why_not(row, root)
        if reason is None:
            groups.setdefault(row["net"], []).append(row)
        else:
            skipped.append((row["run_id"], reason))
            if row["hierarchy_error"] == "1" and _network_file(root, row["net"]).is_file():
                refused.append(row)
    for network, members in groups.items():
        table = from_layer_csv(_network_file(root, network))
        comparisons += _compare_group(network, members, table, by_run, chip)
    agree = sum(_is_refused(row, root, chip) for row in refused)
    return ValidationResult(
        chip=chip,
        folder=str(folder),
        comparisons=tuple(comparisons),
        skipped=tuple(skipped),
        refusals_agree=agree,
        refusals=len(refused),
    )


_CHIP_COLUMNS = (
    "run_id",
    "net",
    "version",
    "factor",
    "variant",
    "memcelltype",
    "cellBit",
    "numRowSubArray",
    "numColSubArray",
    "numColMuxed",
    "levelOutput",
    "technode",
    "resistanceOn",
    "resistanceOff",
    "pipeline",
    "novelMapping",
    "SARADC",
    "currentMode",
    "globalBusType",
    "operationmode",
    "speedUpDegree",
    "validated",
    "deviceroadmap",
    "inputtoggle",
    "rc",
    "hierarchy_error",
    "latency_ns",
    "dyn_energy_pJ",
)


def _network_file(root: Path, network: str) -> Path:
    return root / "networks" / f"{network}.csv"


def _read(path: Path, *, required: Sequence[str]) -> list[Row]:
    """Read a CSV file into rows.

    Raises:
        DataError: missing file, missing columns or no rows.
    """
    check_regular(path)
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError.of(Code.CANNOT_READ, path, problem=f"cannot be read: {error}") from error
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataError(
            f"{path}: missing columns {', '.join(missing)}",
            code=Code.MISSING_KEY,
            field=path,
            value=missing,
        )
    if not rows:
        raise DataError.of(Code.EMPTY, path, problem="has no rows")
    return rows


def _why_not(row: Row, root: Path) -> str | None:
    """Why a run is left out; None for a valid one."""
    latency, energy = _number(row, "latency_ns"), _number(row, "dyn_energy_pJ")
    checks: tuple[tuple[bool, str], ...] = (
        (row["version"] != "v14", f"version {row['version']} is not modelled"),
        (row["hierarchy_error"] == "1", "the reference refuses it (array too large)"),
        (row["rc"] != "0", f"the reference failed with status {row['rc']}"),
        (not math.isfinite(latency), "the reference printed no finite latency"),
        (not math.isfinite(energy) or energy > _GARBAGE_PJ, "the reference's energy is garbage"),
        (row["operationmode"] != "2", "row-by-row read is not modelled"),
        (row.get("accesstype", "1") != "1", "cross-point cells are not modelled"),
        (row["variant"] not in ("relu", "dense"), f"variant {row['variant']} is not known"),
        (
            not _network_file(root, row["net"]).is_file(),
            f"networks/{row['net']}.csv is missing",
        ),
    )
    return next((reason for bad, reason in checks if bad), None)


def _number(row: Row, name: str) -> float:
    """Read a number; an empty field is NaN.

    Raises:
        DataError: a field that is no number.
    """
    text = row.get(name) or ""
    if not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            f"chip.csv run {row.get('run_id')}: {name} = '{text}' is no number",
            code=Code.WRONG_TYPE,
            field=name,
            value=text,
        ) from (error)


def reference_overrides(row: Row) -> list[str]:
    """Translate the settings of one run into ``path=value`` overrides.

    Raises:
        DataError: a setting that is no number, or levels that are no power of two.
    """
    memory = _MEMORIES.get(row["memcelltype"])
    if memory is None:
        raise DataError(
            f"chip.csv run {row['run_id']}: memcelltype = '{row['memcelltype']}'; "
            "allowed: 1 (SRAM), 2 (RRAM), 3 (FeFET)",
            code=Code.UNKNOWN_NAME,
            field="memcelltype",
            value=row["memcelltype"],
            allowed="1 (SRAM), 2 (RRAM), 3 (FeFET)",
        )
    bits = math.log2(_number(row, "levelOutput"))
    if bits != int(bits):
        raise DataError(
            f"chip.csv run {row['run_id']}: levelOutput is no power of two",
            code=Code.OUT_OF_RANGE,
            field="levelOutput",
            value=row["levelOutput"],
            allowed="powers of two",
        )
    flash = "flash-current" if _true(row, "currentMode") else "flash-voltage"
    pipeline = _true(row, "pipeline")
    overrides = [
        f"chip.crossbar.rows={int(_number(row, 'numRowSubArray'))}",
        f"chip.crossbar.cols={int(_number(row, 'numColSubArray'))}",
        f"chip.crossbar.mux_ratio={int(_number(row, 'numColMuxed'))}",
        f"chip.precision.weight_bits={int(_number(row, 'synapse_bits'))}",
        f"chip.precision.input_bits={int(_number(row, 'input_bits'))}",
        f"chip.precision.bits_per_cell={1 if memory == 'sram' else int(_number(row, 'cellBit'))}",
        f"chip.adc.bits={int(bits)}",
        f"chip.adc.kind={'sar' if _true(row, 'SARADC') else flash}",
        f"chip.timing.pipeline={str(pipeline).lower()}",
        f"chip.hierarchy.duplication={'balance' if pipeline else 'fill'}",
        f"chip.hierarchy.kernel_per_pe={str(_true(row, 'novelMapping')).lower()}",
        f"chip.hierarchy.speed_up_degree={int(_number(row, 'speedUpDegree'))}",
        f"chip.interconnect.kind={'h-tree' if _true(row, 'globalBusType') else 'xy-bus'}",
        f"chip.interconnect.toggle_in={_number(row, 'inputtoggle')}",
    ]
    if memory != "sram":
        overrides += [
            f"device.{key}={{value: {_number(row, column)}, unit: ohm, source: {_SOURCE}}}"
            for key, column in (("r_on", "resistanceOn"), ("r_off", "resistanceOff"))
        ]
    if not _true(row, "validated"):
        overrides += _UNCALIBRATED
    if row["variant"] == "dense":
        overrides += ["chip.activity.first_layer=dense", "chip.activity.hidden=dense"]
    return overrides


_SOURCE = "'setting of the reference run'"


def _true(row: Row, name: str) -> bool:
    return row[name].strip().lower() in ("true", "1")


def reference_design(row: Row, chip: str = REFERENCE_CHIP) -> DesignBatch:
    """Build the design of one reference run, shape ``()``."""
    resolved = resolve(
        chip=chip,
        technology=f"{int(_number(row, 'technode'))}nm-{_ROADMAPS[row['deviceroadmap']]}",
        device=_MEMORIES[row["memcelltype"]],
        overrides=reference_overrides(row),
    )
    return DesignBatch.from_resolved(resolved)


def _is_refused(row: Row, root: Path, chip: str) -> bool:
    """Whether our size check refuses what the reference refuses."""
    table = from_layer_csv(_network_file(root, row["net"]))
    plan = compile_plan(design=reference_design(row, chip), table=table)
    return not bool(plan.feasible)


def _compare_group(
    network: str, rows: Sequence[Row], table: LayerTable, layers: dict[str, list[Row]], chip: str
) -> list[Comparison]:
    """Evaluate all runs of one network as one batch and compare them."""
    design = DesignBatch.stack([reference_design(row, chip) for row in rows])
    with torch.no_grad():
        plan = compile_plan(design=design, table=table)
        cost = evaluate(design=design, plan=plan)
    comparisons: list[Comparison] = []
    for metric in CHIP_METRICS:
        predicted = metric.predicted(plan, cost).expand(len(rows)).tolist()
        for row, value in zip(rows, predicted, strict=True):
            reference = _number(row, metric.column)
            if math.isfinite(reference):
                comparisons.append(_comparison(row, network, None, metric.name, value, reference))
    for metric in LAYER_METRICS:
        table_of = metric.predicted(plan, cost).expand(len(rows), len(table)).tolist()
        for row, values in zip(rows, table_of, strict=True):
            for entry, value in zip(layers.get(row["run_id"], []), values, strict=False):
                reference = _number(entry, metric.column)
                if math.isfinite(reference):
                    comparisons.append(
                        _comparison(row, network, entry["layer"], metric.name, value, reference)
                    )
    return comparisons


def _comparison(
    row: Row, network: str, layer: str | None, metric: str, predicted: float, reference: float
) -> Comparison:
    return Comparison(row["run_id"], network, row["factor"], layer, metric, predicted, reference)
