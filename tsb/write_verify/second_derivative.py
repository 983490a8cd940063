"""One backward pass that carries second derivatives instead of first ones.

The network runs as it is, and the backward of each operation uses the *squares* of its local
derivatives: with ``h`` for the second derivative of the loss by an operation's output,

======================= ===============================================================
linear, convolution     ``h_w = h x^2``, ``h_x = (w^2)^T h``
batch norm (evaluation) ``h_x = scale^2 h``
average pooling         ``h_x = h / n^2`` for each of the n pixels of a window
ReLU, max pooling       as a gradient: local derivatives are 0 or 1
addition, use twice     as a gradient: to all branches, and their sum
======================= ===============================================================

starting from that of the loss: ``p (1 - p)`` for cross-entropy with probabilities p, 1 for half the
squared distance (SWIM: Yan, Hu & Shi, DAC 2022, arXiv 2202.08395, after LeCun, Denker & Solla,
Optimal Brain Damage, NeurIPS 1989). Neglected: all second derivatives by two *different* outputs of
a layer, so the result is exact only where those vanish; and it is never negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, resolve_name

from archsim.errors import Code, ConfigError, NetworkError
from tsb.cells.stored import mapped_weights

#: Bilinear in input and weight.
_PRODUCTS = {
    functional.linear,
    functional.conv1d,
    functional.conv2d,
    functional.conv3d,
}
#: Local derivatives 0 or 1: the usual backward is that of the second derivative.
_UNCHANGED = {
    *(functional.relu, functional.relu6, functional.hardtanh, torch.relu, torch.relu_),
    *(Tensor.relu, Tensor.relu_, torch.clamp, Tensor.clamp),
    *(functional.max_pool1d, functional.max_pool2d, functional.max_pool3d),
    *(functional.adaptive_max_pool2d, torch.max_pool2d),
    *(torch.flatten, Tensor.flatten, torch.reshape, Tensor.reshape, Tensor.view),
    *(torch.permute, Tensor.permute, torch.transpose, Tensor.transpose, Tensor.contiguous),
    *(torch.squeeze, Tensor.squeeze, torch.unsqueeze, Tensor.unsqueeze),
    *(torch.cat, Tensor.__getitem__, functional.pad, Tensor.clone, Tensor.index_copy),
    *(torch.sum, Tensor.sum),
}
_DROPOUTS = {functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d}
#: Additions of tensors, unless one is scaled on the way (``alpha``).
_SUMS = {torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__}
#: Means: linear, all local derivatives equal to inputs per output.
_MEANS = {
    *(functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d),
    *(functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d, torch.mean, Tensor.mean),
}


def check_ready(model: nn.Module) -> None:
    """Check that batch norms and dropout are in evaluation mode.

    Raises:
        ConfigError: training mode.
    """
    if any(module.training for module in model.modules()):
        raise ConfigError(
            "the model is (partly) in training mode; call model.eval() first",
            code=Code.CONFLICT,
            field="model",
        )


def second_derivative_sums(
    model: nn.Module, images: Float[Tensor, "image channel height width"], loss: str
) -> dict[str, Tensor]:
    """Return the second derivatives by the mapped weights, summed over the images.

    Args:
        model: in evaluation mode.
        images: a batch; one forward and one backward pass.
        loss: ``cross-entropy`` or ``squared``.

    Raises:
        NetworkError: an operation that is not piecewise linear, by name.
    """
    weights = {n: w.detach().requires_grad_() for n, w in mapped_weights(model).items()}
    with torch.enable_grad(), _SecondDerivatives():
        scores = torch.func.functional_call(model, weights, (images,))
    probability = scores.detach().softmax(-1)
    start = probability * (1 - probability) if loss == "cross-entropy" else torch.ones_like(scores)
    derivatives = torch.autograd.grad(scores, list(weights.values()), start, materialize_grads=True)
    return dict(zip(weights, derivatives, strict=True))


class _SecondDerivatives(TorchFunctionMode):
    """Replaces every operation by one whose backward has squared local derivatives."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            return _product(func, *args, **kwargs)
        if func is functional.batch_norm:
            return _batch_norm(*args, **kwargs)
        out = func(*args, **kwargs)
        if func in _MEANS:
            return _scaled(out, _mean_derivative(func, args, kwargs, out))
        if not _is_plain(func, args, kwargs) and _carries_gradient(out):
            raise NetworkError(
                f"second derivatives: no rule for the operation '{resolve_name(func) or func}'; "
                "known are convolutions, linear layers, batch norm, ReLU, pooling, addition and "
                "changes of shape",
                code=Code.UNSUPPORTED_OPERATOR,
                field="second derivatives",
                value=str(resolve_name(func) or func),
            )
        return out


def _is_plain(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether all local derivatives are 0 or 1."""
    if func in _DROPOUTS:
        call = dict(zip(("input", "p", "training"), args, strict=False)) | kwargs
        return not call.get("training", True)
    return func in _UNCHANGED or (func in _SUMS and kwargs.get("alpha", 1) == 1)


def _carries_gradient(out: object) -> bool:
    values = out if isinstance(out, tuple | list) else (out,)
    return any(isinstance(value, Tensor) and value.requires_grad for value in values)


class _Product(torch.autograd.Function):
    """A product of input and weight; backward is that of the product of their squares."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, run: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Return the product."""
        ctx.save_for_backward(x, weight)
        ctx.run = run
        return run(x, weight)

    @staticmethod
    def backward(ctx: Any, *h: Tensor) -> tuple[Tensor | None, Tensor, None]:
        """Return ``(w^2)^T h`` and ``h x^2``."""
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0]
        squares = x.square().requires_grad_(wanted), weight.square().requires_grad_()
        with torch.enable_grad():
            out = ctx.run(*squares)
        derivatives = torch.autograd.grad(out, [s for s in squares if s.requires_grad], h)
        return (derivatives[0] if wanted else None), derivatives[-1], None


def _product(
    func: Callable[..., Tensor],
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *rest: Any,
    **options: Any,
) -> Tensor:
    """Run a linear layer or convolution; a bias has no part in the second derivatives."""
    run = partial(_without_bias, func, rest, options)
    out: Tensor = _Product.apply(x, weight, run)  # type: ignore[no-untyped-call]
    if bias is None:
        return out
    shape = (-1,) if func is functional.linear else (-1, *(1,) * (weight.dim() - 2))
    return out + bias.detach().view(shape)


def _without_bias(
    func: Callable[..., Tensor],
    rest: tuple[Any, ...],
    options: dict[str, Any],
    x: Tensor,
    w: Tensor,
) -> Tensor:
    return func(x, w, None, *rest, **options)


class _Scaled(torch.autograd.Function):
    """The identity, whose backward multiplies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor | float) -> Tensor:
        """Return the input."""
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *h: Tensor) -> tuple[Tensor, None]:
        """Return ``factor h``."""
        return h[0] * ctx.factor, None


def _scaled(x: Tensor, factor: Tensor | float) -> Tensor:
    """Return ``x``; on the way back its second derivative is multiplied by ``factor``."""
    out: Tensor = _Scaled.apply(x, factor)  # type: ignore[no-untyped-call]
    return out


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise with the stored statistics: a scale per channel, taken twice on the way back."""
    if training or running_mean is None or running_var is None:
        raise NetworkError(
            "second derivatives: batch norm without stored statistics; use eval()",
            code=Code.UNSUPPORTED_OPERATOR,
            field="second derivatives",
            value="batch norm",
        )
    scale = torch.rsqrt(running_var.detach() + eps)
    if weight is not None:
        scale = scale * weight.detach()
    shift = -running_mean.detach() * scale
    if bias is not None:
        shift = shift + bias.detach()
    shape = (-1, *(1,) * (x.dim() - 2))
    scale = scale.view(shape)
    # The product's own backward multiplies by `scale` once, this the second time.
    return _scaled(x * scale, scale) + shift.view(shape)


def _mean_derivative(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
) -> float:
    """Return the local derivative of a mean, ``1 / n``; the same for all pixels, or refused."""
    x: Tensor = args[0] if args else kwargs["input"]
    windows = functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d
    if func in windows:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        given = dict(zip(names, args[1:], strict=False)) | kwargs
        padded = _any(given.get("padding", 0)) and not given.get("count_include_pad", True)
        if padded or given.get("ceil_mode") or given.get("divisor_override"):
            raise _uneven_windows()
        kernel, dims = given["kernel_size"], windows.index(func) + 1
        sizes = (kernel,) * dims if isinstance(kernel, int) else tuple(kernel)
        return 1 / torch.Size(sizes).numel()
    if any(a % b for a, b in zip(x.shape, out.shape, strict=False)) and x.dim() == out.dim():
        raise _uneven_windows()
    return out.numel() / x.numel()


def _any(value: int | tuple[int, ...]) -> bool:
    return bool(value) if isinstance(value, int) else any(value)


def _uneven_windows() -> NetworkError:
    return NetworkError(
        "second derivatives: average pooling with windows of unequal size",
        code=Code.UNSUPPORTED_OPERATOR,
        field="second derivatives",
        value="average pooling",
    )
