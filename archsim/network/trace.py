"""From a PyTorch module to a layer graph, without running it on data."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

from torch import nn

from archsim.errors import Code, NetworkError
from archsim.network.graph import LayerGraph
from archsim.network.inputs import Dtypes, Example, Examples, Shapes, make_examples
from archsim.network.kept.watch import not_kept

if TYPE_CHECKING:
    from archsim.network.frontend.call import Trace


class TraceWarning(UserWarning):
    """The network was traced, but not in the preferred way."""


def trace(
    module: nn.Module,
    input_shape: Shapes | None = None,
    *,
    example_input: Examples | None = None,
    input_dtype: Dtypes | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
) -> LayerGraph:
    """Trace ``module`` into a layer graph of one input in evaluation mode.

    ``torch.export`` does it with fake tensors, so that a network on the ``meta`` device costs no
    memory. Where it fails, ``torch.fx`` and one real run on the example are tried, with a
    :class:`TraceWarning`. The training flags of the module are left as they were. A model of
    transformers is traced without its cache, and with the experts that it picks.

    Args:
        module: The model. Quantised modules of ``torch.ao`` are traced as the float modules that
            they stand for.
        input_shape: Shape of one input without the batch axis, e.g. ``(3, 32, 32)``; of several
            inputs by their names in ``forward``.
        example_input: Instead of ``input_shape``: the input, the tuple of inputs, or inputs by
            name, each with a batch axis of 1 first (or at ``batch_axis``).
        input_dtype: With ``input_shape``: number format of the input, e.g. ``int64`` for token
            numbers, or formats by name; that of the weights if not given.
        batch_axis: Where the batch axis of the inputs lies: 1 for a module that takes time first
            (``nn.LSTM`` without ``batch_first``). 0 if not given; a module with such layers also
            takes a whole shape (steps, 1, features).
        name: Name of the network; the class name in lower case if not given.

    Returns:
        The graph; operations that the output does not depend on are left out.

    Raises:
        NetworkError: Not exactly one of the two inputs is given, the shape is not positive, an
            input is missing, the model cannot be traced or run on it, a layer that takes time
            first gets one step and a batch, or a matrix layer cannot be mapped.
    """
    # The front ends load torch.export: a graph that is kept does without.
    from archsim.network.frontend.assemble import assembled
    from archsim.network.frontend.beforehand import beforehand
    from archsim.network.frontend.quantised import float_twins, is_quantised
    from archsim.network.frontend.settings import count_parameters, plain_module, plain_settings

    name = name or type(module).__name__.lower()
    module = plain_module(module, name)
    _refuse_lazy(module, name)
    examples = make_examples(
        module,
        name,
        shapes=input_shape,
        dtypes=input_dtype,
        given=example_input,
        batch_axis=batch_axis,
    )
    with _evaluation(module), plain_settings(module), float_twins(module, name) as whole:
        calls, example = _first_that_works(whole, examples, name, batch_axis)
        parameters = count_parameters(whole, calls)
    ops, origins = assembled(calls)
    shape = example.tensors[0].shape
    return LayerGraph.from_ops(
        name,
        tuple(size for axis, size in enumerate(shape) if axis != example.batch_axis),
        ops,
        parameters,
        beforehand(calls.constant),
        (_QUANTISED,) if is_quantised(module) else (),
        origins,
    )


_QUANTISED = (
    "quantised modules are read as the layers that they hold the integer weights of; how many bits "
    "the chip stores per weight is chip.precision.weight_bits"
)


def _first_that_works(
    module: nn.Module, examples: Sequence[Example], name: str, batch_axis: int | None
) -> tuple[Trace, Example]:
    """The trace on the first example that the model takes."""
    from archsim.network.frontend.time_first import axis_order

    first: NetworkError | None = None
    for example in examples:
        try:
            with axis_order(module, name, example, explicit=batch_axis is not None):
                return _calls(module, example, name), example
        except NetworkError as error:
            if error.code is not Code.CALL_FAILED:
                raise
            first = first or error
    raise first or NetworkError(f"network '{name}': no input", code=Code.EMPTY, field=name)


def _refuse_lazy(module: nn.Module, name: str) -> None:
    for path, parameter in module.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise NetworkError(
                f"network '{name}': '{path}' has no shape yet; run the lazy module once on an "
                "input",
                code=Code.UNSUPPORTED,
                field=path,
            )


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every submodule has its own training flag again."""
    flags = [(submodule, submodule.training) for submodule in module.modules()]
    try:
        module.eval()
    except NotImplementedError:  # modules of torch.export have one mode only
        for submodule, _ in flags:
            submodule.training = False
    try:
        yield
    finally:
        for submodule, training in flags:
            submodule.training = training


def _calls(module: nn.Module, example: Example, name: str) -> Trace:
    from archsim.network.frontend.export import export_calls
    from archsim.network.frontend.fx_trace import fx_calls
    from archsim.network.frontend.settings import known_cause

    try:
        with _quiet():
            return export_calls(module, example.inputs, example.named)
    except NetworkError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - no exception types documented
        export_error = error
    try:
        with _quiet():
            calls = fx_calls(module, example.inputs, example.named)
    except NetworkError:
        raise
    except (Exception, SystemExit) as fx_error:  # noqa: BLE001 - as above
        known = known_cause(module, name, export_error, fx_error)
        if known is not None:
            raise known from export_error
        raise NetworkError(
            f"network '{name}' cannot be traced on an input of shape {example.text}. Check that "
            "the model runs on an input of this shape and number format (--input-dtype int64 for "
            "token numbers), that no other input is needed, and that its forward does not branch "
            f"on values.\n  torch.export: {_first_line(export_error)}\n"
            f"  torch.fx: {_first_line(fx_error)}",
            code=Code.CALL_FAILED,
            field="input_shape",
            value=example.text,
        ) from export_error
    not_kept("the warning that follows belongs to every use of it")
    warnings.warn(
        f"network '{name}': torch.export failed ({_first_line(export_error)}); the graph comes "
        "from torch.fx and one real run instead",
        TraceWarning,
        stacklevel=3,
    )
    return calls


def _first_line(error: BaseException) -> str:
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
