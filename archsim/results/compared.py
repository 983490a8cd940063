"""Several networks under several placements of the shared block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim import __version__

if TYPE_CHECKING:
    import pandas
from archsim.results.copies import COPIES_KEYS, BlockCopies
from archsim.results.mapped import SCHEMA_VERSION, MapResult
from archsim.results.metric import Place
from archsim.results.metrics import shown_in


@dataclass(frozen=True, eq=False)
class CompareResult:
    """Several networks, each without a shared block and with it common and separate."""

    results: tuple[MapResult, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per network and design: totals, ratios to the base and overheads."""
        rows = []
        for result in self.results:
            base = next(
                (r for r in self.results if r.network == result.network and r.design == "none"),
                None,
            )
            row: dict[str, Any] = {
                "network": result.network,
                "design": result.design,
                "chip": result.resolved.chip.name,
                "tsb_channels": None if result.design == "none" else result.resolved.tsb.channels,
                **_copies(result, base),
                "feasible": result.feasible,
                "infeasible": list(result.infeasible_because),
                **result.totals,
            }
            for metric in shown_in(Place.COMPARE):
                row[metric.ratio_key] = _ratio(result, base, metric.key)
            for metric in shown_in(Place.OVERHEAD):
                ratio = _ratio(result, base, metric.key)
                row[metric.overhead_key] = None if ratio is None else 100 * (ratio - 1)
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim compare --format json``."""
        return {"schema": SCHEMA_VERSION, "archsim": __version__, "rows": self.rows()}

    @property
    def frame(self) -> pandas.DataFrame:
        """The rows as a frame, indexed by network and design."""
        import pandas as pd

        return pd.DataFrame(self.rows()).set_index(["network", "design"])

    def __repr__(self) -> str:
        """Which networks and designs are compared."""
        names = ", ".join(f"{r.network}/{r.design}" for r in self.results)
        return f"CompareResult({names})"

    def _repr_html_(self) -> str:
        return self.frame.to_html()


def _copies(result: MapResult, base: MapResult | None) -> dict[str, Any]:
    """What the shared blocks take; None for each where there are none."""
    found = BlockCopies.of(result, base)
    return dict.fromkeys(COPIES_KEYS) if found is None else dict(found.to_dict())


def _ratio(result: MapResult, base: MapResult | None, name: str) -> float | None:
    """Value of ``result`` over that of its base; None where either was not computed."""
    if base is None:
        return None
    value, reference = result.totals[name], base.totals[name]
    if value is None or not reference:
        return None
    return float(value) / float(reference)
