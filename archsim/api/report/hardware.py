"""What the methods of a study need on a chip: from corrections and write policies to settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from archsim.arch.design import MAX_LAST_LAYERS
from archsim.config.choices import PLACEMENTS, WITH_BLOCK
from archsim.config.load import Setting
from archsim.config.study import Method, Study
from tsb.cells.stored import mapped_weights, stored_network
from tsb.correction.needs import Together, together
from tsb.program.compensation.registry import REGISTRY
from tsb.study.corrections import corrections_of
from tsb.study.network import graph_of, module_of
from tsb.study.programming import write_choice
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.last_layers import LastLayersVerified
from tsb.write_verify.policy.shared_block import SharedBlockOnly


@dataclass(frozen=True)
class Hardware:
    """What a method needs on the chip.

    Attributes:
        designs: placements of the shared block; only ``none`` without one.
        overrides: settings on top of chip and device; None where it has no price.
        notes: what the price leaves out, or why there is none.
    """

    designs: tuple[str, ...]
    overrides: tuple[Setting, ...] | None
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
    needs = together(
        {correction.name: correction.hardware() for correction in corrections_of(study, method)}
    )
    designs = PLACEMENTS[:1] if needs.block is None else WITH_BLOCK
    unpriced = (*needs.unpriced, *_too_many(needs))
    if unpriced:
        return Hardware(designs, None, unpriced)
    notes = list(needs.notes)
    settings = [*study.settings(sigma)]
    settings += _block(study, needs)
    settings += _verified(method, needs)
    settings += _rewritten(needs)
    settings += _digital(needs, study.compensation)
    settings += _copies(study, method, notes)
    if study.compensation in REGISTRY:
        notes.append(
            "reference reads of the compensation: two of all layers for every calibration, not in "
            "the cost of an image (archsim evaluate NETWORK prices them)"
        )
    return Hardware(designs, tuple(settings), tuple(notes))


def _block(study: Study, needs: Together) -> list[Setting]:
    if needs.block is None:
        return []
    return [
        Setting("tsb.channels", needs.block.channels),
        Setting("tsb.depth", needs.block.depth),
        Setting("tsb.insertion", study.insertion),
    ]


def _too_many(needs: Together) -> tuple[str, ...]:
    """Say why there is no price for more layers written again than the engine knows."""
    if needs.rewritten_layers <= MAX_LAST_LAYERS:
        return ()
    return (
        f"the last {needs.rewritten_layers} layers written again: at most {MAX_LAST_LAYERS} are in "
        "the cost engine",
    )


def _rewritten(needs: Together) -> list[Setting]:
    """Return which layers are written twice because they are retrained."""
    if not needs.rewritten_layers:
        return []
    return [Setting("chip.programming.rewritten_layers", needs.rewritten_layers)]


def _verified(method: Method, needs: Together) -> list[Setting]:
    """Return the method's write policy; where it verifies nothing, that of what repairs it."""
    choice = write_choice(method)
    if not choice.policy.verifies and method.verify:
        if needs.rewritten_layers:
            choice = Choice(policy=LastLayersVerified(), last_layers=needs.rewritten_layers)
        elif needs.block is not None:
            choice = Choice(policy=SharedBlockOnly())
    return list(choice.price())


def _digital(needs: Together, compensation: str) -> list[Setting]:
    """Return the digital numbers: what scales needs a multiplier, what shifts an adder.

    A compensation of drift scales all layers; where there are biases too, its factor is a scale
    beside them.
    """
    if compensation in REGISTRY:
        kind = "scale-and-bias" if needs.digital else REGISTRY[compensation].correction
        return [Setting("chip.correction.kind", kind), Setting("chip.correction.layers", "all")]
    if needs.digital is None:
        return []
    kind = "scale-and-bias" if needs.digital.scales else "bias"
    layers = "all" if needs.digital.all_layers else "linear"
    return [Setting("chip.correction.kind", kind), Setting("chip.correction.layers", layers)]


def _copies(study: Study, method: Method, notes: list[str]) -> list[Setting]:
    if not method.copies:
        return []
    model = stored_network(module_of(study), graph_of(study))
    linear = {name for name, weight in mapped_weights(model).items() if weight.dim() == 2}
    counts = set(method.copies.values())
    if set(method.copies) == linear and len(counts) == 1:
        return [Setting("chip.hierarchy.linear_copies", counts.pop())]
    notes.append("copies of single layers: not in the cost engine")
    return []


def map_command(study: Study, design: str, chip: str, overrides: tuple[Setting, ...]) -> str:
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
    for setting in overrides:
        words += ["--set", str(setting)]
    return shlex.join(words)
