"""Program a network onto one chip under a write-verify policy, and see what it takes.

score -> mask -> quantise, slice, pulse, verify, read back -> pulses, time, energy, accuracy
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archsim.config.resolve import Resolved
from archsim.device import (
    ProgrammedWeights,
    WeightFormat,
    WriteArray,
    program_weights,
)
from archsim.errors import ConfigError, close_matches
from archsim.programmed import MeasuredAccuracy, ProgramResult
from tsb.data import Dataset, Split
from tsb.monte_carlo import MonteCarloResult, alike_chips, monte_carlo
from tsb.program_notes import program_notes
from tsb.quantize import mapped_weights
from tsb.selective_write import (
    Masks,
    Tiling,
    magnitude_scores,
    random_scores,
    variance_scores,
    verify_all,
    verify_fraction,
    verify_last_layers,
    verify_none,
)
from tsb.sensitivity import expected_loss_change, fisher_scores, swim_scores
from tsb.weight_cells import CellModel, WeightCells, noise_std, weight_cells
from tsb.write_effort import write_effort

#: Policies that take a fraction of the weights by score; the last three need data.
SCORED = ("magnitude", "random", "swim", "u-swim", "fisher")
NEED_DATA = ("swim", "u-swim", "fisher")
POLICIES = ("none", "all", "tsb", "last-layers", *SCORED)

#: Images in one batch of the accuracy, which bounds memory on large networks.
_IMAGES_AT_ONCE = 500

#: Name under which the shared block's layers are programmed.
BLOCK = "tsb.{index}.weight"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who is write-verified.

    Attributes:
        policy: one of :data:`POLICIES`.
        fraction: of all weights, for the policies by score.
        last_layers: how many, for ``last-layers``.
        granularity: weight, row or subarray, for the policies by score.
    """

    policy: str = "none"
    fraction: float = 0.1
    last_layers: int = 1
    granularity: str = "weight"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown policy, or a fraction outside 0 to 1.
        """
        if self.policy not in POLICIES:
            raise ConfigError(
                f"policy = '{self.policy}'; allowed: {', '.join(POLICIES)}."
                + close_matches(self.policy, POLICIES)
            )
        if not 0 <= self.fraction <= 1:
            raise ConfigError(f"fraction = {self.fraction:g}; allowed: 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Labelled images: training images for scores, test images for the accuracy.

    Attributes:
        dataset: with its splits.
        score_images: training images behind second derivatives and gradients.
        test_images: test images behind the accuracy; None takes all.
        chips: programmed chips whose accuracy is averaged; 0 measures none.
    """

    dataset: Dataset
    score_images: int = 2000
    test_images: int | None = None
    chips: int = 20

    @property
    def score_split(self) -> Split:
        """Training images for scores."""
        return _spread(self.dataset.train, self.score_images)

    @property
    def test_split(self) -> Split:
        """Test images for the accuracy."""
        test = self.dataset.test
        return test if self.test_images is None else _spread(test, self.test_images)


def _spread(split: Split, count: int) -> Split:
    """Return ``count`` images evenly spaced over a split: all classes, also where it is sorted.

    Raises:
        ConfigError: no images.
    """
    if count < 1:
        raise ConfigError(f"number of images = {count}; allowed: 1 or more")
    count = min(count, len(split))
    index = torch.arange(count) * len(split) // count
    return Split(split.images[index], split.labels[index])


def program_network(
    model: nn.Module,
    *,
    network: str,
    resolved: Resolved,
    choice: Choice,
    encoding: str = "magnitude",
    blocks: int = 0,
    evidence: Evidence | None = None,
    trained: bool = True,
    seed: int = 0,
) -> ProgramResult:
    """Program every weight of a model once.

    Args:
        model: the network, in evaluation mode.
        network: its name.
        resolved: chip, device and shared block.
        choice: who is write-verified.
        encoding: one of :data:`archsim.device.ENCODINGS`.
        blocks: shared blocks to program too: 1 for a common one, one per layer and channel group
            for separate ones (untrained: the identity).
        evidence: data, for scores that need it and for the accuracy.
        trained: whether the weights come from a checkpoint; said in the result.
        seed: of all randomness.

    Raises:
        ConfigError: a policy that lacks what it needs, or a fraction outside 0 to 1.
        DataError: weights that are not finite.
    """
    precision, crossbar = resolved.chip.precision, resolved.chip.crossbar
    weight_format = WeightFormat(
        weight_bits=precision.weight_bits,
        bits_per_cell=precision.bits_per_cell,
        encoding=encoding,
    )
    weights = {name: weight.detach() for name, weight in mapped_weights(model).items()}
    if not weights:
        raise ConfigError(f"network '{network}' has no convolution or linear layer to program")
    block = _block(resolved, blocks)
    everything = {**weights, **block}
    tiling = Tiling(rows=crossbar.rows, cols=crossbar.cols, slices=weight_format.cells_per_weight)
    cell = None
    if resolved.device.write_verify is not None:
        cell = CellModel.from_device(
            resolved.device,
            weight_bits=precision.weight_bits,
            bits_per_cell=precision.bits_per_cell,
        )
    elif choice.policy != "none":
        raise ConfigError(
            f"device '{resolved.device.name}' has no write_verify; allowed: policy none, or "
            "another device"
        )
    cells = weight_cells(everything, cell) if cell is not None else None
    second = _second_derivative(model, choice, evidence)
    masks = _masks(model, weights, block, cells, choice, tiling, evidence, second, seed)
    generator = torch.Generator().manual_seed(seed)
    array = WriteArray(
        rows=crossbar.rows,
        cols=crossbar.cols,
        parallel_subarrays=resolved.chip.programming.parallel_subarrays,
    )

    def program(generator: torch.Generator, timed: bool) -> ProgrammedWeights:
        return program_weights(
            everything,
            device=resolved.device,
            generator=generator,
            weight_format=weight_format,
            verify=masks,
            array=array if timed else None,
        )

    done = program(generator, timed=True)
    expected = effort = loss = None
    if cell is not None and cells is not None and encoding == "magnitude":
        effort = write_effort(masks, cells, cell)
        expected = effort.write_pulses
        if second is not None:
            std = noise_std({name: cells[name] for name in weights}, masks)
            loss = sum(expected_loss_change(second, std).values())
    accuracy = None
    if evidence is not None and evidence.chips and not block:
        ideal = {name: _rounded(weight, weight_format) for name, weight in weights.items()}
        accuracy = _accuracy(
            model, ideal, lambda g: program(g, timed=False).weights, evidence, generator
        )
    tally = done.tally
    return ProgramResult(
        network=network,
        policy=choice.policy,
        fraction=choice.fraction if choice.policy in SCORED else None,
        granularity=choice.granularity,
        encoding=encoding,
        padded_bits=weight_format.padded_bits,
        trained=trained,
        weights=tally.weights,
        verified_weights=tally.verified_weights,
        cells=tally.cells,
        verified_cells=tally.verified_cells,
        write_pulses=tally.write_pulses,
        verify_reads=tally.verify_reads,
        time_s=done.time_s or 0.0,
        energy_J=done.energy_J,
        unconverged_cells=tally.unconverged_cells,
        residual_sigma=tally.residual_sigma,
        verified_residual_sigma=tally.verified_residual_sigma,
        expected_write_pulses=expected,
        normalised_cycles=None if effort is None else effort.verify_cycles,
        expected_loss_change=loss,
        accuracy=accuracy,
        notes=tuple(
            program_notes(
                resolved=resolved,
                weight_format=weight_format,
                done=done,
                weights=everything,
                trained=trained,
                block=bool(block),
                scattered=choice.policy in SCORED and choice.granularity == "weight",
            )
        ),
        resolved=resolved,
        seed=seed,
    )


def _block(resolved: Resolved, count: int) -> dict[str, Tensor]:
    """The layers of shared blocks as they start: the identity."""
    tsb = resolved.tsb
    return {BLOCK.format(index=i): torch.eye(tsb.channels) for i in range(count * tsb.depth)}


def _second_derivative(
    model: nn.Module, choice: Choice, evidence: Evidence | None
) -> dict[str, Tensor] | None:
    if choice.policy in NEED_DATA and evidence is None:
        raise ConfigError(
            f"policy '{choice.policy}' scores weights on training images: give --data-root (and "
            "--data), or choose " + ", ".join(p for p in SCORED if p not in NEED_DATA)
        )
    if choice.policy not in ("swim", "u-swim") or evidence is None:
        return None
    split = evidence.score_split
    return swim_scores(model, split.images, split.labels)


def _masks(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    block: Mapping[str, Tensor],
    cells: Mapping[str, WeightCells] | None,
    choice: Choice,
    tiling: Tiling,
    evidence: Evidence | None,
    second: dict[str, Tensor] | None,
    seed: int,
) -> Masks:
    """Masks of the backbone by policy; a shared block is verified unless nothing is."""
    verified_block = verify_none(block) if choice.policy == "none" else verify_all(block)
    if choice.policy == "tsb" and not block:
        raise ConfigError(
            "policy 'tsb' verifies the shared block, and there is none: give --design common or "
            "separate"
        )
    if choice.policy in ("none", "tsb"):
        return {**verify_none(weights), **verified_block}
    if choice.policy == "all":
        return {**verify_all(weights), **verified_block}
    if choice.policy == "last-layers":
        return {**verify_last_layers(weights, choice.last_layers), **verified_block}
    if choice.policy == "magnitude":
        scores = magnitude_scores(weights)
    elif choice.policy == "random":
        scores = random_scores(weights, torch.Generator().manual_seed(seed))
    elif choice.policy == "fisher" and evidence is not None:
        split = evidence.score_split
        scores = fisher_scores(model, split.images, split.labels)
    elif second is not None and cells is not None:
        scores = second if choice.policy == "swim" else variance_scores(second, cells)
    else:  # pragma: no cover - policies are checked before
        raise AssertionError(choice.policy)
    chosen = verify_fraction(scores, choice.fraction, granularity=choice.granularity, tiling=tiling)
    return {**chosen, **verified_block}


def _rounded(weight: Tensor, weight_format: WeightFormat) -> Tensor:
    """Return the weights that the codes stand for."""
    codes, scale = weight_format.quantise(weight)
    return (codes * scale).to(weight.dtype)


def _accuracy(
    model: nn.Module,
    ideal: Mapping[str, Tensor],
    draw: Callable[[torch.Generator], Mapping[str, Tensor]],
    evidence: Evidence,
    generator: torch.Generator,
) -> MeasuredAccuracy:
    """Measure the accuracy without error and over programmed chips, on the same images."""
    split = evidence.test_split

    def measure(
        one: Callable[[torch.Generator], Mapping[str, Tensor]], chips: int
    ) -> MonteCarloResult:
        return monte_carlo(
            model,
            alike_chips(one),
            split.images,
            split.labels,
            chips=chips,
            generator=generator,
            images_at_once=_IMAGES_AT_ONCE,
        )

    clean = measure(lambda _: ideal, 1).stats
    noisy = measure(draw, evidence.chips).stats
    return MeasuredAccuracy(
        ideal=clean.mean,
        mean=noisy.mean,
        ci95_low=noisy.ci95_low,
        ci95_high=noisy.ci95_high,
        worst=noisy.worst,
        chips=evidence.chips,
        images=noisy.images,
        data=evidence.dataset.name,
    )
