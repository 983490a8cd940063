"""The input that a model is traced on: from shapes and number formats, or as given."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from archsim.errors import Code, NetworkError, close_matches

#: Shape of one input without the batch axis, or those of several inputs by their names.
Shapes = Sequence[int] | Mapping[str, Sequence[int]]
#: Number format of the input (or of all), or those of several inputs by their names.
Dtypes = str | Mapping[str, str]
#: One input, several in order, or several by name; each with a batch axis of 1 first.
Examples = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]

#: Number formats that an input may have.
DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        str(dtype).removeprefix("torch."): dtype
        for dtype in (
            torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32,
            torch.int8, torch.uint8, torch.bool,
        )
    }
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Example:
    """Arguments of one forward pass: some by position, the others by name.

    Attributes:
        inputs: Those by position.
        named: Those by name.
        batch_axis: The axis of 1 that is the batch.
    """

    inputs: tuple[Tensor, ...] = ()
    named: Mapping[str, Tensor] = field(default_factory=dict)
    batch_axis: int = 0

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All inputs, those by position first."""
        return (*self.inputs, *self.named.values())

    @property
    def text(self) -> str:
        """Shapes, with names where there are any: ``(1, 128), mask (1, 128)``."""
        shapes = [str(tuple(tensor.shape)) for tensor in self.inputs]
        return ", ".join([*shapes, *(f"{n} {tuple(t.shape)}" for n, t in self.named.items())])


def make_examples(
    module: nn.Module,
    name: str,
    *,
    shapes: Shapes | None,
    dtypes: Dtypes | None,
    given: Examples | None,
    batch_axis: int | None = None,
) -> tuple[Example, ...]:
    """Examples to trace ``module`` on, the likelier first; what is made lies where its weights lie.

    There is a second one where a shape (steps, 1, features) may be whole: of a model with layers
    that take time first.

    Args:
        module: The model.
        name: Of the network, for messages.
        shapes: Shape of one input without the batch axis, or shapes by name of the input.
        dtypes: Number format of all inputs, or by name; that of the weights if not given.
        given: Instead of both: the inputs.
        batch_axis: Where their batch axis of 1 lies; first, if not given.

    Raises:
        NetworkError: Not exactly one of ``shapes`` and ``given``; a shape is not positive; a number
            format or an input is unknown; or the model needs an input that is not there.
    """
    if batch_axis is not None and not 0 <= batch_axis <= _LAST_AXIS:
        raise NetworkError(
            f"network '{name}': batch_axis is {batch_axis}; allowed: 0 to {_LAST_AXIS}",
            code=Code.OUT_OF_RANGE,
            field="batch_axis",
            value=batch_axis,
            allowed=f"0 to {_LAST_AXIS}",
        )
    axis = batch_axis or 0
    time_first = batch_axis is None and any(
        getattr(part, "batch_first", None) is False for part in module.modules()
    )
    if given is not None and shapes is None:
        example = _as_example(given)
        if time_first and all(_is_time_first(tensor.shape) for tensor in example.tensors):
            axis = 1
        example = replace(example, batch_axis=axis)
        _check_batch(name, example)
        examples = [example]
    elif shapes is not None and given is None:
        examples = [_from_shapes(module, name, shapes, dtypes, axis)]
        whole = () if isinstance(shapes, Mapping) else tuple(shapes)
        if time_first and _is_time_first(whole):
            examples.append(_from_shapes(module, name, (whole[0], whole[2]), dtypes, 1))
    else:
        raise NetworkError(
            f"network '{name}': give either input_shape, e.g. (3, 32, 32), or example_input "
            "(on the command line: --input-shape 3,32,32)",
            code=Code.CONFLICT if shapes is not None else Code.MISSING_KEY,
            field="input_shape",
            allowed=("input_shape", "example_input"),
        )
    for example in examples:
        _check_arguments(module, name, example)
    return tuple(examples)


#: Batch axes lie among the first ones.
_LAST_AXIS = 3


def _is_time_first(shape: Sequence[object]) -> bool:
    """Whether a shape may be whole: steps, a batch of one, features."""
    return len(shape) == 3 and shape[1] == 1 and shape[0] != 1


def _as_example(given: Examples) -> Example:
    if isinstance(given, Tensor):
        return Example((given,))
    return Example((), dict(given)) if isinstance(given, Mapping) else Example(given)


def _check_batch(name: str, example: Example) -> None:
    tensors = example.tensors
    axis = example.batch_axis
    if not tensors or any(tensor.dim() <= axis or tensor.shape[axis] != 1 for tensor in tensors):
        shapes = [tuple(tensor.shape) for tensor in tensors]
        where = "first" if axis == 0 else f"at axis {axis}"
        raise NetworkError(
            f"network '{name}': example_input has shapes {shapes}; each needs a batch axis "
            f"of 1 {where} (batch_axis says where it lies)",
            code=Code.SHAPE_MISMATCH,
            field="example_input",
            value=shapes,
            allowed="a batch axis of 1",
        )


def _from_shapes(
    module: nn.Module, name: str, shapes: Shapes, dtypes: Dtypes | None, axis: int
) -> Example:
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))

    def zeros(shape: Sequence[int], dtype: str | None) -> Tensor:
        sizes = tuple(shape)
        if not sizes or any(type(size) is not int or size < 1 for size in sizes):
            raise NetworkError(
                f"network '{name}': input_shape is {sizes}; it must be positive whole numbers "
                "without the batch axis, e.g. (3, 32, 32)",
                code=Code.OUT_OF_RANGE,
                field="input_shape",
                value=sizes,
                allowed="positive whole numbers",
            )
        chosen = like.dtype if dtype is None else _dtype(name, dtype)
        if axis > len(sizes):
            raise NetworkError(
                f"network '{name}': batch_axis is {axis}, and the shape {sizes} has "
                f"{len(sizes)} axes",
                code=Code.OUT_OF_RANGE,
                field="batch_axis",
                value=axis,
                allowed=f"0 to {len(sizes)}",
            )
        whole = (*sizes[:axis], 1, *sizes[axis:])
        return torch.zeros(whole, dtype=chosen, device=like.device)

    if not isinstance(shapes, Mapping):
        if isinstance(dtypes, Mapping):
            raise NetworkError(
                f"network '{name}': input_dtype names inputs, but input_shape does not; give both "
                "by name, e.g. input_ids=128 and input_ids=int64",
                code=Code.CONFLICT,
                field="input_dtype",
                value=dict(dtypes),
            )
        return Example((zeros(shapes, dtypes),), batch_axis=axis)
    by_name = dtypes if isinstance(dtypes, Mapping) else dict.fromkeys(shapes, dtypes)
    unknown = next((key for key in by_name if key not in shapes), None)
    if unknown is not None:
        raise NetworkError(
            f"network '{name}': input_dtype names '{unknown}', which has no input_shape; shapes "
            f"are given for {', '.join(shapes)}.{close_matches(unknown, shapes)}",
            code=Code.UNKNOWN_NAME,
            field="input_dtype",
            value=unknown,
            allowed=tuple(shapes),
        )
    made = {key: zeros(shape, by_name.get(key)) for key, shape in shapes.items()}
    return Example((), made, batch_axis=axis)


def _dtype(name: str, dtype: str) -> torch.dtype:
    if dtype not in DTYPES:
        raise NetworkError(
            f"network '{name}': input_dtype is '{dtype}'; allowed: {', '.join(DTYPES)}."
            + close_matches(dtype, DTYPES),
            code=Code.UNKNOWN_NAME,
            field="input_dtype",
            value=dtype,
            allowed=tuple(DTYPES),
        )
    return DTYPES[dtype]


def _check_arguments(module: nn.Module, name: str, example: Example) -> None:
    """Check the inputs against the signature of ``forward``, where it has one to read."""
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return
    kinds = inspect.Parameter
    open_ended = {kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD}
    known = {key: value for key, value in parameters.items() if value.kind not in open_ended}
    unknown = next((key for key in example.named if key not in known), None)
    takes_any = any(value.kind is kinds.VAR_KEYWORD for value in parameters.values())
    if unknown is not None and not takes_any:
        raise NetworkError(
            f"network '{name}' has no input '{unknown}'; it takes {', '.join(known)}."
            + close_matches(unknown, known),
            code=Code.UNKNOWN_NAME,
            field="input_shape",
            value=unknown,
            allowed=tuple(known),
        )
    rest = list(known.values())[len(example.inputs) :]
    missing = [
        value.name
        for value in rest
        if value.default is kinds.empty and value.name not in example.named
    ]
    if missing:
        raise NetworkError(
            f"network '{name}' needs the input '{missing[0]}', which is not given; give every "
            f"input by name: {' '.join(f'--input-shape {key}=SHAPE' for key in _required(known))} "
            "(input_shape={...} in Python)",
            code=Code.MISSING_KEY,
            field=missing[0],
        )


def _required(known: Mapping[str, inspect.Parameter]) -> list[str]:
    return [key for key, value in known.items() if value.default is inspect.Parameter.empty]
