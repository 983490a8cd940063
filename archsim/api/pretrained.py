"""A network that is trained already, on chips, without training.

checkpoint -> ranges of inputs -> rounded -> programmed -> repaired without labels -> metric
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from archsim.api.drift import check_drift, compensation_price, conditions_of, drift_notes
from archsim.api.trained import trained_network, usual_data, write_masks_of
from archsim.config.overrides import Overrides, as_overrides
from archsim.config.resolve import DEFAULT_CHIP, Resolved, resolve, tsb_preset_for
from archsim.device import CellSpec
from archsim.errors import Code, ConfigError
from archsim.network.load import load_module
from archsim.network.own_code import is_code
from archsim.results.network_accuracy import LayerInputs, NetworkAccuracy, StageValue
from archsim.results.task_metric import MetricFacts
from archsim.util.checks import last_seed_of, whole_number
from tsb.cells.programmable import programmable
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import tensors_hash
from tsb.data import Dataset, load_dataset
from tsb.metric.registry import metric_named
from tsb.monte_carlo.statistics import interval95
from tsb.pretrained.measure import Measured, MeasureSettings, measure
from tsb.pretrained.ranges.registry import range_rule
from tsb.pretrained.repair.base import Repair
from tsb.pretrained.repair.registry import repairs_named
from tsb.program.compensation.registry import NONE
from tsb.program.storage import WeightStorage
from tsb.write_verify.policy.text import parse_choice

#: Training items behind ranges and repairs; items at once; where nobody says.
CALIBRATION, BATCH = 128, 50
_HASH_DIGITS = 16


def evaluate_network(
    network: str,
    checkpoint: str | Path | None = None,
    *,
    data: str | None = None,
    data_root: str | Path | None = None,
    metric: str | None = None,
    metric_direction: str | None = None,
    chip: str = DEFAULT_CHIP,
    overrides: Overrides = (),
    chips: int = 8,
    seed: int = 0,
    sigma: float | None = None,
    encoding: str | None = None,
    scaling: str = "tensor",
    write: str = "none",
    ranges: str = "max",
    percentile: float | None = None,
    repair: str = "none",
    read_after_s: float | None = None,
    read_noise: bool = False,
    compensation: str = "none",
    calibrated_after_s: float | None = None,
    calibration: int = CALIBRATION,
    test_images: int | None = None,
    batch: int = BATCH,
    options: Mapping[str, object] | None = None,
    progress: Callable[[str], None] | None = None,
) -> NetworkAccuracy:
    """Measure a trained network as it is, rounded, on chips, and repaired; nothing is trained.

    Layers and chips stream: memory is that of two copies of the weights, of the cells of one layer,
    and of a batch. The read path is off: see :func:`archsim.read` for converters and wires.

    Args:
        network: zoo name, ``timm:NAME`` or ``package.module:function``, which is called.
        checkpoint: trained weights, safetensors; None takes those that the function gives.
        data: data set, or data of the user, whose function is called; None: the network's usual.
        data_root: where it lies.
        metric: of the task (``archsim list task-metrics``), or ``module:function``, which is
            called; None: top-1, and mean squared error where targets are values.
        metric_direction: ``higher`` or ``lower``, of a function that does not say it.
        chip: chip preset or YAML path.
        overrides: ``path=value`` settings, e.g. ``chip.precision.input_bits=6``.
        chips: programmed ones.
        seed: of the first chip, 0 to 2^32 - 1; the others count up.
        sigma: replaces the device's spread; relative to the range of conductance.
        encoding: of weights on cells; None: as the chip stores them, but magnitude for offset.
        scaling: what shares a full-scale conductance: ``tensor`` or ``column``.
        write: which weights are write-verified: a policy that needs no data, e.g. ``all``.
        ranges: rule of the ranges of inputs: ``archsim list range-rules``.
        percentile: of the rule ``percentile``, per cent.
        repair: without labels, joined by ``+``: ``archsim list repairs``; ``none``.
        read_after_s: time from programming to the reads, s: cells drift; None: at once.
        read_noise: cells are read once, with the device's read noise.
        compensation: of drift: ``archsim list compensations``; ``none``.
        calibrated_after_s: when compensation and repairs are measured, s; None: at the reads.
        calibration: training items behind ranges and repairs, spread over the part.
        test_images: items of the test part, spread over it; None takes all.
        batch: items at once.
        options: of the network; they come before those that the checkpoint names.
        progress: told of every step.

    Raises:
        ArchsimError: whatever is wrong with names, settings, files or data.
    """
    for name, count in (("chips", chips), ("calibration", calibration), ("batch", batch)):
        whole_number(f"{name} (--{name})", count, 1)
    if test_images is not None:
        whole_number("test_images (--test-images)", test_images, 1)
    last_seed_of(seed, chips, what="chips")
    choice, rule = parse_choice(write, field="write (--write)"), range_rule(ranges, percentile)
    repairs = repairs_named(repair)
    check_drift(read_after_s, compensation, calibrated_after_s, repairs=bool(repairs))
    resolved = resolve(chip=chip, tsb=tsb_preset_for(network), overrides=as_overrides(overrides))
    spec = CellSpec.of_chip(resolved, encoding=encoding, sigma_of_range=sigma)
    storage = WeightStorage(
        cell=CellModel.of(spec, verifiable=choice.policy.verifies), scaling=scaling
    )
    if checkpoint is None:
        if not is_code(network):
            raise ConfigError.of(
                Code.MISSING_KEY,
                "--checkpoint",
                network,
                problem="a built-in network has no trained weights of its own",
                allowed="a file of weights, or a MODULE:FUNCTION that gives a trained network",
            )
        model = load_module(network, options)
    else:
        model, _ = trained_network(network, checkpoint, options or {})
    model = model.eval()
    most = {} if test_images is None else {"test": test_images}
    dataset = load_dataset(data or usual_data(network), data_root, most=most)
    dataset.check_fits(model, network)
    task = metric_named(metric, dataset, metric_direction)
    found = programmable(
        model,
        network=network,
        image_shape=dataset.image_shape,
        input_dtype=None if dataset.test.images.is_floating_point() else "int64",
    )
    if test_images is not None:
        dataset = dataset.with_test(test_images)
    with torch.no_grad():
        first = dataset.test.images[:1]
        task.check_fits(found.model(first), dataset.test.labels[:1])
    measured = measure(
        found.model,
        dataset,
        task,
        storage,
        write_masks_of(choice, found.model, storage, seed),
        MeasureSettings(
            input_bits=resolved.chip.precision.input_bits,
            signed_inputs=resolved.chip.read.signed_inputs,
            rule=rule,
            repairs=repairs,
            calibration=calibration,
            chips=chips,
            seed=seed,
            batch=batch,
            conditions=conditions_of(
                resolved.device, read_after_s, read_noise, compensation, calibrated_after_s
            ),
        ),
        progress or (lambda _: None),
    )
    stages = _stages(measured, task.facts)
    price, unpriced = compensation_price(compensation, found, resolved)
    result = NetworkAccuracy(
        network=network,
        checkpoint_hash=tensors_hash(found.model.state_dict())[:_HASH_DIGITS],
        data=dataset.name,
        data_note=dataset.note,
        metric=task.facts,
        items=len(dataset.test),
        calibration=min(calibration, len(dataset.train)),
        stages=stages,
        better=None,
        ranges=ranges if percentile is None else f"{ranges} {percentile:g}",
        scaling=scaling,
        repair="" if not repairs else repair,
        read_after_s=read_after_s,
        read_noise=read_noise,
        compensation="" if compensation == NONE else compensation,
        calibrated_after_s=calibrated_after_s,
        price=price,
        write=write,
        encoding=spec.encoding,
        sigma=spec.sigma_of_range,
        seed=seed,
        weights=sum(weight.numel() for weight in mapped_weights(found.model).values()),
        layers=_layers(measured),
        notes=(
            *_notes(measured, repairs, dataset, resolved),
            *drift_notes(resolved.device, read_after_s, compensation, unpriced),
        ),
        resolved=resolved,
    )
    return replace(result, better=_better(result))


def _stages(measured: Measured, facts: MetricFacts) -> tuple[StageValue, ...]:
    """Return all stages with their intervals."""
    stages = [
        StageValue(stage=name, mean=value, worst=value, lost=facts.lost(measured.real, value))
        for name, value in (("float", measured.real), ("fixed-point", measured.fixed))
    ]
    for name, values in (
        ("programmed", measured.chips),
        ("drifted", measured.drifted),
        ("compensated", measured.compensated),
        ("repaired", measured.repaired),
    ):
        if not values:
            continue
        table = torch.tensor(values, dtype=torch.float64)
        low, high = facts.possible(interval95(table)) or (None, None)
        mean = float(table.mean())
        stages.append(
            StageValue(
                stage=name,
                mean=mean,
                ci95_low=low,
                ci95_high=high,
                std_chip=float(table.std()) if len(values) > 1 else None,
                worst=min(values) if facts.direction == "higher" else max(values),
                lost=facts.lost(measured.real, mean),
                chips=len(values),
                by_chip=values,
            )
        )
    return tuple(stages)


def _better(result: NetworkAccuracy) -> str | None:
    """Return the stage with the best mean of those that there is a choice of; None for one."""
    best, *others = result.options
    if not others:
        return None
    for stage in others:
        if result.metric.is_better(stage.mean, best.mean):
            best = stage
    return best.stage


def _layers(measured: Measured) -> tuple[LayerInputs, ...]:
    return tuple(
        LayerInputs(
            layer=name,
            low=codes.ends[0] * codes.step,
            high=codes.ends[1] * codes.step,
            step=codes.step,
            signed=codes.signed,
        )
        for name, codes in measured.codes.items()
    )


def _notes(
    measured: Measured, repairs: Sequence[Repair], data: Dataset, resolved: Resolved
) -> tuple[str, ...]:
    """Return what the numbers leave out."""
    notes = [
        "The read path is off: no converters, rows read at once or wires (archsim read has them); "
        f"inputs are rounded to {resolved.chip.precision.input_bits} bits."
    ]
    notes += [f"Repair {repair.name} needs {repair.needs}." for repair in repairs]
    if measured.unrounded:
        names = ", ".join(measured.unrounded[:3]) + (", ..." if len(measured.unrounded) > 3 else "")
        notes.append(
            f"Inputs of {len(measured.unrounded)} matrices are not rounded and their outputs not "
            f"repaired, as no module of their own multiplies them: {names}."
        )
    if data.note:
        notes.append(f"Data: {data.note}.")
    return tuple(notes)
