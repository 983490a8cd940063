"""From a PyTorch module to a layer graph, without running it on data."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import torch
from torch import Tensor, nn

from archsim.errors import NetworkError
from archsim.network.frontend.assemble import assemble
from archsim.network.frontend.call import Trace
from archsim.network.frontend.export import export_calls
from archsim.network.frontend.fx_trace import fx_calls
from archsim.network.graph import LayerGraph


class TraceWarning(UserWarning):
    """The network was traced, but not in the preferred way."""


def trace(
    module: nn.Module,
    input_shape: Sequence[int] | None = None,
    *,
    example_input: Tensor | tuple[Tensor, ...] | None = None,
    name: str | None = None,
) -> LayerGraph:
    """Trace ``module`` into a layer graph of one input in evaluation mode.

    ``torch.export`` does it with fake tensors, so that a network on the ``meta`` device costs no
    memory. Where it fails, ``torch.fx`` and one real run on the example are tried, with a
    :class:`TraceWarning`. The training flags of the module are left as they were.

    Args:
        module: The model.
        input_shape: Shape of one input without the batch axis, e.g. ``(3, 32, 32)``.
        example_input: Instead of ``input_shape``: the input, or the tuple of inputs, with a batch
            axis of 1 first. Needed where the input is not one floating-point tensor.
        name: Name of the network; the class name in lower case if not given.

    Returns:
        The graph; operations that the output does not depend on are left out.

    Raises:
        NetworkError: Not exactly one of the two inputs is given, the shape is not positive, the
            model cannot be traced or run on it, or a matrix layer cannot be mapped.
    """
    name = name or type(module).__name__.lower()
    _refuse_lazy(module, name)
    example = _example(module, name, input_shape, example_input)
    with _evaluation(module):
        calls = _calls(module, example, name)
    ops = assemble(calls)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return LayerGraph.from_ops(name, tuple(example[0].shape[1:]), ops, parameters)


def _refuse_lazy(module: nn.Module, name: str) -> None:
    for path, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise NetworkError(
                f"network '{name}': '{path}' has no shape yet; run the lazy module once on an input"
            )


def _example(
    module: nn.Module,
    name: str,
    input_shape: Sequence[int] | None,
    example_input: Tensor | tuple[Tensor, ...] | None,
) -> tuple[Tensor, ...]:
    if (input_shape is None) == (example_input is None):
        raise NetworkError(
            f"network '{name}': give either input_shape, e.g. (3, 32, 32), or example_input"
        )
    if example_input is not None:
        inputs = (example_input,) if isinstance(example_input, Tensor) else example_input
        if not inputs or any(tensor.dim() < 1 or tensor.shape[0] != 1 for tensor in inputs):
            shapes = [tuple(tensor.shape) for tensor in inputs]
            raise NetworkError(
                f"network '{name}': example_input has shapes {shapes}; each needs a batch axis "
                "of 1 first"
            )
        return inputs
    shape = tuple(input_shape or ())
    if not shape or any(type(size) is not int or size < 1 for size in shape):
        raise NetworkError(
            f"network '{name}': input_shape is {shape}; it must be positive whole numbers without "
            "the batch axis, e.g. (3, 32, 32)"
        )
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return (torch.zeros((1, *shape), dtype=like.dtype, device=like.device),)


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every submodule has its own training flag again."""
    flags = [(submodule, submodule.training) for submodule in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for submodule, training in flags:
            submodule.training = training


def _calls(module: nn.Module, example: tuple[Tensor, ...], name: str) -> Trace:
    try:
        with _quiet():
            return export_calls(module, example)
    except NetworkError:
        raise
    except Exception as error:  # noqa: BLE001 - torch.export documents no exception types
        export_error = error
    try:
        with _quiet():
            calls = fx_calls(module, example)
    except Exception as fx_error:  # noqa: BLE001 - as above
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in example)
        raise NetworkError(
            f"network '{name}' cannot be traced on an input of shape {shapes}. Check that the "
            "model runs on an input of this shape and that its forward does not branch on values.\n"
            f"  torch.export: {_first_line(export_error)}\n  torch.fx: {_first_line(fx_error)}"
        ) from export_error
    warnings.warn(
        f"network '{name}': torch.export failed ({_first_line(export_error)}); the graph comes "
        "from torch.fx and one real run instead",
        TraceWarning,
        stacklevel=3,
    )
    return calls


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text.splitlines()[0]}" if text else type(cause).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from printing what the error that follows says anyway, and from warnings.

    Those are about running or serving the model, and none of them concerns its shapes.
    """
    loggers = [logging.getLogger(name) for name in _NOISY]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


_NOISY = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor")
