"""One door for every way to name a network."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from torch import nn

from archsim.errors import Code, NetworkError
from archsim.network import timm_models, zoo
from archsim.network.formats import refuse_file
from archsim.network.graph import LayerGraph
from archsim.network.inputs import Dtypes, Examples, Shapes
from archsim.network.kept.shipped import renamed, shipped_graph
from archsim.network.kept.store import Asked, kept_graph
from archsim.network.layer_file import is_layer_table, read_layer_table
from archsim.network.trace import trace
from archsim.network.user_network import build_user_network


def load_network(
    spec: str | nn.Module,
    example_input: Examples | None = None,
    *,
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    **options: object,
) -> LayerGraph:
    """Load a network as a layer graph; nothing is downloaded.

    Args:
        spec: A zoo name (see :func:`archsim.network.zoo.names`), ``timm:NAME``, an ONNX file (its
            name ends in ``.onnx``), a layer table (``.csv``), ``package.module:function`` that
            returns an ``nn.Module``, or the module itself.
        example_input: The input, the tuple of inputs, or inputs by name, with a batch axis of 1
            first; instead of ``input_shape``, for a module or a function.
        input_shape: Shape of one input without the batch axis, or shapes by name of the input.
            Optional for timm and for the zoo, where ``(channels, height, width)`` sets the options
            ``in_channels`` and ``input_size``.
        input_dtype: Number format of the input, e.g. ``int64`` for token numbers, or formats by
            name; that of the weights if not given.
        batch_axis: Where the batch axis of the inputs lies, for a module or a function: 1 where it
            takes time first. 0 if not given.
        name: Name of the graph; that of the zoo, the function or the class if not given.
        **options: Passed on to the zoo factory, to ``timm.create_model`` or to the function.

    Raises:
        NetworkError: The name is not known, the function cannot be imported or called, tries to
            download, or returns something else, an input is missing, or tracing fails.
    """
    if isinstance(spec, nn.Module):
        if options:
            raise NetworkError(
                f"options {', '.join(sorted(options))} are given with a module that is already "
                "built; pass them to its constructor",
                code=Code.CONFLICT,
                field="options",
                value=sorted(options),
            )
        return _trace(spec, example_input, input_shape, input_dtype, batch_axis, name)
    if is_onnx(spec):
        refused = {"example_input": example_input, "input_dtype": input_dtype, **options}
        refused["batch_axis"] = batch_axis
        return _onnx_graph(spec, input_shape, name, refused)
    if is_layer_table(spec):
        given = {"example_input": example_input, "input_shape": input_shape, **options}
        given["batch_axis"] = batch_axis
        _refuse_options(spec, {"input_dtype": input_dtype, **given}, "a layer table takes none")
        return read_layer_table(spec, name=name)
    on = _Given(example_input, input_shape, input_dtype, batch_axis, name)
    if spec.startswith(timm_models.PREFIX) or ":" in spec:
        return _outside_graph(spec, options, on)
    refuse_file(spec)
    others = {"example_input": example_input, "input_dtype": input_dtype, "batch_axis": batch_axis}
    wrong = [name for name, value in others.items() if value is not None]
    if wrong:
        raise NetworkError(
            f"network '{spec}': built-in networks take images of input_shape; {', '.join(others)} "
            "are for modules and functions",
            code=Code.CONFLICT,
            field=wrong[-1],
        )
    size = _sizes(spec, input_shape)
    if not options and size in (None, zoo.entry(spec).input_shape):
        shipped = shipped_graph(spec)
        if shipped is not None:
            return renamed(shipped, name)
    asked = on.asked(spec, options)
    return kept_graph(asked, lambda: _zoo_graph(spec, options, size, name))


@dataclass(frozen=True)
class _Given:
    """What a network is traced on."""

    example: Examples | None
    shape: Shapes | None
    dtype: Dtypes | None
    batch_axis: int | None
    name: str | None

    def asked(self, spec: str, options: Mapping[str, object], *, runs_code: bool = False) -> Asked:
        """What the graph depends on; one that is traced on a tensor is not kept."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return Asked(spec=spec, options={**said, "options": dict(options)}, runs_code=runs_code)


def _outside_graph(spec: str, options: dict[str, object], given: _Given) -> LayerGraph:
    """A network of timm, or of a function of the user."""
    if spec.startswith(timm_models.PREFIX):
        if "timm" in sys.modules:  # whoever loaded it may have set how it builds models
            return _timm_graph(spec, options, given)
        asked = given.asked(spec, options)
        return kept_graph(asked, lambda: _timm_graph(spec, options, given))
    asked = given.asked(spec, options, runs_code=True)
    return kept_graph(asked, lambda: _function_graph(spec, options, given))


def _timm_graph(spec: str, options: dict[str, object], given: _Given) -> LayerGraph:
    model, own = timm_models.build_timm(spec, options, _sizes(spec, given.shape))
    name = given.name or spec.removeprefix(timm_models.PREFIX)
    shape = given.shape if given.shape is not None or given.example is not None else own
    return _trace(model, given.example, shape, given.dtype, given.batch_axis, name)


def _function_graph(spec: str, options: dict[str, object], given: _Given) -> LayerGraph:
    module = build_user_network(spec, options)
    name = given.name or spec.split(":")[1]
    return _trace(module, given.example, given.shape, given.dtype, given.batch_axis, name)


def _zoo_graph(
    spec: str, options: dict[str, object], size: tuple[int, ...] | None, name: str | None
) -> LayerGraph:
    built = zoo.build(spec, device="meta", **_with_size(spec, size, options))
    return trace(built, _zoo_shape(spec, built, size), name=name or spec)


def _trace(
    module: nn.Module,
    example: Examples | None,
    shape: Shapes | None,
    dtype: Dtypes | None,
    batch_axis: int | None,
    name: str | None,
) -> LayerGraph:
    if example is None:
        shape = _shape_of(module, shape)
    return trace(
        module,
        shape,
        example_input=example,
        input_dtype=dtype,
        batch_axis=batch_axis,
        name=name,
    )


def _sizes(spec: str, shape: Shapes | None) -> tuple[int, ...] | None:
    """The shape of the only input of a network that takes images."""
    if isinstance(shape, Mapping):
        raise NetworkError(
            f"network '{spec}' takes one image: give input_shape without a name, e.g. "
            "(3, 224, 224)",
            code=Code.WRONG_TYPE,
            field="input_shape",
            value=dict(shape),
        )
    return None if shape is None else tuple(shape)


def is_onnx(spec: str) -> bool:
    """Whether ``spec`` names an ONNX file."""
    return spec.lower().endswith(".onnx")


def _onnx_graph(
    spec: str,
    input_shape: Shapes | None,
    name: str | None,
    options: Mapping[str, object],
) -> LayerGraph:
    from archsim.network.onnx_trace import trace_onnx

    _refuse_options(spec, options, "an ONNX file takes input_shape only", "input_shape")
    asked = Asked(spec=spec, options={"shape": input_shape, "name": name}, files=(Path(spec),))
    return kept_graph(asked, lambda: trace_onnx(spec, input_shape, name=name))


def _refuse_options(
    spec: str, options: Mapping[str, object], why: str, allowed: str | None = None
) -> None:
    given = sorted(option for option, value in options.items() if value is not None)
    if given:
        raise NetworkError(
            f"network '{spec}': options {', '.join(given)} are given, and {why}",
            code=Code.CONFLICT,
            field="options",
            value=given,
            allowed=allowed,
        )


def check_module_name(spec: str) -> None:
    """Check that :func:`load_module` may know a name; what lies outside archsim is not looked at.

    Args:
        spec: As given there.

    Raises:
        NetworkError: A file of shapes without weights, or a name that is no built-in network's.
    """
    if is_onnx(spec) or is_layer_table(spec):
        what = (
            "an ONNX file is read for its shapes only"
            if is_onnx(spec)
            else "a layer table has none"
        )
        raise NetworkError(
            f"network '{spec}': this needs a PyTorch model with its weights, and {what}; map, "
            "compare and sweep take it. Give a built-in name or package.module:function",
            code=Code.UNSUPPORTED,
            field="network",
            value=spec,
        )
    if ":" not in spec:
        refuse_file(spec)
        zoo.entry(spec)


def load_module(spec: str, options: Mapping[str, object] | None = None) -> nn.Module:
    """Build the model of a network with weights in memory, in evaluation mode.

    Args:
        spec: A zoo name, ``timm:NAME`` (with random weights), or ``package.module:function`` that
            returns an ``nn.Module``.
        options: Passed on to the zoo factory, to timm or to the function.

    Raises:
        NetworkError: As :func:`load_network`.
    """
    chosen = dict(options or {})
    check_module_name(spec)
    if spec.startswith(timm_models.PREFIX):
        return timm_models.load_timm(spec, chosen)
    if ":" in spec:
        return _in_memory(spec, build_user_network(spec, chosen))
    if "device" in chosen:  # of the builder, not of the network
        raise NetworkError(
            f"network '{spec}' has no option 'device'",
            code=Code.UNKNOWN_KEY,
            field="options",
            value="device",
        )
    # Files have lists where the built-in networks take tuples.
    chosen = {k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()}
    return zoo.entry(spec).build(device="cpu", **chosen).eval()


def _in_memory(spec: str, module: nn.Module) -> nn.Module:
    """A model of the user's in evaluation mode; refused if it has one mode, or no values."""
    for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            raise NetworkError(
                f"network '{spec}': '{path}' has a shape and no values (device meta); map, compare "
                "and sweep take it. Make it on the CPU, e.g. with to_empty and its own "
                "initialisation",
                code=Code.UNSUPPORTED,
                field=path,
                value="meta",
            )
    try:
        return module.eval()
    except NotImplementedError as error:
        raise NetworkError(
            f"network '{spec}': modules of torch.export have one mode only, neither training nor "
            "evaluation; map, compare and sweep take them. Give the model that it was exported "
            "from",
            code=Code.UNSUPPORTED,
            field="network",
            value=spec,
        ) from error


def graph_of_module(
    spec: str,
    module: nn.Module,
    *,
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
) -> LayerGraph:
    """Trace a model that :func:`load_module` has built.

    Args:
        spec: The name that it was built from.
        module: The model.
        input_shape: Shape of one input, or shapes by name; None takes the network's own.
        input_dtype: Number format of the input, or formats by name.

    Raises:
        NetworkError: As :func:`load_network`.
    """
    if input_shape is None and spec.startswith(timm_models.PREFIX):
        input_shape = timm_models.input_shape(module)
    name = spec.removeprefix(timm_models.PREFIX).rpartition(":")[2]
    return load_network(module, input_shape=input_shape, input_dtype=input_dtype, name=name)


def _shape_of(module: nn.Module, given: Shapes | None) -> Shapes | None:
    """The shape given, else the ``input_shape`` that the module itself carries, as ours do."""
    carried = getattr(module, "input_shape", None)
    return given if given is not None or not isinstance(carried, tuple) else carried


def _with_size(
    spec: str, input_shape: Sequence[int] | None, options: dict[str, object]
) -> dict[str, object]:
    if input_shape is None:
        return options
    if len(input_shape) != 3:
        raise NetworkError(
            f"network '{spec}': input_shape is {tuple(input_shape)}; it must be channels, height, "
            "width",
            code=Code.SHAPE_MISMATCH,
            field="input_shape",
            value=tuple(input_shape),
            allowed="channels, height, width",
        )
    channels, *size = input_shape
    return {"in_channels": channels, "input_size": tuple(size), **options}


def _zoo_shape(
    spec: str, model: zoo.ZooModel, input_shape: Sequence[int] | None
) -> tuple[int, ...]:
    if input_shape is not None and tuple(input_shape) != model.input_shape:
        raise NetworkError(
            f"network '{spec}': input_shape is {tuple(input_shape)}, but with these options the "
            f"model takes {model.input_shape}",
            code=Code.SHAPE_MISMATCH,
            field="input_shape",
            value=tuple(input_shape),
            allowed=str(model.input_shape),
        )
    return model.input_shape
