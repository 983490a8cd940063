"""Scores of a chip that is read exactly, with gradients of its corrections: straight-through.

What converters do is a staircase. Forward, every layer of the backbone gives what the chip reads;
backward, it is the plain product of its stored weights, as if nothing had been rounded (Bengio et
al., arXiv 1308.3432). Blocks, scales, biases and rewritten layers stand behind that as they are
trained without a read path: with the noise of their writing, and gradients of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tsb.correction.base import Correction
from tsb.correction.block_read import mixed_by
from tsb.correction.corrected import own_parameters
from tsb.correction.on_read import OnRead, readable_acts
from tsb.read_path.layer import Layer
from tsb.read_path.network import ReadNetwork
from tsb.read_path.substitute import crossbar_layers, in_place_of


@dataclass(frozen=True, eq=False)
class ReadTuning:
    """The chips that corrections are trained for, as they are read.

    Attributes:
        networks: of each chip, with the errors of its cells.
        stored: weights of each chip as its cells hold them, by name.
    """

    networks: Sequence[ReadNetwork]
    stored: Sequence[Mapping[str, Tensor]]

    def scores(
        self,
        chip: int,
        corrections: Sequence[Correction],
        parameters: Mapping[str, Tensor],
        tensors: Mapping[str, Tensor],
        images: Tensor,
    ) -> Tensor:
        """Return the scores of one chip, with gradients to the parameters of its corrections.

        Args:
            chip: number of the chip.
            corrections: attached, in order.
            parameters: of this chip, as they are written, by ``index.name``.
            tensors: of the corrected network: biases and batch norms are taken from them.
            images: ``image ...``.
        """
        network, stored = self.networks[chip], self.stored[chip]
        acts = readable_acts(corrections, lambda index: own_parameters(parameters, index))
        names = {module: name for name, module in crossbar_layers(network.model).items()}

        def through(module: Layer, activations: Tensor, first: int) -> Tensor:
            del first
            name = names[module]
            rewritten = any(name in act.rewritten for act in acts)
            if name not in stored or rewritten:  # written with the corrections
                products = _plain(module, activations, tensors[name])
            else:
                plain = _plain(module, activations, stored[name])
                read = network.layers[name].scaled(module, activations.detach())
                products = plain + (read.to(plain.dtype) - plain).detach()
            products = _behind(name, products, acts, parameters)
            bias = tensors.get(f"{name.removesuffix('.weight')}.bias")
            return products if bias is None else products + _beside(bias, products)

        others = {name: t for name, t in tensors.items() if name not in names.values()}
        with in_place_of(dict.fromkeys(names, through)):
            scores: Tensor = torch.func.functional_call(network.model, others, (images,))
        return scores


def _plain(module: Layer, activations: Tensor, weight: Tensor) -> Tensor:
    """Return the product of a layer before its bias."""
    if isinstance(module, nn.Linear):
        return functional.linear(activations, weight)
    padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
    return functional.conv2d(
        activations, weight, None, module.stride, padding, module.dilation, module.groups
    )


def _behind(
    name: str, products: Tensor, acts: Sequence[OnRead], parameters: Mapping[str, Tensor]
) -> Tensor:
    """Send products through the blocks and scales behind a layer."""
    for index, act in enumerate(acts):
        for key in act.blocks.get(name, ()):
            products = mixed_by(parameters[f"{index}.{key}"], products)
        if name in act.scales:
            products = products * _beside(act.scales[name], products)
    return products


def _beside(vector: Tensor, products: Tensor) -> Tensor:
    """Shape one number per output so that it goes with maps or vectors."""
    return vector.view(-1, 1, 1) if products.dim() == 4 else vector
