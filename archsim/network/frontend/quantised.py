"""Quantised modules of ``torch.ao`` as the float modules whose weights they hold as integers.

Their weights lie packed, where no tracer sees them. While a model is traced, each is replaced by a
float module of the same sizes under the same name, so that the layer is that of the integer
weights; what quantises and dequantises in between is left out. Functions on packed weights, and
modules without a counterpart, are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.overrides import TorchFunctionMode

from archsim.errors import Code, NetworkError

_QUANTISED = (
    "torch.ao.nn.quantized.",
    "torch.ao.nn.intrinsic.quantized.",
    "torch.nn.quantized.",
    "torch.nn.intrinsic.quantized.",
)
#: Parts of ``torch.ao.nn.quantized`` that compute in float.
_FLOAT = frozenset({"FloatFunctional", "FXFloatFunctional"})
_REFERENCE = ".reference."

_Any = Any  # quantised modules have their sizes as plain attributes


def _with(layer: nn.Module, behind: nn.Module) -> nn.Module:
    """A layer that does what is fused behind it as well; its weights keep their names."""
    plain = layer.forward

    def forward(x: Tensor, *others: Tensor) -> Tensor:
        y = plain(x)
        for other in others:  # the map that ConvAdd adds
            y = y + other
        return cast("Tensor", behind(y))

    layer.forward = forward
    return layer


def _empty(kind: type[nn.Module], *sizes: object, **given: object) -> nn.Module:
    """A module whose weights are not drawn: their values do not matter."""
    made: nn.Module = skip_init(kind, *sizes, **given)
    return made


def _linear(old: _Any) -> nn.Module:
    bias = old.bias() is not None
    return _empty(nn.Linear, old.in_features, old.out_features, bias=bias)


def _convolution(kind: str) -> Callable[[_Any], nn.Module]:
    def build(old: _Any) -> nn.Module:
        given: dict[str, Any] = {
            "stride": old.stride,
            "dilation": old.dilation,
            "groups": old.groups,
            "bias": old.bias() is not None,
            "padding": old.padding,
        }
        if "Transpose" in kind:
            given["output_padding"] = old.output_padding
        else:
            given["padding_mode"] = old.padding_mode
        sizes = (old.in_channels, old.out_channels, old.kernel_size)
        return _empty(getattr(nn, kind), *sizes, **given)

    return build


def _recurrent(kind: str) -> Callable[[_Any], nn.Module]:
    def build(old: _Any) -> nn.Module:
        names = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
        given = {name: getattr(old, name) for name in names}
        made: nn.Module = getattr(nn, kind)(old.input_size, old.hidden_size, **given)
        return made

    return build


def _cell(kind: str) -> Callable[[_Any], nn.Module]:
    def build(old: _Any) -> nn.Module:
        return _empty(getattr(nn, kind), old.input_size, old.hidden_size, bias=old.bias)

    return build


def _plain(kind: str, *names: str) -> Callable[[_Any], nn.Module]:
    def build(old: _Any) -> nn.Module:
        made: nn.Module = getattr(nn, kind)(*(getattr(old, name) for name in names))
        return made

    return build


def _behind(
    build: Callable[[_Any], nn.Module], behind: Callable[[], nn.Module]
) -> Callable[[_Any], nn.Module]:
    return lambda old: _with(build(old), behind())


_CONVOLUTIONS = {
    f"Conv{kind}{n}d": _convolution(f"Conv{kind}{n}d")
    for kind in ("", "Transpose")
    for n in (1, 2, 3)
}
#: By name of the quantised class: what builds its float module.
_TWINS: dict[str, Callable[[_Any], nn.Module]] = {
    "Linear": _linear,
    "LinearReLU": _behind(_linear, nn.ReLU),
    "LinearLeakyReLU": _behind(_linear, nn.LeakyReLU),
    "LinearTanh": _behind(_linear, nn.Tanh),
    **_CONVOLUTIONS,
    **{f"ConvReLU{n}d": _behind(_CONVOLUTIONS[f"Conv{n}d"], nn.ReLU) for n in (1, 2, 3)},
    "ConvAdd2d": _behind(_CONVOLUTIONS["Conv2d"], nn.Identity),
    "ConvAddReLU2d": _behind(_CONVOLUTIONS["Conv2d"], nn.ReLU),
    **{f"BatchNorm{n}d": _plain(f"BatchNorm{n}d", "num_features") for n in (2, 3)},
    **{f"BNReLU{n}d": _behind(_plain(f"BatchNorm{n}d", "num_features"), nn.ReLU) for n in (2, 3)},
    "LayerNorm": _plain("LayerNorm", "normalized_shape"),
    "GroupNorm": _plain("GroupNorm", "num_groups", "num_channels"),
    **{f"InstanceNorm{n}d": _plain(f"InstanceNorm{n}d", "num_features") for n in (1, 2, 3)},
    "Embedding": _plain("Embedding", "num_embeddings", "embedding_dim"),
    "EmbeddingBag": _plain("EmbeddingBag", "num_embeddings", "embedding_dim"),
    **{kind: _recurrent(kind) for kind in ("LSTM", "GRU")},
    **{kind: _cell(kind) for kind in ("LSTMCell", "GRUCell", "RNNCell")},
    **{kind: _plain(kind) for kind in ("ReLU6", "Hardswish", "ELU", "LeakyReLU", "Sigmoid")},
    "PReLU": _plain("PReLU", "num_parameters"),
    "Softmax": _plain("Softmax", "dim"),
    "Dropout": _plain("Dropout", "p"),
    **dict.fromkeys(("Quantize", "DeQuantize"), _plain("Identity")),
    "MaxPool2d": _plain("MaxPool2d", "kernel_size", "stride", "padding", "dilation"),
    "QFunctional": lambda old: torch.ao.nn.quantized.FloatFunctional(),
}


@contextmanager
def float_twins(module: nn.Module, network: str) -> Iterator[nn.Module]:
    """Yield ``module`` with float modules for its quantised ones; afterwards they are back.

    Raises:
        NetworkError: There is one without a counterpart, or a function on packed weights is called.
    """
    if _is_quantised(module):
        yield _twin(module, type(module).__name__, network).eval()
        return
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    try:
        for path, parent in list(module.named_modules()):
            if _is_quantised(parent) or any(parent in old.modules() for _, _, old in replaced):
                continue
            for name, child in list(parent.named_children()):
                if _is_quantised(child):
                    twin = _twin(child, f"{path}.{name}" if path else name, network)
                    replaced.append((parent, name, child))
                    setattr(parent, name, twin.eval())
        if replaced or _quantises(module):
            with _AsFloat(network):
                yield module
        else:
            yield module
    finally:
        for parent, name, child in replaced:
            setattr(parent, name, child)


def is_quantised(module: nn.Module) -> bool:
    """Whether a layer of ``module`` is quantised."""
    return any(_is_quantised(part) for part in module.modules())


def _is_quantised(module: nn.Module) -> bool:
    kind = f"{type(module).__module__}."
    if not kind.startswith(_QUANTISED) or type(module).__name__ in _FLOAT:
        return False
    return _REFERENCE not in kind


def _quantises(module: nn.Module) -> bool:
    """Whether a traced graph calls functions that quantise."""
    graph = getattr(module, "graph", None)
    nodes = getattr(graph, "nodes", ())
    return any("quant" in str(getattr(node, "target", "")) for node in nodes)


def _twin(old: nn.Module, path: str, network: str) -> nn.Module:
    kind = type(old).__name__
    build = _TWINS.get(kind)
    if build is None:
        name = f"{type(old).__module__}.{kind}"
        raise NetworkError(
            f"network '{network}': '{path}' is a quantised module ({name}), of which archsim does "
            "not know the float module; give the model before it is converted "
            "(torch.ao.quantization.convert): its layers are the same",
            code=Code.UNSUPPORTED_OPERATOR,
            field=path,
            value=name,
        )
    return build(old)


#: Functions that give their first argument in another number format.
_FORMATS = frozenset(
    {
        *("quantize_per_tensor", "quantize_per_channel", "quantize_per_tensor_dynamic"),
        *("dequantize", "int_repr"),
    }
)


class _AsFloat(TorchFunctionMode):
    """Quantising functions give what they are given, and quantised sums and products the plain."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(getattr(func, "__name__", func)).partition(".")[0]
        space = str(getattr(func, "namespace", "") or "")
        if "quantized::" in str(func) or str(func).startswith("quantized."):
            space = "quantized"
        if space == "quantized":
            return self._quantised(name, args)
        if name in _FORMATS:
            return args[0] if args else kwargs["input"]
        return func(*args, **(kwargs or {}))

    def _quantised(self, name: str, args: Any) -> Any:
        relu = name.endswith("_relu")
        base = name.removesuffix("_relu").removesuffix("_scalar")
        made: Tensor | None = None
        if base == "add":
            made = args[0] + args[1]
        elif base in ("mul", "matmul"):
            made = args[0] * args[1] if base == "mul" else args[0] @ args[1]
        elif base == "cat":
            made = torch.cat(list(args[0]), args[1])
        elif base in ("hardswish", "sigmoid", "celu", "elu", "leaky_relu"):
            made = getattr(nn.functional, base)(args[0])
        elif base == "relu6":
            made = nn.functional.relu6(args[0])
        if made is None:
            raise NetworkError(
                f"network '{self.network}': it calls torch.ops.quantized.{name}, whose weights lie "
                "packed and cannot be read; give the model before it is converted, or with its "
                "layers as modules (torch.ao.nn.quantized)",
                code=Code.UNSUPPORTED_OPERATOR,
                field=f"quantized.{name}",
                value=name,
            )
        return made.relu() if relu else made
