"""`archsim device fit`: from a table of reads to a device that a chip can be built of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.device.fit.measurements import Known


def test_a_table_becomes_a_device_of_the_default_chip(run: Run, tmp_path: Path) -> None:
    Known().write(tmp_path / "cells.csv", devices=40, cycles=2, seed=1)
    done = run("device", "fit", "cells.csv", "--out", "mine.yaml", "--format", "json")
    assert done.exit_code == 0, done.stderr
    assert "wrote mine.yaml" in done.stderr
    assert len(json.loads(done.stdout)["levels"]) == len(Known().means)
    mapped = run("map", "lenet3", "--device", "mine.yaml", "--format", "json")
    assert mapped.exit_code == 0, mapped.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("device,target_uS,measured_uS\na,1,1\na,9,-9\n", "bad.csv, row 3: measured_uS = -9"),
        ("device,target_uS,measured\na,1,1\n", "column 'measured': no unit"),
    ],
)
def test_what_is_no_measurement_ends_with_2_and_writes_nothing(
    run: Run, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    done = run("device", "fit", "bad.csv", "--out", "mine.yaml")
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mine.yaml").exists()
