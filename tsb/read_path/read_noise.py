"""Normal numbers that depend on their place alone: not on batches, chunks or threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from tsb.read_path import kernels


def normals(key: np.uint64, first_vector: int, vectors: int, width: int) -> npt.NDArray[np.float64]:
    """Return the numbers of some vectors, ``vector column``, as the compiled loops draw them.

    Args:
        key: of what is drawn.
        first_vector: number of the first vector.
        vectors: how many.
        width: columns.
    """
    drawn = np.empty((vectors, width))
    kernels.fill_normals(key, np.uint64(first_vector * width), drawn.reshape(-1))
    return drawn


def quick_normals(
    key: np.uint64, first_vector: int, vectors: int, width: int
) -> npt.NDArray[np.float32]:
    """Return numbers of some vectors, ``vector column``, of 4096 values: those of the quantiles.

    The largest are 3.7 standard deviations. A fraction of the time of :func:`normals`, whose
    numbers they are not.

    Args:
        key: of what is drawn.
        first_vector: number of the first vector.
        vectors: how many.
        width: columns.
    """
    drawn = np.empty((vectors, width), np.float32)
    kernels.fill_from_table(key, np.uint64(first_vector * width), _quantiles(), drawn.reshape(-1))
    return drawn


@cache
def _quantiles() -> npt.NDArray[np.float32]:
    """Middle quantiles of the normal distribution in 2^12 parts, of unit variance."""
    middles = (torch.arange(1 << 12, dtype=torch.float64) + 0.5) / (1 << 12)
    values = torch.special.ndtri(middles)
    found: npt.NDArray[np.float32] = (values / values.square().mean().sqrt()).float().numpy()
    return found


@dataclass(frozen=True)
class Noise:
    """What is drawn anew in every read.

    Attributes:
        seed: of the chip and the run; the same seed gives the same noise whatever the bits, the
            batch or the threads.
        layer: number of the layer.
    """

    seed: int
    layer: int = 0

    def keys(self, group: int, planes: int) -> npt.NDArray[np.uint64]:
        """Return the keys of a group, ``plane purpose``: noise of cells, and of conversions."""
        words = np.random.SeedSequence((self.seed, self.layer, group)).generate_state(
            2 * planes, np.uint64
        )
        return words.reshape(planes, 2).astype(np.uint64)
