"""The rows of each layer that a chip reads together, from where the mapping placed them."""

from __future__ import annotations

from archsim.analysis.copies import settle
from archsim.arch.design import DesignBatch
from archsim.config.resolve import Resolved
from archsim.config.study import Study
from archsim.network.graph import LayerGraph
from archsim.network.table import from_graph
from mapping.compile import compile_plan
from mapping.place import place
from tsb.read_path.row_groups import RowGroups
from tsb.study.network import graph_of


def mapped_row_groups(
    graph: LayerGraph, resolved: Resolved, placement: str = "none"
) -> dict[str, RowGroups]:
    """Return the groups of rows of each layer on crossbars, by name of the plan's row.

    Args:
        graph: the network.
        resolved: the chip.
        placement: of the shared block: none, common or separate.
    """
    points = () if placement == "none" else graph.insertion_points(resolved.tsb.insertion)
    table = from_graph(graph)
    design = DesignBatch.from_resolved(settle(resolved, placement, table, points), placement)
    plan = compile_plan(design=design, table=table, points=points)
    placed = place(design=design, plan=plan)
    areas = plan.layers.kernel_area.tolist()
    return {
        name: RowGroups.of_placement(
            placed,
            index,
            kernel_area=round(areas[index]),
            rows_at_once=resolved.chip.read.rows_at_once,
        )
        for index, name in enumerate(plan.names)
    }


def rows_of_study(study: Study) -> dict[str, RowGroups]:
    """Return the groups of rows of a study's network on its chip, by layer name.

    Args:
        study: which.
    """
    return mapped_row_groups(graph_of(study), study.resolve())
