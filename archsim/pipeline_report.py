"""The joint result of a study: what its run measured, and what its designs cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archsim._shadow import check_shadowing

check_shadowing()

from archsim import pipeline, pipeline_study  # noqa: E402
from archsim.config.resolve import DEFAULT_CHIP, resolve  # noqa: E402
from archsim.config.study import Method, Study  # noqa: E402
from archsim.errors import ConfigError  # noqa: E402
from archsim.joint import JointDesign, JointResult  # noqa: E402
from archsim.network import LayerGraph  # noqa: E402
from archsim.results import MapResult  # noqa: E402
from tsb.correction import parse_corrections  # noqa: E402
from tsb.correction.base import Correction  # noqa: E402
from tsb.correction.block import LinearBlock, LowRank, OwnBlocks, SharedBlocks  # noqa: E402
from tsb.correction.digital import Biases, OutputMatch, Scales  # noqa: E402
from tsb.correction.retrain import LastLayers  # noqa: E402
from tsb.quantize import mapped_weights  # noqa: E402
from tsb.study.network import graph_of, module_of  # noqa: E402
from tsb.study.run import open_run  # noqa: E402

#: Kinds of corrections that the cost engine does not know.
_UNPRICED = (OwnBlocks, LinearBlock, LowRank)


@dataclass(frozen=True)
class Hardware:
    """What a method needs on the chip.

    Attributes:
        designs: placements of the shared block; only ``none`` without one.
        overrides: settings on top of chip and device; None where it cannot be priced.
        notes: what is left out.
    """

    designs: tuple[str, ...]
    overrides: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def hardware_of(study: Study, method: Method, sigma: float) -> Hardware:
    """Return how a method of a study looks to the cost engine.

    Args:
        study: which.
        method: one of its methods.
        sigma: of one pulse, relative to the range of conductance.

    Raises:
        ConfigError: an unknown correction.
    """
    corrections = parse_corrections(method.corrections, {"tsb": study.tsb.options()})
    block = next((own for own in corrections if isinstance(own, SharedBlocks)), None)
    designs = ("none",) if block is None else ("common", "separate")
    unpriced = [own.name for own in corrections if isinstance(own, _UNPRICED)]
    if unpriced:
        return Hardware(designs, None, (f"{', '.join(unpriced)}: not in the cost engine",))
    notes: list[str] = []
    settings = [
        f"chip.precision.bits_per_cell={study.bits_per_cell}",
        f"chip.precision.weight_bits={study.weight_bits}",
        f"device.sigma={sigma / _range_factor(study):.9g}",
    ]
    if block is not None:
        settings += [f"tsb.channels={block.channels}", f"tsb.depth={block.depth}"]
        settings += [f"tsb.insertion={study.insertion}"]
    settings += _policy(method, corrections, notes)
    settings += _digital(corrections)
    settings += _copies(study, method, notes)
    return Hardware(designs, tuple(settings), tuple(notes))


def _range_factor(study: Study) -> float:
    bits = f"chip.precision.bits_per_cell={study.bits_per_cell}"
    return resolve(device=study.device, overrides=[bits]).device.range_factor


def _policy(method: Method, corrections: list[Correction], notes: list[str]) -> list[str]:
    """Return the write policy; layers that are written again add pulses that are not counted."""
    retrained = next((own for own in corrections if isinstance(own, LastLayers)), None)
    if retrained is not None:
        layers = "layer" if retrained.count == 1 else f"{retrained.count} layers"
        notes.append(f"writing the last {layers} again is not counted")
    if method.write == "all":
        return ["chip.programming.policy=all"]
    if method.write == "last-layers":
        return _last_layers(method.last_layers)
    if method.write != "none":
        return ["chip.programming.policy=fraction", f"chip.programming.fraction={method.fraction}"]
    if retrained is not None and method.verify:
        return _last_layers(retrained.count)
    has_block = any(isinstance(own, SharedBlocks) for own in corrections)
    return [f"chip.programming.policy={'tsb' if has_block and method.verify else 'none'}"]


def _last_layers(count: int) -> list[str]:
    return ["chip.programming.policy=last-layers", f"chip.programming.last_layers={count}"]


def _digital(corrections: list[Correction]) -> list[str]:
    """Return the digital corrections: what scales needs a multiplier, what shifts an adder."""
    scaled = any(isinstance(own, Scales | OutputMatch) for own in corrections)
    everywhere = any(isinstance(own, Scales | Biases) for own in corrections)
    if not scaled and not everywhere:
        return []
    kind = "scale-and-bias" if scaled else "bias"
    layers = "all" if everywhere else "linear"
    return [f"chip.correction.kind={kind}", f"chip.correction.layers={layers}"]


def _copies(study: Study, method: Method, notes: list[str]) -> list[str]:
    if not method.copies:
        return []
    linear = {
        name for name, weight in mapped_weights(module_of(study)).items() if weight.dim() == 2
    }
    counts = set(method.copies.values())
    if set(method.copies) == linear and len(counts) == 1:
        return [f"chip.hierarchy.linear_copies={counts.pop()}"]
    notes.append("copies of single layers: not in the cost engine")
    return []


def join(run: str | Path, *, chip: str | None = None) -> JointResult:
    """Put the accuracy of a study's run beside the cost of its designs.

    Args:
        run: folder of ``archsim train``.
        chip: preset or YAML file; None: the default chip.

    Raises:
        DataError: not a run, or nothing in it is finished.
        ConfigError: a chip that does not fit the study's device.
    """
    study = open_run(run).study
    frame = pipeline_study.evaluate(run)
    graph = graph_of(study)
    known: dict[tuple[str, tuple[str, ...]], MapResult] = {}
    designs: list[JointDesign] = []
    for row in frame.astype(object).to_dict("records"):
        measured = {str(key): None if value != value else value for key, value in row.items()}
        method = next(own for own in study.methods if own.name == measured["method"])
        designs += _designs(study, method, measured, graph, chip or DEFAULT_CHIP, known)
    return JointResult(study.name, study.network, study.device, tuple(designs))


def _designs(
    study: Study,
    method: Method,
    measured: dict[str, Any],
    graph: LayerGraph,
    chip: str,
    known: dict[tuple[str, tuple[str, ...]], MapResult],
) -> list[JointDesign]:
    sigma = float(measured["sigma"])
    hardware = hardware_of(study, method, sigma)
    found = []
    for design in hardware.designs:
        mapped = None
        if hardware.overrides is not None:
            key = (design, hardware.overrides)
            if key not in known:
                known[key] = pipeline.map_network(
                    graph,
                    design=design,
                    chip=chip,
                    device=study.device,
                    overrides=hardware.overrides,
                )
            mapped = known[key]
        found.append(
            JointDesign(
                method=method.name,
                sigma=sigma,
                design=design,
                measured=measured,
                mapped=mapped,
                base=method.name == study.baseline_name,
                chosen=bool(measured.get("chosen")),
                notes=hardware.notes,
            )
        )
    return found


def join_runs(
    runs: Sequence[str | Path], *, chip: str | None = None, allow_mixed: bool = False
) -> JointResult:
    """Put several runs into one table.

    Args:
        runs: folders of ``archsim train``.
        chip: preset or YAML file; None: the default chip.
        allow_mixed: also runs of different devices, networks or data.

    Raises:
        ConfigError: no run, or runs that do not belong into one table.
        DataError: as :func:`join`.
    """
    if not runs:
        raise ConfigError("no run; give the folder of archsim train")
    studies = [open_run(run).study for run in runs]
    for name in ("device", "network", "data", "bits_per_cell", "weight_bits"):
        values = [getattr(study, name) for study in studies]
        if len(set(values)) > 1 and not allow_mixed:
            listed = ", ".join(f"{run}: {v}" for run, v in zip(runs, values, strict=True))
            raise ConfigError(
                f"{name} differs ({listed}); allowed: runs of the same {name}, or --allow-mixed"
            )
    results = [join(run, chip=chip) for run in runs]
    if len(results) == 1:
        return results[0]
    designs = [
        replace(own, method=f"{own.method} [{Path(run).name}]")
        for run, result in zip(runs, results, strict=True)
        for own in result.designs
    ]
    first = results[0]
    name = " and ".join(dict.fromkeys(result.name for result in results))
    return JointResult(name, first.network, first.device, tuple(designs))
