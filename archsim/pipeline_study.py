"""The third composition root: train and evaluate what a study compares.

study -> backbones -> chips -> corrections -> accuracy; and the same stages one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archsim._shadow import check_shadowing

check_shadowing()

import torch  # noqa: E402

from archsim.checks import last_seed_of, seed_of  # noqa: E402
from archsim.config.resolve import resolve, tsb_preset_for  # noqa: E402
from archsim.config.study import Study, load_study  # noqa: E402
from archsim.errors import ConfigError, DataError, close_matches  # noqa: E402
from archsim.network.load import load_module, load_network  # noqa: E402
from tsb.checkpoint import load_checkpoint  # noqa: E402
from tsb.chip import Chip, Placement, deploy  # noqa: E402
from tsb.compute_device import compute_device  # noqa: E402
from tsb.correction import (  # noqa: E402
    CorrectedChip,
    TuneSettings,
    make_carrier,
    parse_corrections,
    tune,
)
from tsb.correction.base import Carrier, Correction  # noqa: E402
from tsb.correction.corrected import attach_all, load_parameters, saved_method  # noqa: E402
from tsb.data import load_dataset  # noqa: E402
from tsb.monte_carlo import AccuracyStats, monte_carlo  # noqa: E402
from tsb.noise import WeightNoise  # noqa: E402
from tsb.study import StudyRun, open_run, run_study, summarise, with_choice  # noqa: E402
from tsb.study.run import News  # noqa: E402
from tsb.study.units import backbone_units  # noqa: E402
from tsb.weight_cells import CellModel  # noqa: E402

if TYPE_CHECKING:
    import pandas

#: Study of ``archsim train`` when none is named: runs on the data that come with archsim.
DEFAULT_STUDY = "tsb-lenet3"


def select_methods(study: Study, names: Sequence[str]) -> Study:
    """Return a study with only some of its methods; the baseline stays, for the gaps.

    Args:
        study: which.
        names: of its methods; none keeps all.

    Raises:
        ConfigError: an unknown name.
    """
    known = [method.name for method in study.methods]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--method '{name}'; study '{study.name}' has: {', '.join(known)}."
                + close_matches(name, known)
            )
    if not names:
        return study
    kept = {*names, study.baseline_name}
    methods = [method for method in study.methods if method.name in kept]
    used = {study.backbone_of(method) for method in methods}
    first = next(iter(study.backbones))
    backbones = {n: b for n, b in study.backbones.items() if n in used or n == first}
    return study.model_copy(update={"methods": methods, "backbones": backbones})


def train(
    study: str | Study = DEFAULT_STUDY,
    *,
    out: str | Path | None = None,
    methods: Sequence[str] = (),
    overrides: Iterable[str] = (),
    data_root: str | Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
    news: News | None = None,
) -> StudyRun:
    """Train, program, repair and evaluate everything in a study that its folder lacks.

    Args:
        study: preset name, YAML path, or the study itself.
        out: folder of the run; None is ``runs/NAME`` in the working directory.
        methods: restrict the study to these (and its baseline).
        overrides: ``path=value`` settings, e.g. ``study.chips=4``.
        data_root: where the data lie; None looks in the usual places and then downloads.
        jobs: processes; 1 on a GPU.
        device: where to compute: ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU if there is
            one. Not the device of the cells, which the study names.
        news: told of every epoch and unit.

    Raises:
        ArchsimError: whatever is wrong with study, data or folder.
    """
    compute_device(device, jobs=jobs)
    loaded = study if isinstance(study, Study) else load_study(study, overrides)
    chosen = select_methods(loaded, methods)
    run = open_run(out or Path("runs") / chosen.name, chosen)
    root = None if data_root is None else str(data_root)
    run_study(run, data_root=root, jobs=jobs, device=device, news=news)
    return run


def evaluate(
    run: str | Path, *, methods: Sequence[str] = (), max_verified: int | float | None = None
) -> pandas.DataFrame:
    """Return the table of a run: one row per method and sigma; accuracies are fractions.

    The column ``chosen`` marks, for each sigma, the method of the highest validation accuracy.

    Args:
        run: its folder.
        methods: only these; none for all.
        max_verified: choose among methods that write-verify at most this share of the network's
            weights, 0 to 1; None for no bound.

    Raises:
        ConfigError: a method that the run has not, or a share that no method keeps to.
        DataError: not a run, damaged, or nothing in it is finished.
    """
    opened = open_run(run)
    frame = summarise(opened.study, opened.folder)
    if frame.empty:
        raise DataError(f"{run}: no method is finished yet; archsim train goes on with it")
    known = list(dict.fromkeys(frame["method"]))
    for name in methods:
        if name not in known:
            raise ConfigError(
                f"--method '{name}'; the run has: {', '.join(known)}." + close_matches(name, known)
            )
    if methods:
        frame = frame[frame["method"].isin(methods)]
    return with_choice(frame, max_verified)


def learning_curves(run: str | Path) -> pandas.DataFrame:
    """Return all epochs of all backbones of a run: ``backbone, sigma, seed`` and the curve.

    Args:
        run: its folder.

    Raises:
        DataError: not a run.
    """
    import pandas as pd

    opened = open_run(run)
    rows = []
    for unit in backbone_units(opened.study):
        path = opened.folder / "backbones" / unit.folder / "curve.jsonl"
        if path.is_file():
            about = {"backbone": unit.backbone, "sigma": unit.sigma, "seed": unit.seed}
            lines = path.read_text(encoding="utf-8").splitlines()
            rows += [{**about, **json.loads(line)} for line in lines]
    return pd.DataFrame(rows)


def network_of(chip: str | Path) -> str:
    """Return the network of a chip's file.

    Args:
        chip: file of :func:`deploy_chips`.

    Raises:
        DataError: not a chip.
    """
    return Chip.load(chip).network


@dataclass(frozen=True, kw_only=True)
class ChipAccuracy:
    """Accuracy of single chips, with the corrections that were given."""

    network: str
    method: str
    stats: AccuracyStats


def deploy_chips(
    network: str,
    checkpoint: str | Path,
    out: str | Path,
    *,
    chips: int = 8,
    seed: int = 0,
    device: str = "rram",
    sigma: float | None = None,
    bits_per_cell: int = 2,
    weight_bits: int = 8,
    scaling: str = "tensor",
) -> list[Path]:
    """Program a trained network onto chips and save each: ``chip-SEED.safetensors``.

    Args:
        network: zoo name or ``package.module:function``.
        checkpoint: trained weights.
        out: folder, made if it is not there.
        chips: how many; their seeds count up from ``seed``.
        seed: of the first chip; that of the last is at most 2^32 - 1.
        device: preset.
        sigma: replaces the device's spread.
        bits_per_cell: K.
        weight_bits: M.
        scaling: what shares a full-scale conductance.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files.
    """
    if chips < 1:
        raise ConfigError(f"chips = {chips}; allowed: 1 or more")
    last_seed_of(seed, chips, what="chips")
    own = resolve(
        device=device, overrides=(f"chip.precision.bits_per_cell={bits_per_cell}",)
    ).device
    cell = CellModel.from_device(own, weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    placement = Placement(cell=cell if sigma is None else cell.but(sigma=sigma), scaling=scaling)
    model = load_module(network)
    load_checkpoint(checkpoint).load_into(model)
    folder = _made(Path(out))
    paths = []
    for own_seed in range(seed, seed + chips):
        path = folder / f"chip-{own_seed}.safetensors"
        deploy(model, placement, seed=own_seed, network=network).save(path)
        paths.append(path)
    return paths


def tune_chips(
    chips: Sequence[str | Path],
    method: str,
    out: str | Path,
    *,
    data: str,
    data_root: str | Path | None = None,
    verify: bool = True,
    steps: int = 300,
    learning_rate: float = 1e-2,
    sigma: float | None = None,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> list[Path]:
    """Train corrections for chips and save each: ``correction-SEED.safetensors``.

    Args:
        chips: files of :func:`deploy_chips`, of one network.
        method: corrections joined by ``+``.
        out: folder, made if it is not there.
        data: data set.
        data_root: where it lies.
        verify: whether what lies in cells will be write-verified.
        steps: of Adam.
        learning_rate: of the first step.
        sigma: noise of what lies in cells during training; None is that of its writing.
        seed: of images and noise, 0 to 2^32 - 1.
        progress: told of every step.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files; chips on which the loss became
            infinite, after the corrections of the others are saved.
    """
    seed_of(seed)
    if not method.strip():
        raise ConfigError("--method is empty; give corrections, for example tsb+biases")
    opened, carrier, corrections = _open_chips(chips, method)
    images = load_dataset(data, data_root)
    images.check_fits(carrier.model, opened[0].network)
    placement = opened[0].placement
    settings = TuneSettings(
        steps=steps,
        learning_rate=learning_rate,
        noise=WeightNoise(
            sigma=_written_sigma(placement.cell, verify) if sigma is None else sigma,
            weight_bits=placement.cell.weight_bits,
            bits_per_cell=placement.cell.bits_per_cell,
            scaling=placement.scaling,
        ),
        seed=seed,
    )
    found = tune(carrier, opened, corrections, images, settings, progress=progress)
    folder, paths = Path(out), []
    for chip, parameters, diverged in zip(opened, found.parameters, found.diverged, strict=True):
        if diverged:
            continue
        corrected = CorrectedChip(
            chip=chip,
            corrections=tuple(corrections),
            parameters=parameters,
            carrier=carrier,
            placement=placement,
            verify=verify,
        )
        path = _made(folder) / f"correction-{chip.seed}.safetensors"
        corrected.save(path, method=method)
        paths.append(path)
    _check_none_diverged(opened, found.diverged, learning_rate)
    return paths


def _check_none_diverged(
    chips: Sequence[Chip], diverged: Sequence[bool], learning_rate: float
) -> None:
    """Name the chips for which nothing was saved.

    Raises:
        ConfigError: there are some.
    """
    lost = [str(chip.seed) for chip, own in zip(chips, diverged, strict=True) if own]
    if lost:
        saved = "nothing was saved" if len(lost) == len(chips) else "only the others were saved"
        raise ConfigError(
            f"learning_rate = {learning_rate:g}: the loss became infinite on the chips of the "
            f"seeds {', '.join(lost)}; {saved}. Allowed: a smaller one"
        )


def evaluate_chips(
    chips: Sequence[str | Path],
    *,
    corrections: Sequence[str | Path] = (),
    data: str,
    data_root: str | Path | None = None,
    runs: int = 25,
    test_images: int | None = None,
    seed: int = 0,
) -> ChipAccuracy:
    """Measure chips on the test split; the corrections in cells are written anew in every run.

    Args:
        chips: files of :func:`deploy_chips`.
        corrections: files of :func:`tune_chips`, one per chip in the same order; or none.
        data: data set.
        data_root: where it lies.
        runs: how often corrections are written; without any in cells a chip is measured once.
        test_images: None takes all.
        seed: of the writing, 0 to 2^32 - 1.

    Raises:
        ArchsimError: whatever is wrong with names, numbers or files.
    """
    seed_of(seed)
    if corrections and len(corrections) != len(chips):
        raise ConfigError(
            f"{len(corrections)} corrections for {len(chips)} chips; allowed: none, or one per chip"
        )
    method, verify = saved_method(corrections[0]) if corrections else ("", False)
    opened, carrier, parsed = _open_chips(chips, method)
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
            placement=chip.placement,
            verify=verify,
        )
        for index, chip in enumerate(opened)
    ]
    following = iter(repaired)
    found = monte_carlo(
        carrier.model,
        lambda _: next(following).draw,
        test.images,
        test.labels,
        chips=len(repaired),
        runs=runs if repaired[0].written else 1,
        generator=torch.Generator().manual_seed(seed),
    )
    return ChipAccuracy(network=opened[0].network, method=method, stats=found.stats)


def _open_chips(
    paths: Sequence[str | Path], method: str
) -> tuple[list[Chip], Carrier, list[Correction]]:
    """Read chips of one network, and attach corrections to it."""
    if not paths:
        raise ConfigError("no chips; give the files that archsim deploy wrote")
    first = Chip.load(paths[0])
    chips = [first, *(Chip.load(path, network=first.network) for path in paths[1:])]
    model = load_module(first.network)
    first.load_into(model)
    carrier = make_carrier(model, load_network(first.network))
    block = resolve(tsb=tsb_preset_for(first.network)).tsb
    defaults = {"tsb": {"channels": block.channels, "depth": block.depth}}
    corrections = parse_corrections(method, defaults)
    attach_all(corrections, carrier)
    return chips, carrier, corrections


def _written_sigma(cell: CellModel, verify: bool) -> float:
    sigmas = cell.law().residual_sigma if verify else cell.class_sigmas()
    return float(sigmas.square().mean().sqrt())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror or error}") from error
    return folder
