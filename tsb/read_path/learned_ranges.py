"""Ranges of converters that are trained: two ends per layer and slice, straight through rounding.

They begin as calibrated. Adam moves them so that what is read gets the classes that the float
network gives the calibration images, without labels. The gradients are those of learned step sizes
(Esser et al., Learned step size quantization, ICLR 2020, arXiv 1902.08153) with two ends: with A
what a converter says of a sum S in a range of some span, inside dA/d(high) = (A - S) / span =
-dA/d(low); above dA/d(high) = 1, below dA/d(low) = 1. They are divided by the root of the number of
conversions times steps. Ranges are kept where the loss is no higher than that of the calibrated
ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tsb.read_path.converter import ConverterGrid, Floats, calibrated_grids
from tsb.read_path.layer import Layer, LayerRead, unfolded
from tsb.read_path.product import MatrixRead
from tsb.read_path.substitute import crossbar_layers, in_place_of
from tsb.read_path.sums import column_sums

if TYPE_CHECKING:
    from tsb.read_path.network import ReadNetwork

#: Steps of Adam, images of each, and its learning rate, in calibrated spans.
STEPS, BATCH, RATE = 40, 16, 0.02
#: Input vectors of a layer that a gradient is taken from.
_VECTORS = 1024
#: Where softplus is 1: the calibrated span.
_ONE = math.log(math.e - 1)


@dataclass(frozen=True, eq=False)
class LearnedEnds:
    """The ranges of one matrix, in calibrated spans.

    Attributes:
        first: calibrated grids, one per slice.
        shift: of the lower end, ``slice``; stays 0 where sums have a sign.
        size: span, through softplus, ``slice``.
    """

    first: Sequence[ConverterGrid]
    shift: Tensor
    size: Tensor

    @classmethod
    def of(cls, grids: Sequence[ConverterGrid]) -> LearnedEnds:
        """Begin with calibrated grids."""
        shift = torch.zeros(len(grids), dtype=torch.float64, requires_grad=True)
        size = torch.full((len(grids),), _ONE, dtype=torch.float64, requires_grad=True)
        return cls(list(grids), shift, size)

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return lower end and span of each slice, levels."""
        spans = torch.tensor([grid.span for grid in self.first], dtype=torch.float64)
        lows = torch.tensor([grid.low for grid in self.first], dtype=torch.float64)
        return lows + spans * self.shift, spans * functional.softplus(self.size)

    def grids(self, *, bits: int, signed: bool) -> list[ConverterGrid]:
        """Return the converters of these ranges."""
        lows, spans = (bound.tolist() for bound in self.bounds())
        if signed:
            return [ConverterGrid.of_range(-s, s, bits=bits, signed=True) for s in spans]
        ends = zip(lows, spans, strict=True)
        return [ConverterGrid.of_range(low, low + s, bits=bits, signed=False) for low, s in ends]


def learn_ranges(network: ReadNetwork, images: Tensor) -> None:
    """Train the ranges of a calibrated network without errors, in place.

    Args:
        network: calibrated.
        images: of the calibration.
    """
    settings = network.settings
    bits, signed = settings.converter.bits, settings.signed_sums
    ends = {
        id(read): LearnedEnds.of(read.grids)
        for layer in network.layers.values()
        for read in layer.reads
        if read.grids is not None and not read.exact and read.grids[0].levels is None
    }
    if not ends:
        return
    reads = [one for layer in network.layers.values() for one in layer.reads if id(one) in ends]
    with torch.no_grad():
        wanted = network.model(images).softmax(-1)
    learned = [end for each in ends.values() for end in (each.shift, each.size)]
    optimiser = torch.optim.Adam(learned, lr=RATE)
    first = {id(read): read.grids for read in reads}
    before = _loss(network, images, wanted)
    for step in range(STEPS):
        chosen = (torch.arange(min(BATCH, len(images))) + step * BATCH) % len(images)
        for read in reads:
            read.grids = ends[id(read)].grids(bits=bits, signed=signed)
        optimiser.zero_grad()
        scores = _scores(network, images[chosen], ends)
        functional.cross_entropy(scores, wanted[chosen].to(scores.dtype)).backward()
        optimiser.step()
    for read in reads:
        found = ends[id(read)].grids(bits=bits, signed=signed)
        read.grids = calibrated_grids(settings, [(grid.bottom, grid.high) for grid in found])
    if not _loss(network, images, wanted) <= before:
        for read in reads:
            read.grids = first[id(read)]


def _loss(network: ReadNetwork, images: Tensor, wanted: Tensor) -> float:
    scores = network.scores(images)
    return float(functional.cross_entropy(scores, wanted.to(scores.dtype)))


def _scores(network: ReadNetwork, images: Tensor, ends: dict[int, LearnedEnds]) -> Tensor:
    names = {module: name for name, module in crossbar_layers(network.model).items()}
    plain_of: dict[Layer, Any] = {module: type(module).forward for module in names}

    def through(module: Layer, activations: Tensor, first: int) -> Tensor:
        del first
        layer = network.layers[names[module]]
        plain: Tensor = plain_of[module](module, activations)
        read = layer(module, activations.detach())
        output = plain + (read - plain).detach()
        for group, one in enumerate(layer.reads):
            if id(one) in ends:
                lows, spans = ends[id(one)].bounds()
                about = _About(layer, one, group, module, activations.detach())
                output = let_through(output, lows, spans, about)
        return output

    let_through: Callable[..., Tensor] = _Ranges.apply
    with in_place_of(dict.fromkeys(names, through)):
        scores: Tensor = network.model(images)
    return scores


@dataclass(frozen=True, eq=False)
class _About:
    """What the gradient of a matrix's ranges needs to know."""

    layer: LayerRead
    read: MatrixRead
    group: int
    module: Layer
    activations: Tensor

    def gradients(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients to lower ends and spans, from that to the layer's outputs."""
        read, layer = self.read, self.layer
        width = read.matrix.outputs
        flat = outputs.movedim(1, -1) if outputs.dim() > 3 else outputs
        rows = flat.reshape(-1, flat.shape[-1])[:, self.group * width : (self.group + 1) * width]
        steps = torch.as_tensor(layer.scale, dtype=torch.float64) * layer.inputs.step
        if steps.dim():
            steps = steps[self.group * width : (self.group + 1) * width]
        weighed = (rows.double() * steps).numpy()
        chosen = np.unique(np.linspace(0, len(weighed) - 1, _VECTORS).astype(int))
        share = len(weighed) / len(chosen)
        lows, spans = np.zeros(read.matrix.slices), np.zeros(read.matrix.slices)
        parts = layer.inputs.encode(self.activations)
        for sign, codes in zip((1.0, -1.0), parts, strict=False):
            vectors = unfolded(self.module, codes, layer.inputs.zero)[self.group][chosen]
            low, span = range_gradients(read, vectors, sign * share * weighed[chosen])
            lows, spans = lows + low, spans + span
        return torch.from_numpy(lows), torch.from_numpy(spans)


def range_gradients(read: MatrixRead, vectors: Any, outputs: Floats) -> tuple[Floats, Floats]:
    """Return the gradients to lower end and span of each slice's range.

    Args:
        read: the matrix, with its converters.
        vectors: input codes, ``vector row``.
        outputs: gradient to its products, in steps of inputs and weights, ``vector output``.
    """
    grids = read.grids or []
    lows, spans = np.zeros(len(grids)), np.zeros(len(grids))
    count = 0
    for group in range(len(read.groups)):
        for plane in range(read.settings.planes):
            sums = column_sums(read, vectors, group, plane)[..., : read.matrix.outputs]
            worth = float(1 << (read.settings.dac_bits * plane))
            if read.sign_plane and plane == read.settings.planes - 1:
                worth = -worth
            count += sums[:, 0].size
            for j, grid in enumerate(grids):
                for side in range(sums.shape[2]):
                    here = sums[:, j, side]
                    told = (-1.0) ** side * worth * read.matrix.significances[j] * outputs
                    above, below = here > grid.high, here < grid.bottom
                    lost = np.where(above | below, 0.0, (grid.read(here) - here) / grid.span)
                    signed = grid.lowest_code < 0
                    spans[j] += (told * (lost + above - (below if signed else 0.0))).sum()
                    lows[j] += 0.0 if signed else (told * (above | below)).sum()
    steps = np.array([grid.steps for grid in grids])
    scale = 1 / np.sqrt(max(1, count) * steps)
    return lows * scale, spans * scale


class _Ranges(torch.autograd.Function):
    """Lets the outputs of a layer through, and gives ranges their gradient."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, lows: Tensor, spans: Tensor, about: _About) -> Tensor:
        """Return the outputs as they are."""
        del lows, spans
        ctx.about = about
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradients of the outputs and of the ranges."""
        (gradient,) = grad_outputs
        return gradient, *ctx.about.gradients(gradient), None
