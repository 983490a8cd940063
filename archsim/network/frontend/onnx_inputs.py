"""Shapes of the inputs of an ONNX model: one network input, every axis a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archsim.errors import Code, NetworkError, close_matches
from archsim.network.frontend.onnx_tensors import checked_shape, element_bits

if TYPE_CHECKING:
    import onnx

#: An axis of an input: its size, or its symbol (perhaps empty) where it may vary.
Axis = int | str
#: Shape of one input, or shapes of several by their names.
Shapes = Sequence[int] | Mapping[str, Sequence[int]]


def input_shapes(
    inputs: Sequence[onnx.ValueInfoProto], given: Shapes | None
) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Shapes of ``inputs``, and the sizes of the symbols in them.

    The first axis is the batch: 1 where it may vary. Other axes that may vary take the size of
    their symbol, or that of ``given``, which every input with such axes and that rank takes.

    Args:
        inputs: What the model reads at run time.
        given: Shape of one input without the batch axis, or with it (for a model whose first axis
            is fixed to another size than 1); or such shapes by name of the input.

    Raises:
        NetworkError: An input is no tensor of numbers, has an axis that nothing gives a size, a
            fixed batch, or contradicts ``given``.
    """
    axes = {str(value.name): _axes(value) for value in inputs}
    if not axes:
        raise NetworkError(
            "the ONNX model has no input; nothing depends on data",
            code=Code.EMPTY,
            field="inputs",
        )
    _check_names(axes, given)
    first = next(iter(axes))
    sizes: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, declared in axes.items():
        is_open = any(not isinstance(a, int) and a not in sizes for a in (declared or ("",))[1:])
        if isinstance(given, Mapping):
            asked, must_fit = given.get(name), True
        else:
            must_fit = name == first
            asked = given if must_fit or is_open or declared is None else None
        shapes[name] = _shape(name, declared, asked, sizes, must_fit=must_fit)
    return shapes, sizes


def _check_names(axes: Mapping[str, object], given: Shapes | None) -> None:
    for name in given if isinstance(given, Mapping) else ():
        if name not in axes:
            raise NetworkError(
                f"the ONNX model has no input '{name}'; it has {', '.join(axes)}."
                f"{close_matches(name, axes)}",
                code=Code.UNKNOWN_NAME,
                field="input_shape",
                value=name,
                allowed=tuple(axes),
            )


def _axes(value: onnx.ValueInfoProto) -> tuple[Axis, ...] | None:
    """Axes of an input; None where its rank is not said."""
    name = str(value.name)
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise NetworkError(
            f"ONNX input '{name}' is a {str(kind or 'value without a type').removesuffix('_type')};"
            " tensors are allowed",
            code=Code.WRONG_TYPE,
            field=name,
            value=str(kind),
            allowed="tensors",
        )
    tensor: onnx.TypeProto.Tensor = value.type.tensor_type
    if not element_bits(int(tensor.elem_type)):
        raise NetworkError(
            f"ONNX input '{name}' holds no numbers (type {tensor.elem_type})",
            code=Code.WRONG_TYPE,
            field=name,
            value=int(tensor.elem_type),
            allowed="numbers",
        )
    if not tensor.HasField("shape"):
        return None
    return tuple(
        int(dim.dim_value) if dim.dim_value > 0 else str(dim.dim_param) for dim in tensor.shape.dim
    )


def _shape(
    name: str,
    axes: tuple[Axis, ...] | None,
    given: Sequence[int] | None,
    sizes: dict[str, int],
    *,
    must_fit: bool,
) -> tuple[int, ...]:
    if axes is None:
        if given is None:
            raise NetworkError(
                f"ONNX input '{name}' has no shape in the file; give it with --input-shape (in "
                "Python: input_shape), without the batch axis, e.g. 3,224,224",
                code=Code.MISSING_KEY,
                field=name,
            )
        axes = ("", *("" for _ in given))
    asked = _asked(name, axes, given, must_fit=must_fit)
    _check_batch(name, axes, given)
    for axis, size in zip(axes, asked, strict=True):
        if isinstance(axis, str) and axis and size is not None:
            sizes.setdefault(axis, size)
    shape = [
        axis if isinstance(axis, int) else (size or sizes.get(axis))
        for axis, size in zip(axes, asked, strict=True)
    ]
    missing = [axis for axis, size in zip(axes, shape, strict=True) if size is None]
    if missing:
        names = ", ".join(f"'{axis}'" if axis else "one without a name" for axis in missing)
        raise NetworkError(
            f"ONNX input '{name}' has the shape {_text(axes)}: its axes may vary ({names}). Give "
            f"their sizes with --input-shape (in Python: input_shape), without the batch axis, "
            f"e.g. {_example(axes)}",
            code=Code.MISSING_KEY,
            field=name,
            value=_text(axes),
            allowed=_example(axes),
        )
    return checked_shape(f"ONNX input '{name}'", (size for size in shape if size is not None))


def _asked(
    name: str, axes: tuple[Axis, ...], given: Sequence[int] | None, *, must_fit: bool
) -> tuple[int | None, ...]:
    """The size that each axis is asked to have: 1 for a batch that may vary, else from ``given``.

    Raises:
        NetworkError: ``given`` contradicts the axes of the first input.
    """
    batch = 1 if axes and isinstance(axes[0], str) else None
    asked: tuple[int | None, ...] = (batch, *(None for _ in axes[1:]))[: len(axes)]
    if given is None:
        return asked
    whole = tuple(given) if len(given) == len(axes) else (batch, *given)
    fits = len(whole) == len(axes) and all(
        isinstance(axis, str) or size in (axis, None)
        for axis, size in zip(axes, whole, strict=True)
    )
    if fits:
        return whole
    if not must_fit:
        return asked
    raise NetworkError(
        f"ONNX input '{name}' has the shape {_text(axes)}; the input shape {tuple(given)} (without "
        f"the batch axis) does not fit it. Allowed is e.g. {_example(axes)}",
        code=Code.SHAPE_MISMATCH,
        field=name,
        value=tuple(given),
        allowed=_example(axes),
    )


def _check_batch(name: str, axes: tuple[Axis, ...], given: Sequence[int] | None) -> None:
    batch = axes[0] if len(axes) > 1 else 1
    if isinstance(batch, str) or batch == 1 or (given is not None and len(given) == len(axes)):
        return
    raise NetworkError(
        f"ONNX input '{name}' has the shape {_text(axes)}: a batch of {batch}, while costs are "
        "those of one input. Export the model with a batch of 1 or with one that may vary. If the "
        f"first axis is no batch, give the whole shape: --input-shape {_example(axes, 0)}",
        code=Code.SHAPE_MISMATCH,
        field=name,
        value=batch,
        allowed="a batch of 1",
    )


def _text(axes: tuple[Axis, ...]) -> str:
    return f"({', '.join(str(axis) or '?' for axis in axes)})"


def _example(axes: tuple[Axis, ...], start: int = 1) -> str:
    """A shape that fits, for messages."""
    return ",".join(str(axis) if isinstance(axis, int) else _SIZE for axis in axes[start:]) or "1"


#: Stands for a size in messages.
_SIZE = "128"
