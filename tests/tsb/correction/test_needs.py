"""What several corrections need together."""

from __future__ import annotations

from typing import Any

import pytest

from tsb.correction import parse_corrections
from tsb.correction.needs import (
    DigitalNeed,
    Needs,
    SharedBlockNeed,
    Together,
    Unpriced,
    together,
)


def needs(method: str) -> Together:
    corrections = parse_corrections(method, {"tsb": {"channels": 5}})
    return together({own.name: own.hardware() for own in corrections})


BIASES = DigitalNeed(scales=False, all_layers=True)
LINEAR = DigitalNeed(scales=True, all_layers=False)
EVERYTHING = DigitalNeed(scales=True, all_layers=True)


@pytest.mark.parametrize(
    ("method", "digital"),
    [
        ("", None),
        ("tsb", None),
        ("biases", BIASES),
        ("scales", EVERYTHING),
        ("scales+biases", EVERYTHING),
        ("output-match", LINEAR),
        # A multiplier for the linear layers and adders for all: all layers get both.
        ("output-match+biases", EVERYTHING),
        ("output-match+tsb+scales+biases", EVERYTHING),
    ],
)
def test_registers_are_shared(method: str, digital: DigitalNeed | None) -> None:
    assert needs(method).digital == digital


def test_block_and_retrained_layers_stand_side_by_side() -> None:
    found = needs("tsb:channels=3,depth=2+last-layers:2")
    assert found == Together(block=SharedBlockNeed(channels=3, depth=2), rewritten_layers=2)
    assert needs("tsb:channels=3,insertions=1").notes


@pytest.mark.parametrize("name", ["own-blocks", "linear-block:7", "low-rank"])
def test_one_without_a_price_leaves_all_without(name: str) -> None:
    found = needs(f"tsb+{name}+biases")
    assert len(found.unpriced) == 1
    assert found.unpriced[0].startswith(name.partition(":")[0])
    assert found.block is not None


@pytest.mark.parametrize(
    "two",
    [
        Needs(block=SharedBlockNeed(channels=2, depth=1)),
        Needs(rewritten_layers=1),
    ],
)
def test_two_of_a_kind_have_no_price(two: Needs) -> None:
    found = together({"first": two, "second": two})
    assert len(found.unpriced) == 1
    assert found.unpriced[0].startswith("first and second")
    assert not together({"first": two}).unpriced


def test_what_others_pay_for_needs_no_note() -> None:
    """Recalibration presumes scales and biases that the cost engine prices for nobody else."""
    assert len(needs("batch-norm").notes) == 1
    assert len(needs("batch-norm+biases").notes) == 1
    assert len(needs("batch-norm+output-match").notes) == 1
    assert needs("batch-norm+scales+biases").notes == ()
    assert needs("batch-norm").digital is None


@pytest.mark.parametrize("said", [None, {}, ()])
def test_what_declares_nothing_is_refused(said: Any) -> None:
    with pytest.raises(TypeError):
        together({"planted": said})


def test_words() -> None:
    assert "block" in Needs(block=SharedBlockNeed(channels=2, depth=1)).words()
    assert "because" in Needs(notes=("because",)).words()
    assert "why" in Unpriced("why").words()
