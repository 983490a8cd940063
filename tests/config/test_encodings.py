"""The registry of encodings: columns by hand, and one count in every part that needs it."""

from __future__ import annotations

import pytest

from archsim.config.choices import ENCODINGS, STORED_NAMES
from archsim.config.encodings import (
    STORED_ENCODINGS,
    WEIGHT_ENCODINGS,
    WeightEncoding,
    weight_encoding,
)
from archsim.config.resolve import resolve
from archsim.config.rules import check
from archsim.device import WeightFormat
from archsim.errors import ConfigError
from tests.designs import make_design

every_encoding = pytest.mark.parametrize("row", WEIGHT_ENCODINGS, ids=lambda row: row.name)


def test_names_stand_in_the_order_of_their_codes() -> None:
    assert tuple(row.name for row in WEIGHT_ENCODINGS) == ENCODINGS
    assert tuple(row.name for row in STORED_ENCODINGS) == STORED_NAMES
    assert [row for row in WEIGHT_ENCODINGS if row.on_chip] == list(STORED_ENCODINGS)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("magnitude", (8, 4, 3, 2, 1)),
        ("offset", (8, 4, 3, 2, 1)),
        ("differential", (16, 8, 6, 4, 2)),
        ("separate-sign", (16, 8, 6, 4, 2)),
    ],
)
def test_columns_by_hand(name: str, columns: tuple[int, ...]) -> None:
    """Eight bits on cells of 1, 2, 3, 4 and 8."""
    for bits, expected in zip((1, 2, 3, 4, 8), columns, strict=True):
        assert weight_encoding(name).columns(8, bits) == expected


@every_encoding
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_all_parts_count_alike(row: WeightEncoding, bits: int) -> None:
    form = WeightFormat(bits_per_cell=bits, encoding=row.name)
    assert form.cells_per_weight == form.sides * form.slices == row.columns(8, bits)
    assert sorted(form.column_order) == list(range(form.cells_per_weight))
    settings = (
        f"chip.precision.encoding={row.stored_as}",
        f"chip.precision.bits_per_cell={bits}",
        "chip.precision.pad_top_slice=true",
    )
    assert int(make_design(*settings).columns_per_weight) == row.columns(8, bits)
    # A crossbar of fewer columns cannot hold a weight, and says how many it takes.
    resolved = resolve(chip="rram-22nm-neurosim", overrides=settings)
    crossbar = resolved.chip.crossbar.model_copy(update={"cols": row.columns(8, bits) - 1})
    narrow = resolved.chip.model_copy(update={"crossbar": crossbar})
    with pytest.raises(ConfigError, match=f"one weight of {row.columns(8, bits)} cells"):
        check(resolved.model_copy(update={"chip": narrow}))


def test_columns_of_separate_sign_lie_in_pairs() -> None:
    """Positive and negative cell of the top slice, then those of the next."""
    assert weight_encoding("separate-sign").column_order(3) == (0, 3, 1, 4, 2, 5)
    assert weight_encoding("differential").column_order(3) == (0, 1, 2, 3, 4, 5)


@every_encoding
def test_each_says_what_it_is(row: WeightEncoding) -> None:
    assert row.description
    assert weight_encoding(row.stored_as).on_chip
    assert row.sides in (1, 2)
