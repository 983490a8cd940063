"""Measure a trained network: real numbers, fixed point, on chips, and repaired without labels.

Layers and chips stream: one model is there, into which the weights of one chip after the other are
written, tensor by tensor, as its cells hold them at once and after their drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from archsim.errors import Code, DataError
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights, stored_tensors
from tsb.checkpoint import check_finite
from tsb.data import Dataset, Split
from tsb.metric.base import TaskMetric
from tsb.pretrained.layers import input_codes, observe, product_layers, rounded_inputs
from tsb.pretrained.ranges.base import RangeRule
from tsb.pretrained.repair.apply import repaired, wanted_moments
from tsb.pretrained.repair.base import Repair
from tsb.program.chip_read import DRIFT_SEED, READ_SEED, Conditions
from tsb.program.storage import WeightStorage
from tsb.read_path.inputs import InputCodes
from tsb.write_verify.selective import Masks

#: Cells are read as they were written.
AT_ONCE = Conditions()
#: Told of each step in words.
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """How a network is rounded, programmed and repaired.

    Attributes:
        input_bits: of the code of an input; the bits of weights are those of the cells.
        signed_inputs: value of ``read.signed_inputs``.
        rule: of the ranges of inputs.
        repairs: without labels; none measures none.
        calibration: training items that ranges and repairs are taken from, spread over all.
        chips: programmed ones.
        seed: of the first; the others count up.
        batch: items at once; bounds memory.
        conditions: when and how cells are read; repairs are measured when the compensation of their
            drift is.
    """

    input_bits: int
    signed_inputs: str
    rule: RangeRule
    repairs: tuple[Repair, ...] = ()
    calibration: int = 128
    chips: int = 8
    seed: int = 0
    batch: int = 50
    conditions: Conditions = AT_ONCE


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What was measured, in the metric's own unit.

    Attributes:
        real: of the network as it was trained.
        fixed: of weights and inputs rounded to their codes.
        chips: of each chip, right after programming.
        drifted: of each chip after its drift; none without any.
        compensated: the same, outputs multiplied by its compensation; none without any.
        repaired: of each chip after that and the repairs; none without any.
        codes: of the inputs of each layer.
        unrounded: weights on crossbars of which the inputs are not rounded.
    """

    real: float
    fixed: float
    chips: tuple[float, ...]
    drifted: tuple[float, ...]
    compensated: tuple[float, ...]
    repaired: tuple[float, ...]
    codes: Mapping[str, InputCodes]
    unrounded: tuple[str, ...]


def measure(
    model: nn.Module,
    data: Dataset,
    metric: TaskMetric,
    storage: WeightStorage,
    verified: Masks,
    settings: MeasureSettings,
    progress: Progress = lambda _: None,
) -> Measured:
    """Measure a network.

    Args:
        model: of :func:`tsb.cells.programmable.programmable`; has its own weights again afterwards.
        data: fits the network.
        metric: of its task.
        storage: how weights lie on cells.
        verified: masks of the weights that are write-verified.
        settings: how.
        progress: told of every step.

    Raises:
        DataError: weights or outputs that are not finite, or a repair with nothing to act on.
    """
    model.eval()
    parameters = mapped_weights(model)
    trained = {name: weight.detach().clone() for name, weight in parameters.items()}
    check_finite(trained, "the network")
    layers = product_layers(model)
    _check_repairs(model, layers, settings)
    calibration = data.train.spread(settings.calibration).images

    def value(what: str) -> float:
        found = metric_of(model, data.test, metric, settings.batch, what)
        progress(f"{what}: {metric.facts.name} {found:.6g}")
        return found

    with _restored(model, trained), ExitStack() as rounding:
        real = value("real numbers")
        seen = observe(model, layers, calibration, settings.batch)
        codes = input_codes(
            seen, settings.rule, bits=settings.input_bits, signed_inputs=settings.signed_inputs
        )
        rounding.enter_context(rounded_inputs(layers, codes))
        bits = storage.cell.weight_format.magnitude_bits
        put(model, ((n, quantise(w, bits, storage.scaling)) for n, w in trained.items()))
        fixed = value("fixed point")
        matched = {name: layers[name] for name in codes}
        wanted = wanted_moments(model, matched, calibration) if settings.repairs else {}
        when = _times(settings.conditions)
        values: dict[str, list[float]] = {stage: [] for stage in (*when, "repaired")}
        for chip in range(settings.seed, settings.seed + settings.chips):

            def as_read(conditions: Conditions, chip: int = chip) -> None:
                put(model, _cells(trained, verified, storage, chip, conditions))

            for stage, conditions in when.items():
                as_read(conditions)
                values[stage].append(value(f"chip {chip}{_SAID[stage]}"))
            if settings.repairs:
                last = settings.conditions
                if last.drift is not None:
                    as_read(_when_calibrated(last))
                with repaired(model, layers, wanted, calibration, settings.repairs):
                    if last.drift is not None:
                        as_read(last)
                    values["repaired"].append(value(f"chip {chip} repaired"))
    found = {stage: tuple(each) for stage, each in values.items()}
    rounded = {id(layers[name].weight) for name in codes}
    return Measured(
        real=real,
        fixed=fixed,
        chips=found["programmed"],
        drifted=found.get("drifted", ()),
        compensated=found.get("compensated", ()),
        repaired=found["repaired"],
        codes=codes,
        unrounded=tuple(n for n, weight in parameters.items() if id(weight) not in rounded),
    )


#: What progress says of each stage of a chip.
_SAID = {"programmed": "", "drifted": " drifted", "compensated": " compensated"}


def _times(conditions: Conditions) -> dict[str, Conditions]:
    """Return under which conditions each stage without repairs is measured, in order."""
    drift = conditions.drift
    stages = {"programmed": Conditions(noisy=conditions.noisy)}
    if drift is not None:
        plain = replace(drift, compensation=None, measured_s=None)
        stages["drifted"] = replace(conditions, drift=plain)
        if drift.compensation is not None:
            stages["compensated"] = conditions
    return stages


def _when_calibrated(conditions: Conditions) -> Conditions:
    """Return the conditions of the calibration pass: the time at which factors are measured."""
    drift = conditions.drift
    if drift is None:
        return conditions
    if drift.calibrated_s <= drift.start_s:
        return Conditions(noisy=conditions.noisy)
    return replace(
        conditions,
        drift=replace(drift, time_s=drift.calibrated_s, measured_s=None),
        time_s=drift.calibrated_s,
    )


def _cells(
    trained: Mapping[str, Tensor],
    verified: Masks,
    storage: WeightStorage,
    seed: int,
    conditions: Conditions,
) -> Iterator[tuple[str, Tensor]]:
    """Program the chip of a seed and read it: the same cells whenever and however they are read.

    Exponents and reads are those of :class:`tsb.correction.used.ChipInUse`.
    """
    exponents = torch.Generator().manual_seed(seed ^ DRIFT_SEED)
    reads = torch.Generator().manual_seed(seed ^ READ_SEED)
    bits = storage.cell.weight_format.magnitude_bits
    for name, weight in storage.stream(trained, verified, torch.Generator().manual_seed(seed)):
        if conditions.ideal:
            yield name, weight
            continue
        wanted = {name: quantise(trained[name], bits, storage.scaling)}
        held = conditions.later({name: weight}, wanted, verified, storage, exponents)
        yield name, conditions.read(held, wanted, storage, reads)[name]


@torch.no_grad()
def put(model: nn.Module, weights: Iterator[tuple[str, Tensor]]) -> None:
    """Write weights into a network, one after the other.

    Args:
        model: of :func:`tsb.cells.programmable.programmable`.
        weights: names and values.
    """
    parameters = mapped_weights(model)
    for name, weight in weights:
        parameters[name].copy_(weight)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in stored_tensors(model, parameters).items():
        tensors[name].copy_(tensor)


@contextmanager
def _restored(model: nn.Module, trained: Mapping[str, Tensor]) -> Iterator[None]:
    """Give a network its own weights back, whatever happens inside."""
    try:
        yield
    finally:
        put(model, iter(trained.items()))


@torch.no_grad()
def metric_of(model: nn.Module, split: Split, metric: TaskMetric, batch: int, what: str) -> float:
    """Return a metric over a part of the data, batch by batch.

    Args:
        model: in evaluation mode.
        split: the part.
        metric: of the task.
        batch: items at once.
        what: is measured, for the message.

    Raises:
        DataError: a value that is not finite.
    """
    sums: Tensor | None = None
    for images, labels in zip(split.images.split(batch), split.labels.split(batch), strict=True):
        parts = metric.parts(model(images), labels).sum(0)
        sums = parts if sums is None else sums + parts
    found = float("nan") if sums is None else metric.value(sums)
    if not -float("inf") < found < float("inf"):
        raise DataError.of(
            Code.NOT_FINITE, f"{metric.facts.name}, {what}", found, problem="outputs of the network"
        )
    return found


def _check_repairs(
    model: nn.Module, layers: Mapping[str, nn.Module], settings: MeasureSettings
) -> None:
    """Refuse repairs with nothing to act on.

    Raises:
        DataError: names the repair.
    """
    for repair in settings.repairs:
        if not repair.parts(model, layers):
            raise DataError.of(
                Code.UNSUPPORTED,
                "repair (--repair)",
                repair.name,
                problem="the network has nothing that it acts on",
                allowed="another repair, or none",
            )
