"""Objective ``lipschitz``.

CorrectNet is Eldebiky et al., DATE 2023, arXiv 2211.14917, of which only the abstract was at hand:
:class:`Lipschitz` says what is taken from where.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from archsim.errors import Code, ConfigError
from tsb.cells.noise import WeightNoise
from tsb.train.objective.base import Batch, Stateless, check_not_negative, option


@final
@dataclass(frozen=True, kw_only=True)
class Lipschitz(Stateless):
    """CorrectNet's error suppression: cross-entropy, plus a pull of all singular values to a bound.

    ``cross-entropy + beta sum_l |W_l^T W_l - bound^2 I|_F^2`` over the clean matrices ``W_l``,
    rows of a convolution being its output channels. ``bound`` is :func:`lipschitz_bound`: a layer
    whose weights vary amplifies errors by ``k`` at most. For a convolution this is the norm of its
    matrix on a crossbar, not that of the operation on the image, which can be larger.

    What is assumed: penalty, bound, ``k = 1`` and the 3 deviations are as others have implemented
    the paper in public code, there for log-normal factors and here carried over to this project's
    Gaussian noise; the strength is that of NeFT's public code, where CorrectNet is a baseline (with
    1 for the bound, and a matrix per kernel). As there, noise is injected as well; ``inject =
    False`` is the penalty alone. The paper's second part, compensation of the remaining errors
    where reinforcement learning puts it, is not in here.

    Attributes:
        beta: strength.
        k: largest amplification of an error.
        deviations: standard deviations of the variation that the bound holds for.
        inject: whether the cross-entropy is at noisy weights; else at those without noise.
    """

    name: ClassVar[str] = "lipschitz"
    description: ClassVar[str] = "noise injection, and singular values pulled to a bound"
    citation: ClassVar[str | None] = "Eldebiky et al., CorrectNet, DATE 2023, arXiv 2211.14917"

    beta: float = field(default=5e-4, metadata=option("strength of the pull"))
    k: float = field(default=1.0, metadata=option("largest amplification of an error"))
    deviations: float = field(
        default=3.0, metadata=option("standard deviations that the bound holds for")
    )
    inject: bool = field(default=True, metadata=option("whether noise is injected as well"))

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: one that is below 0 or not finite, or ``k = 0``.
        """
        check_not_negative("beta", self.beta)
        check_not_negative("deviations", self.deviations)
        check_not_negative("k", self.k)
        if self.k == 0:
            raise ConfigError.of(Code.OUT_OF_RANGE, "k", 0, allowed="above 0, and finite")

    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        scores = batch.scores(noise if self.inject else replace(noise, sigma=0.0))
        bound = lipschitz_bound(noise, k=self.k, deviations=self.deviations)
        terms = [orthogonality(weight, bound) for weight in batch.weights.values()]
        return functional.cross_entropy(scores, batch.labels) + self.beta * torch.stack(terms).sum()


def lipschitz_bound(noise: WeightNoise, *, k: float, deviations: float) -> float:
    """Return the spectral norm of a clean matrix that leaves ``k`` to the varied one.

    ``k / (mean + deviations std)`` of the factor by which a weight varies (CorrectNet, arXiv
    2211.14917). Its log-normal factor has mean ``exp(s^2/2)``; here the noise is Gaussian with
    standard deviation ``s max|W|``: mean 1 and standard deviation ``s`` for the largest weight.

    Args:
        noise: of the weights; of two spreads, the larger counts.
        k: largest amplification of an error.
        deviations: standard deviations of the factor.
    """
    return k / (1.0 + deviations * max(noise.relative_std()))


def orthogonality(weight: Float[Tensor, "outputs ..."], bound: float) -> Float[Tensor, ""]:
    """Return ``|W^T W - bound^2 I|_F^2`` up to a constant: 0 if all singular values are the bound.

    The smaller of ``W^T W`` and ``W W^T`` is used: they differ by zero eigenvalues, each of which
    adds ``bound^4`` and has no gradient.

    Args:
        weight: output channels first; the rest is one row of the matrix.
        bound: wanted singular values.
    """
    matrix = weight.flatten(1)
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    with torch.autocast(small.device.type, enabled=False):
        gram = small @ small.T
    wanted = bound**2 * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return (gram - wanted).square().sum()
