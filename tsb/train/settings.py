"""What a training is told, and what it tells."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from archsim.config.choices import TRAINING_PRECISIONS
from archsim.errors import Code, ConfigError
from archsim.util.checks import one_of, seed_of
from tsb.cells.noise import WeightNoise
from tsb.train.objective.registry import OBJECTIVES, PLAIN


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a backbone is trained: Adam, learning rate on a cosine from its value to 0.

    Attributes:
        noise: of the weights, in training and validation.
        objective: one of :data:`tsb.train.objective.registry.OBJECTIVES`.
        epochs: length of the cosine.
        stop_fraction: share of the epochs that is run (rounded up), above 0 to 1.
        patience: stop after so many epochs without a better noisy validation accuracy; None never.
        batch_size: images per step; a last incomplete batch is left out.
        learning_rate: of the first step.
        weight_decay: of Adam (L2, not decoupled).
        augment: shift and mirror the training images.
        clip: bound of every weight after every step, in root-mean-square weights of what shares a
            full-scale conductance; None bounds nothing. A smaller range means less noise at equal
            sigma (as in Rasch et al., Nature Communications 14:5282, 2023,
            doi:10.1038/s41467-023-40770-4, layer-wise at 2.5 standard deviations).
        validation_instances: noisy instances whose accuracy is averaged.
        precision: one of :data:`archsim.config.choices.TRAINING_PRECISIONS`; ``bfloat16`` is
            PyTorch's autocast, about twice as fast for large networks where the machine has such
            units.
        seed: of order, noise and augmentation.
        threads: of PyTorch; more than one changes the last bits.
    """

    noise: WeightNoise = field(default_factory=WeightNoise)
    objective: str = PLAIN
    epochs: int = 10
    stop_fraction: float = 1.0
    patience: int | None = None
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    augment: bool = False
    clip: float | None = None
    validation_instances: int = 4
    precision: str = "float32"
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the first value that is out of range.
        """
        one_of("objective", self.objective, tuple(OBJECTIVES))
        one_of("precision", self.precision, TRAINING_PRECISIONS)
        for name in ("epochs", "batch_size", "validation_instances", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, name, getattr(self, name), allowed="1 or more", form=""
                )
        if self.patience is not None and self.patience < 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "patience", self.patience, allowed="1 or more, or none"
            )
        if not 0 < self.stop_fraction <= 1:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "stop_fraction",
                self.stop_fraction,
                allowed="above 0 to 1",
                form="g",
            )
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "learning_rate", self.learning_rate, allowed="above 0", form="g"
            )
        if self.clip is not None and not 1 <= self.clip < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "clip",
                self.clip,
                allowed="1 or more",
                form="g",
                more=", in rms weights",
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError.of(
                Code.OUT_OF_RANGE, "weight_decay", self.weight_decay, allowed="0 or more", form="g"
            )
        seed_of(self.seed)

    @property
    def last_epoch(self) -> int:
        """Number of epochs that are run if nothing stops them."""
        return math.ceil(self.stop_fraction * self.epochs)

    def as_json(self) -> dict[str, object]:
        """Return all values, as JSON can hold them.

        ``precision`` is left out where it is float32: runs from before it was there go on.
        """
        values = asdict(self) | {"noise": self.noise.as_json()}
        if self.precision == "float32":
            del values["precision"]
        return values


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One point of the learning curve; accuracies are fractions of the validation images.

    Attributes:
        epoch: from 1 on.
        loss: mean training loss, at noisy weights.
        learning_rate: of the last step of the epoch.
        clean_accuracy: without noise (quantised, if the noise is).
        noisy_accuracy: mean over the instances.
        noisy_std: standard deviation between them; 0 for a single one.
        best: whether the weights of this epoch are the best so far.
    """

    epoch: int
    loss: float
    learning_rate: float
    clean_accuracy: float
    noisy_accuracy: float
    noisy_std: float
    best: bool


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a training ended; the model holds the best weights.

    Attributes:
        curve: one record per epoch.
        best_epoch: whose weights the model has; 0 if none was better than the initial ones.
        stopped: ``schedule`` (ran to its end), ``patience``, or ``diverged`` (a loss that is not
            finite).
    """

    curve: tuple[EpochRecord, ...]
    best_epoch: int
    stopped: str
