"""A shared block as a chip reads it: a crossbar of its own behind the products of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.config.signed_inputs import signed_format
from tsb.read_path.inputs import InputCodes
from tsb.read_path.layer import LayerRead
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings
from tsb.read_path.stored_matrices import stored_matrices

#: First number of the layers of blocks, for the noise of reads.
_FIRST_NUMBER = 1 << 16


@dataclass(frozen=True, eq=False)
class BlockCells:
    """One layer of a block on cells.

    Attributes:
        codes: signed, ``output input``.
        scale: weight of one step.
        errors: of cells in levels, ``output input side digit``; None for none.
    """

    codes: Tensor
    scale: Tensor
    errors: Tensor | None = None

    @property
    def weight(self) -> Tensor:
        """Weights without errors, ``output input``."""
        return self.codes.double() * self.scale


@dataclass(eq=False)
class BlockRead:
    """A block behind the products of one layer.

    Attributes:
        reads: of its layers, in order.
    """

    reads: list[LayerRead]

    @classmethod
    def calibrated(
        cls,
        cells: Sequence[BlockCells],
        products: Tensor,
        settings: ReadSettings,
        number: int,
    ) -> BlockRead:
        """Set input codes and converter ranges from the products that go through a block.

        Args:
            cells: of its layers, without errors.
            products: of calibration images, ``image channel height width``.
            settings: of the chip.
            number: of the place, for the noise of reads.
        """
        reads, activations = [], products.double()
        for depth, layer in enumerate(cells):
            grouped = _grouped(activations, len(layer.codes))
            codes = InputCodes.of_range(
                float(grouped.min()),
                float(grouped.max()),
                bits=settings.input_bits,
                signed_inputs=signed_format(settings.signed_inputs, is_first=False),
            )
            place = _FIRST_NUMBER + 8 * number + depth
            read = _read(layer, settings, codes, place)
            counter = read.reads[0].counter()
            for part in codes.encode(grouped):
                counter.add(part.transpose(0, 2, 3, 1).reshape(-1, part.shape[1]))
            read.reads[0].calibrate(counter.slices())
            reads.append(read)
            activations = mixed_by(layer.weight, activations)
        return cls(reads)

    def with_cells(self, cells: Sequence[BlockCells]) -> BlockRead:
        """Return the block with other cells, for example with errors; ranges stay.

        Args:
            cells: of its layers.
        """
        reads = []
        for layer, ideal in zip(cells, self.reads, strict=True):
            read = _read(layer, ideal.reads[0].settings, ideal.inputs, ideal.number)
            read.reads[0].grids = ideal.reads[0].grids
            reads.append(read)
        return BlockRead(reads)

    def __call__(self, products: Tensor, noise: Noise | None, first: int) -> Tensor:
        """Send the products of a layer through the block.

        Args:
            products: ``image channel height width``.
            noise: seed of the reads.
            first: number of the first image, for the noise.
        """
        for read in self.reads:
            grouped = _grouped(products, read.reads[0].matrix.outputs)
            per_image = len(grouped) // len(products)
            mixed = read(_one_by_one(read), grouped, noise, first * per_image)
            products = _ungrouped(mixed, products)
        return products


def mixed_by(weight: Tensor, products: Tensor) -> Tensor:
    """Return maps whose groups of channels a block has mixed, without a read path.

    Args:
        weight: ``c c``.
        products: ``image channel height width``.
    """
    grouped = _grouped(products, len(weight))
    return _ungrouped(torch.einsum("oi,nihw->nohw", weight, grouped), products)


def _one_by_one(read: LayerRead) -> nn.Conv2d:
    channels = read.reads[0].matrix.outputs
    return nn.Conv2d(channels, channels, 1, bias=False, device="meta")


def _read(layer: BlockCells, settings: ReadSettings, codes: InputCodes, number: int) -> LayerRead:
    channels = len(layer.codes)
    module = nn.Conv2d(channels, channels, 1, bias=False, device="meta")
    weights = layer.codes.view(channels, channels, 1, 1)
    (matrix,) = stored_matrices(module, weights, settings.stored_format, layer.errors)
    groups = RowGroups.in_order(channels, rows=settings.rows, rows_at_once=settings.rows_at_once)
    sign_plane = codes.signed == "sign-plane"
    read = MatrixRead(matrix=matrix, settings=settings, groups=groups, sign_plane=sign_plane)
    return LayerRead("block", [read], codes, layer.scale, number)


def _grouped(products: Tensor, channels: int) -> Tensor:
    """Cut maps into groups of channels, the last one filled with zeros, beside the images."""
    missing = -products.shape[1] % channels
    padded = functional.pad(products, (0, 0, 0, 0, 0, missing))
    return padded.reshape(-1, channels, *products.shape[2:])


def _ungrouped(grouped: Tensor, like: Tensor) -> Tensor:
    """Join groups of channels again, and cut off what was filled up."""
    joined = grouped.reshape(len(like), -1, *like.shape[2:])
    return joined[:, : like.shape[1]]
