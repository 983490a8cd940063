"""Noise-injection training of a backbone: gradient at the noisy weights, update of the clean ones.

``sigma = 0`` is plain training. Weights are kept by the accuracy of *noisy* instances on the
validation split; the test split is never looked at. All randomness of an epoch follows from the
seed and the number of the epoch, so that a killed run resumes to the bitwise same result (on a GPU,
whose sums may change their order: to the same but for rounding).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError
from archsim.network.graph import LayerGraph
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.programmable import known_network
from tsb.cells.stored import stored_network, trained_weights
from tsb.checkpoint import OPTIONS
from tsb.compute_device import generator_on
from tsb.data import Dataset, Split
from tsb.monte_carlo import alike_chips, monte_carlo
from tsb.train.augment import flip_and_crop
from tsb.train.objective.base import Loss
from tsb.train.objective.registry import make_loss
from tsb.train.settings import EpochRecord, TrainResult, TrainSettings
from tsb.train.state import DATA_HASH, RunFolder, TrainState

#: Epoch number whose seed draws the instances of every validation: the same ones each time.
_VALIDATION_EPOCH = 0


#: Called after each epoch with its record.
Progress = Callable[[EpochRecord], None]


def train_backbone(
    model: nn.Module,
    dataset: Dataset,
    settings: TrainSettings,
    *,
    network: str = "",
    options: Mapping[str, object] | None = None,
    run_folder: Path | str | None = None,
    progress: Progress | None = None,
    graph: LayerGraph | None = None,
) -> TrainResult:
    """Train a model in place; afterwards it is in evaluation mode and has its best weights.

    With a run folder, every epoch is saved (``state.safetensors``, ``best.safetensors``,
    ``curve.jsonl``), and a second call with the same arguments goes on where the first was killed.

    Args:
        model: with its initial weights, on the device to train on.
        dataset: ``train`` and ``validation`` are used.
        settings: how.
        network: name of the model, for the saved files.
        options: with which that network was built, as JSON values, for the saved files.
        run_folder: made if it is not there; None saves nothing.
        progress: told of every epoch.
        graph: of the model, which says what its weights on crossbars are; None traces it.

    Raises:
        NetworkError: a matrix that cannot be programmed, by name.
        ConfigError: fewer images than one batch, no validation images, or a run folder of other
            settings.
        DataError: a run folder that is damaged or cannot be written.
    """
    if len(dataset.train) < settings.batch_size:
        raise ConfigError(
            f"batch_size = {settings.batch_size}; the training split of {dataset.name} has "
            f"{len(dataset.train)} images",
            code=Code.OUT_OF_RANGE,
            field="batch_size",
            value=settings.batch_size,
            allowed=f"1 to {len(dataset.train)}",
        )
    if not len(dataset.validation):
        raise ConfigError.of(
            Code.EMPTY, dataset.name, problem="no validation images to choose the weights by"
        )
    device = next(model.parameters()).device
    train, validation = dataset.train.to(device), dataset.validation.to(device)
    folder = None if run_folder is None else RunFolder(Path(run_folder))
    about: dict[str, object] = {"network": network, OPTIONS: dict(options or {})}
    about |= {"dataset": dataset.name, "images": len(train)}
    about |= settings.as_json()
    about[DATA_HASH] = [dataset.content_hashes[name] for name in ("train", "validation")]
    if graph is None:
        seen = known_network(model, network, image_shape=tuple(train.images.shape[1:]))
    else:
        seen = stored_network(model, graph)
    if settings.clip is not None and seen is not model:
        raise ConfigError(
            f"clip = {settings.clip:g} bounds tensors of the network, and some of its matrices are "
            "parts of one or computed; allowed: no clip",
            code=Code.CONFLICT,
            field="clip",
            value=settings.clip,
            allowed="no clip",
        )
    with _threads(settings.threads):
        objective = make_loss(settings.objective, model, train.images.shape[1:], seed=settings.seed)
        state = TrainState.fresh(
            model, _optimiser(model, objective.auxiliary, settings), objective.auxiliary
        )
        if folder is not None:
            folder.resume(state, about)
        while not state.stopped:
            record = _run_epoch(state, seen, objective, train, validation, settings)
            if folder is not None:
                folder.save(state, about)
            if progress is not None and record is not None:
                progress(record)
    model.load_state_dict(state.best)
    model.eval()
    return TrainResult(
        curve=tuple(EpochRecord(**record) for record in state.curve),
        best_epoch=state.best_epoch,
        stopped=state.stopped,
    )


def noisy_accuracy(
    model: nn.Module,
    split: Split,
    noise: WeightNoise,
    *,
    instances: int,
    generator: torch.Generator,
) -> Tensor:
    """Return the accuracy of each of several noisy instances, fractions, float64.

    Args:
        model: the network, in evaluation mode.
        split: images and labels.
        noise: of its weights.
        instances: how many.
        generator: source of all randomness, on the device of the model.
    """
    weights = {name: weight.detach() for name, weight in trained_weights(model).items()}
    result = monte_carlo(
        model,
        alike_chips(lambda source: noisy_weights(weights, noise, source)),
        split.images,
        split.labels,
        chips=instances,
        generator=generator,
        backend="loop",
    )
    return result.accuracy.flatten()


def _optimiser(
    model: nn.Module, auxiliary: nn.Module | None, settings: TrainSettings
) -> torch.optim.Adam:
    extra = [] if auxiliary is None else list(auxiliary.parameters())
    return torch.optim.Adam(
        [*model.parameters(), *extra],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _generator(settings: TrainSettings, epoch: int, device: torch.device) -> torch.Generator:
    """Return the generator of an epoch: neighbouring seeds and epochs share nothing."""
    mixed = torch.Generator().manual_seed(settings.seed)
    seeds = torch.randint(1 << 62, (epoch + 1,), generator=mixed)
    return generator_on(device, int(seeds[epoch]))


def _run_epoch(
    state: TrainState,
    seen: nn.Module,
    objective: Loss,
    train: Split,
    validation: Split,
    settings: TrainSettings,
) -> EpochRecord | None:
    """Train for one epoch, measure, keep the best weights, and decide whether to stop."""
    epoch = state.epoch + 1
    loss, rate = _train_epoch(state, seen.train(), objective, train, settings, epoch)
    model = state.model.eval()
    seen.eval()
    if not (math.isfinite(loss) and all(t.isfinite().all() for t in model.state_dict().values())):
        state.stopped = "diverged"
        return None
    device = validation.images.device
    noisy = noisy_accuracy(
        seen,
        validation,
        settings.noise,
        instances=settings.validation_instances if settings.noise.sigma else 1,
        generator=_generator(settings, _VALIDATION_EPOCH, device),
    )
    clean = noisy_accuracy(
        seen,
        validation,
        replace(settings.noise, sigma=0.0),
        instances=1,
        generator=_generator(settings, _VALIDATION_EPOCH, device),
    )
    mean = float(noisy.mean())
    record = EpochRecord(
        epoch=epoch,
        loss=loss,
        learning_rate=rate,
        clean_accuracy=float(clean.mean()),
        noisy_accuracy=mean,
        noisy_std=float(noisy.std()) if len(noisy) > 1 else 0.0,
        best=mean > state.best_accuracy,
    )
    state.finish_epoch(asdict(record), mean)
    if epoch >= settings.last_epoch:
        state.stopped = "schedule"
    elif settings.patience is not None and epoch - state.best_epoch >= settings.patience:
        state.stopped = "patience"
    return record


def _train_epoch(
    state: TrainState,
    seen: nn.Module,
    objective: Loss,
    train: Split,
    settings: TrainSettings,
    epoch: int,
) -> tuple[float, float]:
    """Return mean loss and last learning rate; the loss is NaN as soon as one is not finite."""
    state.model.train()
    optimiser = state.optimiser
    device = train.images.device
    host, noise_source = (
        _generator(settings, 2 * epoch - 1, torch.device("cpu")),
        _generator(settings, 2 * epoch, device),
    )
    order = torch.randperm(len(train), generator=host).to(device)
    steps = len(train) // settings.batch_size
    total, rate = torch.zeros((), device=device), settings.learning_rate
    half = settings.precision == "bfloat16"
    with torch.random.fork_rng(devices=[]):  # dropout, if there is any
        torch.manual_seed(host.initial_seed())
        for step in range(steps):
            batch = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            images = train.images[batch]
            if settings.augment:
                images = flip_and_crop(images, host)
            done = (epoch - 1 + step / steps) / settings.epochs
            rate = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                weights = trained_weights(seen)
                loss = objective.loss(
                    seen, weights, settings.noise, noise_source, images, train.labels[batch]
                )
            if not bool(torch.isfinite(loss)):
                return math.nan, rate
            loss.backward()
            optimiser.step()
            if settings.clip is not None:
                _clip(weights, settings.clip, settings.noise.scaling)
            total += loss.detach()
    return float(total) / steps, rate


@torch.no_grad()
def _clip(weights: Mapping[str, Tensor], clip: float, scaling: str) -> None:
    """Bound every weight by ``clip`` root-mean-square weights of its tensor or output channel."""
    for weight in weights.values():
        square = weight.square()
        if scaling == "column":
            axes = tuple(range(1, weight.dim()))
            bound = clip * square.mean(axes, keepdim=True).sqrt()
        else:
            bound = clip * square.mean().sqrt()
        weight.clamp_(-bound, bound)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
