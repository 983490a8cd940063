"""What the mapping compiler hands to the cost engine, and nothing more.

A :class:`MappingPlan` counts rows, vectors, tiles and copies of every layer under every design of a
batch. A :class:`Placement` (one design) says where each subarray is, a :class:`Constraint` which
designs cannot be built, a :class:`RowStage` how rows flow from layer to layer.
"""

from archsim.plan.constraint import Constraint
from archsim.plan.counts import Floorplan, MappingPlan, MatrixLayers
from archsim.plan.placement import PLACEMENT_COLUMNS, PlacedSubarray, PlacedTile, Placement
from archsim.plan.stage import RowStage

__all__ = [
    "PLACEMENT_COLUMNS",
    "Constraint",
    "Floorplan",
    "MappingPlan",
    "MatrixLayers",
    "PlacedSubarray",
    "PlacedTile",
    "Placement",
    "RowStage",
]
