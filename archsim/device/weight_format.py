"""From real weights to the levels of cells and back: quantise, encode, decode.

A weight ``w`` is quantised to a signed code ``q`` with ``w = scale q`` and stored by its
*encoding*:

``magnitude``
    ``|q|`` on one set of cells, the sign kept outside without error: the convention of the papers
    (Qin et al., ICCAD 2024, arXiv 2406.06544; NeFT, arXiv 2305.14561). ``|q| <= 2^M - 1``.
``offset``
    ``q + 2^(M-1)`` on one set of cells, ``|q| <= 2^(M-1) - 1``. Zero is a code of its own; the
    range of the cells spans twice the largest weight, so the noise is ``(2^M - 1) / (2^(M-1) - 1)``
    (about 2) times that of ``magnitude``.
``differential``
    ``|q|`` on the positive or on the negative cell of a pair, the other cell at level 0; both have
    an error, so the noise is sqrt(2) times that of ``magnitude``.
``separate-sign``
    the same cells, levels and errors as ``differential``, with each negative column beside its
    positive one (:mod:`archsim.config.encodings`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from archsim.config.choices import ENCODINGS
from archsim.config.encodings import weight_encoding
from archsim.device.cell import decode_digits, encode_digits
from archsim.device.variation import code_noise_std_of
from archsim.errors import Code, ConfigError, DataError

#: Bounds of the number formats, those of the schema.
_MAX_WEIGHT_BITS, _MAX_CELL_BITS = 16, 8


class Quantised(NamedTuple):
    """Signed codes and the weight of one step: ``w = scale * codes``."""

    codes: Int[Tensor, "*weights"]
    scale: float


@dataclass(frozen=True, kw_only=True)
class WeightFormat:
    """How a weight lies on cells.

    Attributes:
        weight_bits: M, 1 to 16 (``offset``: 2 to 16).
        bits_per_cell: K, 1 to 8. Where it does not divide M the top cell has
            :attr:`padded_bits` bits that are never used.
        encoding: one of :data:`ENCODINGS`.
    """

    weight_bits: int = 8
    bits_per_cell: int = 2
    encoding: str = "magnitude"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown encoding, or bits out of range.
        """
        if self.encoding not in ENCODINGS:
            raise ConfigError.of(Code.UNKNOWN_NAME, "encoding", self.encoding, allowed=ENCODINGS)
        least = 2 if weight_encoding(self.encoding).sign_bit else 1
        if not least <= self.weight_bits <= _MAX_WEIGHT_BITS:
            raise ConfigError(
                f"weight_bits = {self.weight_bits}; allowed for {self.encoding}: {least} to "
                f"{_MAX_WEIGHT_BITS}",
                code=Code.OUT_OF_RANGE,
                field="weight_bits",
                value=self.weight_bits,
                allowed=f"{least} to {_MAX_WEIGHT_BITS}",
            )
        if not 1 <= self.bits_per_cell <= _MAX_CELL_BITS:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "bits_per_cell",
                self.bits_per_cell,
                allowed=f"1 to {_MAX_CELL_BITS}",
            )

    @property
    def level_count(self) -> int:
        """Levels per cell, ``2^K``."""
        return 1 << self.bits_per_cell

    @property
    def slices(self) -> int:
        """Digits per code, ``ceil(M / K)``."""
        return -(-self.weight_bits // self.bits_per_cell)

    @property
    def sides(self) -> int:
        """Cells per digit: 2 (positive, negative) or 1."""
        return weight_encoding(self.encoding).sides

    @property
    def cells_per_weight(self) -> int:
        """Cells per weight, ``sides * slices``."""
        return int(weight_encoding(self.encoding).columns(self.weight_bits, self.bits_per_cell))

    @property
    def column_order(self) -> tuple[int, ...]:
        """Cells of a weight, ``side * slices + digit``, in the order of its columns."""
        return weight_encoding(self.encoding).column_order(self.slices)

    @property
    def padded_bits(self) -> int:
        """Bits of the top cell that no code uses; 0 where K divides M."""
        return self.slices * self.bits_per_cell - self.weight_bits

    @property
    def magnitude_bits(self) -> int:
        """Bits of the largest weight: an offset code spends one on the sign."""
        return self.weight_bits - weight_encoding(self.encoding).sign_bit

    @property
    def largest_code(self) -> int:
        """Code of the largest weight."""
        return (1 << self.magnitude_bits) - 1

    def scale_of(self, weight: Tensor, *, name: str = "weights") -> float:
        """Return the weight of one code step, ``max|w| / largest_code``.

        0 for a tensor of zeros (or of nothing): all its codes are 0, and it reads back as zeros.

        Args:
            weight: any shape.
            name: what to call the tensor in an error.

        Raises:
            DataError: weights that are complex or integer, not a number, or infinite.
        """
        if not weight.is_floating_point():
            raise DataError(
                f"'{name}' holds {weight.dtype}; allowed: real floating-point weights",
                code=Code.WRONG_TYPE,
                field=name,
                value=str(weight.dtype),
                allowed="real floating-point weights",
            )
        if weight.numel() == 0:
            return 0.0
        # The maximum of anything with a NaN is NaN: one pass finds all that is not finite.
        largest = float(weight.detach().abs().amax())
        if not largest < float("inf"):
            bad = int((~torch.isfinite(weight)).sum())
            raise DataError(
                f"'{name}': {bad} of {weight.numel()} weights are infinite or not a number",
                code=Code.NOT_FINITE,
                field=name,
                value=bad,
            )
        return largest / self.largest_code

    def quantise(self, weight: Tensor, *, name: str = "weights") -> Quantised:
        """Round weights to codes; the largest magnitude gets the largest code.

        Args:
            weight: any shape.
            name: what to call the tensor in an error.

        Raises:
            DataError: as :meth:`scale_of`.
        """
        scale = self.scale_of(weight, name=name)
        return Quantised(self.codes_of(weight, scale), scale)

    def codes_of(self, weight: Tensor, scale: float) -> Int[Tensor, "*weights"]:
        """Round weights to multiples of a scale; out of range they saturate.

        Args:
            weight: any shape.
            scale: from :meth:`scale_of` of the whole tensor, of which ``weight`` may be a part.
        """
        if scale == 0:
            return torch.zeros(weight.shape, dtype=torch.int64, device=weight.device)
        steps = torch.round(weight.detach().double() / scale)
        return steps.clamp(-self.largest_code, self.largest_code).long()

    def stored_codes(self, codes: Int[Tensor, "*weights"]) -> Int[Tensor, "*weights side"]:
        """Return the unsigned codes that the cells of each side hold.

        Args:
            codes: signed, at most :attr:`largest_code` in magnitude.
        """
        if self.encoding == "magnitude":
            return codes.abs().unsqueeze(-1)
        if self.encoding == "offset":
            return (codes + self._zero_code).unsqueeze(-1)
        return torch.stack([codes.clamp_min(0), (-codes).clamp_min(0)], dim=-1)

    def encode(self, codes: Int[Tensor, "*weights"]) -> Int[Tensor, "*weights side digit"]:
        """Return the level of each cell, most significant digit first.

        Args:
            codes: signed, at most :attr:`largest_code` in magnitude.

        Raises:
            ValueError: a code out of range.
        """
        return encode_digits(
            codes=self.stored_codes(codes),
            weight_bits=self.weight_bits,
            bits_per_cell=self.bits_per_cell,
        )

    def decode(
        self, levels: Float[Tensor, "*weights side digit"], codes: Int[Tensor, "*weights"]
    ) -> Float[Tensor, "*weights"]:
        """Read cells back as (real-valued) signed codes; times ``scale`` they are weights.

        Args:
            levels: of each cell, with error.
            codes: the codes that were meant; ``magnitude`` takes the signs from them.
        """
        stored = decode_digits(digits=levels, bits_per_cell=self.bits_per_cell)
        if self.encoding == "magnitude":
            return torch.where(codes < 0, -stored[..., 0], stored[..., 0])
        if self.encoding == "offset":
            return stored[..., 0] - self._zero_code
        return stored[..., 0] - stored[..., 1]

    def code_noise_std(
        self, codes: Int[Tensor, "*weights"], level_sigma: Float[Tensor, " level"]
    ) -> Float[Tensor, "*weights"]:
        """Return the standard deviation of each code once programmed; times ``scale`` of a weight.

        Args:
            codes: signed.
            level_sigma: sigma of each level, relative to the range g_on - g_off.
        """
        single = code_noise_std_of(
            codes=self.stored_codes(codes),
            level_sigma=level_sigma,
            weight_bits=self.weight_bits,
            bits_per_cell=self.bits_per_cell,
        )
        return single.square().sum(-1).sqrt()

    @property
    def _zero_code(self) -> int:
        """Stored code of weight 0 in the offset encoding."""
        return 1 << (self.weight_bits - 1)
