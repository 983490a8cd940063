"""Every number of a result: its key, unit and direction."""

from __future__ import annotations

from archsim.results.metrics import all_metrics
from site_pages.markdown import cell, code, table


def pages() -> dict[str, str]:
    """Return the page by its name."""
    rows = [
        [
            code(metric.key),
            cell(metric.title),
            cell(metric.unit),
            cell(metric.direction),
            cell(metric.about),
        ]
        for metric in all_metrics()
    ]
    return {
        "columns": "# Metrics and columns\n\n"
        "Keys of `totals` in JSON. Frames and Parquet files of a sweep hold the same numbers in "
        "SI, with the SI unit at the end of the name: `latency_us` is `latency_s` there. "
        "Parameters are columns named by their dotted path, with the unit where they have one: "
        "`device.r_on_kohm`.\n\n"
        f"{table(['key', 'name', 'unit', 'better', 'meaning'], rows)}"
    }
