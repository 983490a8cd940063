"""Normal numbers that depend on their place alone: not on batches, chunks or threads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
