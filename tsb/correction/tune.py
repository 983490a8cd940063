"""Train corrections against the frozen errors of chips: several chips at a time.

Adam on all trained parameters, learning rate on a cosine; parameters that lie in cells get the
noise of their own writing at every step (gradient at the noisy values, update of the clean ones).
Every chip has its own parameters; images and noise are the same for all, so that a chip's result
does not depend on which others are trained with it (but for rounding). A chip whose loss is no
longer finite gets its first parameters back and takes no further part; the others go on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from archsim.errors import Code, ConfigError, NetworkError
from archsim.util.checks import seed_of
from tsb.cells.noise import WeightNoise
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights
from tsb.correction.base import Carrier, Correction
from tsb.correction.corrected import Parameters, apply_all, in_cells, start_all
from tsb.correction.read_tuning import ReadTuning
from tsb.data import Dataset, Split
from tsb.monte_carlo.evaluate import COMPILED_WEIGHTS
from tsb.monte_carlo.gradient import CompiledLoss
from tsb.program.chip import ProgrammedChip

#: Told of the step just done and of the mean loss.
Progress = Callable[[int, float], None]
#: Calibration images at most where chips are read, which takes longer.
READ_CALIBRATION = 500


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """How corrections are trained.

    Attributes:
        steps: of Adam.
        batch_size: images per step.
        learning_rate: of the first step; a cosine brings it to 0.
        noise: of the parameters in cells, during training.
        calibration_images: for corrections that measure; the first of the training split.
        validation_images: on which the trained parameters must not be worse than the first ones.
        seed: of images and noise.
    """

    steps: int = 300
    batch_size: int = 128
    learning_rate: float = 1e-2
    noise: WeightNoise = field(default_factory=WeightNoise)
    calibration_images: int = 5000
    validation_images: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the first value that is out of range.
        """
        for name in ("batch_size", "calibration_images", "validation_images"):
            if getattr(self, name) < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, name, getattr(self, name), allowed="1 or more", form=""
                )
        if self.steps < 0:
            raise ConfigError.of(Code.OUT_OF_RANGE, "steps", self.steps, allowed="0 or more")
        seed_of(self.seed)
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "learning_rate", self.learning_rate, allowed="above 0", form="g"
            )

    def as_json(self) -> dict[str, object]:
        """Return all values, as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True, eq=False, kw_only=True)
class TuneResult:
    """Corrections of some chips.

    Attributes:
        parameters: of each chip, by ``index.name``.
        losses: of every step, the mean over the chips whose loss is finite; NaN where none is.
        kept: for each chip, whether the trained parameters were kept (on the validation images
            they were not worse than the first ones).
        diverged: for each chip, whether a loss of it was not finite, in training or on the
            validation images; it has its first parameters then.
        seconds: wall time per chip, calibration included.
        images: training images that each chip has seen (with repetition).
    """

    parameters: tuple[Parameters, ...]
    losses: tuple[float, ...]
    kept: tuple[bool, ...]
    diverged: tuple[bool, ...]
    seconds: float
    images: int


def tune(
    carrier: Carrier,
    chips: Sequence[ProgrammedChip],
    corrections: Sequence[Correction],
    dataset: Dataset,
    settings: TuneSettings,
    *,
    read: ReadTuning | None = None,
    progress: Progress | None = None,
) -> TuneResult:
    """Compute and train the corrections of every chip.

    Args:
        carrier: the network, with the corrections attached.
        chips: of the same network, on its device.
        corrections: in order; none gives empty parameters.
        dataset: ``train`` and ``validation`` are used; on the same device.
        settings: how.
        read: the chips as they are read exactly, on the CPU; None trains on what their cells hold.
        progress: told of every step.

    Raises:
        ConfigError: no chips, or fewer training images than one batch.
    """
    if not chips or len(dataset.train) < settings.batch_size:
        raise ConfigError(
            f"{len(chips)} chips, batch_size = {settings.batch_size}, "
            f"{len(dataset.train)} training images; allowed: 1 chip or more, and at least a batch",
            code=Code.OUT_OF_RANGE,
            field="chips, batch_size",
            value=(len(chips), settings.batch_size),
            allowed="1 chip or more, and at least a batch",
        )
    begin = time.perf_counter()
    most = settings.calibration_images if read is None else READ_CALIBRATION
    calibration = dataset.train.spread(min(most, settings.calibration_images)).images
    first = [
        start_all(
            corrections,
            carrier,
            chip,
            calibration,
            reading=None if read is None else partial(read.reading, number),
        )
        for number, chip in enumerate(chips)
    ]
    trained = [n for n in first[0] if corrections[int(n.partition(".")[0])].trained]
    if not trained or not settings.steps:
        seconds = (time.perf_counter() - begin) / len(chips)
        return TuneResult(
            parameters=tuple(first),
            losses=(),
            kept=(False,) * len(chips),
            diverged=(False,) * len(chips),
            seconds=seconds,
            images=0,
        )
    run = _Run(carrier, chips, corrections, settings, first, trained)
    run.read = read
    if read is None:
        run.use(dataset.train.images)
    losses = run.train(dataset.train, progress)
    kept = run.better(dataset.validation.spread(settings.validation_images))
    after = run.unstacked()
    return TuneResult(
        parameters=tuple(a if keep else f for a, f, keep in zip(after, first, kept, strict=True)),
        losses=tuple(losses),
        kept=kept,
        diverged=tuple((~run.finite).tolist()),
        seconds=(time.perf_counter() - begin) / len(chips),
        images=len(losses) * settings.batch_size,
    )


class _Run:
    """Parameters of all chips along a leading axis, and their training."""

    def __init__(
        self,
        carrier: Carrier,
        chips: Sequence[ProgrammedChip],
        corrections: Sequence[Correction],
        settings: TuneSettings,
        first: Sequence[Parameters],
        trained: Sequence[str],
    ) -> None:
        self.model, self.corrections, self.settings = carrier.model, corrections, settings
        floating = [n for n, t in chips[0].tensors.items() if t.is_floating_point()]
        self.tensors = {n: torch.stack([chip.tensors[n] for chip in chips]) for n in floating}
        self.first = {n: torch.stack([parameters[n] for parameters in first]) for n in first[0]}
        self.now = {
            n: t.clone().requires_grad_() if n in trained else t for n, t in self.first.items()
        }
        self.trained = list(trained)
        self.noisy = [n for n in in_cells(corrections, self.first) if n in trained]
        self.source = torch.Generator().manual_seed(settings.seed)
        #: Chips of which every loss so far is finite.
        self.finite = torch.ones(len(chips), dtype=torch.bool)
        self.compiled: CompiledLoss | None = None
        self.read: ReadTuning | None = None

    def use(self, images: Tensor) -> None:
        """Choose how losses are computed: compiled for all chips at once where that is faster.

        Args:
            images: of the shape to come.
        """
        channels, height, width = images.shape[1:]
        weights = sum(w.numel() for w in mapped_weights(self.model).values())
        if images.device.type != "cpu" or weights > COMPILED_WEIGHTS:
            return
        try:
            self.compiled = CompiledLoss(self.model, (channels, height, width))
        except NetworkError:
            self.compiled = None  # not a plain chain: one chip after the other in PyTorch

    def train(self, train: Split, progress: Progress | None) -> list[float]:
        """Return the mean loss of every step; it ends when no chip's is finite."""
        settings = self.settings
        optimiser = torch.optim.Adam([self.now[n] for n in self.trained], lr=1.0)
        losses: list[float] = []
        order = torch.empty(0, dtype=torch.long)
        for step in range(settings.steps):
            if len(order) < settings.batch_size:
                order = torch.randperm(len(train), generator=self.source)
            batch, order = order[: settings.batch_size], order[settings.batch_size :]
            rate = settings.learning_rate * (1 + math.cos(math.pi * step / settings.steps)) / 2
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad()
            loss = self.losses(self.now, train.images[batch], train.labels[batch], step)
            self.finite &= torch.isfinite(loss.detach()).cpu()
            losses.append(float(loss.detach()[self.finite].mean()))
            if not self.finite.any():
                break
            loss[self.finite].sum().backward()
            optimiser.step()
            self.take_back()
            if progress is not None:
                progress(step + 1, losses[-1])
        return losses

    @torch.no_grad()
    def take_back(self) -> None:
        """Give chips whose loss was not finite their first parameters, whatever Adam did."""
        if not self.finite.all():
            for name in self.trained:
                self.now[name][~self.finite] = self.first[name][~self.finite]

    def programmed(self, parameters: Parameters) -> Parameters:
        """Return parameters with the noise of one writing, the same for all chips."""
        noise, written = self.settings.noise, dict(parameters)
        bits = noise.weight_format.magnitude_bits
        for name in self.noisy:
            value = parameters[name]
            clean = value.detach()
            stored = torch.func.vmap(lambda w: quantise(w, bits, noise.scaling))(clean)
            # Drawn on the CPU: the same noise on every machine.
            normal = torch.randn(clean.shape[1:], generator=self.source).to(clean.device)
            stored = stored + torch.func.vmap(noise.std)(stored) * normal
            written[name] = stored + (value - clean)
        return written

    def corrected(self, parameters: Parameters) -> dict[str, Tensor]:
        """Return the tensors of all chips, corrected."""

        def one(tensors: dict[str, Tensor], chip_parameters: Parameters) -> dict[str, Tensor]:
            return apply_all(self.corrections, tensors, chip_parameters)

        corrected: dict[str, Tensor] = torch.func.vmap(one)(self.tensors, parameters)
        return corrected

    def losses(self, wanted: Parameters, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Return the loss of each chip whose corrections are written once."""
        parameters = self.programmed(wanted)
        tensors = self.corrected(parameters)
        if self.compiled is not None:
            return self.compiled(self.model, tensors, images, labels)
        count = len(next(iter(tensors.values())))
        losses = []
        # Errors of what is written are divided among its cells alike for all chips.
        seed = 0 if self.read is None else int(torch.randint(1 << 31, (), generator=self.source))
        for chip in range(count):
            chip_tensors = {name: tensor[chip] for name, tensor in tensors.items()}
            if self.read is None:
                scores = torch.func.functional_call(self.model, chip_tensors, (images,))
            else:
                scores = self.read.scores(
                    chip,
                    self.corrections,
                    {name: value[chip] for name, value in wanted.items()},
                    {name: value[chip] for name, value in parameters.items()},
                    chip_tensors,
                    images,
                    seed=seed,
                    step=step,
                )
            losses.append(functional.cross_entropy(scores, labels))
        return torch.stack(losses)

    @torch.no_grad()
    def better(self, split: Split) -> tuple[bool, ...]:
        """Tell for each chip whether the trained parameters lose no more than the first ones.

        Those of a chip whose loss is not finite do not.
        """
        state = self.source.get_state()
        losses = []
        for number, parameters in enumerate((self.first, self.now)):
            self.source.set_state(state)  # the same noise for both
            losses.append(self.losses(parameters, split.images, split.labels, -1000 * (number + 1)))
        self.finite &= torch.isfinite(losses[1]).cpu()
        return tuple((self.finite & (losses[1] <= losses[0]).cpu()).tolist())

    def unstacked(self) -> list[Parameters]:
        """Return the parameters of each chip."""
        count = len(next(iter(self.now.values())))
        return [{n: t.detach()[i].clone() for n, t in self.now.items()} for i in range(count)]
