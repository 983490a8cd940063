"""What is said where write-verify changes nothing: which of the two reasons."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from archsim.device.write_tally import WriteTally
from tsb.cells.cell_model import CellModel
from tsb.program.notes import choice_notes
from tsb.write_verify.policy.base import Choice


@pytest.mark.parametrize(
    ("model", "share", "says"),
    [
        ("redraw", 1.0, "device_to_device_share = 1"),
        ("redraw", 0.5, "accepts what the first pulse leaves"),
        ("incremental", 1.0, "accepts what the first pulse leaves"),
    ],
)
def test_why_verification_changes_nothing(model: str, share: float, says: str) -> None:
    tolerance = 0.043 if says.startswith("device") else 5.0
    cell = CellModel(
        sigma=0.1,
        write_model=model,
        tolerance=tolerance,
        max_pulses=100,
        step_gain=0.055,
        step_sigma=0.02,
        device_share=share,
    )
    assert not cell.verification_helps
    choice = Mock(spec=Choice, policy=Mock(by_score=False))
    tally = Mock(spec=WriteTally, verified_weights=1, weights=1)
    (note,) = choice_notes(choice, cell, tally)
    assert says in note
