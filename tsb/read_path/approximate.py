"""The approximate read path: one product, and a noise with the moments of what converters lose.

On calibration images every matrix is read both ways, exactly and as one product of its codes. A
line through the pairs of each output says what the converters do to it on average, the rest is
taken as normal noise. What it cannot say is refused: where a step is coarser than twice the spread
of the sums, or more than one sum in a hundred is cut off, the loss is no noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, ConfigError
from tsb.read_path.converter import Floats
from tsb.read_path.read_noise import Noise

if TYPE_CHECKING:
    from tsb.read_path.product import MatrixRead

#: Vectors of calibration images that the moments of a matrix are taken from.
SAMPLES = 4096
#: Steps beyond so many standard deviations of the sums, and shares of clipped sums, are refused.
MOST_STEP, MOST_CLIPPED = 2.0, 0.01


@dataclass(frozen=True, eq=False)
class Moments:
    """What converters do to the outputs of a matrix, ``output`` each.

    Attributes:
        gain: of the product.
        bias: in steps of inputs and weights.
        std: of what remains, in the same steps.
    """

    gain: Floats
    bias: Floats
    std: Floats

    @classmethod
    def of(cls, exact: Floats, plain: Floats) -> Moments:
        """Fit a line to each output.

        Args:
            exact: as the chip reads it, ``vector output``.
            plain: product of the same codes.
        """
        centred = plain - plain.mean(0)
        spread = (centred**2).mean(0)
        together = (centred * (exact - exact.mean(0))).mean(0)
        gain = np.where(spread > 0, together / np.where(spread > 0, spread, 1.0), 1.0)
        bias = exact.mean(0) - gain * plain.mean(0)
        rest = exact - gain * plain - bias
        return cls(gain, bias, rest.std(0))

    def apply(self, plain: Floats, normals: Floats | npt.NDArray[np.float32] | None) -> Floats:
        """Return products as they are read, on average or with their noise.

        Args:
            plain: product of the codes, ``vector output``.
            normals: standard normal numbers of the same shape; None for none.
        """
        read = self.gain * plain + self.bias
        return np.asarray(read if normals is None else read + self.std * normals)


def sampled(vectors: npt.NDArray[np.integer], before: int) -> npt.NDArray[np.integer]:
    """Return evenly spaced vectors of a batch, as many as are still wanted.

    Args:
        vectors: ``vector row``.
        before: how many there are already.
    """
    wanted = min(len(vectors), max(0, SAMPLES - before), SAMPLES // 4)
    return np.asarray(vectors[np.arange(wanted) * len(vectors) // max(1, wanted)])


def moments_of(read: MatrixRead, vectors: npt.NDArray[np.integer], layer: str) -> Moments:
    """Measure the moments of a calibrated matrix without errors.

    Args:
        read: the matrix, calibrated.
        vectors: input codes of calibration images, ``vector row``.
        layer: its name, for errors.

    Raises:
        ConfigError: what its converters lose is no noise.
    """
    _check(read, layer)
    # Noise of cells and converters, of any seed, is part of the spread.
    return Moments.of(read.exactly(vectors, Noise(0)), read.plain(vectors))


def _check(read: MatrixRead, layer: str) -> None:
    for grids, _ in read.grids_of_groups():
        for sums, grid in zip(read.sums or [], grids or [], strict=False):
            mean = np.average(sums.values, weights=sums.counts)
            std = float(np.sqrt(np.average((sums.values - mean) ** 2, weights=sums.counts)))
            clipped = sums.clip_rate(grid)
            if clipped > MOST_CLIPPED or (grid.step > 1 and grid.step > MOST_STEP * std):
                raise ConfigError(
                    f"read_path = 'approximate': layer {layer} loses more than noise (steps of "
                    f"{grid.step:.3g} levels, sums with a spread of {std:.3g}, "
                    f"{100 * clipped:.2g} % of them cut off); allowed: exact, or more adc.bits",
                    code=Code.UNSUPPORTED,
                    field="read_path",
                    value="approximate",
                    allowed="exact",
                )
