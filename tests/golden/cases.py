"""The stored texts: name -> the function that makes it. Add a case here and regenerate."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.network import LayerGraph, from_graph, load_network, trace
from archsim.plan import MappingPlan
from mapping.compile import compile_plan
from mapping.dump import dump_placement, dump_plan
from mapping.place import place

#: Named in full, so that a new default does not rewrite the files.
CHIP, DEVICE = "rram-22nm-neurosim", "rram"
#: One common block; separate ones as often as the layers before them.
ONE = "tsb.copies=null"


def mapped(
    network: LayerGraph, design: str, tsb: str, *overrides: str
) -> tuple[DesignBatch, MappingPlan]:
    """A network on one design; nothing is priced."""
    resolved = resolve(chip=CHIP, device=DEVICE, tsb=tsb, overrides=(ONE, *overrides))
    batch = DesignBatch.from_resolved(resolved, design)
    points = () if design == "none" else network.insertion_points(resolved.tsb.insertion)
    return batch, compile_plan(design=batch, table=from_graph(network), points=points)


def lenet3_common() -> str:
    """Every subarray; two layers use the one shared block."""
    design, plan = mapped(load_network("lenet3"), "common", "paper-lenet3")
    return (
        dump_plan(design=design, plan=plan) + "\n" + dump_placement(place(design=design, plan=plan))
    )


def vgg8_none() -> str:
    """Kernel-per-PE and matrix tiles, without the subarrays."""
    design, plan = mapped(load_network("vgg8"), "none", "paper")
    placed = dump_placement(place(design=design, plan=plan), subarrays=False)
    return dump_plan(design=design, plan=plan) + "\n" + placed


def depthwise_separate() -> str:
    """Groups packed on the block diagonal, and a shared block narrower and wider than layers."""
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.Conv2d(16, 24, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(24, 10),
    )
    network = trace(model, (3, 8, 8), name="depthwise")
    small = ("chip.crossbar.rows=64", "chip.crossbar.cols=64", "tsb.channels=20")
    design, plan = mapped(network, "separate", "paper", *small)
    return (
        dump_plan(design=design, plan=plan) + "\n" + dump_placement(place(design=design, plan=plan))
    )


CASES: dict[str, Callable[[], str]] = {
    "mapping/lenet3-common": lenet3_common,
    "mapping/vgg8-none": vgg8_none,
    "mapping/depthwise-separate": depthwise_separate,
}
