"""The example notebook runs from its first cell to its last, in a size for CI."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.house.helpers import ROOT

NOTEBOOK = ROOT / "docs" / "notebooks" / "whole-story.py"
SMALL = 'EPOCHS, CHIPS, RUNS, STEPS = 1, 2, 1, 3\nOUT = Path("whole-story")'


def outputs(cells: list[Any], kind: str) -> list[str]:
    """All outputs of one media type, in order."""
    return [
        output["data"][kind]
        for cell in cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


@pytest.mark.slow
def test_notebook_tells_the_whole_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jupytext = pytest.importorskip("jupytext")
    client = pytest.importorskip("nbclient")
    notebook = jupytext.read(NOTEBOOK)
    (settings,) = [own for own in notebook.cells if "parameters" in own.metadata.get("tags", [])]
    settings.source = SMALL
    # The kernel is a process of its own: it shall run this checkout, and stay out of the home.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    runner = client.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    asyncio.run(runner.async_execute())
    shown = outputs(notebook.cells, "text/html")
    assert any("Designs at sigma 0.2" in text for text in shown), "the report itself"
    assert any("gap_closed" in text for text in shown), "the table of the run"
    assert len(outputs(notebook.cells, "image/png")) == 3
    assert (tmp_path / "whole-story" / "report" / "index.html").is_file()
