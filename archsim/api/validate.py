"""The cost engine against reference runs."""

from __future__ import annotations

from pathlib import Path

from archsim.analysis import reference
from archsim.results.validation import ValidationResult


def validate(folder: str | Path, *, chip: str = reference.REFERENCE_CHIP) -> ValidationResult:
    """Compare the engine with a folder of reference runs; see archsim.analysis.reference."""
    return reference.validate(folder, chip=chip)
