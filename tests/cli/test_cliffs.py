"""``archsim cliffs``: the scan as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

from typer.testing import CliRunner

from archsim.cli.app import app

ARGUMENTS = ["cliffs", "lenet3", "--axis", "input_bits", "--axis", "outputs", "--span", "2"]


def test_forms_tell_the_same() -> None:
    run = CliRunner().invoke(app, [*ARGUMENTS, "--format", "json"])
    assert run.exit_code == 0, run.output
    data = json.loads(run.stdout)
    assert data["scanned"]["input_bits"] == {"from": 1, "to": 16, "count": 16}
    assert data["threshold_pct"] == 10
    first = data["jumps"][0]
    assert (first["before"], first["after"], first["kind"]) == (1, 2, "share")
    table = CliRunner().invoke(app, [*ARGUMENTS, "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [int(row["before"]) for row in rows] == [own["before"] for own in data["jumps"]]


def test_an_unknown_axis_is_named() -> None:
    run = CliRunner().invoke(app, ["cliffs", "lenet3", "--axis", "width"])
    assert run.exit_code == 2
    assert "width" in run.output
    assert "outputs" in run.output
