"""Class scores of many programmed instances of one model: the general back ends.

A back end maps weights with a leading ``sample`` axis, and images, to scores
``sample image category``.
Tensors without that axis (biases, batch norms) stay those of the model. Images are shared by all
instances, or given per instance as ``sample image channel height width``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from archsim.errors import Code, DataError, close_matches

#: Programmed tensors by parameter (or buffer) name, each with a leading ``sample`` axis.
Instances = Mapping[str, Tensor]
Images = (
    Float[Tensor, "image channel height width"] | Float[Tensor, "sample image channel height width"]
)
Scores = Float[Tensor, "sample image category"]

#: Dimensions of images that all instances share.
SHARED_IMAGE_DIMS = 4


def check_instances(model: nn.Module, weights: Instances) -> int:
    """Check names and shapes and return the number of instances.

    Args:
        model: the network.
        weights: see :data:`Instances`; at least one tensor.

    Raises:
        DataError: no tensor, an unknown name, a wrong shape or different numbers of instances.
    """
    known = dict(model.named_parameters()) | dict(model.named_buffers())
    counts = {tensor.shape[0] for tensor in weights.values() if tensor.dim()}
    for name, tensor in weights.items():
        if name not in known:
            raise DataError(
                f"weights: the model has no '{name}'.{close_matches(name, known)}",
                code=Code.UNKNOWN_NAME,
                field="weights",
                value=name,
                allowed=tuple(known),
            )
        if tensor.shape[1:] != known[name].shape or not tensor.dim():
            raise DataError(
                f"weights: '{name}' has shape {tuple(tensor.shape)}; expected a leading sample "
                f"axis on {tuple(known[name].shape)}",
                code=Code.SHAPE_MISMATCH,
                field=f"weights.{name}",
                value=tuple(tensor.shape),
            )
    if len(counts) != 1:
        raise DataError(
            f"weights: {sorted(counts)} instances; expected one number for all tensors",
            code=Code.SHAPE_MISMATCH,
            field="weights",
            value=sorted(counts),
        )
    return counts.pop()


@torch.no_grad()
def loop_scores(model: nn.Module, weights: Instances, images: Images) -> Scores:
    """Evaluate one instance after the other: the reference.

    Args:
        model: the network, in evaluation mode.
        weights: see :data:`Instances`.
        images: shared, or one set per instance.

    Raises:
        DataError: names or shapes that are not those of the model.
    """
    shared = images.dim() == SHARED_IMAGE_DIMS
    scores = []
    for index in range(check_instances(model, weights)):
        instance = {name: tensor[index] for name, tensor in weights.items()}
        instance_images = images if shared else images[index]
        scores.append(torch.func.functional_call(model, instance, (instance_images,)))
    return torch.stack(scores)


@torch.no_grad()
def batched_scores(model: nn.Module, weights: Instances, images: Images) -> Scores:
    """Evaluate all instances at once: ``vmap``, which makes grouped convolutions and ``bmm``.

    Memory grows with instances times images; the caller cuts both.

    Args:
        model: the network, in evaluation mode.
        weights: see :data:`Instances`.
        images: shared, or one set per instance.

    Raises:
        DataError: names or shapes that are not those of the model.
    """
    check_instances(model, weights)

    def single(instance: dict[str, Tensor], instance_images: Tensor) -> Tensor:
        scores: Tensor = torch.func.functional_call(model, instance, (instance_images,))
        return scores

    shared = images.dim() == SHARED_IMAGE_DIMS
    scores: Tensor = torch.func.vmap(single, in_dims=(0, None if shared else 0))(
        dict(weights), images
    )
    return scores


def batched_bf16_scores(model: nn.Module, weights: Instances, images: Images) -> Scores:
    """Evaluate all instances at once, products in bfloat16 (8 bits of mantissa), sums in float32.

    Scores differ from those of the other back ends by about 1 % of their size; a class changes
    only where two are that close.

    Args:
        model: the network, in evaluation mode.
        weights: see :data:`Instances`.
        images: shared, or one set per instance.

    Raises:
        DataError: names or shapes that are not those of the model.
    """
    with torch.autocast(images.device.type, dtype=torch.bfloat16):
        return batched_scores(model, weights, images).float()
