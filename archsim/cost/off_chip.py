"""What crosses the border of the chip, and weights or maps of a network that is too large.

Inputs of the network are read from the external memory, and its outputs written there; of several
inputs the largest, of several outputs the last. Embedding tables lie in that memory too, from which
the rows that are looked up are read. A memory that holds weights or tables is the chip's own and
takes its standby power; one that only hands over inputs waits for others too.

``reload``: the network comes in parts that are written into the same tiles one after the other, for
every image, or for a group of images that waits together. ``multi-chip``: every part has a chip of
its own, and maps travel over links between them.

Where a network is cut is not decided here: a cut is as likely in one tile as in any other, so the
map that crosses it is the mean over all tiles. A shortcut that crosses the cut beside it is not
counted, so the traffic of residual networks is a lower bound.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import WHEN_FULL, DesignBatch
from archsim.cost.block import add_up, either
from archsim.cost.memory.dram import read, write
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
    return _with_standby(design, plan, _with_border(design, plan, outside))


def input_bit(*, design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Return the bits of an image that come from outside the chip, ``*batch``.

    What a first layer reads from embedding tables is counted as that; indices are left out.

    Args:
        design: ``*batch``.
        plan: counts.
    """
    layers = plan.layers
    largest = (layers.map_elements * layers.is_first).amax(-1)
    values = (largest - layers.over_layers(layers.lookups)).clamp_min(0.0)
    return torch.where(design.no_border, 0.0, values * design.input_bits)


def output_bit(*, design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Return the bits of an image's result that leave the chip, ``*batch``.

    Args:
        design: ``*batch``.
        plan: counts; its last layer that is no shared block gives the result.
    """
    layers = plan.layers
    values = layers.weights_wide * layers.vectors / layers.pool_factor
    last = max(index for index, kind in enumerate(plan.kinds) if kind != "tsb")
    return torch.where(design.no_border, 0.0, values[..., last] * design.input_bits)


def _lookup_bit(design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Bits of the rows that are read from embedding tables, 0 without any."""
    return plan.layers.over_layers(plan.layers.lookups) * design.weight_bits


def _with_border(design: DesignBatch, plan: MappingPlan, outside: OffChipCost) -> OffChipCost:
    """Read inputs and embeddings from the external memory, and write outputs into it."""
    moves = (
        read(design=design, bits=input_bit(design=design, plan=plan)),
        read(design=design, bits=_lookup_bit(design, plan)),
        write(design=design, bits=output_bit(design=design, plan=plan)),
    )
    seconds = add_up(move.time_s for move in moves)
    return OffChipCost(
        energy_J=outside.energy_J + add_up(move.energy_J for move in moves),
        latency_s=outside.latency_s + seconds,
        period_s=torch.where(
            design.pipeline,
            torch.maximum(outside.period_s, seconds),
            outside.period_s + seconds,
        ),
    )


def _with_standby(design: DesignBatch, plan: MappingPlan, outside: OffChipCost) -> OffChipCost:
    """Add the standby power of a memory that holds the network's own weights or tables."""
    reloads = (plan.floorplan.parts > 1) & (design.when_full == WHEN_FULL.index("reload"))
    own = reloads | (_lookup_bit(design, plan) > 0)
    busy_s = torch.where(design.pipeline, outside.period_s, outside.latency_s)
    standby_J = torch.where(own, design.memory_standby_W * busy_s, 0.0)
    return dataclasses.replace(outside, energy_J=outside.energy_J + standby_J)


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
    loaded = read(design=design, bits=weight_bit)
    load_s = torch.maximum(programming.time_s, loaded.time_s)
    load_J = programming.energy_J + loaded.energy_J
    # A group of images waits outside between two parts; a single one stays in the buffer.
    waiting = torch.where(images > 1, (parts - 1) * _border_bit(design, plan), 0.0)
    there, back = write(design=design, bits=waiting), read(design=design, bits=waiting)
    waiting_s = there.time_s + back.time_s
    # Images follow one another within a part, at most as slowly as its slowest stage.
    image_s = torch.minimum(latency_s, parts * period_s) + waiting_s
    return OffChipCost(
        energy_J=load_J / images + there.energy_J + back.energy_J,
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
