"""Reading a folder of reference runs: what is compared, what is left out, what is refused."""

import shutil
from pathlib import Path

import pytest

from archsim.analysis.reference import validate
from archsim.errors import DataError
from archsim.network.table import from_layer_csv
from tests.refusals import refused

REFERENCE = Path(__file__).parent.parent / "data" / "reference"


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "reference"
    shutil.copytree(REFERENCE, target)
    return target


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def test_runs_are_compared_per_metric_and_layer():
    result = validate(REFERENCE)
    summary = result.summary()
    assert summary["tiles"].worst == 0
    assert summary["area"].n == summary["latency"].n == summary["energy"].n > 5
    assert summary["layer_latency"].n > summary["latency"].n
    rows = result.to_dict()["rows"]
    chips = [row for row in rows if row["layer"] is None]
    layers = [row for row in rows if row["layer"] is not None]
    assert {row["metric"].startswith("layer_") for row in layers} == {True}
    assert {row["metric"].startswith("layer_") for row in chips} == {False}
    of_vgg8 = {row["layer"] for row in layers if row["network"] == "vgg8"}
    assert of_vgg8 == set(from_layer_csv(REFERENCE / "networks" / "vgg8.csv").names)


def test_without_layers_only_chips_are_compared(folder):
    (folder / "layers.csv").unlink()
    assert all(entry.layer is None for entry in validate(folder).comparisons)


def test_runs_of_a_missing_network_are_named(folder):
    (folder / "networks" / "lenet3.csv").unlink()
    reasons = {reason for _, reason in validate(folder).skipped}
    assert "networks/lenet3.csv is missing" in reasons


def test_a_wrong_default_shows_as_an_error():
    # With the default physics in place of the reference's artefacts the errors must be large:
    # the comparison can fail.
    summary = validate(REFERENCE, chip="rram-22nm-neurosim").summary()
    assert summary["area"].median > 0.3
    assert summary["latency"].median > 0.02


@pytest.mark.parametrize("name", ["chip.csv"])
def test_missing_files_are_named(folder, name):
    (folder / name).unlink()
    with refused(DataError, code="cannot-read", field=folder / name):
        validate(folder)


def test_missing_columns_are_named(folder):
    edit(folder / "chip.csv", "numColMuxed", "muxed")
    facts = {"code": "missing-key", "field": folder / "chip.csv", "value": ["numColMuxed"]}
    with refused(DataError, **facts):
        validate(folder)


def test_an_empty_file_is_refused(folder):
    path = folder / "chip.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with refused(DataError, code="empty", field=path):
        validate(folder)
