"""Layers of a network that compute something else for a while: what they are asked, or read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tsb.read_path.layer import Layer, readable

#: Images at once, which bounds memory.
IMAGES_AT_ONCE = 64
#: What a layer computes in place of its own product: module, activations, first image.
LayerFunction = Callable[[Layer, Tensor, int], Tensor]


def _bound(module: Layer, function: LayerFunction, first: list[int]) -> Callable[[Tensor], Tensor]:
    return lambda activations: function(module, activations, first[0])


@contextmanager
def in_place_of(modules: Mapping[Layer, LayerFunction]) -> Iterator[list[int]]:
    """Let modules compute something else, for a while.

    Args:
        modules: what each computes.

    Yields:
        A list whose only entry is the number of the first image of the batch; set it.
    """
    first = [0]
    before = {module: module.__dict__.get("forward") for module in modules}
    try:
        for module, function in modules.items():
            module.__dict__["forward"] = _bound(module, function, first)
        yield first
    finally:
        for module, old in before.items():
            if old is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = old


def float_products(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return what layers on crossbars give before their biases in the float network, by name.

    Those that are used for maps of several sizes are left out: a block is never folded into them.

    Args:
        model: in evaluation mode.
        images: ``image ...``.
    """
    seen: dict[str, list[Tensor]] = {}
    names = {module: name for name, module in crossbar_layers(model).items()}
    plain: dict[Layer, Any] = {module: type(module).forward for module in names}

    def watch(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        result: Tensor = plain[module](module, activations)
        products = result
        if module.bias is not None:
            beside = (-1, 1, 1) if isinstance(module, nn.Conv2d) else (-1,)
            products = result - module.bias.detach().view(beside)
        seen.setdefault(names[module], []).append(products.detach())
        return result

    with torch.no_grad(), in_place_of(dict.fromkeys(names, watch)):
        for part in images.split(IMAGES_AT_ONCE):
            model(part)
    return {
        name: torch.cat(parts)
        for name, parts in seen.items()
        if len({part.shape[1:] for part in parts}) == 1
    }


def crossbar_layers(model: nn.Module) -> dict[str, Layer]:
    """Return the layers of a network that lie on crossbars, by parameter name of their weights.

    Args:
        model: the network.

    Raises:
        NetworkError: one that cannot be read.
    """
    from tsb.cells.stored import layer_names, mapped_weights

    layer_of = layer_names(model) or {}
    layers = {}
    for name in mapped_weights(model):
        path = name.rpartition(".")[0]
        layers[name] = readable(layer_of.get(name, path), model.get_submodule(path))
    return layers
