"""The second composition root: a network's weights onto a chip, and what that does to accuracy.

checkpoint -> scores on data -> masks -> programming -> accuracy; and the curve over fractions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from archsim import __version__
from archsim.api.exact import exact_of_evidence
from archsim.api.program.arguments import check_arguments, check_overrides, check_unused
from archsim.api.program.plan import write_plan
from archsim.api.trained import usual_data
from archsim.config.overrides import Overrides, as_texts
from archsim.config.resolve import DEFAULT_CHIP, resolve, tsb_preset_for
from archsim.device import CellSpec
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError, DataError
from archsim.network.inputs import Dtypes, Shapes
from archsim.network.load import load_module
from archsim.results.programmed import ProgramResult
from archsim.util.checks import one_of, seed_of, whole_number
from tsb.cells.programmable import known_network, programmable
from tsb.cells.quantize import quantised_weights
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import load_checkpoint, tensors_hash
from tsb.data import load_dataset
from tsb.program.accuracy import Evidence
from tsb.program.network import program_network
from tsb.write_verify.curve import summarise_curve, write_verify_runs
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.context import LossDerivatives
from tsb.write_verify.policy.registry import policies_by_score, policy_named
from tsb.write_verify.speed_up import speed_up

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
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
    data: str | None = None,
    data_root: str | Path | None = None,
    score_images: int | None = None,
    test_images: int | None = None,
    chips: int | None = None,
    images_per_chip: int | None = None,
    half_width: float | None = None,
    read_after_s: float | None = None,
    clip_at_zero: bool = False,
    seed: int = 0,
    read_path: str = "off",
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Overrides = (),
) -> ProgramResult:
    """Program every weight of a network once and report pulses, time, energy and accuracy.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: safetensors file; without one the initial weights are programmed.
        policy: name in :mod:`tsb.write_verify.policy.registry`.
        fraction: of the weights, for policies by score.
        last_layers: how many, for ``last-layers``, at most all.
        granularity: weight, row or subarray, for policies by score.
        encoding: one of :data:`archsim.device.ENCODINGS`; None takes ``magnitude`` (the noise
            convention of the literature) where the chip stores an offset code, else the chip's.
        design: with common or separate, a shared block is programmed too.
        input_shape: of one input where the network does not say, or shapes by name.
        input_dtype: number format of the input, e.g. ``int64`` for token numbers, or by name.
        data: data set for scores and accuracy; None takes the network's usual one.
        data_root: where it lies; without it and ``data``, data are loaded only for policies that
            need them.
        score_images: training images behind scores and expected loss, at most all; None takes
            2000.
        test_images: test images behind the accuracy, at most all; None takes all.
        chips: programmed chips whose accuracy is averaged; 0 measures none; None takes 20.
        images_per_chip: test images of each chip, drawn anew; None takes all for every chip.
        half_width: of the 95 % interval of the mean accuracy, a fraction: where it is reached
            before ``chips`` are programmed, no more are.
        read_after_s: time from programming to the reads of the accuracy, s: cells drift; None
            reads right after programming.
        clip_at_zero: cells whose conductance would fall below zero stay at zero; the closed forms
            (``expected_*``) know nothing of it.
        seed: of all randomness, 0 to 2^32 - 1.
        read_path: ``exact`` reads the chips of the accuracy with their converters, rows, inputs
            and wires, in the encoding of the chip unless one is named; ``off`` leaves these out.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: preset of the shared block.
        overrides: ``path=value`` settings; those of ``chip.programming`` that the policy's
            arguments replace are refused.

    Raises:
        ArchsimError: whatever is wrong with the names, settings, files or data.
    """
    choice = Choice(
        policy=policy_named(policy),
        fraction=fraction,
        last_layers=last_layers,
        granularity=granularity,
    )
    settings = tuple(as_texts(overrides))
    check_arguments(design, encoding, read_after_s, clip_at_zero, seed)
    check_overrides(settings)
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(network),
        overrides=settings,
    )
    sizes: dict[str, int | float | None] = {
        "--score-images": score_images,
        "--test-images": test_images,
        "--chips": chips,
        "--images-per-chip": images_per_chip,
        "--half-width": half_width,
    }
    has_data = data is not None or data_root is not None
    if checkpoint is None and has_data:
        given = "--data-root" if data is None else "--data"
        raise ConfigError(
            f"{given} '{data_root if data is None else data}' without --checkpoint: an untrained "
            "network has no accuracy to measure; allowed: with --checkpoint",
            code=Code.CONFLICT,
            field=given,
            value=data_root if data is None else data,
            allowed="--checkpoint",
        )
    if checkpoint is None and choice.policy.needs_data:
        raise ConfigError(
            f"policy '{policy}' needs a trained network: give --checkpoint",
            code=Code.MISSING_KEY,
            field="--checkpoint",
            value=policy,
        )
    needed = checkpoint is not None and (choice.policy.needs_data or has_data)
    if not needed:
        check_unused(sizes)
    one_of("read_path (--read-path)", read_path, ("off", "exact"))
    if read_path != "off":  # what is read is what the chip stores
        encoding = encoding or resolved.chip.precision.encoding
    spec = CellSpec.of_chip(resolved, encoding=encoding)
    torch.manual_seed(seed)  # for the initial weights of a network without checkpoint
    model, trained = _model(network, checkpoint)
    evidence = None
    if needed:
        evidence = Evidence(
            dataset=load_dataset(data or usual_data(network), data_root),
            score_images=2000 if score_images is None else score_images,
            test_images=test_images,
            chips=20 if chips is None else chips,
            images_per_chip=images_per_chip,
            half_width=half_width,
        )
        evidence.dataset.check_fits(model, network)
    found = programmable(
        model,
        network=network,
        input_shape=input_shape,
        input_dtype=input_dtype,
        image_shape=None if evidence is None else evidence.dataset.image_shape,
    )
    exact = None
    if read_path != "off":
        measured = evidence if design == "none" else None
        exact = exact_of_evidence(
            found, resolved, spec, measured, network, read_after_s or REFERENCE_S
        )
    return program_network(
        found.model,
        network=network,
        resolved=resolved,
        choice=choice,
        spec=spec,
        plan=write_plan(found, resolved=resolved, design=design, spec=spec),
        evidence=evidence,
        read_after_s=read_after_s,
        clip_at_zero=clip_at_zero,
        design=design,
        checkpoint_hash=trained,
        seed=seed,
        exact=exact,
    )


def _model(network: str, checkpoint: str | Path | None) -> tuple[torch.nn.Module, str | None]:
    """Load a network and its weights, and return it with the hash of the checkpoint.

    Raises:
        DataError: a checkpoint of another network.
    """
    model = load_module(network)
    if checkpoint is None:
        return model, None
    trained_weights = load_checkpoint(checkpoint)
    try:
        trained_weights.load_into(model)
    except DataError as error:
        raise DataError(
            f"--checkpoint '{checkpoint}', network '{network}': {error}",
            code=error.code,
            field=checkpoint,
            value=network,
        ) from error
    # As many hex digits as are shown of a configuration's hash.
    return model, tensors_hash(trained_weights.tensors)[:16]


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

    def __post_init__(self) -> None:
        """Check the counts and the seed.

        Raises:
            ConfigError: not whole numbers, or out of range.
        """
        whole_number("instances (--instances)", self.instances, 2)
        seed_of(self.seed)


@dataclass(frozen=True, kw_only=True)
class WriteVerifyCurve:
    """The curve as frames: every instance, every point, what each policy needs; and of what.

    ``provenance`` has everything that the numbers depend on.
    """

    about: str
    provenance: dict[str, object]
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
    overrides: Overrides = (),
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
        raise ConfigError(
            "the curve needs a trained network: give --checkpoint",
            code=Code.MISSING_KEY,
            field="--checkpoint",
            value="--curve",
        )
    settings = tuple(as_texts(overrides))
    check_overrides(settings)
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(request.network),
        overrides=settings,
    )
    spec = CellSpec.of_chip(resolved)
    chip_cell = CellModel.of(spec)
    if not chip_cell.verification_helps:
        raise ConfigError(
            f"device '{resolved.device.name}': write-verify leaves the error of the first pulse "
            f"(sigma {chip_cell.sigma:g}, tolerance {chip_cell.tolerance:g}, "
            f"pulse limit {chip_cell.max_pulses}), so that every curve is flat; allowed: "
            "device.sigma above 0 and a tighter device.write_verify.tolerance",
            code=Code.CONFLICT,
            field="device.write_verify",
            value=resolved.device.name,
        )
    profile = resolve(device=_NON_UNIFORM).device.sigma_profile
    cells = {resolved.device.name: chip_cell}
    if chip_cell.factor == 1:
        other = chip_cell.but(factor=profile.factor.si, profile="weight")
        cells[f"{resolved.device.name}, non-uniform s = {other.factor:g}"] = other
    model, trained = _model(request.network, request.checkpoint)
    evidence = Evidence(
        dataset=load_dataset(request.data or usual_data(request.network), request.data_root),
        score_images=request.score_images,
        test_images=request.test_images,
    )
    evidence.dataset.check_fits(model, request.network)
    model = known_network(model, request.network, image_shape=evidence.dataset.image_shape)
    for line in evidence.shortages():
        say(line)
    learn, test = evidence.score_split, evidence.test_split
    say(f"scores on {len(learn)} training images")
    loss = LossDerivatives(model=model, images_of=lambda: learn)
    weights = quantised_weights(mapped_weights(model), spec.weight_format.magnitude_bits)
    frames = []
    for name, cell in cells.items():
        say(f"{name}: {request.instances} chips per point on {len(test)} test images")
        frames.append(
            write_verify_runs(
                model,
                weights,
                cell,
                policies_by_score(),
                test.images,
                test.labels,
                loss=loss,
                instances=request.instances,
                seed=request.seed,
                device=name,
            )
        )
    runs = pd.concat(frames, ignore_index=True)
    about = f"{request.network} on {evidence.dataset.name} ({len(test):,} test images)"
    return WriteVerifyCurve(
        about=about,
        provenance={
            "archsim": __version__,
            "network": request.network,
            "checkpoint_hash": trained,
            "config_hash": resolved.config_hash,
            "chip": resolved.chip.name,
            "device": resolved.device.name,
            "encoding": spec.encoding,
            "chip_encoding": spec.stored_encoding,
            "data": evidence.dataset.name,
            "score_images": len(learn),
            "test_images": len(test),
            "instances": request.instances,
            "seed": request.seed,
        },
        runs=runs,
        summary=summarise_curve(runs),
        speed_up=speed_up(runs),
    )
