"""One layer of a network on crossbars: activations in, activations out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from archsim.errors import Code, NetworkError
from tsb.read_path.exact import exact_convolution, exact_product, parts_of
from tsb.read_path.inputs import Codes, InputCodes
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise, quick_normals

#: A layer that can be read.
Layer = nn.Conv2d | nn.Linear
#: Numbers of matrices that a layer may have, two per group of channels: keys of what is drawn.
NUMBERS_PER_LAYER = 1 << 17


def readable(name: str, module: nn.Module) -> Layer:
    """Return a layer that can be read.

    Args:
        name: of the module.
        module: with weights on crossbars.

    Raises:
        NetworkError: another kind, or unusual padding.
    """
    kind = type(module).__name__
    if isinstance(module, nn.Linear):
        return module
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        return module
    raise NetworkError(
        f"the exact read path cannot read layer '{name}' ({kind}); it reads Conv2d (zero "
        "padding) and Linear; allowed: read_path off",
        code=Code.UNSUPPORTED,
        field=name,
        value=kind,
        allowed=("Conv2d", "Linear"),
    )


def _padding(module: nn.Conv2d) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the padding above and below, left and right."""
    if module.padding == "valid":
        return (0, 0), (0, 0)
    if module.padding == "same":
        reach = [s * (k - 1) for s, k in zip(module.dilation, module.kernel_size, strict=True)]
        (over, aside) = reach
        return (over // 2, over - over // 2), (aside // 2, aside - aside // 2)
    high, wide = (int(pad) for pad in module.padding)
    return (high, high), (wide, wide)


def unfolded(module: Layer, codes: Codes, zero: int) -> list[Codes]:
    """Return the input vectors of each group of a layer, ``vector row``, rows as in its weights.

    Args:
        module: a convolution or a linear layer.
        codes: input codes, with the batch first.
        zero: code of the padding.
    """
    if isinstance(module, nn.Linear):
        return [codes.reshape(-1, codes.shape[-1])]
    (high, wide), (down, right) = module.kernel_size, module.dilation
    padded = np.pad(codes, ((0, 0), (0, 0), *_padding(module)), constant_values=zero)
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, ((high - 1) * down + 1, (wide - 1) * right + 1), axis=(2, 3)
    )
    taken = windows[:, :, :: module.stride[0], :: module.stride[1], ::down, ::right]
    # image channel row column height width -> image row column channel height width
    vectors = taken.transpose(0, 2, 3, 1, 4, 5)
    per_group = vectors.shape[3] // module.groups
    return [
        np.ascontiguousarray(vectors[:, :, :, at : at + per_group]).reshape(
            -1, per_group * high * wide
        )
        for at in range(0, vectors.shape[3], per_group)
    ]


@dataclass(eq=False)
class LayerRead:
    """A layer as a chip reads it.

    Attributes:
        name: of the module.
        reads: one matrix per group of channels.
        inputs: codes of its activations.
        scale: weight of one step of a code, one number or one per output.
        number: of the layer, for noise.
    """

    name: str
    reads: list[MatrixRead]
    inputs: InputCodes
    scale: Tensor
    number: int = 0
    _parts: list[tuple[slice, Tensor]] | None = field(init=False, default=None)
    _line: tuple[Tensor, Tensor, Tensor] | None = field(init=False, default=None)

    def __call__(
        self,
        module: Layer,
        activations: Tensor,
        noise: Noise | None = None,
        first: int = 0,
        after: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Tensor:
        """Return the outputs of the layer, bias included.

        Args:
            module: the layer.
            activations: with the batch first.
            noise: seed of the reads; None where nothing is drawn.
            first: number of the first image, for the noise.
            after: what becomes of the products before the bias is added.
        """
        shaped = self.scaled(module, activations, noise, first)
        beside = (-1, 1, 1) if isinstance(module, nn.Conv2d) else (-1,)
        if after is not None:
            shaped = after(shaped.double(), first)
        if module.bias is not None:
            shaped = shaped.add_(module.bias.detach().to(shaped.dtype).view(beside))
        return shaped.to(activations.dtype)

    def scaled(
        self, module: Layer, activations: Tensor, noise: Noise | None = None, first: int = 0
    ) -> Tensor:
        """Return the outputs of the layer before its bias, float64; approximate ones float32.

        Args:
            module: the layer.
            activations: with the batch first.
            noise: seed of the reads.
            first: number of the first image.
        """
        # Layers that lose nothing have no moments.
        near = self._approximate(module, activations, noise, first)
        if near is not None:
            return near
        shaped = self._exact(module, activations)
        if shaped is None:
            products = self.product(module, activations, noise, first)
            shaped = _shaped(module, torch.from_numpy(products), activations)
        steps = torch.as_tensor(self.scale, dtype=torch.float64) * self.inputs.step
        beside = (-1, 1, 1) if isinstance(module, nn.Conv2d) else (-1,)
        return shaped.mul_(steps.view(beside) if steps.dim() else steps)

    def _exact(self, module: Layer, activations: Tensor) -> Tensor | None:
        """Return the products where nothing is lost, as one of the layer's own kind; else None."""
        if not all(read.exact for read in self.reads):
            return None
        if self._parts is None:
            codes = torch.cat([torch.from_numpy(read.matrix.codes.T) for read in self.reads])
            most = max(map(abs, self.inputs.ends))
            self._parts = parts_of(codes.reshape(module.weight.shape), most)
        values = self.inputs.values(activations.cpu()).to(self._parts[0][1].dtype)
        if isinstance(module, nn.Linear):
            return exact_product(values, self._parts)
        if len(self.reads) > 1 and len(self._parts) > 1:
            return None
        return exact_convolution(values, self._parts, module)

    def _approximate(
        self, module: Layer, activations: Tensor, noise: Noise | None, first: int
    ) -> Tensor | None:
        """Return the outputs with moments of what converters lose, as one of the layer's kind.

        None where they are read one by one, in two passes, or through driven wires.
        """
        if self.inputs.passes > 1 or any(
            read.moments is None or read.cells is not None for read in self.reads
        ):
            return None
        if self._line is None:
            steps = torch.as_tensor(self.scale, dtype=torch.float64) * self.inputs.step
            weights, constant, spread = _line_of(self.reads, self.inputs.zero)
            weights = (weights * (steps.view(-1, 1) if steps.dim() else steps)).float()
            line = weights.view(module.weight.shape), (constant * steps).float()
            self._line = *line, (spread * steps).float()
        weights, constant, spread = self._line
        values = self.inputs.values(activations.cpu()).float()
        if isinstance(module, nn.Linear):
            products = nn.functional.linear(values, weights, constant)
        else:
            products = nn.functional.conv2d(
                values, weights, constant, module.stride, module.padding, module.dilation,
                module.groups,
            )  # fmt: skip
        if noise is not None:
            drawn = self._drawn(products, noise, first)
            products.addcmul_(drawn, spread.view(-1, 1, 1) if products.dim() > 3 else spread)
        return products

    def _drawn(self, products: Tensor, noise: Noise, first: int) -> Tensor:
        """Return normal numbers for products, those of each matrix by its own number."""
        parts = []
        for group, read in enumerate(self.reads):
            seeded = Noise(noise.seed, self.number * NUMBERS_PER_LAYER + 2 * group)
            key = seeded.keys(len(read.groups), 1)[0, 0]
            width = products[0].numel() // len(self.reads)
            drawn = torch.from_numpy(quick_normals(key, first, len(products), width))
            parts.append(drawn.view(len(products), -1, *products.shape[2:]))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def product(
        self, module: Layer, activations: Tensor, noise: Noise | None = None, first: int = 0
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Return the products in steps of inputs and weights, ``vector output``.

        Args:
            module: the layer.
            activations: with the batch first.
            noise: seed of the reads.
            first: number of the first image.
        """
        total: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None
        for sign, codes in zip((1.0, -1.0), self.inputs.encode(activations.cpu()), strict=False):
            groups = unfolded(module, codes, self.inputs.zero)
            per_image = len(groups[0]) // len(activations)
            parts = []
            for group, (read, vectors) in enumerate(zip(self.reads, groups, strict=True)):
                number = self.number * NUMBERS_PER_LAYER + 2 * group + (sign < 0)
                seeded = noise and Noise(noise.seed, number)
                part = read(vectors, seeded, first * per_image)
                if self.inputs.zero:
                    # Known digitally, from the codes that were asked for.
                    part = part - self.inputs.zero * read.matrix.codes.sum(0)
                parts.append(part)
            joined = sign * np.concatenate(parts, axis=1)
            total = joined if total is None else total + joined
        return total if total is not None else np.zeros((0, 0))


def _line_of(reads: list[MatrixRead], zero: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what an input is worth in each output on average, the constant, and the spread.

    Of inputs as steps above the code of 0, which padding has: ``output row``, ``output`` twice.

    Args:
        reads: with moments.
        zero: code of 0.
    """
    weights, constants, spreads = [], [], []
    for read in reads:
        moments = read.moments
        if moments is None:
            raise ValueError("no moments")
        weights.append((moments.gain * read.merged).T)
        shift = zero * (moments.gain * read.merged - read.matrix.codes).sum(0)
        constants.append(moments.bias + shift)
        spreads.append(moments.std)
    found = [torch.from_numpy(np.concatenate(part)) for part in (weights, constants, spreads)]
    return found[0], found[1], found[2]


def _shaped(module: Layer, products: Tensor, activations: Tensor) -> Tensor:
    """Lay out ``vector output`` as the layer's outputs."""
    if isinstance(module, nn.Linear):
        return products.view(*activations.shape[:-1], -1)
    sizes = [
        (size + sum(pad) - spread * (kernel - 1) - 1) // stride + 1
        for size, pad, spread, kernel, stride in zip(
            activations.shape[2:],
            _padding(module),
            module.dilation,
            module.kernel_size,
            module.stride,
            strict=True,
        )
    ]
    return products.view(len(activations), *sizes, -1).permute(0, 3, 1, 2)
