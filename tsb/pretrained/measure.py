"""Measure a trained network: real numbers, fixed point, on chips, and repaired without labels.

Layers and chips stream: one model is there, into which the weights of one chip after the other are
written, tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

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
from tsb.program.storage import WeightStorage
from tsb.read_path.inputs import InputCodes
from tsb.write_verify.selective import Masks

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
    """

    input_bits: int
    signed_inputs: str
    rule: RangeRule
    repairs: tuple[Repair, ...] = ()
    calibration: int = 128
    chips: int = 8
    seed: int = 0
    batch: int = 50


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What was measured, in the metric's own unit.

    Attributes:
        real: of the network as it was trained.
        fixed: of weights and inputs rounded to their codes.
        chips: of each chip.
        repaired: of each chip after the repairs; none without any.
        codes: of the inputs of each layer.
        unrounded: weights on crossbars of which the inputs are not rounded.
    """

    real: float
    fixed: float
    chips: tuple[float, ...]
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
        plain, after = [], []
        for chip in range(settings.seed, settings.seed + settings.chips):
            source = torch.Generator().manual_seed(chip)
            put(model, storage.stream(trained, verified, source))
            plain.append(value(f"chip {chip}"))
            if settings.repairs:
                with repaired(model, layers, wanted, calibration, settings.repairs):
                    after.append(value(f"chip {chip} repaired"))
    rounded = {id(layers[name].weight) for name in codes}
    return Measured(
        real=real,
        fixed=fixed,
        chips=tuple(plain),
        repaired=tuple(after),
        codes=codes,
        unrounded=tuple(n for n, weight in parameters.items() if id(weight) not in rounded),
    )


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
