"""The scan for cliffs: every step that jumps is found, and has a reason that is true."""

from __future__ import annotations

import pytest
from torch import nn

from archsim.analysis.cliffs import AXES
from archsim.api.cliffs import cliffs
from archsim.api.map import map_network
from archsim.errors import ConfigError
from archsim.results.cliffs import PIECE, RULE, SHARE, UNKNOWN
from tests.designs import near

#: A chip without the jumps that options mend: those of the lines of small buffers.
MENDED = [
    "chip.hierarchy.tile=8",
    "chip.read.gating=used",
    "chip.buffers.global_banks=64",
    "chip.buffers.tile_banks=8",
]


@pytest.mark.parametrize("settings", [[], MENDED], ids=["shipped", "mended"])
def test_every_jump_has_a_reason(settings: list[str]) -> None:
    """No total of LeNet-3 jumps for nothing: pieces, shares and rules, each named."""
    scan = cliffs("lenet3", span=6, overrides=settings)
    assert set(scan.scanned) == {*AXES, "outputs of conv2"}
    assert [jump for jump in scan.jumps if jump.kind == UNKNOWN] == []
    assert all(jump.reason and jump.changes for jump in scan.jumps)


def test_a_jump_is_what_two_chips_differ_by() -> None:
    scan = cliffs("vgg8", axes=["rows"], chip="rram-22nm-neurosim")
    jump = next(own for own in scan.jumps if own.before == 127)
    assert jump.kind == RULE
    assert "8 x 8 crossbars, before of 4 x 4" in jump.reason
    areas = [
        map_network(
            "vgg8", overrides=[f"chip.crossbar.rows={rows}"], chip="rram-22nm-neurosim"
        ).totals["area_mm2"]
        for rows in (127, 128)
    ]
    assert jump.changes["area"] == near(areas[1] / areas[0] - 1, 1e-9)


def test_a_given_tile_leaves_no_jump_to_the_rule() -> None:
    """Rows of 127 and 128: the tile stays, what jumps is that 128 channels need two crossbars."""
    scan = cliffs(
        "vgg8", axes=["rows"], overrides=["chip.hierarchy.tile=8"], chip="rram-22nm-neurosim"
    )
    jump = next(own for own in scan.jumps if own.before == 127)
    assert "tiles of" not in jump.reason


def test_bits_are_shares_and_cells_are_pieces() -> None:
    scan = cliffs("lenet3", axes=["input_bits", "weight_bits"], chip="rram-22nm-neurosim")
    kinds = {(jump.axis, jump.before): jump.kind for jump in scan.jumps}
    assert kinds["input_bits", 1] == SHARE
    assert kinds["weight_bits", 2] == PIECE  # a second cell of two bits
    assert ("weight_bits", 3) not in kinds


def test_one_output_more_than_the_tiles_hold() -> None:
    """A tile of one PE of 4 x 128 columns holds 128 outputs: 1025 take a ninth tile for one."""
    model = nn.Sequential(nn.Linear(512, 1025))
    scan = cliffs(
        model,
        axes=["outputs"],
        span=2,
        overrides=MENDED,
        input_shape=(512,),
        threshold=0.05,
        chip="rram-22nm-neurosim",
    )
    assert [(own.outputs, own.fewer, own.tiles_less) for own in scan.neighbours] == [(1025, 1, 1)]
    assert scan.neighbours[0].said == "0: 1024 outputs in place of 1025 would take 1 tile less"
    assert [(jump.before, jump.kind) for jump in scan.jumps] == [(1024, PIECE)]
    assert "0 8 -> 9" in scan.jumps[0].reason
    # The further tile costs area and nothing gets faster by it.
    assert scan.jumps[0].changes["leakage power"] > 0
    assert scan.jumps[0].changes.get("latency", 0.0) >= 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"axes": ["width"]}, "axis (--axis)"),
        ({"span": 0}, "span (--span)"),
        ({"threshold": 1.0}, "threshold (--threshold)"),
        ({"layers": ["conv9"]}, "layer (--layer)"),
    ],
)
def test_bad_input(given: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cliffs("lenet3", **given, chip="rram-22nm-neurosim")
    assert caught.value.problems[0].field == field
