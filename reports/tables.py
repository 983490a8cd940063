"""Tables as plain data: one collector per table, shared by terminal, CSV and pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.results import CompareResult, MapResult
from archsim.sensitivity import METRICS, Elasticity, Interval
from archsim.validation import ErrorSummary, ValidationResult


@dataclass(frozen=True)
class Column:
    """One column: key, heading and whether it holds numbers (right-aligned)."""

    key: str
    heading: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A titled table of raw values; formatting happens where it is shown."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]

    def text_rows(self) -> list[list[str]]:
        """All cells as text with four significant digits."""
        return [[number(row.get(column.key)) for column in self.columns] for row in self.rows]

    def to_csv(self) -> str:
        """Full-precision CSV with keys as header; missing values are empty."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        for row in self.rows:
            cells = (row.get(column.key) for column in self.columns)
            writer.writerow(["" if cell is None else cell for cell in cells])
        return target.getvalue()


def number(value: Any) -> str:
    """Format a cell: four significant digits, whole numbers in full, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value == 0:
            return "0"
        return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"
    return str(value)


_LAYER_COLUMNS = (
    Column("name", "layer", numeric=False),
    Column("kind", "kind", numeric=False),
    Column("input", "input", numeric=False),
    Column("kernel", "kernel", numeric=False),
    Column("matrix", "matrix, cells", numeric=False),
    Column("mvms", "MVMs"),
    Column("copies", "copies"),
    Column("tiles", "tiles"),
    Column("subarrays", "subarrays"),
    Column("utilisation_pct", "util. %"),
    Column("latency_us", "latency us"),
    Column("energy_uJ", "energy uJ"),
    Column("area_mm2", "area mm2"),
)


def layer_table(result: MapResult) -> Table:
    """Collect the layers of a mapped network."""
    rows = []
    for row in result.layer_rows():
        share = row["utilisation"]
        rows.append(
            {
                **row,
                "input": row["input"] or "-",
                "matrix": f"{row['matrix_rows']}x{row['matrix_cols']}",
                "utilisation_pct": None if share is None else 100 * share,
            }
        )
    return Table("Layers", _LAYER_COLUMNS, tuple(rows))


def layer_csv(result: MapResult) -> str:
    """Return the layers as CSV, every key of the JSON contract."""
    rows = result.layer_rows()
    columns = tuple(Column(key, key) for key in rows[0])
    return Table("layers", columns, tuple(rows)).to_csv()


#: Totals shown in a terminal: heading, key, unit.
_TOTALS = (
    ("area", "area_mm2", "mm2"),
    ("dynamic energy", "dynamic_energy_uJ", "uJ"),
    ("leakage energy", "leakage_energy_uJ", "uJ"),
    ("latency of one image", "latency_us", "us"),
    ("period between images", "period_us", "us"),
    ("EDP (latency)", "edp_uJ_us", "uJ us"),
    ("EDP (period)", "edp_period_uJ_us", "uJ us"),
    ("throughput", "throughput_per_s", "images/s"),
    ("efficiency", "tops_per_W", "TOPS/W"),
    ("clock period", "clock_ns", "ns"),
    ("subarrays", "subarrays", ""),
    ("tiles", "tiles", ""),
    ("cells holding weights", "utilisation", "of all"),
    ("write pulses", "write_pulses", ""),
    ("verify reads", "verify_reads", ""),
    ("programming time", "programming_time_ms", "ms"),
    ("programming energy", "programming_energy_uJ", "uJ"),
)


def totals_table(result: MapResult) -> Table:
    """Collect the chip totals."""
    totals = result.totals
    rows = tuple(
        {"total": heading, "value": totals[key], "unit": unit} for heading, key, unit in _TOTALS
    )
    columns = (
        Column("total", "total", numeric=False),
        Column("value", "value"),
        Column("unit", "unit", numeric=False),
    )
    return Table("Totals", columns, rows)


def breakdown_table(result: MapResult) -> Table:
    """Collect area, energy and time per component, with shares."""
    parts = result.breakdown_rows()
    keys = ("area_mm2", "energy_uJ", "latency_us")
    sums = {key: sum(row[key] for row in parts.values()) for key in keys}
    rows = []
    for name, values in parts.items():
        if not any(values.values()):
            continue
        row: dict[str, Any] = {"component": name.replace("_", " ")}
        for key in keys:
            row[key] = values[key]
            row[f"{key}_share"] = 100 * values[key] / sums[key] if sums[key] else 0.0
        rows.append(row)
    columns = (
        Column("component", "component", numeric=False),
        Column("area_mm2", "area mm2"),
        Column("area_mm2_share", "%"),
        Column("energy_uJ", "energy uJ"),
        Column("energy_uJ_share", "%"),
        Column("latency_us", "latency us"),
        Column("latency_us_share", "%"),
    )
    return Table("Breakdown", columns, tuple(rows))


_DESIGN_NAMES = {"none": "base", "common": "(C) common", "separate": "(S) separate"}


def compare_table(result: CompareResult) -> Table:
    """Collect the EDP-overhead table: each network without the block, common and separate."""
    rows = []
    for row in result.rows():
        rows.append({**row, "design": _DESIGN_NAMES.get(row["design"], row["design"])})
    columns = (
        Column("network", "network", numeric=False),
        Column("design", "design", numeric=False),
        Column("area_mm2", "area mm2"),
        Column("energy_uJ", "E uJ"),
        Column("energy_uJ_ratio", "xE"),
        Column("latency_us", "latency us"),
        Column("latency_us_ratio", "xL"),
        Column("period_us", "period us"),
        Column("period_us_ratio", "xP"),
        Column("edp_overhead_pct", "EDP +%"),
        Column("edp_period_overhead_pct", "EDP(P) +%"),
        Column("write_pulses", "pulses"),
    )
    return Table("EDP overhead of the shared block", columns, tuple(rows))


def compare_csv(result: CompareResult) -> str:
    """Return the comparison as CSV, every key of the JSON contract."""
    rows = [{k: v for k, v in row.items() if k != "infeasible"} for row in result.rows()]
    columns = tuple(Column(key, key) for key in rows[0])
    return Table("compare", columns, tuple(rows)).to_csv()


def sensitivity_table(entries: Sequence[Elasticity], most: int | None = None) -> Table:
    """Collect elasticities, largest effect on the EDP first."""
    rows = tuple(
        {
            "parameter": entry.path,
            "value": entry.value,
            "step": "autograd" if entry.stepped_to is None else f"to {number(entry.stepped_to)}",
            **{metric: entry.values.get(metric, 0.0) for metric in METRICS},
        }
        for entry in entries[:most]
    )
    columns = (
        Column("parameter", "parameter", numeric=False),
        Column("value", "value (SI)"),
        Column("step", "by", numeric=False),
        *(Column(metric, metric) for metric in METRICS),
    )
    return Table("Elasticities d ln(metric) / d ln(parameter)", columns, rows)


def interval_table(entries: Iterable[Interval]) -> Table:
    """Collect intervals of the totals."""
    rows = tuple({"total": entry.name, **entry.to_dict()} for entry in entries)
    columns = (
        Column("total", "total", numeric=False),
        Column("nominal", "nominal"),
        Column("p05", "5 %"),
        Column("median", "median"),
        Column("p95", "95 %"),
    )
    return Table("Uncertainty of the totals", columns, rows)


def validation_table(summary: dict[str, ErrorSummary], title: str) -> Table:
    """Collect errors per metric, in per cent."""
    rows = tuple(
        {
            "metric": name.replace("_", " "),
            "median": 100 * entry.median,
            "p90": 100 * entry.p90,
            "worst": 100 * entry.worst,
            "n": entry.n,
        }
        for name, entry in summary.items()
    )
    columns = (
        Column("metric", "metric", numeric=False),
        Column("median", "median %"),
        Column("p90", "90th pct. %"),
        Column("worst", "worst %"),
        Column("n", "n"),
    )
    return Table(title, columns, rows)


def factor_table(result: ValidationResult) -> Table:
    """Collect the median and 90th percentile of the main metrics per varied setting."""
    rows = []
    for factor in result.factors:
        summary = result.summary(factor)
        row: dict[str, Any] = {"factor": factor}
        for metric in ("area", "latency", "energy"):
            if metric in summary:
                row[f"{metric}_median"] = 100 * summary[metric].median
                row[f"{metric}_p90"] = 100 * summary[metric].p90
                row["n"] = summary[metric].n
        rows.append(row)
    columns = (
        Column("factor", "varied setting", numeric=False),
        Column("n", "runs"),
        *(
            Column(f"{metric}_{kind}", f"{metric} {label} %")
            for metric in ("area", "latency", "energy")
            for kind, label in (("median", "median"), ("p90", "p90"))
        ),
    )
    return Table("Errors per varied setting", columns, tuple(rows))


def worst_table(result: ValidationResult) -> Table:
    """Collect the chip-level rows with the largest errors."""
    rows = tuple(
        {
            "run": entry.run,
            "network": entry.network,
            "factor": entry.factor,
            "metric": entry.metric,
            "predicted": entry.predicted,
            "reference": entry.reference,
            "error": 100 * entry.error,
        }
        for entry in result.worst()
    )
    columns = (
        Column("run", "run", numeric=False),
        Column("network", "network", numeric=False),
        Column("factor", "setting", numeric=False),
        Column("metric", "metric", numeric=False),
        Column("predicted", "predicted"),
        Column("reference", "reference"),
        Column("error", "error %"),
    )
    return Table("Worst rows", columns, rows)
