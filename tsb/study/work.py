"""Compute one unit of a study, in whatever process: nothing here depends on another unit's run."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archsim.config.study import Method, Study
from archsim.errors import Code, ConfigError
from archsim.util.atomic_write import write_whole
from tsb.cells.quantize import quantised_weights
from tsb.cells.stored import mapped_weights, stored_network
from tsb.checkpoint import load_checkpoint
from tsb.compute_device import CPU, describe
from tsb.correction import CorrectedChip, make_carrier, tune
from tsb.correction.base import Carrier, Correction
from tsb.correction.corrected import attach_all
from tsb.correction.exact import ExactReader
from tsb.correction.tune import TuneResult
from tsb.correction.used import ChipInUse
from tsb.data import Dataset, Split, load_dataset
from tsb.data.load import check_data_said
from tsb.monte_carlo import alike_chips, monte_carlo
from tsb.monte_carlo.evaluate import Draw, MonteCarloResult
from tsb.program.chip import ProgrammedChip, deploy_all
from tsb.program.storage import WeightStorage
from tsb.study.about import provenance
from tsb.study.conditions import conditions_of
from tsb.study.corrections import corrections_of
from tsb.study.effort import effort
from tsb.study.estimate import STEP_OVER_FORWARD
from tsb.study.network import graph_of, module_of, network_macs
from tsb.study.programming import cell_model, cell_spec, write_masks
from tsb.study.read_path import RowsOf, exact_reader
from tsb.study.units import (
    DATA_HASH,
    BackboneUnit,
    MethodUnit,
    backbone_settings,
    backbone_unit,
    backend_of,
    chip_seeds,
    method_settings,
    train_settings,
    tune_settings,
)
from tsb.train.loop import Progress, train_backbone
from tsb.train.objective.registry import objective_named

RESULT = "result.json"
#: What :func:`method_unit` does, in order.
PHASES = ("program", "repair", "evaluate")


@lru_cache(maxsize=2)
def _dataset(name: str, data_root: str | None) -> Dataset:
    return load_dataset(name, data_root)


def dataset_of(study: Study, data_root: str | None) -> Dataset:
    """Return the data of a study, cut to its numbers of images; read and cut once per process.

    Args:
        study: which.
        data_root: where the files are.

    Raises:
        ConfigError: they are code of the user, and only the study names it.
        DataError: they are missing, damaged or of another data set.
    """
    check_data_said(study.data)
    counts = (study.train_images, study.validation_images, study.test_images)
    return _cut(study.data, data_root, counts)


@lru_cache(maxsize=2)
def _cut(
    name: str, data_root: str | None, counts: tuple[int | None, int | None, int | None]
) -> Dataset:
    data = _dataset(name, data_root)

    def part(split: Split, most: int | None) -> Split:
        return split if most is None else split.spread(most)

    train, validation, test = counts
    return Dataset(
        name=data.name,
        train=part(data.train, train),
        validation=part(data.validation, validation),
        test=part(data.test, test),
        num_classes=data.num_classes,
        note=data.note,
    )


def train_unit(
    study: Study,
    unit: BackboneUnit,
    folder: Path,
    data_root: str | None,
    progress: Progress | None = None,
    *,
    device: torch.device = CPU,
) -> None:
    """Train a backbone, or go on with it, and write its ``result.json``.

    Args:
        study: which.
        unit: which training.
        folder: of the run.
        data_root: where the data are.
        progress: told of every epoch.
        device: where to train; the initial weights are the same everywhere.

    Raises:
        ConfigError: the training diverged before its first epoch was over.
    """
    place = folder / "backbones" / unit.folder
    stored = dataset_of(study, data_root)
    data = stored.to(device)
    torch.manual_seed(unit.seed)
    model = module_of(study).to(device)
    settings = train_settings(study, unit)
    begin = time.perf_counter()
    result = train_backbone(
        model,
        data,
        settings,
        network=study.network,
        options=study.options,
        run_folder=place,
        progress=progress,
        graph=graph_of(study),
    )
    if not result.best_epoch:
        # Nothing in it is worth going on with: other settings may use the folder.
        shutil.rmtree(place, ignore_errors=True)
        raise ConfigError(
            f"backbone '{unit.folder}': the loss was not finite in the first epoch; allowed: a "
            f"smaller learning_rate than {settings.learning_rate:g}",
            code=Code.NOT_FINITE,
            field=f"backbone '{unit.folder}'",
            allowed=f"a smaller learning_rate than {settings.learning_rate:g}",
        )
    model = stored_network(model, graph_of(study))
    clean = monte_carlo(
        model,
        alike_chips(lambda _: _rounded(model, study, settings.noise.scaling)),
        data.test.images,
        data.test.labels,
        chips=1,
        generator=torch.Generator(),
        backend=backend_of(study, unit.backbone, device),
    )
    epochs = len(result.curve)
    images = epochs * (len(data.train) // settings.batch_size) * settings.batch_size
    _write_json(
        place / RESULT,
        {
            "backbone": unit.backbone,
            "sigma": unit.sigma,
            "seed": unit.seed,
            "clean_accuracy": float(clean.accuracy.mean()),
            "validation_accuracy": result.curve[result.best_epoch - 1].noisy_accuracy,
            "best_epoch": result.best_epoch,
            "epochs": epochs,
            "of_epochs": settings.epochs,
            "stopped": result.stopped,
            "seconds": time.perf_counter() - begin,
            "training_macs": STEP_OVER_FORWARD
            * objective_named(settings.objective).forward_passes
            * images
            * network_macs(study),
            "test_images": len(data.test),
            **provenance(),
            "computed_on": describe(device),
            "backend": clean.backend,
            "settings": backbone_settings(study, unit) | _content(stored),
        },
    )


def _content(data: Dataset) -> dict[str, Any]:  # the images, whatever the name of their data set
    return {DATA_HASH: data.content_hashes}


def _rounded(model: nn.Module, study: Study, scaling: str) -> dict[str, torch.Tensor]:
    weights = {name: weight.detach() for name, weight in mapped_weights(model).items()}
    form = cell_spec(study, 0.0).weight_format
    return quantised_weights(weights, form.magnitude_bits, scaling)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def method_unit(
    study: Study,
    unit: MethodUnit,
    folder: Path,
    data_root: str | None,
    *,
    rows_of: RowsOf | None = None,
    device: torch.device = CPU,
    reached: Callable[[str], None] = lambda _: None,
) -> None:
    """Program the chips of a backbone, train the method's corrections, evaluate, write the result.

    The chips are programmed on the CPU: the same ones whatever the device.

    Args:
        study: which.
        unit: which method.
        folder: of the run; the backbone has been trained.
        data_root: where the data are.
        rows_of: rows that a study's chip reads together, as mapped; for studies with a read path.
        device: where chips are tuned and evaluated.
        reached: told of each of :data:`PHASES` when it is over.
    """
    method = next(candidate for candidate in study.methods if candidate.name == unit.method)
    training = backbone_unit(study, method, unit.sigma, unit.seed)
    stored = dataset_of(study, data_root)
    data = stored.to(device)
    model = module_of(study)
    load_checkpoint(folder / "backbones" / training.folder / "best.safetensors").load_into(model)
    model = stored_network(model, graph_of(study))
    cell = cell_model(study, unit.sigma)
    storage = WeightStorage(
        cell=cell, scaling=study.backbones[training.backbone].scaling, copies=method.copies
    )
    masks = write_masks(study, method, model, storage, data, unit.seed, device=device)
    seeds = chip_seeds(study, unit.seed)
    programmed = deploy_all(
        model, storage, seeds, network=study.network, options=study.options, verified=masks
    )
    reached("program")
    chips = [chip.to(device) for chip in programmed]
    carrier = make_carrier(model.to(device), graph_of(study), rule=study.insertion)
    corrections = corrections_of(study, method)
    attach_all(corrections, carrier)
    settings = tune_settings(
        study,
        method,
        written_sigma=cell.written_sigma(verify=method.verify),
        scaling=storage.scaling,
        seed=unit.seed,
    )
    reader = None
    if study.read_path != "off":
        reader = exact_reader(study, unit, carrier, programmed[0], stored, rows_of)
    read = None
    if reader is not None and study.tuning.reads:
        own = WeightStorage(cell=cell, scaling=storage.scaling)
        read = reader.tuning(programmed, masks, own, verify=method.verify)
    tuned = tune(carrier, chips, corrections, data, settings, read=read)
    reached("repair")
    place = folder / "methods" / unit.folder
    place.mkdir(parents=True, exist_ok=True)
    corrected = _corrected(chips, carrier, corrections, tuned, storage, method)
    for chip, corrected_chip in zip(chips, corrected, strict=True):
        if corrected_chip.parameters:
            corrected_chip.save(
                place / f"correction-{chip.seed}.safetensors", method=method.corrections
            )
    used = [
        ChipInUse(corrected=corrected_chip, verified=masks, conditions=conditions_of(study))
        for corrected_chip in corrected
    ]
    backend = backend_of(study, training.backbone, device)
    measured = _evaluate(study, unit, used, data, backend, reader)
    _write_json(
        place / RESULT,
        {
            "method": unit.method,
            "sigma": unit.sigma,
            "seed": unit.seed,
            "backbone": training.folder,
            "accuracy": measured.accuracy.tolist(),
            "images": study.images_per_run or len(data.test),
            **_validated(study, unit, used, data, backend, reader),
            **({} if reader is None else {"read_path": reader.about()}),
            **effort(study, method, corrected[0], tuned),
            **provenance(),
            "computed_on": describe(device),
            "backend": measured.backend,
            "settings": method_settings(study, unit) | _content(stored),
        },
    )
    reached("evaluate")


def _corrected(
    chips: list[ProgrammedChip],
    carrier: Carrier,
    corrections: list[Correction],
    tuned: TuneResult,
    storage: WeightStorage,
    method: Method,
) -> list[CorrectedChip]:
    own_storage = WeightStorage(cell=storage.cell, scaling=storage.scaling)
    return [
        CorrectedChip(
            chip=chip,
            corrections=tuple(corrections),
            parameters=parameters,
            carrier=carrier,
            storage=own_storage,
            verify=method.verify,
        )
        for chip, parameters in zip(chips, tuned.parameters, strict=True)
    ]


def _evaluate(
    study: Study,
    unit: MethodUnit,
    used: list[ChipInUse],
    data: Dataset,
    backend: str,
    reader: ExactReader | None,
) -> MonteCarloResult:
    """Measure every chip and run; one run where nothing is drawn again."""
    again = bool(used[0].corrected.written) or study.read_noise
    if reader is not None:
        return reader.measure(
            used,
            data.test.images.cpu(),
            data.test.labels.cpu(),
            runs=study.runs if again or study.images_per_run else 1,
            seed=unit.seed,
            images_per_run=study.images_per_run,
        )
    return monte_carlo(
        used[0].corrected.carrier.model,
        _in_turn(used),
        data.test.images,
        data.test.labels,
        chips=len(used),
        runs=study.runs if again or study.images_per_run else 1,
        generator=torch.Generator().manual_seed(unit.seed),
        images_per_instance=study.images_per_run,
        # The same images for the same run of the same chip, whatever the method writes.
        image_generator=torch.Generator().manual_seed(unit.seed),
        backend=backend,
    )


def _validated(
    study: Study,
    unit: MethodUnit,
    used: list[ChipInUse],
    data: Dataset,
    backend: str,
    reader: ExactReader | None,
) -> dict[str, Any]:
    """Return what methods may be chosen by: accuracy on validation images, by chip and by image."""
    split = data.validation.spread(study.tuning.validation_images)
    if reader is None:
        evaluation = monte_carlo(
            used[0].corrected.carrier.model,
            _in_turn(used),
            split.images,
            split.labels,
            chips=len(used),
            generator=torch.Generator().manual_seed(unit.seed),
            backend=backend,
        )
    else:
        evaluation = reader.measure(
            used, split.images.cpu(), split.labels.cpu(), runs=1, seed=unit.seed
        )
    by_image = () if evaluation.right is None else evaluation.right.tolist()
    return {
        "validation_accuracy": float(evaluation.accuracy.mean()),
        "validation_by_chip": evaluation.accuracy.mean(1).tolist(),
        # How many of the chips classify each image correctly.
        "validation_right": list(by_image),
    }


def _in_turn(used: list[ChipInUse]) -> Callable[[torch.Generator], Draw]:
    """Return what gives one chip after the other."""
    following = count()

    def next_chip(generator: torch.Generator) -> Draw:
        del generator
        return used[next(following)].runs()

    return next_chip
