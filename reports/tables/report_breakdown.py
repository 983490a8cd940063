"""Components and layers of all designs of a joint report, as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.results.breakdown import PARTS
from archsim.results.report import JointResult
from reports.tables.breakdown import Part, leakage_of, rest_of

if TYPE_CHECKING:
    import pandas


def breakdown_tables(result: JointResult) -> dict[str, pandas.DataFrame]:
    """Return ``breakdown`` (components) and ``layers``, a row for each of every feasible design.

    What the parts lack of the totals (leakage, the chip around the layers) is a row too, so that
    area, energy and latency add up to those of the design.

    Args:
        result: all designs.
    """
    import pandas as pd

    components: list[pandas.DataFrame] = []
    layers: list[pandas.DataFrame] = []
    for design in result.designs:
        mapped = design.mapped
        if mapped is None or not mapped.feasible:
            continue
        for parts, table, rest in (
            (components, mapped.breakdown.reset_index(names="component"), leakage_of(mapped)),
            (layers, mapped.layers.reset_index(names="name"), rest_of(mapped)),
        ):
            parts.append(
                _with(table, rest).assign(
                    method=design.method, sigma=design.sigma, design=design.placement
                )
            )
    if not components:
        return {}
    return {
        "breakdown": pd.concat(components, ignore_index=True),
        "layers": pd.concat(layers, ignore_index=True),
    }


def _with(table: pandas.DataFrame, rest: Sequence[Part]) -> pandas.DataFrame:
    """Append parts to a table whose first column is their name; counts stay whole numbers."""
    import pandas as pd

    if not rest:
        return table
    counts = dict.fromkeys(table.select_dtypes("int").columns, "Int64")
    names = (str(table.columns[0]), *PARTS)
    more = [dict(zip(names, (part.name, *part.values), strict=True)) for part in rest]
    return pd.concat([table.astype(counts), pd.DataFrame(more)], ignore_index=True)
