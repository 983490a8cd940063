"""What holds for every test: its folder's marker, the same random numbers, and that it runs."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.forks import Server
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
    """Count what does not run; one thread for each process."""
    # As the command line: tensors are small, so a second thread is only waited for, and the
    # processes of xdist have the cores. Those that tests start inherit it.
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
    # The user's cache is not what is tested; processes of xdist and commands share this one.
    if "ARCHSIM_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="archsim-cache-", ignore_cleanup_errors=True)
        os.environ["ARCHSIM_CACHE_DIR"] = folder.name
        config.add_cleanup(folder.cleanup)
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


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Starts commands in processes of their own, whose imports are done."""
    server = Server(_TESTS.parent, tmp_path_factory.mktemp("forks"))
    yield server
    server.close()
