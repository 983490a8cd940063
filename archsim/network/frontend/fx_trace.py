"""Calls of a model through ``torch.fx``: the fallback where ``torch.export`` gives up.

Shapes come from one real run on the example, so the model must fit into memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from archsim.network.frontend.call import Call, Data, Trace, Weight
from archsim.network.frontend.operators import NUMBER_FORMATS
from archsim.network.source import Recipe


def fx_calls(
    module: nn.Module, example: tuple[Tensor, ...], named: Mapping[str, Tensor] | None = None
) -> Trace:
    """Trace ``module``, in evaluation mode, on ``example``.

    Args:
        module: The model.
        example: Inputs by position, each with a batch axis of 1 first.
        named: Inputs by name; arguments of ``forward`` that are in neither keep their defaults.

    Raises:
        Exception: Whatever symbolic tracing or the run on ``example`` raises.
    """
    parameters = inspect.signature(module.forward).parameters
    given = {**dict(zip(parameters, example, strict=False)), **(named or {})}
    defaults = {
        name: value.default
        for name, value in parameters.items()
        if name not in given and value.default is not value.empty
    }
    traced = fx.symbolic_trace(module, concrete_args=defaults or None)
    values = {**defaults, **given}
    inputs = [values[name] for name in parameters if name in values]  # a placeholder each, in order
    with torch.no_grad():
        ShapeProp(traced).propagate(*inputs)
    return _Reader(traced).read()


#: Operator names, and module attributes to pass on, of the modules that symbolic tracing keeps.
_MODULES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"Conv{n}d": (f"conv{n}d", ("stride", "padding", "dilation", "groups")) for n in (1, 2, 3)},
    **{
        f"ConvTranspose{n}d": (f"conv_transpose{n}d", ("stride", "padding", "dilation", "groups"))
        for n in (1, 2, 3)
    },
    **{f"BatchNorm{n}d": ("batch_norm", ()) for n in (1, 2, 3)},
    **{f"MaxPool{n}d": (f"max_pool{n}d", ("kernel_size", "stride", "padding")) for n in (1, 2, 3)},
    **{f"AvgPool{n}d": (f"avg_pool{n}d", ("kernel_size", "stride", "padding")) for n in (1, 2, 3)},
    **{f"AdaptiveAvgPool{n}d": (f"adaptive_avg_pool{n}d", ()) for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": (f"adaptive_max_pool{n}d", ()) for n in (1, 2, 3)},
    **{name: (name.lower(), ()) for name in ("Linear", "ReLU", "ReLU6", "GELU", "SiLU")},
    **{name: (name.lower(), ()) for name in ("Sigmoid", "Tanh", "Softmax", "Dropout", "Flatten")},
    **{name: (name.lower(), ()) for name in ("Hardswish", "ELU", "Mish", "Identity", "Embedding")},
    "Hardsigmoid": ("hardsigmoid", ()),
    "LeakyReLU": ("leaky_relu", ()),
    **{name: (name.lower(), ("batch_first",)) for name in ("LSTM", "GRU")},
    "RNN": ("rnn_tanh", ("batch_first",)),
    **{f"{name}Cell": (f"{name.lower()}_cell", ()) for name in ("LSTM", "GRU")},
    "RNNCell": ("rnn_tanh_cell", ()),
    "EmbeddingBag": ("embedding_bag", ()),
    "Bilinear": ("bilinear", ()),
    "LayerNorm": ("layer_norm", ()),
    "GroupNorm": ("group_norm", ()),
    "LogSoftmax": ("log_softmax", ()),
    "Dropout2d": ("dropout", ()),
    "Unflatten": ("unflatten", ()),
}

_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")

#: Positional argument names of operators that torch.fx cannot tell: methods and overloads.
_SIGNATURES = {
    "conv1d": _CONVOLUTION,
    "conv2d": _CONVOLUTION,
    "linear": ("input", "weight", "bias"),
    "mean": ("input", "dim", "keepdim"),
}


@dataclass
class _Reader:
    traced: fx.GraphModule
    seen: dict[fx.Node, Data | Weight] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    inputs: list[Data] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    constant: list[Call] = field(default_factory=list)

    def read(self) -> Trace:
        for node in self.traced.graph.nodes:
            if node.op == "placeholder":
                shape = _shape(node)
                if shape is None:  # an argument that kept its default
                    continue
                data = Data(id=node.name, shape=shape, is_complex=_is_complex(node))
                self.inputs.append(data)
                self.seen[node] = data
            elif node.op == "get_attr":
                self.seen[node] = self._weight(str(node.target))
            elif node.op == "output":
                values = (self.seen.get(used) for used in node.all_input_nodes)
                self.outputs += [value.id for value in values if isinstance(value, Data)]
            else:
                self._call(node)
        return Trace(
            inputs=tuple(self.inputs),
            calls=tuple(self.calls),
            outputs=tuple(self.outputs),
            constant=tuple(self.constant),
        )

    def _weight(self, name: str) -> Weight:
        path, _, attribute = name.rpartition(".")
        tensor: Tensor = getattr(self.traced.get_submodule(path), attribute)
        return Weight(
            name=name,
            shape=tuple(tensor.shape),
            elements=tensor.numel() * (1 + tensor.is_complex()),
            trainable=isinstance(tensor, nn.Parameter),
            is_complex=tensor.is_complex(),
            recipe=Recipe(name=name),
        )

    def _call(self, node: fx.Node) -> None:
        shape = _shape(node)
        sources = [self.seen[used] for used in node.all_input_nodes if used in self.seen]
        if shape is None or not sources:
            return
        call, in_place = self._read_call(node, shape)
        if call.op in NUMBER_FORMATS and isinstance(sources[0], Data):
            self.seen[node] = sources[0]
            return
        if not any(isinstance(source, Data) for source in sources):
            origin = next(source for source in sources if isinstance(source, Weight))
            self.seen[node] = Weight(
                name=origin.name,
                shape=shape,
                elements=origin.elements,
                trainable=origin.trainable,
                formula=node.name,  # a computation of its own
                is_complex=_is_complex(node),
                recipe=self._recipe(node, call.op),
            )
            self.constant.append(call)
            return
        self.calls.append(call)
        self.seen[node] = Data(id=node.name, shape=shape, is_complex=_is_complex(node))
        if in_place:
            self.seen[node.all_input_nodes[0]] = self.seen[node]

    def _read_call(self, node: fx.Node, shape: tuple[int, ...]) -> tuple[Call, bool]:
        """The call of a node, and whether it changes its first operand."""
        if node.op == "call_module":
            op, args = self._module(node)
            module, leaf, in_place = str(node.target), True, False
        else:
            op, in_place = _function_name(node)
            module, leaf = _owner(node), False
            args = {name: self._argument(value) for name, value in self._bind(node, op).items()}
        call = Call(id=node.name, op=op, args=args, shape=shape, module=module, leaf=leaf)
        return call, in_place

    def _module(self, node: fx.Node) -> tuple[str, Mapping[str, object]]:
        path = str(node.target)
        module = self.traced.get_submodule(path)
        op, attributes = _MODULES.get(type(module).__name__, (type(module).__name__, ()))
        args: dict[str, object] = {
            f"input{i or ''}": self._argument(value) for i, value in enumerate(node.args)
        }
        args |= {name: self._argument(value) for name, value in node.kwargs.items()}
        parameters = (name for name, _ in module.named_parameters())
        args |= {name: self._weight(f"{path}.{name}") for name in parameters}
        return op, args | {name: getattr(module, name) for name in attributes}

    def _bind(self, node: fx.Node, op: str) -> Mapping[str, object]:
        names = _SIGNATURES.get(op, ())
        if node.op == "call_function" and not names:
            normal = node.normalized_arguments(self.traced, normalize_to_only_use_kwargs=True)
            if normal is not None:
                return normal.kwargs
        padded = (*names, *(str(i) for i in range(len(names), len(node.args))))
        return {**dict(zip(padded, node.args, strict=False)), **node.kwargs}

    def _recipe(self, node: fx.Node, operator: str) -> Recipe:
        compute: Callable[..., object] | None = None
        if node.op == "call_function" and callable(node.target):
            compute = node.target
        elif node.op == "call_method":
            compute = partial(_call_method, str(node.target))
        return Recipe(
            operator=operator,
            compute=compute,
            args=tuple(self._recipes(value) for value in node.args),
            kwargs={name: self._recipes(value) for name, value in node.kwargs.items()},
        )

    def _recipes(self, value: object) -> object:
        """An argument with recipes in the place of stored tensors."""
        if isinstance(value, fx.Node):
            weight = self.seen.get(value)
            return weight.recipe if isinstance(weight, Weight) else None
        if isinstance(value, list | tuple):
            return [self._recipes(item) for item in value]
        return value

    def _argument(self, value: object) -> object:
        if isinstance(value, fx.Node):
            return self.seen.get(value)
        if isinstance(value, list | tuple):
            return tuple(self._argument(item) for item in value)
        return value


def _call_method(name: str, owner: object, *args: object, **kwargs: object) -> object:
    return getattr(owner, name)(*args, **kwargs)


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """Shape of the first tensor that ``node`` gives; None if it gives none."""
    meta: object = node.meta.get("tensor_meta")
    if isinstance(meta, list | tuple) and not isinstance(meta, TensorMetadata):
        meta = next((item for item in meta if isinstance(item, TensorMetadata)), None)
    return tuple(meta.shape) if isinstance(meta, TensorMetadata) else None


def _is_complex(node: fx.Node) -> bool:
    meta: object = node.meta.get("tensor_meta")
    return isinstance(meta, TensorMetadata) and meta.dtype.is_complex


def _function_name(node: fx.Node) -> tuple[str, bool]:
    target = node.target
    name: str = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    in_place = name in _IN_PLACE_OPERATORS or (name.endswith("_") and not name.endswith("__"))
    return _IN_PLACE_OPERATORS.get(name, name).strip("_"), in_place


_IN_PLACE_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div"}


def _owner(node: fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).split("@")[0] if stack else ""
