"""``archsim program`` pulse by pulse against the closed form of ``archsim map``: LeNet-3.

Two ways to the same totals: cells drawn one by one, over several chips, and distributions of cells,
rows and crossbars. Where the spread depends on the weight the closed form knows a share only, so
the weights are drawn with that share; what it is off by for trained ones is tested by itself. Which
crossbars there are is compared for larger networks too, without drawing a cell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch import nn

from archsim.api.map import map_network
from archsim.api.program.plan import write_plan
from archsim.api.program.run import program
from archsim.config.choices import STORED_NAMES
from archsim.config.encodings import weight_encoding
from archsim.config.resolve import resolve
from archsim.device import CellSpec, WeightFormat, WriteArray
from archsim.device.variation import NEFT_MIDDLE, NEFT_MIDDLE_SHARE
from archsim.device.write_array import crossbar_times_s
from archsim.errors import NetworkError
from archsim.network.load import load_module
from archsim.results.cost import ProgrammingCost
from archsim.results.programmed import ProgramResult
from tests.designs import near
from tests.house.helpers import ROOT
from tsb.cells.programmable import programmable
from tsb.cells.stored import mapped_weights
from tsb.checkpoint import load_checkpoint
from tsb.write_verify.selective import Tiling

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
#: Chips programmed, and standard errors of their mean that it may be off by.
CHIPS, ERRORS = 8, 5.0
FIELDS = ("write_pulses", "verify_reads", "energy_J", "time_s")
#: name -> network programmed, checkpoint, device, settings.
DEVICES = {
    "rram": ("lenet3", CHECKPOINT, "rram", ()),
    # Device errors that every pulse meets again, half of the variance.
    "redraw": (
        "lenet3", CHECKPOINT, "rram",
        ("device.write_verify.model=redraw", "device.write_verify.max_pulses=30"),
    ),
    "rram4": ("tests.api.program.test_against_map:spread_weights", None, "rram4", ()),
    "fefet6": ("tests.api.program.test_against_map:spread_weights", None, "fefet6", ()),
    "stt-mram": (
        "lenet3", CHECKPOINT, "stt-mram", ("device.sigma=0.35", "chip.precision.bits_per_cell=1"),
    ),
}  # fmt: skip
#: Policy of the chip -> policy of programming, and placement of the shared block.
POLICIES = {
    "none": ("none", "none"),
    "all": ("all", "none"),
    "tsb": ("tsb", "common"),
    "last-layers": ("last-layers", "none"),
    "fraction": ("random", "none"),
}


def _positions(shape: torch.Size) -> Iterator[torch.Tensor]:
    """Places in the range away from the borders of the middle: in the middle, and outside."""
    low, high = NEFT_MIDDLE
    inner, outer = torch.rand(shape), torch.rand(shape)
    yield low + 0.05 + (high - low - 0.1) * inner
    yield torch.where(outer < 0.5, 2 * outer * (low - 0.05), high + 0.05 + (outer - 0.5) / 4)


def spread_weights() -> nn.Module:
    """LeNet-3 with NeFT's share of weights in the middle of the range, drawn anew each time."""
    model = load_module("lenet3")
    for weight in mapped_weights(model).values():
        middle, outside = _positions(weight.shape)
        size = torch.where(torch.rand(weight.shape) < NEFT_MIDDLE_SHARE, middle, outside)
        size.view(-1)[0] = 1.0
        weight.data = size * torch.where(torch.rand(weight.shape) < 0.5, -1.0, 1.0)
    return model


#: Copies of a block, on the diagonal of one crossbar.
SIX = "tsb.copies=6"


def mapped(device: str, *settings: str, design: str = "none") -> ProgrammingCost:
    """The closed form, every layer once."""
    overrides = ("chip.hierarchy.duplication=none", SIX, *settings)
    return map_network(
        "lenet3", device=device, overrides=overrides, design=design, chip="rram-22nm-neurosim"
    ).cost.programming


@cache
def programmed(name: str, policy: str, design: str, *settings: str) -> tuple[ProgramResult, ...]:
    """Chips programmed under a policy."""
    network, checkpoint, device, own = DEVICES[name]
    return tuple(
        program(
            network, checkpoint=checkpoint, policy=policy, fraction=0.2, last_layers=2, seed=seed,
            device=device, tsb="paper-lenet3", design=design, overrides=(SIX, *own, *settings),
            chip="rram-22nm-neurosim",
        )
        for seed in range(CHIPS)
    )  # fmt: skip


def average(chips: tuple[ProgramResult, ...], field: str) -> tuple[float, float]:
    """Mean over chips, and how far it may be from the expectation."""
    values = torch.tensor([float(getattr(chip, field)) for chip in chips], dtype=torch.float64)
    return float(values.mean()), ERRORS * float(values.std()) / math.sqrt(len(chips))


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pair
        for pair in itertools.product(DEVICES, POLICIES)
        # The shared block starts as the identity: none of its weights is in the middle.
        if pair not in {("rram4", "tsb"), ("fefet6", "tsb")}
    ],
)
def test_totals_agree(name: str, policy: str) -> None:
    _, _, device, own = DEVICES[name]
    sampled_policy, design = POLICIES[policy]
    closed = mapped(
        device,
        f"chip.programming.policy={policy}",
        "chip.programming.fraction=0.2",
        "chip.programming.last_layers=2",
        *own,
        design=design,
    )
    chips = programmed(name, sampled_policy, design)
    assert {chip.cells for chip in chips} == {round(float(closed.cells))}
    # A fraction of all weights is rounded once, a fraction of each layer not at all.
    rounding = 4 / float(closed.verified_cells) if policy == "fraction" else 0.0
    assert chips[0].verified_cells == near(float(closed.verified_cells), rel=rounding)
    for field in FIELDS:
        expected, (mean, error) = float(getattr(closed, field)), average(chips, field)
        # 2e-5 is the error of the grid behind incremental pulses, 1e-4 that of a slowest cell.
        assert mean == pytest.approx(expected, abs=error + (1e-4 + rounding) * expected, rel=0)


@pytest.mark.parametrize("name", ["rram", "stt-mram", "redraw"])
def test_residual_spread_agrees(name: str) -> None:
    _, _, device, own = DEVICES[name]
    closed = mapped(device, "chip.programming.policy=all", *own)
    mean, error = average(programmed(name, "all", "none"), "verified_residual_sigma")
    assert mean == pytest.approx(float(closed.residual_sigma), abs=error, rel=1e-3)


@pytest.mark.parametrize("drivers", [2, 3, 4, 8, 64])
def test_time_with_several_drivers(drivers: int) -> None:
    """Six crossbars: 11 % below the schedule of :mod:`tests.cost.test_programming_time` at most.

    The longest of crossbars that run side by side is longer than their mean, hence 15 %.
    """
    several = f"chip.programming.parallel_subarrays={drivers}"
    closed = float(mapped("rram", "chip.programming.policy=all", several).time_s)
    mean, error = average(programmed("rram", "all", "none", several), "time_s")
    assert 0.85 * mean - error < closed < mean + error


def test_trained_weights_lie_less_often_in_the_middle() -> None:
    """The closed form is that of NeFT's share; with the network's own it has its pulses."""
    model = load_module("lenet3")
    load_checkpoint(CHECKPOINT).load_into(model)
    form, low, high = WeightFormat(), *NEFT_MIDDLE
    places = torch.cat(
        [
            form.quantise(weight.detach())[0].abs().flatten().double() / form.largest_code
            for weight in mapped_weights(model).values()
        ]
    )
    share = float(((places > low) & (places < high)).double().mean())
    found = program(
        "lenet3", checkpoint=CHECKPOINT, policy="all", device="rram4", chip="rram-22nm-neurosim"
    )
    assert share < 0.5 * NEFT_MIDDLE_SHARE
    closed = mapped("rram4", "chip.programming.policy=all")
    assert 1.5 < float(closed.write_pulses) / found.write_pulses < 2.5
    settings = ("chip.programming.policy=all", f"chip.programming.middle_share={share}")
    own = mapped("rram4", *settings)
    # One chip of 21 580 cells, whose pulses spread about twice as much as their mean.
    assert found.write_pulses == near(float(own.write_pulses), rel=0.06)


@pytest.mark.parametrize("encoding", STORED_NAMES)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_cells_of_every_encoding_are_those_of_the_plan(encoding: str, bits: int) -> None:
    settings = (
        f"chip.precision.encoding={encoding}",
        f"chip.precision.bits_per_cell={bits}",
        "chip.precision.pad_top_slice=true",
        "device.max_bits_per_cell=3",
    )
    closed = mapped("rram", *settings, "chip.programming.policy=all")
    for named in (None, encoding):
        found = program(
            "lenet3",
            checkpoint=CHECKPOINT,
            policy="all",
            encoding=named,
            overrides=settings,
            chip="rram-22nm-neurosim",
        )
        assert (
            found.cells
            == float(closed.cells)
            == found.verified_weights * weight_encoding(encoding).columns(8, bits)
        )


#: Settings of chips, and the layers whose kernel pixels have PEs of their own.
GEOMETRIES = {
    "kernels": (),
    "unrolled": ("chip.hierarchy.kernel_per_pe=false",),
    "small": ("chip.crossbar.rows=32", "chip.crossbar.cols=32"),
    "differential": ("chip.precision.encoding=differential",),
    "separate-sign": ("chip.precision.encoding=separate-sign",),
}
KERNEL_LAYERS = {
    "lenet3": {"small": 1},
    "vgg8": {"kernels": 5, "small": 5, "differential": 5, "separate-sign": 5},
    "resnet18-cifar": {"kernels": 16, "small": 16, "differential": 16, "separate-sign": 16},
}


@pytest.mark.parametrize("chip", GEOMETRIES)
@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet18-cifar"])
def test_crossbars_rows_and_time_are_those_of_the_plan(network: str, chip: str) -> None:
    """One pulse for each row; with a driver for every crossbar the time is that of the longest."""
    settings = ("chip.hierarchy.duplication=none", *GEOMETRIES[chip])
    resolved = resolve(chip="rram-22nm-neurosim", overrides=settings)
    crossbar, model = resolved.chip.crossbar, load_module(network)
    spec = CellSpec.of_chip(resolved)
    form = spec.weight_format
    found = programmable(model, network=network)
    kernel_layers = write_plan(found, resolved=resolved, design="none", spec=spec).kernel_layers
    assert len(kernel_layers) == KERNEL_LAYERS[network].get(chip, 0)
    tiling = Tiling.of(form, rows=crossbar.rows, cols=crossbar.cols, kernel_layers=kernel_layers)
    array = WriteArray(rows=crossbar.rows, cols=crossbar.cols, kernel_layers=kernel_layers)
    plan = map_network(network, overrides=settings, chip="rram-22nm-neurosim").plan
    times = []
    for index, (name, weight) in enumerate(mapped_weights(model).items()):
        shape, rows = weight.shape, weight.shape[1:].numel()
        strips = -(-shape[0] * form.cells_per_weight // array.cols)
        subarrays = int(tiling.groups(shape, "subarray", name=name).max()) + 1
        assert subarrays == float(plan.subarrays_used[index]), name
        assert int(tiling.groups(shape, "row", name=name).max()) + 1 == rows * strips
        assert rows == float(plan.layers.rows[index]), name
        written = crossbar_times_s(
            torch.zeros(strips, rows),
            groups=array.groups(shape[0] * form.cells_per_weight),
            rows=array.rows,
            pulse_width_s=resolved.device.pulse_width.si,
            verify_read_time_s=resolved.device.verify_read_time.si,
            pixels=array.pixels(name, shape),
        )
        assert len(written) == subarrays, name
        times.append(written)
    everything = torch.cat(times)
    for drivers, seconds in ((1, everything.sum()), (len(everything), everything.max())):
        several = f"chip.programming.parallel_subarrays={drivers}"
        found = map_network(
            network, overrides=(*settings, several), chip="rram-22nm-neurosim"
        ).cost.programming
        assert float(found.time_s) == near(float(seconds)), drivers


def two_kernels() -> nn.Module:
    """Convolutions of which two fill the rows of a crossbar."""
    return nn.Sequential(nn.Conv2d(3, 40, 3), nn.Conv2d(40, 20, 3), nn.Conv2d(20, 70, 3))


def shaped() -> nn.Module:
    """The same, with the shape of its input: it can be mapped."""
    model = two_kernels()
    model.input_shape = (3, 9, 9)  # type: ignore[assignment]
    return model


@pytest.mark.parametrize(
    ("chip", "expected"), [("kernels", 2 + 9 + 9 * 3), ("unrolled", 2 + 3 + 2 * 3)]
)
def test_programmed_crossbars_are_those_of_the_plan(chip: str, expected: int) -> None:
    """Strips of 32 outputs; 360 and 180 inputs, or nine times 40 and 20."""
    network, settings = f"{__name__}:shaped", GEOMETRIES[chip]
    found = program(network, overrides=settings, chip="rram-22nm-neurosim")
    plan = map_network(
        network, overrides=("chip.hierarchy.duplication=none", *settings), chip="rram-22nm-neurosim"
    ).plan
    assert found.subarrays == expected
    assert float(plan.layers.over_layers(plan.subarrays_used)) == expected
    rows = 27 * 2 + 360 + 180 * 3
    assert found.time_s == near(rows * found.resolved.device.pulse_width.si)
    # One driver for each crossbar waits for the longest: the 40 channels of a pixel, or 128 rows.
    most = program(
        network,
        overrides=(*settings, f"chip.programming.parallel_subarrays={expected}"),
        chip="rram-22nm-neurosim",
    )
    longest = {"kernels": 40, "unrolled": 128}[chip]
    assert most.time_s == near(longest * found.resolved.device.pulse_width.si)


def test_whole_crossbars_of_one_pixel_are_verified() -> None:
    """A choice of subarrays verifies the channels of one kernel pixel, not 128 unrolled inputs."""
    network = f"{__name__}:shaped"
    found = program(
        network, policy="random", fraction=0.001, granularity="subarray", chip="rram-22nm-neurosim"
    )
    assert found.verified_weights in (27 * 32, 27 * 8, 40 * 20, 20 * 32, 20 * 6)


def test_a_network_that_cannot_be_mapped_is_unrolled_and_says_so() -> None:
    found = program(f"{__name__}:two_kernels", chip="rram-22nm-neurosim")
    assert found.subarrays == 2 + 3 + 2 * 3
    assert any("All layers are unrolled" in note for note in found.notes)
    with pytest.raises(NetworkError, match="input_shape"):
        program(f"{__name__}:two_kernels", design="common", chip="rram-22nm-neurosim")
