"""One door for every way to name a network."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from archsim.errors import NetworkError
from archsim.network import zoo
from archsim.network.graph import LayerGraph
from archsim.network.trace import trace


def load_network(
    spec: str | nn.Module,
    *,
    input_shape: Sequence[int] | None = None,
    name: str | None = None,
    **options: object,
) -> LayerGraph:
    """Load a network as a layer graph.

    Args:
        spec: A zoo name (see :func:`archsim.network.zoo.names`), an ONNX file (its name ends in
            ``.onnx``), ``package.module:function`` that returns an ``nn.Module``, or the module
            itself.
        input_shape: Shape of one input without the batch axis. Optional for the zoo, where
            ``(channels, height, width)`` sets the options ``in_channels`` and ``input_size``.
        name: Name of the graph; that of the zoo, the function or the class if not given.
        **options: Passed on to the zoo factory or to the function.

    Raises:
        NetworkError: The name is not known, the function cannot be imported or called, it returns
            something else, an input shape is missing, or tracing fails.
    """
    if isinstance(spec, nn.Module):
        if options:
            raise NetworkError(
                f"options {', '.join(sorted(options))} are given with a module that is already "
                "built; pass them to its constructor"
            )
        return trace(spec, _shape_of(spec, input_shape), name=name)
    if is_onnx(spec):
        return _onnx_graph(spec, input_shape, name, options)
    if spec.startswith("timm:"):
        raise NetworkError(
            f"network '{spec}': timm models are not supported yet; so far: zoo "
            f"names ({', '.join(zoo.names())}), package.module:function, and nn.Module objects"
        )
    if ":" in spec:
        module = _call_factory(spec, options)
        return trace(module, _shape_of(module, input_shape), name=name or spec.split(":")[1])
    model = zoo.build(spec, device="meta", **_with_size(spec, input_shape, options))
    return trace(model, _zoo_shape(spec, model, input_shape), name=name or spec)


def is_onnx(spec: str) -> bool:
    """Whether ``spec`` names an ONNX file."""
    return spec.lower().endswith(".onnx")


def _onnx_graph(
    spec: str,
    input_shape: Sequence[int] | None,
    name: str | None,
    options: Mapping[str, object],
) -> LayerGraph:
    from archsim.network.onnx_trace import trace_onnx

    if options:
        raise NetworkError(
            f"network '{spec}': options {', '.join(sorted(options))} are given, and an ONNX file "
            "has none"
        )
    return trace_onnx(spec, input_shape, name=name)


def load_module(spec: str, options: Mapping[str, object] | None = None) -> nn.Module:
    """Build the model of a network with weights in memory, in evaluation mode.

    Args:
        spec: A zoo name, or ``package.module:function`` that returns an ``nn.Module``.
        options: Passed on to the zoo factory or to the function.

    Raises:
        NetworkError: As :func:`load_network`.
    """
    chosen = dict(options or {})
    if is_onnx(spec):
        raise NetworkError(
            f"network '{spec}': this needs a PyTorch model with its weights, and an ONNX file is "
            "read for its shapes only; map, compare and sweep take it. Give a built-in name or "
            "package.module:function"
        )
    if ":" in spec:
        return _call_factory(spec, chosen).eval()
    if "device" in chosen:  # of the builder, not of the network
        raise NetworkError(f"network '{spec}' has no option 'device'")
    # Files have lists where the built-in networks take tuples.
    chosen = {k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()}
    return zoo.entry(spec).build(device="cpu", **chosen).eval()


def _shape_of(module: nn.Module, given: Sequence[int] | None) -> Sequence[int] | None:
    """The shape given, else the ``input_shape`` that the module itself carries, as ours do."""
    own = getattr(module, "input_shape", None)
    return given if given is not None or not isinstance(own, tuple) else own


def _with_size(
    spec: str, input_shape: Sequence[int] | None, options: dict[str, object]
) -> dict[str, object]:
    if input_shape is None:
        return options
    if len(input_shape) != 3:
        raise NetworkError(
            f"network '{spec}': input_shape is {tuple(input_shape)}; it must be channels, height, "
            "width"
        )
    channels, *size = input_shape
    return {"in_channels": channels, "input_size": tuple(size), **options}


def _zoo_shape(
    spec: str, model: zoo.ZooModel, input_shape: Sequence[int] | None
) -> tuple[int, ...]:
    if input_shape is not None and tuple(input_shape) != model.input_shape:
        raise NetworkError(
            f"network '{spec}': input_shape is {tuple(input_shape)}, but with these options the "
            f"model takes {model.input_shape}"
        )
    return model.input_shape


def _call_factory(spec: str, options: dict[str, object]) -> nn.Module:
    module_name, _, function_name = spec.partition(":")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:
        raise NetworkError(
            f"network '{spec}': module '{module_name}' cannot be imported "
            f"({type(error).__name__}: {error}); is it on PYTHONPATH?"
        ) from error
    function: Callable[..., object] | None = getattr(found, function_name, None)
    if not callable(function):
        raise NetworkError(f"network '{spec}': '{module_name}' has no function '{function_name}'")
    try:
        model = function(**options)
    except Exception as error:
        raise NetworkError(
            f"network '{spec}': the function raised {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, nn.Module):
        raise NetworkError(
            f"network '{spec}': the function returned {type(model).__name__}, not a torch nn.Module"
        )
    return model
