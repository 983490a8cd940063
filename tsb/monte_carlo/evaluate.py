"""Accuracy of a network over many chips, each programmed several times.

Instances are drawn one by one in a fixed order from one generator, chip by chip, and then evaluated
in chunks: the same seed gives the same result whatever the chunks and the back end (but for ties
between class scores, which float32 may break either way).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, DataError, NetworkError
from tsb.monte_carlo.compiled import CompiledNetwork
from tsb.monte_carlo.lanes import LANES
from tsb.monte_carlo.scores import (
    SHARED_IMAGE_DIMS,
    Images,
    Instances,
    Scores,
    batched_bf16_scores,
    batched_scores,
    check_instances,
    loop_scores,
)
from tsb.monte_carlo.statistics import AccuracyStats, AccuracyTable, accuracy_stats

#: Draws the programmed tensors of one run.
Draw = Callable[[torch.Generator], Mapping[str, Tensor]]
#: Draws what stays the same on one chip and returns how its runs are drawn.
DrawChip = Callable[[torch.Generator], Draw]
Backend = Callable[[nn.Module, Instances, Images], Scores]

BACKENDS = ("auto", "loop", "batched", "batched-bf16", "compiled")
#: Images per call: what is fastest (loop, batched), or does not matter (compiled).
_IMAGES_AT_ONCE = {"loop": 100, "batched": 100, "batched-bf16": 100, "compiled": 5000}
#: Largest network that ``auto`` compiles: with 16 instances its weights fill a cache of 20 MB, and
#: the loop has caught up (LeNet-3 with 128 and 256 channels, 420 000 weights: 1.1 times its speed).
COMPILED_WEIGHTS = 300_000
#: Chips between two looks at the interval: one vector of the compiled back end.
_CHIPS_PER_LOOK = LANES


class Chosen(NamedTuple):
    """A back end, its name, and why it is not the compiled one ('' if it is, or was asked for)."""

    name: str
    scores: Backend
    note: str


@dataclass(frozen=True, eq=False)
class MonteCarloResult:
    """Accuracies of all instances, ``chip run``, and how they were computed.

    Attributes:
        accuracy: fraction of images classified correctly.
        images: per instance.
        backend: name of the back end.
        note: why it is not the compiled one, "" if it is or was asked for.
        right: number of instances that classify each image correctly; None where instances have
            images of their own.
    """

    accuracy: AccuracyTable
    images: int
    backend: str
    note: str
    right: Int[Tensor, " image"] | None = None

    @property
    def stats(self) -> AccuracyStats:
        """Mean, variance components and interval."""
        return accuracy_stats(self.accuracy, images=self.images)


def alike_chips(draw: Draw) -> DrawChip:
    """Return chips that share nothing: every run is drawn anew, so use one run per chip.

    Args:
        draw: draws one instance.
    """
    return lambda generator: draw


def choose_backend(
    model: nn.Module, images: Float[Tensor, "image channel height width"], backend: str = "auto"
) -> Chosen:
    """Return a back end; ``auto``: compiled where it is faster, else a loop, batched on a GPU.

    ``batched-bf16`` is for GPUs with tensor cores: scores are near those of the others, not equal.

    Args:
        model: the network.
        images: a batch of the images to come.
        backend: one of :data:`BACKENDS`.

    Raises:
        ConfigError: an unknown name.
        NetworkError: ``compiled`` was asked for and is not possible; the message says why.
    """
    if backend not in BACKENDS:
        raise ConfigError.of(Code.UNKNOWN_NAME, "backend", backend, allowed=BACKENDS)
    general: dict[str, Backend] = {
        "loop": loop_scores,
        "batched": batched_scores,
        "batched-bf16": batched_bf16_scores,
    }
    if backend in general:
        return Chosen(backend, general[backend], "")
    try:
        if images.device.type != "cpu" or images.dtype != torch.float32:
            raise NetworkError(
                "the compiled back end is for float32 on a CPU",
                code=Code.UNSUPPORTED,
                field="backend",
                value="compiled",
            )
        network = CompiledNetwork(model, _shape(images))
        if backend == "auto" and network.weight_count > COMPILED_WEIGHTS:
            raise NetworkError(
                f"{network.weight_count} weights: above {COMPILED_WEIGHTS} the compiled back end "
                "is no faster",
                code=Code.UNSUPPORTED,
                field="backend",
                value="compiled",
            )
        return Chosen("compiled", network, "")
    except NetworkError as error:
        if backend == "compiled":
            raise
        name = "loop" if images.device.type == "cpu" else "batched"
        return Chosen(name, general[name], str(error))


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one intra-op thread inside: maps are small, and workers run side by side.

    Two threads on a busy machine with two cores were ten times slower than one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _shape(images: Tensor) -> tuple[int, int, int]:
    channels, height, width = images.shape[-3:]
    return channels, height, width


def right_answers(
    model: nn.Module,
    weights: Instances,
    images: Images,
    labels: Int[Tensor, "*sample image"],
    *,
    chosen: Chosen,
    images_at_once: int | None = None,
) -> Bool[Tensor, "sample image"]:
    """Say which images each instance classifies correctly.

    Args:
        model: the network, in evaluation mode.
        weights: instances along a leading ``sample`` axis, by parameter name.
        images: shared, or one set per instance.
        labels: classes; ``image``, or ``sample image`` for own images.
        chosen: the back end.
        images_at_once: cuts the images into batches; None chooses by back end.

    Raises:
        DataError: names or shapes that are not those of the model.
    """
    size = images_at_once or _IMAGES_AT_ONCE[chosen.name]
    check_instances(model, weights)
    parts = torch.split(images, size, -SHARED_IMAGE_DIMS), torch.split(labels, size, -1)
    right = [
        chosen.scores(model, weights, part).argmax(-1) == answers
        for part, answers in zip(*parts, strict=True)
    ]
    return torch.cat(right, -1)


def monte_carlo(
    model: nn.Module,
    draw_chip: DrawChip,
    images: Float[Tensor, "image channel height width"],
    labels: Int[Tensor, " image"],
    *,
    chips: int,
    runs: int = 1,
    generator: torch.Generator,
    backend: str = "auto",
    images_per_instance: int | None = None,
    image_generator: torch.Generator | None = None,
    half_width: float | None = None,
    instances_at_once: int = LANES,
    images_at_once: int | None = None,
) -> MonteCarloResult:
    """Measure accuracy over chips and runs.

    Memory is that of ``instances_at_once`` instances on ``images_at_once`` images (for the loop:
    one instance); ``instances_at_once`` below 16 leaves lanes of the compiled back end empty. One
    intra-op thread is used; for more cores, start more processes.

    Args:
        model: the network, in evaluation mode; tensors that are not drawn stay as they are.
        draw_chip: called once per chip, what it returns once per run; the tensors replace the
            parameters and buffers of their names.
        images: test images.
        labels: their classes.
        chips: number of chips; the most there are if ``half_width`` is given.
        runs: runs per chip.
        generator: source of all randomness; common random numbers are a common seed.
        backend: one of :data:`BACKENDS`.
        images_per_instance: give each instance its own random images, without repetition; the
            spread then contains that of the images.
        image_generator: source of these images, so that they do not depend on what is drawn for the
            cells; None takes ``generator``.
        half_width: stop, after a multiple of 16 chips, when the 95 % interval is that narrow (a
            fraction; looking repeatedly makes the coverage slightly less than 95 %).
        instances_at_once: instances per chunk.
        images_at_once: images per batch; None chooses by back end.

    Raises:
        ConfigError: a number out of range, a model in training mode, or an unknown back end.
        DataError: tensors of the wrong name or shape, or with entries that are not finite.
        NetworkError: the compiled back end was asked for and cannot do this network.
    """
    count = images.shape[0]
    _check(model, chips, runs, instances_at_once, images_per_instance, images)
    chosen = choose_backend(model, images, backend)
    stream = _instances(
        draw_chip, runs, generator, count, images_per_instance, image_generator or generator
    )
    correct: list[Tensor] = []
    by_image = None
    if images_per_instance is None:
        by_image = torch.zeros(count, dtype=torch.long, device=images.device)
    while len(correct) < chips * runs:
        look = min(_CHIPS_PER_LOOK if half_width else chips, chips - len(correct) // runs)
        wanted = look * runs
        while wanted:
            chunk = list(islice(stream, min(instances_at_once, wanted)))
            wanted -= len(chunk)
            weights = {name: torch.stack([w[name] for w, _ in chunk]) for name in chunk[0][0]}
            subset = torch.stack([indices for _, indices in chunk]) if images_per_instance else ...
            with one_thread():
                answered_right = right_answers(
                    model,
                    weights,
                    images[subset],
                    labels[subset],
                    chosen=chosen,
                    images_at_once=images_at_once,
                )
            correct += answered_right.sum(-1).unbind()
            if by_image is not None:
                by_image += answered_right.sum(0)
        used = images_per_instance or count
        table = (torch.stack(correct).double() / used).view(-1, runs).cpu()
        if half_width and accuracy_stats(table, images=used).half_width <= half_width:
            break
    right = None if by_image is None else by_image.cpu()
    return MonteCarloResult(table, used, chosen.name, chosen.note, right)


def _instances(
    draw_chip: DrawChip,
    runs: int,
    generator: torch.Generator,
    images: int,
    own_images: int | None,
    chooser: torch.Generator,
) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
    """Yield programmed tensors and image numbers, chip by chip, without end."""
    while True:
        draw = draw_chip(generator)
        for _ in range(runs):
            instance = draw(generator)
            bad = [name for name, t in instance.items() if not bool(torch.isfinite(t).all())]
            if bad:
                raise DataError(
                    f"programmed '{bad[0]}' has entries that are not finite",
                    code=Code.NOT_FINITE,
                    field=bad[0],
                )
            order = torch.empty(0)
            if own_images:
                order = torch.randperm(images, generator=chooser, device=chooser.device)
            yield instance, order[:own_images]


def _check(
    model: nn.Module,
    chips: int,
    runs: int,
    instances_at_once: int,
    images_per_instance: int | None,
    images: Tensor,
) -> None:
    if min(chips, runs, instances_at_once) < 1:
        raise ConfigError(
            f"chips = {chips}, runs = {runs}, instances_at_once = {instances_at_once}; "
            "allowed: 1 or more",
            code=Code.OUT_OF_RANGE,
            field="chips, runs, instances_at_once",
            value=(chips, runs, instances_at_once),
            allowed="1 or more",
        )
    if images_per_instance is not None and not 1 <= images_per_instance <= images.shape[0]:
        raise ConfigError.of(
            Code.OUT_OF_RANGE,
            "images_per_instance",
            images_per_instance,
            allowed=f"1 to {images.shape[0]}",
        )
    if model.training:
        raise ConfigError(
            "the model is in training mode; call model.eval() first",
            code=Code.CONFLICT,
            field="model",
        )
