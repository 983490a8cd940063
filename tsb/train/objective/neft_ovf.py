"""Objective ``neft-ovf``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, final

from torch import Tensor
from torch.nn import functional

from archsim.errors import Code, ConfigError
from tsb.cells.noise import WeightNoise
from tsb.train.objective.base import Batch, Stateless, check_not_negative, option
from tsb.train.objective.neft import NEFT, negative_feedback


@final
@dataclass(frozen=True, kw_only=True)
class NeftOvf(Stateless):
    """NeFT's oriented variational forward: outputs at noise larger than the chip's are fed back.

    The loss is the cross-entropy of :func:`negative_feedback`, with gradient through all outputs.
    As in the public code, except that here the running statistics of batch norms follow the
    backbone's own pass only: those of the passes with more noise would be used at inference.

    Attributes:
        beta: strength. Public code: 1e-3 for VGG-8 on MNIST and CIFAR-10; 1e-4 (MNIST), 1e-1
            (CIFAR-10, CIFAR-100) and 1e-2 (Tiny ImageNet) for ResNet-18.
        decay: of the strength from one output to the next. Public code: 0.1.
        extra_sigmas: added to the sigma of the chip, one forward each. Public code: these.
    """

    name: ClassVar[str] = "neft-ovf"
    description: ClassVar[str] = "scores less those at noise larger than the chip's, fed back"
    citation: ClassVar[str | None] = NEFT

    beta: float = field(default=1e-3, metadata=option("strength of the feedback"))
    decay: float = field(default=0.1, metadata=option("from one output to the next"))
    extra_sigmas: tuple[float, ...] = field(
        default=(0.15, 0.10, 0.05), metadata=option("added to sigma, one pass each")
    )

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a strength below 0 or not finite, or no or negative extra sigmas.
        """
        check_not_negative("beta", self.beta)
        check_not_negative("decay", self.decay)
        if not self.extra_sigmas or not all(0 <= extra <= 1 for extra in self.extra_sigmas):
            each = "one number or more, 0 to 1 each"
            raise ConfigError.of(Code.OUT_OF_RANGE, "extra_sigmas", self.extra_sigmas, allowed=each)

    @property
    def forward_passes(self) -> int:
        """One, and one for each output at more noise."""
        return 1 + len(self.extra_sigmas)

    @property
    def added_sigma(self) -> float:
        """The loudest."""
        return max(self.extra_sigmas)

    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        louder = [_louder(noise, extra) for extra in self.extra_sigmas]
        scores, feedback = batch.scores(noise), []
        for louder_noise in louder:
            statistics = {name: buffer.clone() for name, buffer in batch.model.named_buffers()}
            feedback.append(batch.scores(louder_noise, statistics))
        fed = negative_feedback(scores, feedback, self.beta, self.decay)
        return functional.cross_entropy(fed, batch.labels)


@lru_cache(maxsize=64)
def _louder(noise: WeightNoise, extra: float) -> WeightNoise:
    if noise.sigma + extra > 1:
        said, most = f"{extra:g} on top of sigma = {noise.sigma:g}", "1 together, the whole range"
        raise ConfigError.of(Code.OUT_OF_RANGE, "extra_sigmas", problem=said, allowed=most)
    return replace(noise, sigma=noise.sigma + extra)
