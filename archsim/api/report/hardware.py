"""What the methods of a study need on a chip: from corrections and write policies to settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from archsim.arch.design import MAX_LAST_LAYERS
from archsim.config.resolve import resolve
from archsim.config.study import Method, Study
from tsb.cells.quantize import mapped_weights
from tsb.correction import parse_corrections
from tsb.correction.base import Correction
from tsb.correction.block import LinearBlock, LowRank, OwnBlocks, SharedBlocks
from tsb.correction.digital import Biases, OutputMatch, Scales
from tsb.correction.retrain import LastLayers
from tsb.study.network import module_of
from tsb.study.programming import write_choice
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.registry import policy_named

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
    """Return the write policy, and which layers are written twice because they are retrained."""
    retrained = next((own for own in corrections if isinstance(own, LastLayers)), None)
    settings = _verified(method, corrections, retrained)
    if retrained is None:
        return settings
    if retrained.count > MAX_LAST_LAYERS:
        notes.append(f"writing the last {retrained.count} layers again is not counted")
        return settings
    return [*settings, f"chip.programming.rewritten_layers={retrained.count}"]


def _verified(
    method: Method, corrections: list[Correction], retrained: LastLayers | None
) -> list[str]:
    """Return the method's write policy; where it verifies nothing, that of what repairs it."""
    choice = write_choice(method)
    if not choice.policy.verifies and method.verify:
        if retrained is not None:
            choice = Choice(policy=policy_named("last-layers"), last_layers=retrained.count)
        elif any(isinstance(own, SharedBlocks) for own in corrections):
            choice = Choice(policy=policy_named("tsb"))
    return [str(setting) for setting in choice.price()]


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


def map_command(study: Study, design: str, chip: str, overrides: tuple[str, ...]) -> str:
    """Return the command that maps a method by itself, "" where no command knows the network.

    Args:
        study: which.
        design: placement of the shared block.
        chip: preset or YAML file.
        overrides: of :class:`Hardware`.
    """
    if study.options:
        return ""
    words = ["archsim", "map", study.network, "--design", design, "--chip", chip]
    words += ["--device", study.device]
    for text in overrides:
        words += ["--set", text]
    return shlex.join(words)
