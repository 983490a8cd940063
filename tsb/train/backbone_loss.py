"""Losses of a backbone: noise injection, NeFT's two negative feedbacks, CorrectNet's Lipschitz one.

An objective turns one batch into one loss; the gradient is taken at noisy weights and moves the
clean ones (:func:`tsb.cells.noise.noisy_weights`). What it trains besides the network and throws
away afterwards is its ``auxiliary`` module: give its parameters to the optimiser and save it with
the network.

Sources: NeFT is Qin et al., arXiv 2305.14561; formulas and numbers are those of its authors'
public code (github.com/YifanQin-ND/NeFT_CIM, MIT; also stored as NF_Training: ``src/loss_fn.py``,
``src/train_fn.py``, ``models/irs_block.py``, ``config.py``), since only the abstract of the paper
was at hand. CorrectNet is Eldebiky et al., DATE 2023, arXiv 2211.14917, of which the same is true:
:class:`Lipschitz` says what is taken from where.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from archsim.errors import Code, ConfigError, close_matches
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.quantize import mapped_weights
from tsb.train.settings import OBJECTIVES
from tsb.train.snapshot_heads import SnapshotHeads, inputs_of, snapshot_shapes


@dataclass(frozen=True, eq=False)
class _Batch:
    """One batch, the network that sees it, and the source of the noise that it sees it through."""

    model: nn.Module
    weights: Mapping[str, Tensor]
    generator: torch.Generator
    images: Tensor
    labels: Tensor

    def scores(self, noise: WeightNoise, buffers: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the scores of a new noisy instance, ``(images, classes)``."""
        instance = noisy_weights(self.weights, noise, self.generator)
        tensors = {**(buffers or {}), **instance}
        scores: Tensor = functional_call(self.model, tensors, (self.images,))
        return scores


class Objective(ABC):
    """How the loss of a batch is made."""

    @property
    def auxiliary(self) -> nn.Module | None:
        """What is trained with the network and thrown away afterwards; None for most."""
        return None

    def loss(
        self,
        model: nn.Module,
        weights: Mapping[str, Tensor],
        noise: WeightNoise,
        generator: torch.Generator,
        images: Float[Tensor, "images ..."],
        labels: Int[Tensor, " images"],
    ) -> Float[Tensor, ""]:
        """Return the loss of one batch, with gradient to the clean weights.

        Args:
            model: the network, in the mode that it is to run in.
            weights: its weights on crossbars: :func:`tsb.cells.quantize.mapped_weights`.
            noise: of the weights.
            generator: source of the noise, on the device of the model.
            images: one batch.
            labels: its classes.

        Raises:
            ConfigError: noise that the objective cannot use.
        """
        return self._loss(_Batch(model, weights, generator, images, labels), noise)

    @abstractmethod
    def _loss(self, batch: _Batch, noise: WeightNoise) -> Tensor:
        """Return the loss of one batch; see :meth:`loss`."""


@dataclass(frozen=True)
class NoiseInjection(Objective):
    """Cross-entropy at one noisy instance of the weights."""

    def _loss(self, batch: _Batch, noise: WeightNoise) -> Tensor:
        return functional.cross_entropy(batch.scores(noise), batch.labels)


def negative_feedback(
    scores: Float[Tensor, "images classes"],
    feedback: Sequence[Float[Tensor, "images classes"]],
    beta: float,
    decay: float,
) -> Float[Tensor, "images classes"]:
    """Return the scores less their feedback, over the number of outputs.

    ``(scores - beta sum_i decay^i feedback_i) / (1 + n)`` for n outputs fed back, i from 0 on:
    NeFT (arXiv 2305.14561), in the form of its public code, which has ``decay = 0.1``.

    Args:
        scores: of the backbone.
        feedback: outputs that are less representative, the least so first.
        beta: strength of the feedback.
        decay: strength of each output over that of the one before.
    """
    total = sum((decay**i * output for i, output in enumerate(feedback)), torch.zeros_like(scores))
    return (scores - beta * total) / (len(feedback) + 1)


@dataclass(frozen=True, kw_only=True)
class NeftOvf(Objective):
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

    beta: float = 1e-3
    decay: float = 0.1
    extra_sigmas: tuple[float, ...] = (0.15, 0.10, 0.05)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a strength below 0 or not finite, or no or negative extra sigmas.
        """
        _check_not_negative("beta", self.beta)
        _check_not_negative("decay", self.decay)
        if not self.extra_sigmas or not all(0 <= extra <= 1 for extra in self.extra_sigmas):
            each = "one number or more, 0 to 1 each"
            raise ConfigError.of(Code.OUT_OF_RANGE, "extra_sigmas", self.extra_sigmas, allowed=each)

    def _loss(self, batch: _Batch, noise: WeightNoise) -> Tensor:
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


@dataclass(frozen=True, kw_only=True, eq=False)
class NeftIrs(Objective):
    """NeFT's intermediate representation snapshot: scores from inner features are fed back.

    The loss is the cross-entropy of :func:`negative_feedback`, the earliest snapshot first. The
    heads lie in cells like the network (same noise, as in the example of the public code) and are
    trained with it, at the gradient of the same loss: they learn scores of the opposite sign.

    Attributes:
        heads: see :class:`SnapshotHeads`.
        places: names of the modules whose first input is the snapshot, in order of execution.
        beta: strength. Public code: 1e-2 for VGG-8 on MNIST, 1e-1 on CIFAR-10; for ResNet-18 1e-1
            (MNIST), 1e-3 (CIFAR-10, CIFAR-100) and 1e-2 (Tiny ImageNet).
        decay: of the strength from one snapshot to the next. Public code: 0.1.
    """

    heads: SnapshotHeads
    places: tuple[str, ...]
    beta: float = 1e-2
    decay: float = 0.1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a strength below 0 or not finite.
        """
        _check_not_negative("beta", self.beta)
        _check_not_negative("decay", self.decay)

    @property
    def auxiliary(self) -> nn.Module:
        """The heads."""
        return self.heads

    def _loss(self, batch: _Batch, noise: WeightNoise) -> Tensor:
        with inputs_of(batch.model, self.places) as maps:
            scores = batch.scores(noise)
        noisy_heads = noisy_weights(mapped_weights(self.heads), noise, batch.generator)
        feedback = functional_call(self.heads, noisy_heads, ([maps[name] for name in self.places],))
        fed = negative_feedback(scores, feedback, self.beta, self.decay)
        return functional.cross_entropy(fed, batch.labels)


@dataclass(frozen=True, kw_only=True)
class _SnapshotOptions:
    """Options of ``neft-irs``; ``beta`` and ``decay`` as in :class:`NeftIrs`."""

    beta: float = NeftIrs.beta
    decay: float = NeftIrs.decay
    width: int = 512  # of the hidden layer: NeFT's public code
    features: int = 2304  # into the hidden layer, at most: NeFT's public code

    def __post_init__(self) -> None:
        for name in ("width", "features"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, name, value, allowed="whole numbers, 1 or more", form=""
                )

    def build(self, model: nn.Module, image_shape: Sequence[int], seed: int) -> NeftIrs:
        shapes, classes = snapshot_shapes(model, image_shape)
        if not shapes:
            raise ConfigError(
                "objective = 'neft-irs' looks at the inputs of convolutions; allowed: networks "
                "with two 2-d convolutions or more. Other objectives have no such limit",
                code=Code.UNSUPPORTED,
                field="objective",
                value="neft-irs",
                allowed="networks with two 2-d convolutions or more",
            )
        heads = SnapshotHeads(
            tuple(shapes.values()), classes, width=self.width, features=self.features, seed=seed
        )
        return NeftIrs(
            heads=heads.to(next(model.parameters()).device),
            places=tuple(shapes),
            beta=self.beta,
            decay=self.decay,
        )


@dataclass(frozen=True, kw_only=True)
class Lipschitz(Objective):
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

    beta: float = 5e-4
    k: float = 1.0
    deviations: float = 3.0
    inject: bool = True

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: one that is below 0 or not finite, or ``k = 0``.
        """
        _check_not_negative("beta", self.beta)
        _check_not_negative("deviations", self.deviations)
        _check_not_negative("k", self.k)
        if self.k == 0:
            raise ConfigError.of(Code.OUT_OF_RANGE, "k", 0, allowed="above 0, and finite")

    def _loss(self, batch: _Batch, noise: WeightNoise) -> Tensor:
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


def make_objective(
    name: str,
    model: nn.Module,
    image_shape: Sequence[int],
    *,
    seed: int = 0,
    **options: object,
) -> Objective:
    """Return an objective by name.

    Args:
        name: one of :data:`tsb.train.settings.OBJECTIVES`.
        model: to be trained, on its device; it is not changed.
        image_shape: of one image: channels, height, width.
        seed: of the auxiliary module, if there is one.
        **options: attributes of :class:`NeftOvf` or :class:`Lipschitz`; for ``neft-irs``, ``beta``
            and ``decay`` of :class:`NeftIrs`, ``width`` (512) and ``features`` (2304) of
            :class:`tsb.train.snapshot_heads.SnapshotHeads`, as in NeFT's public code.

    Raises:
        ConfigError: an unknown name or option, a value that is out of range or of the wrong kind,
            or a network without the convolutions that ``neft-irs`` needs.
    """
    kinds: dict[str, type[NoiseInjection | NeftOvf | _SnapshotOptions | Lipschitz]] = {
        "noise-injection": NoiseInjection,
        "neft-ovf": NeftOvf,
        "neft-irs": _SnapshotOptions,
        "lipschitz": Lipschitz,
    }
    if name not in OBJECTIVES:
        raise ConfigError.of(Code.UNKNOWN_NAME, "objective", name, allowed=OBJECTIVES)
    known = tuple(item.name for item in fields(kinds[name]))
    for option in options:
        if option not in known:
            raise ConfigError(
                f"objective '{name}' has no option '{option}'; allowed: "
                f"{', '.join(known) or 'none'}.{close_matches(option, known)}",
                code=Code.UNKNOWN_KEY,
                field="objective",
                value=option,
                allowed=known,
            )
    make: Callable[..., NoiseInjection | NeftOvf | _SnapshotOptions | Lipschitz] = kinds[name]
    try:
        made = make(**options)
    except TypeError as error:
        said = f"objective '{name}' cannot be made with {options}: {error}"
        raise ConfigError(said, code=Code.CALL_FAILED, field="objective", value=options) from error
    if isinstance(made, _SnapshotOptions):
        return made.build(model, image_shape, seed)
    return made


def forward_passes(name: str) -> int:
    """Return the passes of every image through the network in a training step.

    ``neft-ovf`` adds one for each of its louder outputs; the heads of ``neft-irs``, which are not
    of the network, are not counted.

    Args:
        name: one of :data:`tsb.train.settings.OBJECTIVES`.
    """
    return 1 + len(NeftOvf().extra_sigmas) if name == "neft-ovf" else 1


def _check_not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        finite = "0 or more, and finite"
        raise ConfigError.of(Code.OUT_OF_RANGE, name, value, allowed=finite, form="g")
