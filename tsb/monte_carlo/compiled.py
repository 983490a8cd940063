"""The compiled back end: layouts and weights of a chain of layers for the generated code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from archsim.errors import Code, NetworkError
from tsb.monte_carlo.chain import Link, block_matrix, read_chain
from tsb.monte_carlo.kernels import Layout, Stage, build
from tsb.monte_carlo.lanes import IMAGE_TILE, LANES
from tsb.monte_carlo.scores import SHARED_IMAGE_DIMS, Images, Instances, Scores, check_instances
from tsb.shared_block import SharedBlock

#: Sides of the tile of outputs that a convolution sums at once: what 2x2 pooling needs.
_TILE = 2


class CompiledNetwork:
    """A chain of convolutions and linear layers for inputs of one shape.

    Calling it is a back end like :func:`tsb.monte_carlo.scores.loop_scores`, on the CPU in float32.
    Code is generated per geometry and remembered in the process.
    """

    def __init__(self, model: nn.Module, input_shape: tuple[int, int, int]) -> None:
        """Lay out the buffers; nothing is compiled before the first call.

        Args:
            model: the network.
            input_shape: channels, height, width.

        Raises:
            NetworkError: numba is missing, or the network has something that is not compiled.
        """
        if find_spec("numba") is None:
            raise NetworkError(
                "the compiled back end needs numba: pip install numba",
                code=Code.MISSING_PACKAGE,
                field="numba",
            )
        self.links = read_chain(model, input_shape)
        self.layouts, self.stages = lay_out(self.links, input_shape)
        _refuse_odd(self.links, self.stages)
        self.input_shape = input_shape

    @property
    def weight_count(self) -> int:
        """Weights of all layers."""
        return sum(s.channels_in * s.channels_out * s.kernel[0] * s.kernel[1] for s in self.stages)

    @torch.no_grad()
    def __call__(self, model: nn.Module, weights: Instances, images: Images) -> Scores:
        """Return class scores, ``sample image class``.

        Args:
            model: the network this was made for.
            weights: see :data:`tsb.monte_carlo.scores.Instances`.
            images: shared, or one set per instance.

        Raises:
            DataError: names or shapes that are not those of the model.
            NetworkError: images of another shape than the code was made for, or a model in
                training mode.
        """
        if tuple(images.shape[-3:]) != self.input_shape or model.training:
            raise NetworkError(
                f"compiled for images {self.input_shape} in evaluation mode; given "
                f"{tuple(images.shape[-3:])}, training = {model.training}",
                code=Code.CONFLICT,
                field="images",
                value=tuple(images.shape[-3:]),
                allowed=str(self.input_shape),
            )
        samples = check_instances(model, weights)
        tensors = fold(self.links, model, weights, samples)
        shared = images.dim() == SHARED_IMAGE_DIMS
        pixels = images.detach().float().contiguous()
        parts = [
            self._lanes(
                [(lane_last(w, at), lane_last(b, at)) for w, b in tensors],
                pixels.view(-1) if shared else lane_last(pixels, at),
                images.shape[-SHARED_IMAGE_DIMS],
                shared,
            )
            for at in range(0, samples, LANES)
        ]
        return torch.cat(parts)[:samples]

    def _lanes(
        self, tensors: list[tuple[Tensor, Tensor]], pixels: Tensor, count: int, shared: bool
    ) -> Scores:
        """Evaluate one vector of instances on ``count`` images."""
        classes = self.layouts[-1].channels
        tiles = -(-count // IMAGE_TILE)
        scores = torch.zeros(tiles, classes, IMAGE_TILE, LANES)
        buffers = [torch.zeros(layout.size) for layout in self.layouts[:-1]]
        network = build(self.layouts, self.stages, shared)
        network(
            pixels.numpy(),
            count,
            tuple(w.numpy() for w, _ in tensors),
            tuple(b.numpy() for _, b in tensors),
            (*(buffer.numpy() for buffer in buffers), scores.view(-1).numpy()),
        )
        return scores.permute(3, 0, 2, 1).reshape(LANES, -1, classes)[:, :count]


def lane_last(tensor: Tensor, start: int) -> Tensor:
    """Flatten ``sample ...`` to ``... lane`` in float32.

    Args:
        tensor: one per instance.
        start: the first instance; the last one there is fills missing lanes.
    """
    index = torch.arange(start, start + LANES).clamp_max(tensor.shape[0] - 1)
    return tensor[index].flatten(1).t().float().contiguous().view(-1)


def fold(
    links: Sequence[Link], model: nn.Module, weights: Instances, samples: int
) -> list[tuple[Tensor, Tensor]]:
    """Return effective weights and biases, all that is linear after a layer folded into it.

    Differentiable; sums and products in float64.

    Args:
        links: of the model, see :func:`tsb.monte_carlo.chain.read_chain`.
        model: owner of the tensors that are not given.
        weights: see :data:`tsb.monte_carlo.scores.Instances`.
        samples: number of instances.

    Returns:
        For each link ``sample out ...`` (shape of the layer's own weight) and ``sample out``.
    """
    names = {id(t): n for n, t in (*model.named_parameters(), *model.named_buffers())}

    def look_up(tensor: Tensor) -> Tensor:
        name = names[id(tensor)]
        return weights[name] if name in weights else tensor.expand(samples, *tensor.shape)

    return [_folded(link, look_up) for link in links]


def _folded(link: Link, look_up: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    """Return weights ``sample out ...`` and biases ``sample out`` of one layer."""
    weight = look_up(link.layer.weight)
    shape = weight.shape
    bias = weight.new_zeros(shape[:2]) if link.layer.bias is None else look_up(link.layer.bias)
    if link.folded:
        weight, bias = weight.flatten(2).double(), bias.double()
    for module in link.folded:
        if isinstance(module, SharedBlock):
            layers = [look_up(layer.weight).double() for layer in module.layers]
            matrix = block_matrix(layers, shape[1])
            weight, bias = matrix @ weight, (matrix @ bias.unsqueeze(-1)).squeeze(-1)
            continue
        mean, variance = look_up(module.running_mean), look_up(module.running_var)
        scale = torch.rsqrt(variance.double() + module.eps)
        if module.affine:
            scale = scale * look_up(module.weight)
        weight, bias = weight * scale.unsqueeze(-1), (bias - mean) * scale
        if module.affine:
            bias = bias + look_up(module.bias)
    return weight.reshape(shape), bias


def lay_out(
    links: Sequence[Link], input_shape: tuple[int, int, int]
) -> tuple[tuple[Layout, ...], tuple[Stage, ...]]:
    """Return the buffers before, between and after the layers, and the layers.

    Args:
        links: see :func:`tsb.monte_carlo.chain.read_chain`.
        input_shape: channels, height, width.
    """
    layouts = [_layout(input_shape, links[0])]
    stages: list[Stage] = []
    for index, link in enumerate(links):
        following = links[index + 1] if index + 1 < len(links) else None
        source = layouts[-1]
        if isinstance(link.layer, nn.Linear):
            target = Layout(link.layer.out_features, 1, 1, 0, IMAGE_TILE)
            stages.append(_linear(link, link.layer, source, target))
        else:
            height, width = _output(link.layer, source)
            shrink = _TILE if link.pool else 1
            shape = (link.layer.out_channels, height // shrink, width // shrink)
            target = _layout(shape, following)
            stages.append(_convolution(link, link.layer, (height, width), source, target))
        layouts.append(target)
    return tuple(layouts), tuple(stages)


def _layout(shape: tuple[int, int, int], reader: Link | None) -> Layout:
    """Return the buffer that the layer ``reader`` wants: padded, or interleaved images."""
    if reader is not None and isinstance(reader.layer, nn.Conv2d):
        padding = reader.layer.padding
        return Layout(*shape, padding=int(padding[0]))
    return Layout(*shape, images=IMAGE_TILE)


def _output(layer: nn.Conv2d, source: Layout) -> tuple[int, int]:
    """Return height and width of a convolution's output."""
    height, width = (
        (side + 2 * source.padding - kernel) // layer.stride[0] + 1
        for side, kernel in zip((source.height, source.width), layer.kernel_size, strict=True)
    )
    return height, width


def _refuse_odd(links: Sequence[Link], stages: Sequence[Stage]) -> None:
    for link, stage in zip(links, stages, strict=True):
        odd = stage.height % _TILE or stage.width % _TILE
        if odd and isinstance(link.layer, nn.Conv2d):
            raise NetworkError(
                f"the compiled back end does not do maps of odd size ({stage.height} x "
                f"{stage.width} after {link.layer}); use 'batched' or 'loop'",
                code=Code.UNSUPPORTED,
                field=str(link.layer),
                value=(stage.height, stage.width),
            )


def _convolution(
    link: Link, layer: nn.Conv2d, sides: tuple[int, int], source: Layout, target: Layout
) -> Stage:
    odd = (side % _TILE and not link.pool for side in sides)  # pooling drops the last row, column
    tile_height, tile_width = (1 if single else _TILE for single in odd)
    return Stage(
        channels_in=layer.in_channels,
        channels_out=layer.out_channels,
        kernel=(layer.kernel_size[0], layer.kernel_size[1]),
        step=layer.stride[0],
        height=sides[0],
        width=sides[1],
        tile=(tile_height, tile_width),
        source=source.strides,
        target=target.strides,
        target_offset=target.offset,
        relu=link.relu,
        pool=link.pool,
    )


def _linear(link: Link, layer: nn.Linear, source: Layout, target: Layout) -> Stage:
    """Return a linear layer as a 1x1 convolution over the images of a tile."""
    features = source.channels * source.height * source.width
    return Stage(
        channels_in=features,
        channels_out=layer.out_features,
        kernel=(1, 1),
        step=1,
        height=1,
        width=IMAGE_TILE,
        tile=(1, IMAGE_TILE),
        source=(IMAGE_TILE * LANES, 0, LANES),
        target=(target.strides[0], 0, LANES),
        target_offset=0,
        relu=link.relu,
        pool=False,
    )
