"""A matrix of weights as cells in columns: levels, errors, and what the settings add to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from torch import Tensor

from archsim.config.choices import STORED_NAMES
from archsim.config.encodings import weight_encoding
from archsim.device import WeightFormat
from archsim.errors import Code, ConfigError

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """Weights on cells.

    Attributes:
        form: how a weight lies on cells that are read in columns.
        codes: signed codes of the weights, ``row output``.
        levels: of the cells, least significant slice first, ``row slice side output``.
        errors: of the cells, in levels; None where they hold what they were asked for.
    """

    form: WeightFormat
    codes: Whole
    levels: Whole
    errors: Floats | None

    @classmethod
    def of_codes(
        cls,
        codes: Int[Tensor, "row output"],
        form: WeightFormat,
        errors: Float[Tensor, "row output side digit"] | None = None,
    ) -> StoredMatrix:
        """Cut codes into cells.

        Args:
            codes: signed, at most the largest code of the format.
            form: bits and encoding; the sign must be in the cells.
            errors: of the cells in levels, most significant digit first.

        Raises:
            ConfigError: a sign that is kept outside of the cells.
        """
        if not weight_encoding(form.encoding).on_chip:
            raise ConfigError(
                "encoding = 'magnitude' cannot be read in columns: the sign is outside of the "
                f"cells; allowed: {', '.join(STORED_NAMES)}",
                code=Code.CONFLICT,
                field="encoding",
                value="magnitude",
                allowed=STORED_NAMES,
            )
        levels = _by_slice(form.encode(codes))
        return cls(
            form=form,
            codes=codes.numpy().astype(np.int64),
            levels=levels.astype(np.int64),
            errors=None if errors is None else _by_slice(errors).astype(np.float64),
        )

    @property
    def rows(self) -> int:
        """Rows of the matrix."""
        return int(self.levels.shape[0])

    @property
    def slices(self) -> int:
        """Slices of a weight."""
        return int(self.levels.shape[1])

    @property
    def sides(self) -> int:
        """Columns of a slice: 2 for pairs."""
        return int(self.levels.shape[2])

    @property
    def outputs(self) -> int:
        """Outputs of the matrix."""
        return int(self.levels.shape[3])

    @property
    def held(self) -> Floats:
        """Levels with their errors, ``row slice side output``."""
        exact = self.levels.astype(np.float64)
        return exact if self.errors is None else exact + self.errors

    @property
    def significances(self) -> Floats:
        """What a level of each slice is worth, ``slice``."""
        return np.ldexp(1.0, self.form.bits_per_cell * np.arange(self.slices))

    @property
    def middle_level(self) -> float:
        """Level half-way between the lowest and the highest one of a cell."""
        return (self.form.level_count - 1) / 2

    def reference_levels(self, kind: str) -> Floats | Whole | None:
        """Return the levels of a reference column, ``slice``; None where there is none.

        Args:
            kind: one of :data:`tsb.read_path.settings.OFFSET_SUBTRACTIONS`.
        """
        if self.sides > 1 or kind not in ("off-column", "zero-column", "middle-column"):
            return None
        if kind == "middle-column":
            return np.full(self.slices, self.middle_level)
        if kind == "off-column":
            return np.zeros(self.slices, dtype=np.int64)
        zero = 1 << (self.form.weight_bits - 1)
        bits = self.form.bits_per_cell
        return np.array([(zero >> (bits * j)) & ((1 << bits) - 1) for j in range(self.slices)])


def _by_slice(cells: Tensor) -> npt.NDArray[Any]:
    """Turn ``row output side digit`` into ``row slice side output``."""
    turned: npt.NDArray[Any] = cells.flip(-1).permute(0, 3, 2, 1).contiguous().numpy()
    return turned
