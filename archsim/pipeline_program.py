"""The second composition root: a network's weights onto a chip, and what that does to accuracy.

checkpoint -> scores on data -> masks -> programming -> accuracy; and the curve over fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archsim._shadow import check_shadowing

check_shadowing()

import torch  # noqa: E402

from archsim.arch.design import DesignBatch  # noqa: E402
from archsim.config.resolve import DEFAULT_CHIP, Resolved, resolve, tsb_preset_for  # noqa: E402
from archsim.cost.off_chip import chips as chips_of  # noqa: E402
from archsim.errors import ConfigError  # noqa: E402
from archsim.network import from_graph  # noqa: E402
from archsim.network.load import load_module, load_network  # noqa: E402
from archsim.programmed import ProgramResult  # noqa: E402
from mapping.compile import compile_plan  # noqa: E402
from tsb.checkpoint import load_checkpoint  # noqa: E402
from tsb.data import load_dataset  # noqa: E402
from tsb.program_accuracy import Evidence  # noqa: E402
from tsb.program_network import NEED_DATA, Choice, program_network  # noqa: E402
from tsb.quantize import mapped_weights, quantised_weights  # noqa: E402
from tsb.sensitivity import fisher_scores, swim_scores  # noqa: E402
from tsb.shared_block import group_count  # noqa: E402
from tsb.speed_up import speed_up  # noqa: E402
from tsb.weight_cells import CellModel  # noqa: E402
from tsb.write_verify_curve import policy_scores, summarise_curve, write_verify_runs  # noqa: E402

if TYPE_CHECKING:
    import pandas


def program(
    network: str,
    *,
    checkpoint: str | Path | None = None,
    policy: str = "none",
    fraction: float = 0.1,
    last_layers: int = 1,
    granularity: str = "weight",
    encoding: str | None = None,
    design: str = "none",
    data: str | None = None,
    data_root: str | Path | None = None,
    score_images: int = 2000,
    test_images: int | None = None,
    chips: int = 20,
    read_after_s: float | None = None,
    seed: int = 0,
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Iterable[str] = (),
) -> ProgramResult:
    """Program every weight of a network once and report pulses, time, energy and accuracy.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: safetensors file; without one the initial weights are programmed.
        policy: one of :data:`tsb.program_network.POLICIES`.
        fraction: of the weights, for policies by score.
        last_layers: how many, for ``last-layers``.
        granularity: weight, row or subarray, for policies by score.
        encoding: one of :data:`archsim.device.ENCODINGS`; None takes ``magnitude`` (the noise
            convention of the literature) where the chip stores an offset code, else the chip's.
        design: with common or separate, a shared block is programmed too.
        data: data set for scores and accuracy; None takes the network's usual one.
        data_root: where it lies; without it and ``data``, data are loaded only for policies that
            need them.
        score_images: training images behind the scores.
        test_images: test images behind the accuracy; None takes all.
        chips: programmed chips whose accuracy is averaged; 0 measures none.
        read_after_s: time from programming to the reads of the accuracy, s: cells drift; None
            reads right after programming.
        seed: of all randomness.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: preset of the shared block.
        overrides: ``path=value`` settings.

    Raises:
        ArchsimError: whatever is wrong with the names, settings, files or data.
    """
    choice = Choice(
        policy=policy, fraction=fraction, last_layers=last_layers, granularity=granularity
    )
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(network),
        overrides=overrides,
    )
    if checkpoint is None and (data is not None or data_root is not None):
        given = "--data-root" if data is None else "--data"
        raise ConfigError(
            f"{given} '{data_root if data is None else data}' without --checkpoint: an untrained "
            "network has no accuracy to measure; allowed: with --checkpoint"
        )
    own = resolved.chip.precision.encoding
    on_cells = encoding or ("magnitude" if own == "offset" else own)
    torch.manual_seed(seed)  # for the initial weights of a network without checkpoint
    model = load_module(network)
    if checkpoint is not None:
        load_checkpoint(checkpoint).load_into(model)
    elif policy in NEED_DATA:
        raise ConfigError(f"policy '{policy}' needs a trained network: give --checkpoint")
    evidence = None
    if checkpoint is not None and (
        policy in NEED_DATA or data is not None or data_root is not None
    ):
        evidence = Evidence(
            dataset=load_dataset(data or usual_data(network), data_root),
            score_images=score_images,
            test_images=test_images,
            chips=chips,
        )
    return program_network(
        model,
        network=network,
        resolved=resolved,
        choice=choice,
        encoding=on_cells,
        blocks=_blocks(network, resolved, design),
        network_chips=_network_chips(network, resolved, design, on_cells),
        evidence=evidence,
        read_after_s=read_after_s,
        trained=checkpoint is not None,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class CurveRequest:
    """What the write-verify curve is measured on.

    Attributes:
        network: zoo name or ``package.module:function``.
        checkpoint: trained weights, safetensors.
        data: name of the data set; None takes the network's usual one.
        data_root: where it lies; None looks in the usual places and then downloads.
        score_images: training images behind the scores.
        test_images: test images behind every accuracy; None takes all.
        instances: programmed chips per point.
        seed: of all randomness.
    """

    network: str
    checkpoint: str | Path | None
    data: str | None = None
    data_root: str | Path | None = None
    score_images: int = 2000
    test_images: int | None = None
    instances: int = 50
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class WriteVerifyCurve:
    """The curve as frames: every instance, every point, and what each policy needs."""

    runs: pandas.DataFrame
    summary: pandas.DataFrame
    speed_up: pandas.DataFrame


#: Middle-level factor of the second device of the curve: RRAM4 of NeFT (arXiv 2305.14561).
_NON_UNIFORM = "rram4"


def write_verify_curve(
    request: CurveRequest,
    *,
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
) -> WriteVerifyCurve:
    """Measure accuracy against the share of verified weights, for every policy by score.

    On the chip's device, and on NeFT's non-uniform one with the same sigma and write-verify.

    Args:
        request: network, data and sizes.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: preset of the shared block; without influence here.
        overrides: ``path=value`` settings.
        progress: called with a line per step.

    Raises:
        ArchsimError: whatever is wrong with the names, settings, files or data.
    """
    import pandas as pd

    say = progress or (lambda _: None)
    if request.checkpoint is None:
        raise ConfigError("the curve needs a trained network: give --checkpoint")
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(request.network),
        overrides=overrides,
    )
    precision = resolved.chip.precision
    own = CellModel.from_device(
        resolved.device,
        weight_bits=precision.weight_bits,
        bits_per_cell=precision.bits_per_cell,
    )
    profile = resolve(device=_NON_UNIFORM).device.sigma_profile
    cells = {resolved.device.name: own}
    if own.factor == 1:
        other = own.but(factor=profile.factor.si, profile="weight")
        cells[f"{resolved.device.name}, non-uniform s = {other.factor:g}"] = other
    model = load_module(request.network)
    load_checkpoint(request.checkpoint).load_into(model)
    evidence = Evidence(
        dataset=load_dataset(request.data or usual_data(request.network), request.data_root),
        score_images=request.score_images,
        test_images=request.test_images,
    )
    say(f"scores on {request.score_images} training images")
    learn, test = evidence.score_split, evidence.test_split
    second = swim_scores(model, learn.images, learn.labels)
    fisher = fisher_scores(model, learn.images, learn.labels)
    weights = quantised_weights(mapped_weights(model), precision.weight_bits)
    frames = []
    for name, cell in cells.items():
        say(f"{name}: {request.instances} chips per point on {len(test)} test images")
        frames.append(
            write_verify_runs(
                model,
                weights,
                cell,
                policy_scores(weights, cell, second_derivative=second, fisher=fisher),
                test.images,
                test.labels,
                instances=request.instances,
                seed=request.seed,
                device=name,
            )
        )
    runs = pd.concat(frames, ignore_index=True)
    return WriteVerifyCurve(runs=runs, summary=summarise_curve(runs), speed_up=speed_up(runs))


def _blocks(network: str, resolved: Resolved, design: str) -> int:
    """Shared blocks on the chip: one, or one per layer (and channel group)."""
    if design != "separate":
        return int(design == "common")
    tsb = resolved.tsb
    points = load_network(network).insertion_points(tsb.insertion)
    if not tsb.per_group:
        return len(points)
    return sum(group_count(point.channels, tsb.channels) for point in points)


def _network_chips(network: str, resolved: Resolved, design: str, encoding: str) -> int:
    """Chips that the network is spread over, as ``archsim map`` counts them."""
    if resolved.chip.off_chip.when_full != "multi-chip":
        return 1
    pairs = encoding in ("differential", "separate-sign")
    batch = DesignBatch.from_resolved(resolved, design)
    batch = batch.replace(is_differential=torch.tensor(pairs))
    graph = load_network(network)
    points = () if design == "none" else graph.insertion_points(resolved.tsb.insertion)
    plan = compile_plan(design=batch, table=from_graph(graph), points=points)
    return int(chips_of(design=batch, plan=plan))


#: Data set on which the TSB paper uses a network, by the start of the network's name.
_USUAL_DATA = {
    "lenet3": "mnist",
    "resnet18-tiny": "tiny-imagenet",
    "vgg8": "cifar10",
    "resnet18-cifar": "cifar10",
    "resnet20": "cifar10",
}


def usual_data(network: str) -> str:
    """Return the data set that a built-in network is usually trained on.

    Raises:
        ConfigError: a network without one.
    """
    for start, data in _USUAL_DATA.items():
        if network.startswith(start):
            return data
    raise ConfigError(f"network '{network}' has no usual data set: name one with --data")
