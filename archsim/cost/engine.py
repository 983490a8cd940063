"""The cost engine: a mapping plan and a batch of designs in, area, energy and time out.

subarray -> tiles -> chip -> cycles and energy of every layer -> totals

Everything is a pure function of tensors: one design or a million run through the same lines.
"""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.block import add_up
from archsim.cost.chip import ChipBlocks, build_chip
from archsim.cost.component.adder import adder
from archsim.cost.component.flip_flop import flip_flop
from archsim.cost.component.wire import fastest_repeater, frugal_repeater
from archsim.cost.double_buffers import has_halves
from archsim.cost.layer_cycles import LayerCycles, layer_cycles
from archsim.cost.layer_energy import LayerEnergy, layer_energy
from archsim.cost.layer_tile import pick_tiles
from archsim.cost.off_chip import chips, off_chip
from archsim.cost.overlap import LayerTimes, image_latency_s, layer_times_s
from archsim.cost.pieces import cut_into_pieces
from archsim.cost.programming import programming_cost
from archsim.cost.soundness import sound_totals
from archsim.cost.subarray import Subarray, subarray
from archsim.cost.tile import Parts
from archsim.cost.traffic import layer_traffic
from archsim.cost.verify_read import verify_read
from archsim.plan import Constraint, MappingPlan
from archsim.results.cost import CostBreakdown

#: Components of the energy and of the time breakdown, in report order.
ENERGY_COMPONENTS = (
    "array",
    "adc",
    "mux",
    "drivers",
    "shift_add",
    "adder_tree",
    "buffer",
    "interconnect",
    "digital",
    "digital_unit",
)
TIME_COMPONENTS = (
    "array",
    "shift_add",
    "adder_tree",
    "buffer",
    "interconnect",
    "digital",
    "digital_unit",
)


def evaluate(*, design: DesignBatch, plan: MappingPlan) -> CostBreakdown:
    """Price a plan.

    Args:
        design: ``*batch``.
        plan: counts of the same batch, ``*batch layer``.

    Returns:
        Totals ``*batch``, breakdowns ``*batch`` per component and ``*batch layer`` per layer.
    """
    parts = Parts(
        subarray=subarray(design=design),
        register=flip_flop(design.technology),
        adder=adder(design=design),
        pe_wire=fastest_repeater(design.technology)[0],
        tree_wire=frugal_repeater(design=design),
    )
    chip = build_chip(design=design, parts=parts, plan=plan)
    tile = pick_tiles(chip=chip, plan=plan)
    pieces = cut_into_pieces(design=design, plan=plan)
    traffic = layer_traffic(design=design, chip=chip, plan=plan, pieces=pieces, tile=tile)
    cycles = layer_cycles(
        design=design, parts=parts, chip=chip, plan=plan, pieces=pieces, tile=tile, traffic=traffic
    )
    energy = layer_energy(
        design=design, parts=parts, chip=chip, plan=plan, pieces=pieces, tile=tile, traffic=traffic
    )
    return _roll_up(design, plan, parts.subarray, chip, cycles, energy)


def _roll_up(
    design: DesignBatch,
    plan: MappingPlan,
    array: Subarray,
    chip: ChipBlocks,
    cycles: LayerCycles,
    energy: LayerEnergy,
) -> CostBreakdown:
    """Compose layer times, sum energies and areas."""
    clock = array.clock_s.unsqueeze(-1)
    layer_time = {name: getattr(cycles, name) * clock for name in TIME_COMPONENTS}
    components = _energy_components(design)
    layer_energies = {name: getattr(energy, name) for name in components}
    over_layers = plan.layers.over_layers
    alone = layer_times_s(design=design, plan=plan, cycles=cycles, clock_s=array.clock_s)
    layer_latency = alone + layer_time["digital_unit"]
    over_chip = over_layers(cycles.over_chip * clock)
    latency = image_latency_s(
        design=design,
        plan=plan,
        work=LayerTimes(own_s=alone, unit_s=layer_time["digital_unit"]),
        least_s=over_chip,
    )
    programming = programming_cost(
        design=design, plan=plan, read=verify_read(design=design, array=array)
    )
    count = chips(design=design, plan=plan)
    in_unit = over_layers(layer_time["digital_unit"]) / count
    stage = torch.where(has_halves(design).unsqueeze(-1), alone, layer_latency)
    stages = torch.maximum(_slowest_stage(design, plan, stage), in_unit)
    stages = torch.where(has_halves(design), torch.maximum(stages, over_chip / count), stages)
    period = torch.where(design.pipeline, stages, latency)
    outside = off_chip(
        design=design, plan=plan, programming=programming, latency_s=latency, period_s=period
    )
    busy = torch.where(design.pipeline, outside.period_s, outside.latency_s)
    areas = {name: count * area for name, area in chip.areas_m2.items()}
    leakages = {name: count * own for name, own in chip.leakages_W.items()}
    leakage = add_up(leakages.values()) + torch.zeros_like(latency)
    energies = {name: over_layers(value) for name, value in layer_energies.items()}
    times = {name: over_layers(value) for name, value in layer_time.items()}
    hidden = (add_up(times.values()) - latency).clamp_min(0.0) * has_halves(design)
    tile_area = torch.where(
        plan.is_kernel,
        chip.kernel_tile.area_m2.unsqueeze(-1),
        chip.matrix_tile.area_m2.unsqueeze(-1),
    )
    dynamic = over_layers(add_up(layer_energies.values())) + outside.energy_J
    area = add_up(areas.values())
    work = plan.layers
    macs = work.macs / work.diagonal * work.products * work.instances * work.active
    parts = {
        "area": tuple(areas.values()),
        "energy": (*energies.values(), outside.energy_J),
        "latency": tuple(times.values()),
    }
    sound = sound_totals(
        totals={
            "area": area,
            "energy": dynamic,
            "latency": outside.latency_s,
            "period": outside.period_s,
            "clock": array.clock_s,
        },
        others=(
            leakage * busy,
            programming.write_pulses,
            programming.time_s,
            programming.energy_J,
            programming.residual_sigma,
        ),
        parts=parts,
    )
    return CostBreakdown(
        names=plan.names,
        kinds=plan.kinds,
        area_m2=area,
        dynamic_energy_J=dynamic,
        leakage_power_W=leakage,
        leakages_W=leakages,
        leakage_energy_J=leakage * busy,
        latency_s=outside.latency_s,
        period_s=outside.period_s,
        clock_s=array.clock_s + torch.zeros_like(latency),
        areas_m2=areas,
        energies_J={**energies, "off_chip": outside.energy_J},
        times_s={**times, "off_chip": outside.latency_s - latency},
        hidden_s=hidden,
        layer_area_m2=plan.tiles * tile_area,
        layer_energy_J=add_up(layer_energies.values()),
        layer_latency_s=layer_latency,
        layer_energies_J=layer_energies,
        layer_times_s=layer_time,
        programming=programming,
        macs=over_layers(macs),
        network_macs=over_layers(
            macs * torch.tensor([kind != "tsb" for kind in plan.kinds], device=macs.device)
        ),
        chips=count,
        constraints=(*plan.constraints, _access_fits(design, array), sound),
    )


def _energy_components(design: DesignBatch) -> tuple[str, ...]:
    """Components of the energy; control of banks is one where a design has banks."""
    banks = bool(design.is_silicon.any())
    return (
        (*ENERGY_COMPONENTS[:4], "control", *ENERGY_COMPONENTS[4:]) if banks else ENERGY_COMPONENTS
    )


def _slowest_stage(design: DesignBatch, plan: MappingPlan, layer_latency: Tensor) -> Tensor:
    """Pipeline period: the slowest layer; all visits to one shared block are a single stage."""
    shared = plan.layers.shared > 0
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds], device=layer_latency.device)
    # Each 1x1 layer of a deep block has a crossbar of its own and is a stage of its own.
    stage = layer_latency / torch.where(is_tsb, design.tsb_depth.unsqueeze(-1), 1.0)
    slowest_alone = torch.where(shared, 0.0, stage).amax(-1)
    queue = plan.layers.over_layers(torch.where(shared, stage, 0.0))
    return torch.maximum(slowest_alone, queue)


def _access_fits(design: DesignBatch, array: Subarray) -> Constraint:
    """The access transistor of a resistive cell must fit under the cell."""
    technology = design.technology
    crossbar = array.array
    node = technology.node_m
    size = crossbar.access_size
    fin = (size - 1) * technology.fin_pitch_m / node + technology.w_fin_m / node
    demand = torch.where(technology.is_finfet, fin, size)
    bound = crossbar.cell_width + torch.zeros_like(demand)
    return Constraint(
        name="access transistor width",
        violated=~design.is_sram & ~design.is_silicon & (demand > bound),
        demand=demand,
        bound=bound,
        unit="F",
        levers=("device.r_on (higher)", "chip.read.access_resistance_ratio (higher)"),
    )
