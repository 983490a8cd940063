"""The input that a model is traced on: from shapes and number formats, or as given."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """Arguments of one forward pass: some by position, the others by name."""

    inputs: tuple[Tensor, ...] = ()
    named: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All inputs, those by position first."""
        return (*self.inputs, *self.named.values())

    @property
    def text(self) -> str:
        """Shapes, with names where there are any: ``(1, 128), mask (1, 128)``."""
        shapes = [str(tuple(tensor.shape)) for tensor in self.inputs]
        return ", ".join([*shapes, *(f"{n} {tuple(t.shape)}" for n, t in self.named.items())])


def make_example(
    module: nn.Module,
    name: str,
    *,
    shapes: Shapes | None,
    dtypes: Dtypes | None,
    given: Examples | None,
) -> Example:
    """The example to trace ``module`` on; tensors that are made lie where its weights lie.

    Args:
        module: The model.
        name: Of the network, for messages.
        shapes: Shape of one input without the batch axis, or shapes by name of the input.
        dtypes: Number format of all inputs, or by name; that of the weights if not given.
        given: Instead of both: the inputs.

    Raises:
        NetworkError: Not exactly one of ``shapes`` and ``given``; a shape is not positive; a number
            format or an input is unknown; or the model needs an input that is not there.
    """
    if given is not None and shapes is None:
        example = _as_example(given)
        _check_batch(name, example)
    elif shapes is not None and given is None:
        example = _from_shapes(module, name, shapes, dtypes)
    else:
        raise NetworkError(
            f"network '{name}': give either input_shape, e.g. (3, 32, 32), or example_input "
            "(on the command line: --input-shape 3,32,32)",
            code=Code.CONFLICT if shapes is not None else Code.MISSING_KEY,
            field="input_shape",
            allowed=("input_shape", "example_input"),
        )
    _check_arguments(module, name, example)
    return example


def _as_example(given: Examples) -> Example:
    if isinstance(given, Tensor):
        return Example((given,))
    return Example((), dict(given)) if isinstance(given, Mapping) else Example(given)


def _check_batch(name: str, example: Example) -> None:
    tensors = example.tensors
    if not tensors or any(tensor.dim() < 1 or tensor.shape[0] != 1 for tensor in tensors):
        shapes = [tuple(tensor.shape) for tensor in tensors]
        raise NetworkError(
            f"network '{name}': example_input has shapes {shapes}; each needs a batch axis "
            "of 1 first",
            code=Code.SHAPE_MISMATCH,
            field="example_input",
            value=shapes,
            allowed="a batch axis of 1",
        )


def _from_shapes(module: nn.Module, name: str, shapes: Shapes, dtypes: Dtypes | None) -> Example:
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
        return torch.zeros((1, *sizes), dtype=chosen, device=like.device)

    if not isinstance(shapes, Mapping):
        if isinstance(dtypes, Mapping):
            raise NetworkError(
                f"network '{name}': input_dtype names inputs, but input_shape does not; give both "
                "by name, e.g. input_ids=128 and input_ids=int64",
                code=Code.CONFLICT,
                field="input_dtype",
                value=dict(dtypes),
            )
        return Example((zeros(shapes, dtypes),))
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
    return Example((), {key: zeros(shape, by_name.get(key)) for key, shape in shapes.items()})


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
