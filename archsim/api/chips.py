"""The fourth composition root: single chips as files, from a checkpoint to their accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from archsim.api.exact_chips import read_chips, reader_of_chips, tuning_of_chips
from archsim.api.trained import trained_network, write_masks_of
from archsim.config.load import Setting
from archsim.config.overrides import Overrides, as_overrides
from archsim.config.resolve import DEFAULT_CHIP, resolve, tsb_preset_for
from archsim.device import CellSpec
from archsim.errors import Code, ConfigError, DataError
from archsim.network.inputs import Dtypes, Shapes
from archsim.network.load import graph_of_module, load_module
from archsim.network.own_code import check_is, check_said
from archsim.results.read_said import ReadSaid
from archsim.util.checks import last_seed_of, one_of, seed_of
from archsim.util.consent import saying
from archsim.util.lock import locked
from tsb.cells.noise import WeightNoise
from tsb.cells.programmable import programmable
from tsb.cells.weight_cells import CellModel
from tsb.correction import (
    CorrectedChip,
    TuneSettings,
    make_carrier,
    parse_corrections,
    tune,
)
from tsb.correction.base import Carrier, Correction
from tsb.correction.corrected import attach_all, load_parameters, saved_method
from tsb.data import load_dataset
from tsb.monte_carlo import AccuracyStats, MonteCarloResult, monte_carlo
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.write_verify.policy.text import parse_choice


def network_of(chip: str | Path) -> str:
    """Return the network of a chip's file.

    Args:
        chip: file of :func:`deploy_chips`.

    Raises:
        DataError: not a chip.
    """
    return ProgrammedChip.load(chip).network


@dataclass(frozen=True, kw_only=True)
class ChipAccuracy:
    """Accuracy of single chips, with the corrections that were given.

    Attributes:
        network: its name.
        method: corrections, "" for none.
        encoding: of the weights on the cells; several chips of different ones are joined by commas.
        stats: of all chips and runs.
        read: how the chips were read.
    """

    network: str
    method: str
    encoding: str
    stats: AccuracyStats
    read: ReadSaid


def deploy_chips(
    network: str,
    checkpoint: str | Path,
    out: str | Path,
    *,
    chips: int = 8,
    seed: int = 0,
    chip: str = DEFAULT_CHIP,
    device: str | None = None,
    sigma: float | None = None,
    bits_per_cell: int | None = None,
    weight_bits: int | None = None,
    encoding: str | None = None,
    scaling: str = "tensor",
    write: str = "none",
    options: Mapping[str, object] | None = None,
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
) -> list[Path]:
    """Program a trained network onto chips and save each: ``chip-SEED.safetensors``.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: trained weights.
        out: folder, made if it is not there.
        chips: how many; their seeds count up from ``seed``.
        seed: of the first chip; that of the last is at most 2^32 - 1.
        chip: preset or YAML file of the chip's design.
        device: replaces the chip's; preset or YAML file.
        sigma: replaces the device's spread; relative to the range of conductance.
        bits_per_cell: K; None: the chip's.
        weight_bits: M; None: the chip's.
        encoding: one of :data:`archsim.device.ENCODINGS`; None: as the chip stores weights, but
            magnitude where it stores an offset code.
        scaling: what shares a full-scale conductance: ``tensor`` or ``column``.
        write: which weights are write-verified: a policy that needs no data, with its number where
            it takes one, e.g. ``all``, ``last-layers:2`` or ``magnitude:0.1``.
        options: of the network, e.g. ``{"widths": [16, 32, 64]}``; they come before those that the
            checkpoint names.
        input_shape: of one input where the network does not say, or shapes by name.
        input_dtype: number format of the input, e.g. ``int64`` for token numbers, or by name.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files.
    """
    if chips < 1:
        raise ConfigError.of(Code.OUT_OF_RANGE, "chips", chips, allowed="1 or more")
    last_seed_of(seed, chips, what="chips")
    choice = parse_choice(write, field="write (--write)")
    given = {"bits_per_cell": bits_per_cell, "weight_bits": weight_bits}
    resolved = resolve(
        chip=chip,
        device=device,
        overrides=[Setting(f"chip.precision.{k}", v) for k, v in given.items() if v is not None],
    )
    spec = CellSpec.of_chip(resolved, encoding=encoding, sigma_of_range=sigma)
    cell = CellModel.of(spec, verifiable=choice.policy.verifies)
    storage = WeightStorage(cell=cell, scaling=scaling)
    model, chosen = trained_network(network, checkpoint, options or {})
    model = programmable(
        model, network=network, input_shape=input_shape, input_dtype=input_dtype
    ).model
    masks = write_masks_of(choice, model, storage, seed)
    folder, paths = Path(out), []
    with locked(folder, option="folder"):
        for chip_seed in range(seed, seed + chips):
            path = folder / f"chip-{chip_seed}.safetensors"
            programmed = deploy(
                model, storage, seed=chip_seed, network=network, options=chosen, verified=masks
            )
            programmed.save(path)
            paths.append(path)
    return paths


def tune_chips(
    chips: Sequence[str | Path],
    method: str,
    out: str | Path,
    *,
    data: str,
    data_root: str | Path | None = None,
    network: str | None = None,
    verify: bool = True,
    steps: int = 300,
    learning_rate: float = 1e-2,
    sigma: float | None = None,
    seed: int = 0,
    read_path: str = "off",
    chip: str = DEFAULT_CHIP,
    overrides: Overrides = (),
    progress: Callable[[int, float], None] | None = None,
) -> list[Path]:
    """Train corrections for chips and save each: ``correction-SEED.safetensors``.

    Args:
        chips: files of :func:`deploy_chips`, of one network.
        method: corrections joined by ``+``.
        out: folder, made if it is not there.
        data: data set.
        data_root: where it lies.
        network: of the chips; must be said where it is ``package.module:function``, whose code
            is not run because a file names it.
        verify: whether what lies in cells will be write-verified.
        steps: of Adam.
        learning_rate: of the first step.
        sigma: noise of what lies in cells during training; None is that of its writing.
        seed: of images and noise, 0 to 2^32 - 1.
        read_path: ``exact`` trains on what converters, rows, inputs and wires let through,
            straight through them (:mod:`tsb.correction.read_tuning`); ``off`` on what cells hold.
        chip: preset or file of the design that chips are read by.
        overrides: settings of it.
        progress: told of every step.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files; chips on which the loss became
            infinite, after the corrections of the others are saved.
    """
    seed_of(seed)
    one_of("read_path (--read-path)", read_path, ("off", "exact"))
    if not method.strip():
        raise ConfigError(
            "--method is empty; give corrections, for example tsb+biases",
            code=Code.EMPTY,
            field="--method",
            value=method,
        )
    opened, carrier, corrections = _open_chips(chips, method, network)
    images = load_dataset(data, data_root)
    images.check_fits(carrier.model, opened[0].network)
    storage = opened[0].storage
    if verify:
        storage.cell.check_verifiable()
    spread = storage.cell.written_sigma(verify=verify) if sigma is None else sigma
    settings = TuneSettings(
        steps=steps,
        learning_rate=learning_rate,
        noise=WeightNoise.on_cells(storage.cell, sigma=spread, scaling=storage.scaling),
        seed=seed,
    )
    read = None
    if read_path == "exact":
        given = as_overrides(overrides)
        reader = reader_of_chips(opened, carrier, images, chip=chip, overrides=given)
        read = tuning_of_chips(reader, opened, verify=verify)
    folder, paths = Path(out), []
    with locked(folder, option="folder"):
        tuned = tune(carrier, opened, corrections, images, settings, read=read, progress=progress)
        every = zip(opened, tuned.parameters, tuned.diverged, strict=True)
        for one, parameters in ((one, kept) for one, kept, diverged in every if not diverged):
            corrected = CorrectedChip(
                chip=one,
                corrections=tuple(corrections),
                parameters=parameters,
                carrier=carrier,
                storage=storage,
                verify=verify,
            )
            path = folder / f"correction-{one.seed}.safetensors"
            corrected.save(path, method=method)
            paths.append(path)
    _check_none_diverged(opened, tuned.diverged, learning_rate)
    return paths


def _check_none_diverged(
    chips: Sequence[ProgrammedChip], diverged: Sequence[bool], learning_rate: float
) -> None:
    """Name the chips for which nothing was saved.

    Raises:
        ConfigError: there are some.
    """
    lost = [str(chip.seed) for chip, is_lost in zip(chips, diverged, strict=True) if is_lost]
    if lost:
        saved = "nothing was saved" if len(lost) == len(chips) else "only the others were saved"
        raise ConfigError(
            f"learning_rate = {learning_rate:g}: the loss became infinite on the chips of the "
            f"seeds {', '.join(lost)}; {saved}. Allowed: a smaller one",
            code=Code.NOT_FINITE,
            field="learning_rate",
            value=learning_rate,
        )


def evaluate_chips(
    chips: Sequence[str | Path],
    *,
    corrections: Sequence[str | Path] = (),
    data: str,
    data_root: str | Path | None = None,
    network: str | None = None,
    runs: int = 25,
    test_images: int | None = None,
    seed: int = 0,
    read_path: str = "off",
    chip: str = DEFAULT_CHIP,
    overrides: Overrides = (),
) -> ChipAccuracy:
    """Measure chips on the test split; the corrections in cells are written anew in every run.

    Args:
        chips: files of :func:`deploy_chips`.
        corrections: files of :func:`tune_chips`, one per chip in the same order; or none.
        data: data set.
        data_root: where it lies.
        network: of the chips; must be said where it is ``package.module:function``, whose code
            is not run because a file names it.
        runs: how often corrections are written; without any in cells a chip is measured once.
        test_images: None takes all.
        seed: of the writing, 0 to 2^32 - 1.
        read_path: ``exact`` reads the chips through converters, rows, inputs and wires; ``off``
            leaves these out.
        chip: preset or YAML file of what they are read by; the bits and the encoding of the cells
            are those of the files.
        overrides: ``path=value`` settings of it.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files.
    """
    seed_of(seed)
    one_of("read_path (--read-path)", read_path, ("off", "exact"))
    if corrections and len(corrections) != len(chips):
        raise ConfigError(
            f"{len(corrections)} corrections for {len(chips)} chips; allowed: none, or one per "
            "chip",
            code=Code.SHAPE_MISMATCH,
            field="corrections",
            value=len(corrections),
            allowed=f"none, or {len(chips)}",
        )
    method, verify = saved_method(corrections[0]) if corrections else ("", False)
    opened, carrier, parsed = _open_chips(chips, method, network)
    dataset = load_dataset(data, data_root)
    dataset.check_fits(carrier.model, opened[0].network)
    test = dataset.test
    test = test if test_images is None else test.spread(test_images)
    repaired = [
        CorrectedChip(
            chip=chip,
            corrections=tuple(parsed),
            parameters=load_parameters(corrections[index], chip, method) if corrections else {},
            carrier=carrier,
            storage=chip.storage,
            verify=verify,
        )
        for index, chip in enumerate(opened)
    ]
    runs = runs if repaired[0].written else 1
    if read_path != "off":
        reader = reader_of_chips(
            opened, carrier, dataset, chip=chip, overrides=as_overrides(overrides)
        )
        measured, read = read_chips(reader, repaired, test, runs=runs, seed=seed)
        return _accuracy(opened, method, measured, read)
    following = iter(repaired)
    measured = monte_carlo(
        carrier.model,
        lambda _: next(following).draw,
        test.images,
        test.labels,
        chips=len(repaired),
        runs=runs,
        generator=torch.Generator().manual_seed(seed),
    )
    return _accuracy(opened, method, measured, ReadSaid())


def _accuracy(
    chips: Sequence[ProgrammedChip], method: str, measured: MonteCarloResult, read: ReadSaid
) -> ChipAccuracy:
    return ChipAccuracy(
        network=chips[0].network,
        method=method,
        encoding=", ".join(dict.fromkeys(chip.storage.cell.encoding for chip in chips)),
        stats=measured.stats,
        read=read,
    )


def _open_chips(
    paths: Sequence[str | Path], method: str, network: str | None
) -> tuple[list[ProgrammedChip], Carrier, list[Correction]]:
    """Read chips of one network, and attach corrections to it."""
    if not paths:
        raise ConfigError(
            "no chips; give the files that archsim deploy wrote", code=Code.EMPTY, field="chips"
        )
    first = ProgrammedChip.load(paths[0])
    chips = [first, *(ProgrammedChip.load(path, network=first.network) for path in paths[1:])]
    for path, chip in zip(paths, chips, strict=True):
        if chip.options != first.options:
            raise DataError(
                f"{path}: its '{chip.network}' has the options {dict(chip.options)}, that of "
                f"{paths[0]} {dict(first.options)}; give chips of one network",
                code=Code.CONFLICT,
                field=path,
                value=dict(chip.options),
            )
    check_is(network, first.network, paths[0])
    with saying([network]):
        check_said(first.network)
    model = load_module(first.network, first.options)
    carrier = make_carrier(model, graph_of_module(first.network, model))
    _load_chip(first, carrier.model, paths[0])
    block = resolve(tsb=tsb_preset_for(first.network)).tsb
    defaults = {"tsb": {"channels": block.channels, "depth": block.depth}}
    corrections = parse_corrections(method, defaults)
    attach_all(corrections, carrier)
    return chips, carrier, corrections


def _load_chip(chip: ProgrammedChip, model: nn.Module, path: str | Path) -> None:
    try:
        chip.load_into(model)
    except DataError as error:
        if chip.options:
            raise
        raise DataError(
            f"{path}: {error}. The file names no options of '{chip.network}': if the network had "
            "some, deploy it again, with --option",
            code=Code.SHAPE_MISMATCH,
            field=path,
            value=chip.network,
        ) from error
