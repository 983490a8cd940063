"""Objective ``neft-irs``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, final

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from archsim.errors import Code, ConfigError
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.stored import mapped_weights
from tsb.train.objective.base import Batch, Loss, TrainingObjective, check_not_negative, option
from tsb.train.objective.neft import NEFT, negative_feedback
from tsb.train.snapshot_heads import SnapshotHeads, inputs_of, snapshot_shapes

_NETWORKS = "networks with two 2-d convolutions or more"


@final
@dataclass(frozen=True, kw_only=True)
class NeftIrs(TrainingObjective):
    """NeFT's intermediate representation snapshot: scores from inner features are fed back.

    The loss is the cross-entropy of :func:`negative_feedback`, the earliest snapshot first. The
    heads lie in cells like the network (same noise, as in the example of the public code) and are
    trained with it, at the gradient of the same loss: they learn scores of the opposite sign.

    Attributes:
        beta: strength. Public code: 1e-2 for VGG-8 on MNIST, 1e-1 on CIFAR-10; for ResNet-18 1e-1
            (MNIST), 1e-3 (CIFAR-10, CIFAR-100) and 1e-2 (Tiny ImageNet).
        decay: of the strength from one snapshot to the next. Public code: 0.1.
        width: of the hidden layer of a head. Public code: 512.
        features: into that layer, at most. Public code: 2304.
    """

    name: ClassVar[str] = "neft-irs"
    description: ClassVar[str] = "scores less those of small heads on inner features, fed back"
    citation: ClassVar[str | None] = NEFT

    beta: float = field(default=1e-2, metadata=option("strength of the feedback"))
    decay: float = field(default=0.1, metadata=option("from one snapshot to the next"))
    width: int = field(default=512, metadata=option("of a head's hidden layer"))
    features: int = field(default=2304, metadata=option("into that layer, at most"))

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a strength below 0 or not finite, or a size below 1 or not whole.
        """
        for name in ("width", "features"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, name, value, allowed="whole numbers, 1 or more", form=""
                )
        check_not_negative("beta", self.beta)
        check_not_negative("decay", self.decay)

    def prepare(self, model: nn.Module, image_shape: Sequence[int], seed: int) -> Loss:
        """Return the loss with heads for the network; their weights follow from the seed."""
        shapes, classes = snapshot_shapes(model, image_shape)
        if not shapes:
            raise ConfigError(
                f"objective = '{self.name}' looks at the inputs of convolutions; allowed: "
                f"{_NETWORKS}. Other objectives have no such limit",
                code=Code.UNSUPPORTED,
                field="objective",
                value=self.name,
                allowed=_NETWORKS,
            )
        heads = SnapshotHeads(
            tuple(shapes.values()), classes, width=self.width, features=self.features, seed=seed
        )
        return _Snapshots(self, heads.to(next(model.parameters()).device), tuple(shapes))


@dataclass(frozen=True, eq=False)
class _Snapshots(Loss):
    """The loss of one network, with its heads.

    Attributes:
        options: strengths.
        heads: see :class:`SnapshotHeads`.
        places: names of the modules whose first input is the snapshot, in order of execution.
    """

    options: NeftIrs
    heads: SnapshotHeads
    places: tuple[str, ...]

    @property
    def auxiliary(self) -> nn.Module:
        """The heads."""
        return self.heads

    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        with inputs_of(batch.model, self.places) as maps:
            scores = batch.scores(noise)
        noisy_heads = noisy_weights(mapped_weights(self.heads), noise, batch.generator)
        feedback = functional_call(self.heads, noisy_heads, ([maps[name] for name in self.places],))
        fed = negative_feedback(scores, feedback, self.options.beta, self.options.decay)
        return functional.cross_entropy(fed, batch.labels)
