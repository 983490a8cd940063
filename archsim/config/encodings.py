"""How a signed weight lies on cells: each encoding, and the columns that a weight takes in it.

Both halves count from here: rules, mapping and cost by :meth:`WeightEncoding.columns`, programming
and reading through :class:`archsim.device.WeightFormat`. Codes are cut into slices of K bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from archsim.config.choices import ENCODINGS, Encoding, StoredEncoding


@dataclass(frozen=True, kw_only=True)
class WeightEncoding:
    """One of them.

    Attributes:
        name: value of ``chip.precision.encoding``, of ``study.encoding`` and of ``--encoding``.
        description: in a few words.
        source: who stores weights so; None for what is common.
        sides: cells of each slice: 2 where positive and negative weights have one each. The cell of
            the other sign is idle: erased, at level 0, with the errors of any cell.
        sign_bit: one bit of the code is the sign, and the code of zero is half of the range.
        stored_as: the encoding whose columns a chip has for it: its own, unless its sign is in no
            cell.
        interleaved: each negative column lies beside its positive one, so that no border of a
            crossbar comes between them; else all slices of one side come first.
    """

    name: Encoding
    description: str
    source: str | None
    sides: int
    sign_bit: bool
    stored_as: StoredEncoding
    interleaved: bool

    @property
    def on_chip(self) -> bool:
        """Whether a chip can store it: its sign is in the cells."""
        return self.stored_as == self.name

    def columns(self, weight_bits: Any, bits_per_cell: Any) -> Any:
        """Return the columns of a weight: a cell for each slice, ``ceil(M / K)``, and side.

        Args:
            weight_bits: M, a number or a batch of them.
            bits_per_cell: K, alike.
        """
        return self.sides * -(-weight_bits // bits_per_cell)

    def column_order(self, slices: int) -> tuple[int, ...]:
        """Return the cells of a weight, ``side * slices + slice``, in the order of its columns.

        Args:
            slices: of a code, the most significant first.
        """
        if self.interleaved:
            return tuple(s * slices + j for j in range(slices) for s in range(self.sides))
        return tuple(range(self.sides * slices))


MAGNITUDE = WeightEncoding(
    name="magnitude",
    description="the size of a weight; its sign is kept outside of the cells, without error",
    source="Qin et al., arXiv 2406.06544; NeFT, arXiv 2305.14561",
    sides=1,
    sign_bit=False,
    stored_as="offset",
    interleaved=False,
)
OFFSET = WeightEncoding(
    name="offset",
    description="the weight plus half of the range, in one set of columns",
    source="ISAAC, Shafiee et al., ISCA 2016, doi:10.1109/ISCA.2016.12",
    sides=1,
    sign_bit=True,
    stored_as="offset",
    interleaved=False,
)
DIFFERENTIAL = WeightEncoding(
    name="differential",
    description="a pair of cells for each slice, one for each sign: all positive columns of a "
    "weight, then its negative ones",
    source=None,
    sides=2,
    sign_bit=False,
    stored_as="differential",
    interleaved=False,
)
SEPARATE_SIGN = WeightEncoding(
    name="separate-sign",
    description="positive weights in one column, sizes of negative ones in a second beside it, for "
    "each slice: the cells of differential, and no pair is cut by the border of a crossbar",
    source=None,
    sides=2,
    sign_bit=False,
    stored_as="separate-sign",
    interleaved=True,
)

_KNOWN = {row.name: row for row in (MAGNITUDE, OFFSET, DIFFERENTIAL, SEPARATE_SIGN)}
#: All of them, in the order of :data:`archsim.config.choices.ENCODINGS`.
WEIGHT_ENCODINGS: tuple[WeightEncoding, ...] = tuple(_KNOWN[name] for name in get_args(Encoding))
#: Those that a chip can store, in the order of the codes of a design batch.
STORED_ENCODINGS: tuple[WeightEncoding, ...] = tuple(
    _KNOWN[name] for name in get_args(StoredEncoding)
)


def weight_encoding(name: str) -> WeightEncoding:
    """Return an encoding by its name.

    Args:
        name: one of :data:`archsim.config.choices.ENCODINGS`.
    """
    return WEIGHT_ENCODINGS[ENCODINGS.index(name)]
