"""What the numbers of one mapped network rest on and what they leave out, one sentence each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.config.priced_policies import PRICED_POLICIES, priced_policy
from archsim.network.frontend.recurrent import STATE as RECURRENT_STATE
from archsim.units import engineering, from_si

if TYPE_CHECKING:
    from archsim.config.schema.chip import Programming
    from archsim.config.schema.device import DeviceFile
    from archsim.config.sourced import Quantity
    from archsim.network.operation import Experts, UnmappedOp
    from archsim.results.mapped import MapResult


def assumptions(result: MapResult) -> tuple[str, ...]:
    """What the numbers rest on and what they leave out, one sentence each."""
    lines = [
        *(f"Reading: {note}." for note in result.graph.notes),
        *_about_coverage(result),
        *_about_tsb(result),
        *_about_off_chip(result),
        *_about_programming(result),
        *_about_correction(result),
        *_about_statistics(result),
    ]
    return tuple(lines)


def _about_coverage(result: MapResult) -> list[str]:
    """What runs where, and what runs nowhere."""
    graph = result.graph
    coverage = graph.coverage
    crossbars = f"{100 * coverage.mapped / coverage.macs:.4g} %"
    lines = [f"MACs: {crossbars} of {engineering(float(coverage.macs))} on crossbars."]
    if coverage.digital or coverage.uncovered:
        products = Counter(str(op.kind) for op in graph.digital if op.macs)
        listed = ", ".join(f"{kind} x{n}" for kind, n in products.items())
        lines = [
            f"MACs: {100 * coverage.share:.4g} % of {engineering(float(coverage.macs))} covered; "
            f"{crossbars} on crossbars, {100 * coverage.digital / coverage.macs:.4g} % with two "
            f"computed operands in the digital unit{f' ({listed})' if listed else ''}."
        ]
    if graph.unmapped:
        listed = _some([_unmapped_text(op) for op in graph.unmapped])
        count = _counted(len(graph.unmapped), "operation")
        lines.append(f"Neither mapped nor priced: {count}: {listed}.")
    if graph.beforehand:
        once = [f"{op.name} ({engineering(float(op.macs))} MACs)" for op in graph.beforehand]
        lines.append(
            f"Constant-folded, for the input does not change it, and not counted: {_some(once)}."
        )
    return lines + _about_digital(result) + _about_repeats(result)


def _unmapped_text(op: UnmappedOp) -> str:
    if op.share is None:
        return f"{op.name} ({op.op}, of unknown size)"
    what = "MACs" if op.macs else "computed values, no MACs"
    return f"{op.name} ({op.op}, {100 * op.share:.2g} % of the {what})"


def _about_digital(result: MapResult) -> list[str]:
    """What the digital unit computes, what is folded, and where embeddings are."""
    lines = []
    work = [op for op in result.graph.digital if not op.absorbed]
    unit = Counter(str(op.kind).replace("_", " ") for op in work if op.macs or op.operations)
    if unit:
        listed = ", ".join(f"{kind} x{n}" for kind, n in unit.items())
        lines.append(
            f"Digital unit: {result.resolved.chip.digital.mac_units} multiply-adders, shared by "
            f"all layers, for {listed} (chip.digital)."
        )
    tables = {op.name: op.stored for op in work if op.stored}
    if tables:
        bits = result.resolved.chip.precision.weight_bits
        stored = f"{engineering(float(sum(tables.values()) * bits))}bit"
        lines.append(
            f"Embeddings: {stored} in {_counted(len(tables), 'table')} of the external memory "
            f"{result.resolved.memory.name}; what is looked up is read from there, the memory "
            "itself is not priced."
        )
    kept = sum(dict(entry for op in work for entry in op.trained).values())
    if kept:
        lines.append(
            f"Trained values that digital operations read (norms, scales, encodings): {kept:,}; "
            "they are in no cells, and the memory that keeps them is not priced."
        )
    folded = sum(op.absorbed and str(op.kind) == "batch_norm" for op in result.graph.digital)
    if folded:
        lines.append(f"Batch norms folded into the weights before them: {folded}.")
    return lines


def _about_repeats(result: MapResult) -> list[str]:
    """Matrices that are applied again, and tensors that are stored twice."""
    graph = result.graph
    lines = []
    shared = [f"{layer.name} (x{layer.uses})" for layer in graph.layers if layer.uses > 1]
    if shared:
        lines.append(f"Applied at several places, stored once: {_some(shared)}.")
    if graph.tied:
        pairs = [f"{layer} and {other}" for layer, other in graph.tied]
        lines.append(f"One tensor, stored for each use: {_some(pairs)}.")
    for (stored, active), layers in _experts(graph.experts).items():
        weights = sum(layer.weights for layer in layers)
        share = "some" if active is None else f"{active}"
        working = "" if active is None else f", {weights * active // stored:,} of them at work"
        lines.append(
            f"Experts: {share} of {stored} matrices work for each vector of "
            f"{_some([layer.name for layer in layers])}; {weights:,} weights are stored{working}; "
            "the vectors are spread evenly."
        )
    if any(op.target == RECURRENT_STATE for op in graph.ops):
        lines.append(
            "Recurrent layers: the steps of one input follow one another, so copies of their "
            "weight_hh help only with inputs in parallel; the latency counts them as if they "
            "always did (chip.hierarchy.duplication=none has no copies)."
        )
    return lines


def _experts(found: Sequence[Experts]) -> dict[tuple[int, int | None], list[Experts]]:
    """Layers whose matrices an index picks, by how many they store and how many work."""
    groups: dict[tuple[int, int | None], list[Experts]] = {}
    for layer in found:
        groups.setdefault((layer.stored, layer.active), []).append(layer)
    return groups


def _about_tsb(result: MapResult) -> list[str]:
    if result.design == "none":
        return []
    tsb = result.resolved.tsb
    points = result.graph.insertion_points(tsb.insertion)
    groups = sum(math.ceil(point.channels / tsb.channels) for point in points)
    where = "common, in turn" if result.design == "common" else "separate"
    lines = [
        f"TSB: {tsb.channels} x {tsb.channels} channels, depth {tsb.depth}, {where}; "
        f"{len(points)} insertions in {groups} channel groups."
    ]
    padded = [
        f"{point.name} ({point.channels})" for point in points if point.channels % tsb.channels
    ]
    if padded and result.design == "common":
        lines.append(
            f"TSB: the last group is zero-padded to {tsb.channels} channels after {_some(padded)}."
        )
    return lines


def _about_correction(result: MapResult) -> list[str]:
    """Digital numbers of the output channels."""
    correction = result.resolved.chip.correction
    if correction.kind == "none":
        return []
    layers = result.plan.layers
    channels = sum(
        float(width) * float(times)
        for kind, width, times in zip(
            result.plan.kinds, layers.weights_wide.flatten(), layers.repeats, strict=True
        )
        if kind == "linear" or (correction.layers == "all" and kind != "tsb")
    )
    if correction.kind == "layer-scale":
        return [
            f"Digital correction: every output of {correction.layers} layers times one factor of "
            f"its layer, {correction.bits} bit (chip.correction)."
        ]
    each, what = {
        "bias": (1, "a bias"), "scale": (1, "a scale"), "scale-and-bias": (2, "a scale and a bias")
    }[correction.kind]  # fmt: skip
    return [
        f"Digital correction: {what} for each output channel of {correction.layers} layers, "
        f"{each * channels:,.0f} numbers of {correction.bits} bit in registers (chip.correction)."
    ]


def _some(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _about_programming(result: MapResult) -> list[str]:
    chip, device = result.resolved.chip, result.resolved.device
    drivers = f"{_counted(chip.programming.parallel_subarrays, 'subarray')} at a time"
    if chip.programming.max_power is not None:
        drivers += f", fewer where their pulses would take more than {_watts(chip.programming)}"
    twice = _written_twice(chip.programming)
    if device.write_verify is None:
        return [
            f"Programming: device {device.name} has no write_verify, so no cell is verified under "
            f"any policy; {drivers}.",
            *twice,
        ]
    policy = chip.programming.policy
    verifies = priced_policy(policy).verifies
    lines = [f"Programming: {_who_is_verified(result)} (policy {policy}), {drivers}.", *twice]
    if device.sigma_profile.kind != "uniform" and verifies:
        taken = {
            "weight": f"{100 * chip.programming.middle_share:.3g} % of the weights lie there "
            "(chip.programming.middle_share)",
            "level": "all levels of a cell are equally likely",
        }
        lines.append(
            f"Programming: {device.name} spreads most in the middle of its range, and pulses are "
            f"those if {taken[device.sigma_profile.kind]}; archsim program counts your weights."
        )
    if (_positive(device.stuck_on_rate) or _positive(device.stuck_off_rate)) and verifies:
        lines.append(
            f"Programming: cells of {device.name} that are stuck take pulses in vain, as many as "
            "if all levels were equally likely; archsim program counts those of your weights."
        )
    wear = _wear(result)
    return lines + wear + _unused_programming(chip.programming) + _left_out_of_programming(device)


def _wear(result: MapResult) -> list[str]:
    """For how many programmings the endurance of a cell lasts."""
    endurance, written = result.resolved.device.endurance_cycles, result.cost.programming
    verified = float(written.verified_cells)
    if endurance is None:
        return []
    pulses = float(written.verify_reads) / verified if verified else 1.0
    cell = "a verified cell" if verified else "a cell"
    return [
        f"Programming: {cell} takes {pulses:.3g} pulses; if each is a cycle, an endurance of "
        f"{endurance.si:.3g} ({endurance.source}) lasts for {endurance.si / pulses:.3g} "
        "programmings."
    ]


def _written_twice(programming: Programming) -> list[str]:
    count = programming.rewritten_layers
    if not count:
        return []
    return [
        f"Programming: trained again on the chip: the last {_layers(count)}; one pulse per cell "
        "with all others, then a second round as the policy says."
    ]


def _layers(count: int) -> str:
    return "layer" if count == 1 else f"{count} layers"


def _who_is_verified(result: MapResult) -> str:
    programming = result.resolved.chip.programming
    return priced_policy(programming.policy).sentence(programming, result.design != "none")


def _unused_programming(programming: Programming) -> list[str]:
    """Settings of other policies that differ from their defaults."""
    unused = [
        f"chip.programming.{key} = {getattr(programming, key)} (only for {policy.name})"
        for policy in sorted(PRICED_POLICIES, key=lambda policy: policy.name)
        for key in policy.takes
        if programming.policy != policy.name
        and getattr(programming, key) != type(programming).model_fields[key].default
    ]
    if not unused:
        return []
    return [f"Without influence under policy {programming.policy}: {', '.join(unused)}."]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _positive(value: Quantity | None) -> bool:
    """Whether a device has some of this."""
    return value is not None and value.si > 0


def _watts(programming: Programming) -> str:
    """The power limit with its unit."""
    limit = programming.max_power
    return "" if limit is None else f"{from_si(limit.si, 'mW'):.4g} mW"


def _left_out_of_programming(device: DeviceFile) -> list[str]:
    """Errors of cells that no pulse of the programming can know."""
    errors = {
        "drift": (device.drift_nu, device.drift_nu_sigma),
        "read noise in operation": (device.read_noise_sigma,),
    }
    here = [name for name, values in errors.items() if any(map(_positive, values))]
    if not here:
        return []
    return [
        f"Not in the programming numbers: {', '.join(here)} of {device.name}; archsim program "
        "says what they do to the accuracy."
    ]


def capacity(result: MapResult) -> tuple[str, ...]:
    """How many chips, or loads, a network needs that is larger than the chip, and to write them."""
    need = result.capacity
    if need is None:
        return ()
    parts, each = need["parts"], need["programming_time_per_part_ms"]
    return (
        f"It needs {need['tiles_needed']:,} tiles, the chip has {need['tiles_per_chip']:,}: "
        f"{parts} chips of this size, or {parts} loads of one, of about "
        f"{need['weights_per_part']:,} weights each, if the tiles can be shared out evenly.",
        f"Writing one of them takes {each:,.4g} ms, all in turn "
        f"{need['programming_time_ms']:,.4g} ms: once for chips "
        "(chip.off_chip.when_full=multi-chip), for every image or group of images for loads "
        "(when_full=reload).",
    )


def _about_off_chip(result: MapResult) -> list[str]:
    return [*_about_border(result), *capacity(result), *_about_parts(result)]


def _about_border(result: MapResult) -> list[str]:
    """Where inputs come from, and what is not known of that memory."""
    memory, border = result.resolved.memory, result.resolved.chip.off_chip.border
    if border == "none":
        return ["Inputs and outputs of the network cross the border of the chip at no cost."]
    unknown = [name for name in ("row_energy", "latency", "standby") if not getattr(memory, name)]
    lines = [
        f"Inputs come from {memory.name} and outputs go there; its standby power counts where it "
        "holds weights or embedding tables."
    ]
    if unknown:
        lines.append(f"Not known of {memory.name}, and not counted: {', '.join(unknown)}.")
    return lines


def _about_parts(result: MapResult) -> list[str]:
    """What a network in parts does."""
    off_chip, parts = result.resolved.chip.off_chip, round(float(result.plan.floorplan.parts))
    if parts == 1:
        return []
    tiles = result.resolved.chip.hierarchy.max_tiles
    per_chip = result.graph.totals.weights / parts
    if off_chip.when_full == "multi-chip":
        return [
            f"The network does not fit on {tiles} tiles: it is spread over {parts} chips of that "
            f"size, about {per_chip:,.0f} weights each, joined by {result.resolved.link.name}; "
            "the mean map crosses each link, shortcuts beside it not counted."
        ]
    images = off_chip.images_per_reload
    lines = [
        f"The network does not fit on {tiles} tiles: its {parts} parts, about {per_chip:,.0f} "
        f"weights each, are written again from {result.resolved.memory.name} for every "
        + ("image." if images == 1 else f"{images} images.")
    ]
    endurance = result.resolved.device.endurance_cycles
    if endurance is not None:
        lines.append(
            f"Every part takes a write cycle of its cells each time: an endurance of "
            f"{endurance.si:.3g} cycles ({endurance.source}) lasts for "
            f"{endurance.si * images / parts:.3g} images."
        )
    return lines


def _about_statistics(result: MapResult) -> list[str]:
    activity = result.resolved.chip.activity
    lines = [
        f"Read energy: inputs {activity.first_layer} in the first layer, {activity.hidden} after "
        f"it (std {activity.input_std.value:g}); Gaussian weights (std "
        f"{activity.weight_std.value:g}) of full scale 1; not those of a trained network."
    ]
    lines += [f"Cells: {note}." for note in result.device_notes]
    chip = result.resolved.chip
    if chip.cost_model == "silicon":
        mean = "as the mean of published macros, which seldom say what they have"
        priced = mean if chip.adc.kind == "sar" else "by physics on top of that mean"
        lines.append(
            f"Converters: chip.adc.kind = {chip.adc.kind} is priced {priced}; a known conversion "
            "is chip.adc.energy."
        )
    if not result.resolved.chip.timing.pipeline:
        lines.append("No pipeline: the period is the latency.")
    return lines
