"""`archsim validate`: errors per metric, from a result made by hand."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from archsim.results.validation import Comparison, ValidationResult
from tests.cli.conftest import Run

_RESULT = ValidationResult(
    chip="neurosim-v1.4",
    folder="runs",
    comparisons=(
        Comparison("r1", "vgg8", "base", None, "area", predicted=1.02, reference=1.0),
        Comparison("r2", "vgg8", "adc", None, "area", predicted=0.9, reference=1.0),
        Comparison("r2", "vgg8", "adc", None, "energy", predicted=1.0, reference=0.0),
    ),
    skipped=(("r3", "not valid"), ("r4", "not valid")),
    refusals_agree=1,
    refusals=2,
)


@pytest.fixture(autouse=True)
def _result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsim.api.validate.validate", lambda folder, *, chip: _RESULT)


def test_json_is_the_contract_and_an_infinite_error_is_null(run: Run) -> None:
    data = json.loads(run("validate", "--reference", "runs", "--format", "json").stdout)
    assert data["metrics"]["area"]["median"] == pytest.approx(0.02)
    assert data["metrics"]["area"]["n"] == 2
    assert data["metrics"]["energy"]["worst"] is None
    assert len(data["rows"]) == 3


def test_csv_holds_fractions(run: Run) -> None:
    text = run("validate", "--reference", "runs", "--format", "csv").stdout
    rows = pd.read_csv(io.StringIO(text)).set_index("metric")
    assert rows.loc["area", "worst"] == pytest.approx(0.1)


def test_table_names_metrics_settings_and_what_was_left_out(run: Run) -> None:
    done = run("validate", "--reference", "runs")
    assert done.exit_code == 0, done.stderr
    for words in (
        "Errors of neurosim-v1.4 against runs",
        "Errors per varied setting",
        "Worst values",
        "Left out: 2 runs, not valid.",
        "2 runs, 1 of them infeasible here too",
    ):
        assert words in done.stdout


def test_plot(run: Run) -> None:
    done = run("validate", "--reference", "runs", "--plot", "errors.svg")
    assert done.exit_code == 0, done.stderr
    assert "wrote errors.svg" in done.stderr
