"""How much the loss minds an error of each weight: second derivatives, and what resembles them.

``swim`` is the diagonal of the second derivative by one forward and one backward pass (Yan, Hu &
Shi, SWIM, DAC 2022, arXiv 2202.08395): see :mod:`tsb.write_verify.second_derivative` for the rules
and for what they neglect. ``fisher`` is the empirical Fisher information, the mean squared gradient
of single
images: a different quantity, equal to the second derivative only in expectation, at the true
distribution of labels, and without the curvature of the network (Kunstner et al., NeurIPS 2019,
arXiv 1905.12558). Who chooses weights by them: :mod:`tsb.write_verify.policy`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import Code, ConfigError, DataError
from tsb.cells.stored import mapped_weights
from tsb.write_verify.second_derivative import check_ready, second_derivative_sums

Images = Float[Tensor, "image channel height width"]
Labels = Int[Tensor, " image"]

#: Losses whose second derivative is known.
LOSSES = ("cross-entropy", "squared")


def swim_scores(
    model: nn.Module,
    images: Images,
    labels: Labels,
    *,
    loss: str = "cross-entropy",
    images_at_once: int = 500,
) -> dict[str, Tensor]:
    """Return the second derivative of the mean loss by each mapped weight, never negative.

    Off-diagonal terms of every layer's Hessian are neglected, as published: exact for the last
    layer, elsewhere an estimate. Against the exact diagonal on LeNet-3 trained on MNIST: rank
    correlation over all weights above 0.99, inside a convolution 0.87 to 0.99, and the sum over a
    convolution's weights 0.3 to 0.8 of the exact one.

    Args:
        model: in evaluation mode; its layers must be piecewise linear.
        images: the more, the smoother; a few thousand training images are enough for LeNet-3.
        labels: their classes; the second derivative of these losses does not depend on them.
        loss: ``cross-entropy``, or ``squared``: half the squared distance to the one-hot label.
        images_at_once: cuts memory; does not change the result but for rounding.

    Returns:
        Tensors by parameter name, shaped like the weights.

    Raises:
        ConfigError: an unknown loss, training mode, or no images.
        NetworkError: an operation that is not piecewise linear, by name.
    """
    if loss not in LOSSES:
        raise ConfigError(
            f"loss = '{loss}'; allowed: {', '.join(LOSSES)}",
            code=Code.UNKNOWN_NAME,
            field="loss",
            value=loss,
            allowed=LOSSES,
        )
    _check(model, images, labels)
    totals: dict[str, Tensor] = {}
    for part in images.split(images_at_once):
        for name, sums in second_derivative_sums(model, part, loss).items():
            totals[name] = totals.get(name, 0) + sums.double()
    return {name: total / len(images) for name, total in totals.items()}


def fisher_scores(
    model: nn.Module, images: Images, labels: Labels, *, images_at_once: int = 100
) -> dict[str, Tensor]:
    """Return the mean squared gradient of the single images' cross-entropy: the empirical Fisher.

    Args:
        model: in evaluation mode.
        images: as for :func:`swim_scores`.
        labels: their true classes.
        images_at_once: memory is that many copies of the weights.

    Returns:
        Tensors by parameter name, shaped like the weights.

    Raises:
        ConfigError: training mode, or no images.
    """
    _check(model, images, labels)
    weights = {name: w.detach() for name, w in mapped_weights(model).items()}

    def own_loss(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        scores = torch.func.functional_call(model, weights, (image.unsqueeze(0),))
        return functional.cross_entropy(scores, label.unsqueeze(0))

    gradients = torch.func.vmap(torch.func.grad(own_loss), in_dims=(None, 0, 0))
    totals = {name: torch.zeros_like(w, dtype=torch.float64) for name, w in weights.items()}
    parts = images.split(images_at_once), labels.split(images_at_once)
    for image, label in zip(*parts, strict=True):
        for name, gradient in gradients(weights, image, label).items():
            totals[name] += gradient.detach().square().sum(0)
    return {name: total / len(images) for name, total in totals.items()}


def expected_loss_change(
    second_derivative: Mapping[str, Tensor], std: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return what each tensor's noise is expected to add to the loss, ``1/2 sum_i H_ii var_i``.

    Second order in the noise, exact for independent errors of mean zero while the loss is
    quadratic; for large errors it is a lower or an upper bound of nothing.

    Args:
        second_derivative: by name, from :func:`swim_scores`.
        std: standard deviation of each weight, by name: :func:`tsb.cells.weight_cells.noise_std`.

    Raises:
        DataError: other names or shapes.
    """
    _check_alike(second_derivative, std)
    return {
        name: float((h.detach().double() * std[name].double() ** 2).sum()) / 2
        for name, h in second_derivative.items()
    }


def _check(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    check_ready(model)
    if not len(images) or len(images) != len(labels):
        raise ConfigError(
            f"{len(images)} images and {len(labels)} labels; allowed: as many, not 0",
            code=Code.SHAPE_MISMATCH,
            field="images, labels",
            value=(len(images), len(labels)),
        )


def _check_alike(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    shapes = [{name: tuple(t.shape) for name, t in scores.items()} for scores in (first, second)]
    if shapes[0] != shapes[1]:
        differ = sorted(
            n for n in shapes[0].keys() | shapes[1].keys() if shapes[0].get(n) != shapes[1].get(n)
        )
        raise DataError(
            f"scores of different weights: '{differ[0]}' has shape {shapes[0].get(differ[0])} and "
            f"{shapes[1].get(differ[0])}",
            code=Code.SHAPE_MISMATCH,
            field=differ[0],
        )
