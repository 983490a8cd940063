"""What holds for every test: its folder's marker, the same random numbers, and that it runs."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.gaps import ALLOWED, Gaps, read_allowed

# Shared machines stall, so an example has no time limit.
settings.register_profile(
    "archsim",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("archsim")

_TESTS = Path(__file__).parent
#: Folder anywhere below tests/ -> marker.
_MARKERS = {"golden": "golden", "house": "house", "oracles": "oracle", "paper": "paper"}


def pytest_configure(config: pytest.Config) -> None:
    """Count what does not run."""
    config.pluginmanager.register(Gaps(read_allowed(ALLOWED)), "archsim-gaps")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; never by hand."""
    for item in items:
        folders = item.path.relative_to(_TESTS).parts[:-1]
        marker = next((_MARKERS[name] for name in folders if name in _MARKERS), "unit")
        item.add_marker(marker)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Seed what library code may draw from; our own code takes a torch.Generator."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global stream is what is seeded
    torch.manual_seed(0)
