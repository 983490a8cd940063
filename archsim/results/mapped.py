"""One network on one design: counts, cost, and the tables of both."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim import __version__
from archsim.config.resolve import Resolved
from archsim.network.graph import LayerGraph
from archsim.network.layer import MvmLayer
from archsim.plan import MappingPlan
from archsim.units import engineering, from_si

if TYPE_CHECKING:
    import pandas
from archsim.results.breakdown import BROKEN_DOWN
from archsim.results.cost import CostBreakdown
from archsim.results.metrics import all_metrics
from archsim.results.use import energy_rows, uses

#: Version of the JSON that ``to_dict`` methods write; a change of meaning raises it.
SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class MapResult:
    """One network on one design: counts, cost and where they came from.

    Attributes:
        network: name of the network.
        design: placement of the shared block: none, common or separate.
        graph: the traced network.
        resolved: full configuration, with its hash and its citations.
        plan: counts per layer (shape ``layer``).
        cost: area, energy, time and programming.
        copies_asked: ``tsb.copies`` as it was asked for; ``resolved`` has what ``auto`` found.
    """

    network: str
    design: str
    graph: LayerGraph
    resolved: Resolved
    plan: MappingPlan
    cost: CostBreakdown
    copies_asked: int | str | None = None

    @property
    def feasible(self) -> bool:
        """Whether the design can be built."""
        return bool(self.cost.feasible)

    @property
    def infeasible_because(self) -> tuple[str, ...]:
        """One sentence per violated bound: demand, bound, unit and what to change."""
        return tuple(c.describe() for c in self.cost.constraints if bool(c.violated))

    @property
    def totals(self) -> dict[str, float | int | None]:
        """Chip totals in report units; every value is ``None`` for an infeasible design."""
        if not self.feasible:
            return dict.fromkeys(metric.key for metric in all_metrics())
        return {metric.key: metric.value(self) for metric in all_metrics()}

    @property
    def device_notes(self) -> tuple[str, ...]:
        """What the cell brings with it that the totals leave out, one sentence each."""
        device = self.resolved.device
        if device.access != "none" or device.memory in ("sram", "fefet"):
            return ()
        if device.r_on is None or device.r_off is None:
            return ()
        rows, ratio = self.resolved.chip.crossbar.rows, device.r_off.si / device.r_on.si
        return (
            f"passive cells (device.access none, 4 F^2): with all other lines floating, a cell is "
            f"read beside {rows - 1} sneak paths along its column, and at r_off / r_on = "
            f"{ratio:.3g} more than about {ratio:.3g} of them hide an off cell; writing, verifying "
            "and half-selected cells are priced as with transistors, and no selector is",
        )

    @property
    def chips(self) -> int:
        """Chips that the network is spread over."""
        return round(float(self.cost.chips))

    @property
    def capacity(self) -> dict[str, float | int] | None:
        """What a network needs that is larger than ``chip.hierarchy.max_tiles``, else None.

        Parts are chips of that size, or loads that are written one after the other, whatever
        ``chip.off_chip.when_full`` says; ``programming_time_ms`` is that of all parts in turn.
        """
        most = self.resolved.chip.hierarchy.max_tiles
        tiles = float(self.plan.layers.over_layers(self.plan.tiles))
        if most is None or tiles <= most:
            return None
        parts = math.ceil(tiles / most)
        # Chips are written at the same time.
        part_s = float(self.cost.programming.time_s) * self.chips / parts
        return {
            "tiles_needed": round(tiles),
            "tiles_per_chip": most,
            "parts": parts,
            "weights_per_part": round(self.graph.totals.weights / parts),
            "programming_time_per_part_ms": from_si(part_s, "ms"),
            "programming_time_ms": from_si(parts * part_s, "ms"),
        }

    @property
    def loads_per_image(self) -> float:
        """Times that the tiles are written anew per image: 0 for a network that stays."""
        off_chip, parts = self.resolved.chip.off_chip, float(self.plan.floorplan.parts)
        reloaded = off_chip.when_full == "reload" and parts > 1
        return parts / off_chip.images_per_reload if reloaded else 0.0

    @property
    def subarrays(self) -> int:
        """All subarrays, used or not, of all chips."""
        floor, chip = self.plan.floorplan, self.resolved.chip.crossbar
        total = 0
        for side, pes, tiles in (
            (floor.kernel_side, floor.kernel_pes, floor.kernel_tiles),
            (floor.pe_side, floor.pes_per_side**2, floor.matrix_tiles),
        ):
            in_pe = math.ceil(float(side) / chip.rows) * math.ceil(float(side) / chip.cols)
            total += round(float(tiles * pes)) * in_pe
        return total * self.chips

    @property
    def _loads(self) -> float:
        """Parts of the network that share the chip's cells one after the other."""
        return float(self.plan.floorplan.parts) / self.chips

    def _layer_utilisation(self, index: int) -> float | None:
        """Share of the cells of a layer's tiles that hold its weights; None without tiles."""
        plan, chip = self.plan, self.resolved.chip.crossbar
        floor, tiles = plan.floorplan, float(plan.tiles[index])
        if not tiles:
            return None
        kernel = bool(plan.is_kernel[index])
        side = float(floor.kernel_side if kernel else floor.pe_side)
        pes = float(floor.kernel_pes if kernel else floor.pes_per_side**2)
        arrays = pes * math.ceil(side / chip.rows) * math.ceil(side / chip.cols)
        return float(plan.write_cells[index]) / (tiles * arrays * chip.rows * chip.cols)

    @property
    def cells(self) -> int:
        """All cells on the chip."""
        chip = self.resolved.chip.crossbar
        return self.subarrays * chip.rows * chip.cols

    @property
    def utilisation(self) -> float:
        """Share of the cells that hold weights; those of all parts where they come in turn."""
        return float(self.plan.write_cells.sum()) / (self.cells * self._loads)

    def layer_rows(self) -> list[dict[str, Any]]:
        """One dictionary per layer, in execution order, in report units."""
        plan, cost = self.plan, self.cost
        backbone = {layer.name: layer for layer in self.graph.layers}
        rows = []
        for index, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True)):
            layer = backbone.get(name) if kind != "tsb" else None
            work = plan.layers
            rows.append(
                {
                    "name": name,
                    "kind": kind,
                    "input": _map_text(layer) if layer else None,
                    "kernel": _kernel_text(layer) if layer else "1x1",
                    "matrix_rows": round(float(work.rows[index])),
                    "matrix_cols": round(float(work.columns[index])),
                    "weights": layer.weights
                    if layer
                    else round(float(work.macs[index] / work.diagonal[index])),
                    "instances": round(float(work.instances[index])),
                    "mvms": round(float(work.products[index] * work.instances[index])),
                    "mapping": "kernel" if bool(plan.is_kernel[index]) else "matrix",
                    "copies": round(float(plan.blocks[index])),
                    "tiles": round(float(plan.tiles[index])),
                    "subarrays": round(float(plan.subarrays_used[index])),
                    "utilisation": self._layer_utilisation(index),
                    **{part.key: part.layer(cost, index) for part in reversed(BROKEN_DOWN)},
                }
            )
        return rows

    def breakdown_rows(self) -> dict[str, dict[str, float]]:
        """Per component: area, dynamic energy and latency, in report units.

        Each column adds up to its total, so a component without a part of its own has 0: the time
        of the ADCs, for one, is that of the array which they read.
        """
        cost = self.cost
        names = dict.fromkeys(name for part in BROKEN_DOWN for name in part.of_components(cost))
        return {
            name: {part.key: part.component(cost, name) for part in BROKEN_DOWN} for name in names
        }

    @property
    def layers(self) -> pandas.DataFrame:
        """Layers as a frame, indexed by name."""
        import pandas as pd

        return pd.DataFrame(self.layer_rows()).set_index("name")

    @property
    def breakdown(self) -> pandas.DataFrame:
        """Components as a frame."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.breakdown_rows(), orient="index")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim map --format json``."""
        return {
            "schema": SCHEMA_VERSION,
            "archsim": __version__,
            "network": self.network,
            "design": self.design,
            "chip": self.resolved.chip.name,
            "cost_model": self.resolved.chip.cost_model,
            "device": self.resolved.device.name,
            "technology": self.resolved.technology.name,
            "tsb": None if self.design == "none" else self.resolved.tsb.model_dump(mode="json"),
            "config_hash": self.resolved.config_hash,
            "feasible": self.feasible,
            "infeasible": [c.to_dict() for c in self.cost.constraints if bool(c.violated)],
            "totals": self.totals,
            "breakdown": self.breakdown_rows() if self.feasible else None,
            "layers": self.layer_rows() if self.feasible else None,
            "use": {use.component: use.to_dict() for use in uses(self)} if self.feasible else None,
            "layer_energies": energy_rows(self) if self.feasible else None,
            "capacity": self.capacity,
            "coverage": self.graph.coverage.to_dict(),
            "unmapped": [
                {
                    "name": op.name,
                    "op": op.op,
                    "shape": list(op.shape),
                    "macs": op.macs,
                    "share": op.share,
                }
                for op in self.graph.unmapped
            ],
            "worked_out_beforehand": [
                {"name": product.name, "op": product.op, "macs": product.macs}
                for product in self.graph.beforehand
            ],
            "experts": [experts.to_dict() for experts in self.graph.experts],
            "notes": [*self.graph.notes, *self.device_notes],
        }

    def __repr__(self) -> str:
        """One line: what was mapped and the totals that matter."""
        head = f"MapResult({self.network}, design={self.design}, chip={self.resolved.chip.name}"
        if not self.feasible:
            return f"{head}, infeasible: {'; '.join(self.infeasible_because)})"
        cost = self.cost
        return (
            f"{head}, area={from_si(float(cost.area_m2), 'mm2'):.4g} mm2, "
            f"energy={engineering(float(cost.energy_J), 'J')}, "
            f"latency={engineering(float(cost.latency_s), 's')}, "
            f"period={engineering(float(cost.period_s), 's')})"
        )

    def _repr_html_(self) -> str:
        import pandas as pd

        title = html.escape(repr(self))
        if not self.feasible:
            return f"<p>{title}</p>"
        totals = pd.Series(self.totals, name="total").to_frame()
        return f"<p>{title}</p>{totals.to_html()}{self.layers.to_html()}"


def _map_text(layer: MvmLayer) -> str:
    planes = f"{layer.in_depth}x" if layer.in_depth > 1 else ""
    return f"{layer.in_channels}x{planes}{layer.in_height}x{layer.in_width}"


def _kernel_text(layer: MvmLayer) -> str:
    planes = f"{layer.kernel_d}x" if layer.kernel_d > 1 else ""
    return f"{planes}{layer.kernel_h}x{layer.kernel_w}"
