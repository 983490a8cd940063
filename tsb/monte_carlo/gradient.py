"""Loss and gradients of many instances of a small network at once, for PyTorch to go on from.

What differs between instances is computed in PyTorch (corrections, noise, the folding of batch
norm), so its parameters may be anything; the network itself runs forward and backward in generated
code, on the CPU in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from archsim.errors import Code, DataError, NetworkError
from tsb.monte_carlo.chain import read_chain
from tsb.monte_carlo.compiled import fold, lane_last, lay_out
from tsb.monte_carlo.gradient_kernels import mask_count
from tsb.monte_carlo.gradient_network import build
from tsb.monte_carlo.kernels import Layout, Stage
from tsb.monte_carlo.lanes import IMAGE_TILE, LANES
from tsb.monte_carlo.scores import SHARED_IMAGE_DIMS, Images, Instances, check_instances

Labels = Int[Tensor, " image"] | Int[Tensor, "sample image"]


class LossAndCorrect(NamedTuple):
    """Mean cross-entropy of each instance, differentiable, and its number of right answers."""

    loss: Float[Tensor, " sample"]
    correct: Int[Tensor, " sample"]


class CompiledLoss:
    """Mean cross-entropy of a chain of convolutions and linear layers, for inputs of one shape.

    Batch norm is that of evaluation mode. Code is generated per geometry and remembered in the
    process. Gradients are computed in the forward call, by the layers that need them; second
    derivatives and ``torch.func`` transforms of the loss are not available.
    """

    def __init__(self, model: nn.Module, input_shape: tuple[int, int, int]) -> None:
        """Lay out the buffers; nothing is compiled before the first call.

        Args:
            model: the network, in evaluation mode.
            input_shape: channels, height, width.

        Raises:
            NetworkError: numba is missing, or the network has something that is not compiled.
        """
        if find_spec("numba") is None:
            raise NetworkError(
                "the compiled loss needs numba: pip install numba",
                code=Code.MISSING_PACKAGE,
                field="numba",
            )
        self.links = read_chain(model, input_shape)
        self.layouts, self.stages = lay_out(self.links, input_shape)
        self.input_shape = input_shape

    def __call__(
        self, model: nn.Module, tensors: Instances, images: Images, labels: Labels
    ) -> Float[Tensor, " sample"]:
        """Return the loss of each instance; see :meth:`loss_and_correct`."""
        return self.loss_and_correct(model, tensors, images, labels).loss

    def loss_and_correct(
        self, model: nn.Module, tensors: Instances, images: Images, labels: Labels
    ) -> LossAndCorrect:
        """Return the loss of each instance, and how many of its answers are right.

        Args:
            model: the network this was made for; tensors that are not given are its own, and
                gradients flow to them too if they require them.
            tensors: see :data:`tsb.monte_carlo.scores.Instances`.
            images: shared, or one set per instance.
            labels: shared, or one set per instance, with images of either kind.

        Raises:
            DataError: names or shapes that are not those of the model, no images, labels that do
                not fit the images or are not classes.
            NetworkError: images of another shape or type than the code was made for, or a model
                in training mode.
        """
        samples = check_instances(model, tensors)
        self._check_images(model, images)
        labels = _checked_labels(labels, images, samples, self.layouts[-1].channels)
        effective = fold(self.links, model, tensors, samples)
        flat = [tensor.float() for pair in effective for tensor in pair]
        if not torch.is_grad_enabled():
            flat = [tensor.detach() for tensor in flat]  # no gradients are computed
        code = (self.layouts, self.stages)
        outputs = _Loss.apply(*code, images, labels, *flat)  # type: ignore[no-untyped-call]
        return LossAndCorrect(*outputs)

    def _check_images(self, model: nn.Module, images: Tensor) -> None:
        if tuple(images.shape[-3:]) != self.input_shape or model.training:
            raise NetworkError(
                f"compiled for images {self.input_shape} in evaluation mode; given "
                f"{tuple(images.shape[-3:])}, training = {model.training}",
                code=Code.CONFLICT,
                field="images",
                value=tuple(images.shape[-3:]),
                allowed=str(self.input_shape),
            )
        if images.device.type != "cpu" or images.dtype != torch.float32:
            raise NetworkError(
                f"the compiled loss is for float32 on a CPU; given {images.dtype} on "
                f"{images.device}",
                code=Code.UNSUPPORTED,
                field="images",
                value=str(images.dtype),
            )


def _checked_labels(labels: Tensor, images: Tensor, samples: int, classes: int) -> Tensor:
    """Return labels as ``sample image``; the generated code would not notice what is wrong."""
    count = images.shape[-SHARED_IMAGE_DIMS]
    sets = samples if images.dim() == SHARED_IMAGE_DIMS else images.shape[0]
    if not count or sets != samples:
        raise DataError(
            f"images: shape {tuple(images.shape)}; allowed: one image or more, shared or "
            f"{samples} sets",
            code=Code.SHAPE_MISMATCH,
            field="images",
            value=tuple(images.shape),
        )
    if labels.shape not in ((count,), (samples, count)):
        raise DataError(
            f"labels: shape {tuple(labels.shape)}; allowed: ({count},) or ({samples}, {count})",
            code=Code.SHAPE_MISMATCH,
            field="labels",
            value=tuple(labels.shape),
        )
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= classes:
        raise DataError(
            f"labels: {low} to {high}; allowed: 0 to {classes - 1}",
            code=Code.OUT_OF_RANGE,
            field="labels",
            value=(low, high),
            allowed=f"0 to {classes - 1}",
        )
    return labels.long().expand(samples, count)


class _Lanes(NamedTuple):
    """Results of one vector of instances, lanes last."""

    loss: Tensor
    correct: Tensor
    gradients: list[Tensor]


def _run_lanes(
    layouts: tuple[Layout, ...],
    stages: tuple[Stage, ...],
    tensors: Sequence[Tensor],
    pixels: Tensor,
    labels: Tensor,
    wanted: Sequence[bool],
    shared: bool,
) -> _Lanes:
    """Run the generated code.

    Args:
        layouts: buffers.
        stages: layers.
        tensors: weights and bias of the first layer, of the second, ..., ``... lane``.
        pixels: flat, with lanes if the images are not shared.
        labels: ``image lane``, flat.
        wanted: of which tensors the gradients are.
        shared: whether all instances see the same images.
    """
    tiled = [IMAGE_TILE // layout.images for layout in layouts]
    maps = [torch.zeros(n * layout.size) for n, layout in zip(tiled, layouts, strict=True)]
    masks = [torch.zeros(IMAGE_TILE * mask_count(stage), dtype=torch.uint16) for stage in stages]
    slopes = [torch.zeros(layout.size) for layout in layouts]
    gradients = [torch.zeros_like(tensor) for tensor in tensors]
    loss, correct = torch.zeros(LANES, dtype=torch.float64), torch.zeros(LANES, dtype=torch.long)
    of_weights = [bool(one) for one in wanted[0::2]]
    needed = [k for k in range(len(stages)) if wanted[2 * k] or wanted[2 * k + 1]]
    build(layouts, stages, shared)(
        pixels.numpy(),
        labels.numpy(),
        labels.shape[0] // LANES,
        _arrays(tensors[0::2]),
        _arrays(tensors[1::2]),
        _arrays(maps),
        _arrays(masks),
        _arrays(slopes),
        _arrays(gradients[0::2]),
        _arrays(gradients[1::2]),
        tuple(of_weights),
        min(needed, default=len(stages)),
        loss.numpy(),
        correct.numpy(),
    )
    return _Lanes(loss * LANES / labels.shape[0], correct, gradients)


def _arrays(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    return tuple(tensor.numpy() for tensor in tensors)


def _lane_first(parts: Sequence[Tensor], like: Tensor) -> Tensor:
    """Return ``... lane`` of all vectors of instances as ``sample ...``."""
    lanes = torch.cat([part.view(-1, LANES).t() for part in parts])
    return lanes[: like.shape[0]].reshape(like.shape)


class _Loss(torch.autograd.Function):
    """Loss of each instance; the gradients are computed with it and scaled afterwards."""

    @staticmethod
    def forward(
        ctx: Any,
        layouts: tuple[Layout, ...],
        stages: tuple[Stage, ...],
        images: Tensor,
        labels: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Compute loss and gradients of all instances, one vector after the other."""
        samples, shared = tensors[0].shape[0], images.dim() == SHARED_IMAGE_DIMS
        images = images.detach().contiguous()
        wanted = ctx.needs_input_grad[4:]
        parts = [
            _run_lanes(
                layouts,
                stages,
                [lane_last(tensor, at) for tensor in tensors],
                images.view(-1) if shared else lane_last(images, at),
                _label_lanes(labels, at),
                wanted,
                shared,
            )
            for at in range(0, samples, LANES)
        ]
        gradients = zip(*(part.gradients for part in parts), strict=True)
        ctx.save_for_backward(
            *(_lane_first(by_part, t) for by_part, t in zip(gradients, tensors, strict=True))
        )
        loss = torch.cat([part.loss for part in parts])[:samples].float()
        correct = torch.cat([part.correct for part in parts])[:samples]
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_loss: Tensor, by_correct: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients times those by the loss."""
        wanted = ctx.needs_input_grad[4:]
        scaled = [
            gradient * by_loss.view(-1, *[1] * (gradient.dim() - 1)) if want else None
            for gradient, want in zip(ctx.saved_tensors, wanted, strict=True)
        ]
        return None, None, None, None, *scaled


def _label_lanes(labels: Tensor, start: int) -> Tensor:
    """Return ``sample image`` as ``image lane``, flat."""
    index = torch.arange(start, start + LANES).clamp_max(labels.shape[0] - 1)
    return labels[index].t().contiguous().view(-1)
