"""What comes from outside the chip: embeddings, and weights or maps of a network that is too large.

Embedding tables lie in the external memory, from which the rows that are looked up are read.

``reload``: the network comes in parts that are written into the same tiles one after the other, for
every image, or for a group of images that waits together. ``multi-chip``: every part has a chip of
its own, and maps travel over links between them.

Where a network is cut is not decided here: a cut is as likely in one tile as in any other, so the
map that crosses it is the mean over all tiles. A shortcut that crosses the cut beside it is not
counted, so the traffic of residual networks is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import WHEN_FULL, DesignBatch
from archsim.cost.block import either
from archsim.plan import MappingPlan
from archsim.results.cost import ProgrammingCost


@dataclass(frozen=True, eq=False)
class OffChipCost:
    """One image with what it costs outside the chip, ``*batch``.

    ``energy_J`` is added to that of the chip; ``latency_s`` and ``period_s`` are the whole.
    """

    energy_J: Tensor
    latency_s: Tensor
    period_s: Tensor

    def where(self, condition: Tensor, other: OffChipCost) -> OffChipCost:
        """Choose per design between this and another."""
        return OffChipCost(
            *(
                torch.where(condition, getattr(self, name), getattr(other, name))
                for name in self.__dataclass_fields__
            )
        )


def chips(*, design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Return the number of chips that the network is spread over, ``*batch``."""
    return torch.where(design.when_full == WHEN_FULL.index("multi-chip"), plan.floorplan.parts, 1.0)


def off_chip(
    *,
    design: DesignBatch,
    plan: MappingPlan,
    programming: ProgrammingCost,
    latency_s: Tensor,
    period_s: Tensor,
) -> OffChipCost:
    """Add what a network that does not fit costs; nothing for one that fits.

    Args:
        design: ``*batch``.
        plan: counts.
        programming: cost of writing all weights once.
        latency_s: one image through all layers on the chip, ``*batch``.
        period_s: time between images on the chip, ``*batch``.
    """
    fits = OffChipCost(torch.zeros_like(latency_s), latency_s, period_s)
    outside = either(
        plan.floorplan.parts > 1,
        lambda: either(
            design.when_full == WHEN_FULL.index("reload"),
            lambda: _reload(design, plan, programming, latency_s, period_s),
            lambda: _multi_chip(design, plan, latency_s, period_s),
        ),
        lambda: fits,
    )
    return _with_lookups(design, plan, outside)


def _with_lookups(design: DesignBatch, plan: MappingPlan, outside: OffChipCost) -> OffChipCost:
    """Read the rows of embedding tables, which lie in the external memory, 0 bit without any."""
    bits = plan.layers.over_layers(plan.layers.lookups) * design.weight_bits
    seconds = bits / design.memory_bit_per_s
    return OffChipCost(
        energy_J=outside.energy_J + bits * design.memory_J_per_bit,
        latency_s=outside.latency_s + seconds,
        period_s=torch.where(
            design.pipeline,
            torch.maximum(outside.period_s, seconds),
            outside.period_s + seconds,
        ),
    )


def _reload(
    design: DesignBatch,
    plan: MappingPlan,
    programming: ProgrammingCost,
    latency_s: Tensor,
    period_s: Tensor,
) -> OffChipCost:
    """Write every part anew; weights stream in while cells are programmed."""
    parts, images = plan.floorplan.parts, design.images_per_reload
    layers = plan.layers
    weight_bit = layers.over_layers(layers.macs * layers.owned) * design.weight_bits
    load_s = torch.maximum(programming.time_s, weight_bit / design.memory_bit_per_s)
    load_J = programming.energy_J + weight_bit * design.memory_J_per_bit
    # A group of images waits outside between two parts; a single one stays in the buffer.
    waiting = torch.where(images > 1, 2 * (parts - 1) * _border_bit(design, plan), 0.0)
    waiting_s = waiting / design.memory_bit_per_s
    # Images follow one another within a part, at most as slowly as its slowest stage.
    image_s = torch.minimum(latency_s, parts * period_s) + waiting_s
    return OffChipCost(
        energy_J=load_J / images + waiting * design.memory_J_per_bit,
        latency_s=load_s + latency_s + waiting_s + (images - 1) * image_s,
        period_s=load_s / images + image_s,
    )


def _multi_chip(
    design: DesignBatch, plan: MappingPlan, latency_s: Tensor, period_s: Tensor
) -> OffChipCost:
    """Send maps from chip to chip, and to and from the chip that holds a common shared block."""
    parts, layers = plan.floorplan.parts, plan.layers
    border = _border_bit(design, plan)
    visits = layers.over_layers(layers.map_elements * layers.active * layers.shared)
    elsewhere = 2 * visits * design.input_bits * (parts - 1) / parts
    bits = (parts - 1) * border + elsewhere
    seconds = bits / design.link_bit_per_s
    busiest = (border + elsewhere) / design.link_bit_per_s
    return OffChipCost(
        energy_J=bits * design.link_J_per_bit,
        latency_s=latency_s + seconds,
        period_s=torch.where(
            design.pipeline, torch.maximum(period_s, busiest), latency_s + seconds
        ),
    )


def _border_bit(design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Mean size of the map that crosses a cut, bit."""
    layers = plan.layers
    maps = layers.map_elements * layers.instances * layers.active
    weighted = layers.over_layers(plan.tiles * maps)
    return design.input_bits * weighted / layers.over_layers(plan.tiles)
