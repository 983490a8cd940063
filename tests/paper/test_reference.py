"""Paper: the engine against runs of DNN+NeuroSim V1.4 (tests/data/reference).

Why each tolerance is what it is:

* tiles and copies are whole numbers of the same algorithm: exact;
* the clock differs by the column mux, whose pass gates exactly fill their cell in half of the
  settings (folded there, fitting here): 0.1 %, and latency inherits it;
* area has no such tie within these nodes: 0.01 %;
* dynamic energy: the reference reads random traces, archsim takes expectations. Over a whole
  network that is below 1 %, for the three tiny layers of LeNet-3 up to 3 %;
* one layer of 27 to 250 rows is one draw of few weights and inputs: 6 %.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch

from archsim.analysis.reference import reference_design, reference_overrides, validate
from archsim.cost.engine import evaluate
from archsim.errors import DataError
from archsim.network.table import from_layer_csv
from archsim.results.reference_metric import REFERENCE_METRICS
from archsim.results.validation import ValidationResult
from mapping.compile import compile_plan
from tests.designs import near
from tests.refusals import refused

REFERENCE = Path(__file__).parents[1] / "data" / "reference"

#: Largest absolute relative error allowed, per metric.
BOUNDS = {
    "tiles": 0.0,
    "layer_tiles": 0.0,
    "layer_copies": 0.0,
    "clock_period": 1e-3,
    "area": 1e-4,
    "area_array": 1e-4,
    "area_adc": 1e-4,
    "area_interconnect": 1e-4,
    "area_accumulation": 1e-4,
    "latency": 1e-3,
    "latency_adc": 1e-3,
    "latency_accumulation": 1e-3,
    "latency_interconnect": 1e-3,
    "latency_buffer": 1e-3,
    "layer_latency": 2e-3,
    "energy": 3e-2,
    "energy_adc": 3.5e-2,
    "energy_accumulation": 2e-3,
    "energy_interconnect": 1e-4,
    "energy_buffer": 1e-4,
    "energy_other": 3e-2,
    "layer_energy": 6e-2,
    "layer_energy_interconnect": 1e-4,
    "layer_energy_buffer": 1e-4,
    "layer_energy_accumulation": 1e-2,
    # ADC energy alone of layers with a few columns: one draw of a few weights.
    "layer_energy_adc": 0.18,
}
MEDIANS = {"area": 1e-5, "latency": 3e-4, "energy": 2e-3, "layer_energy": 3e-3}


def rows() -> dict[str, dict[str, str]]:
    with (REFERENCE / "chip.csv").open(newline="", encoding="utf-8") as handle:
        return {row["run_id"]: row for row in csv.DictReader(handle)}


@pytest.fixture(scope="module")
def result() -> ValidationResult:
    return validate(REFERENCE)


def test_all_runs_are_compared_or_left_out_by_name(result: ValidationResult) -> None:
    compared = {entry.run for entry in result.comparisons}
    skipped = dict(result.skipped)
    assert compared | set(skipped) == set(rows())
    assert len(compared) == 26
    assert sorted(skipped) == ["69750e746e", "b7493573e2", "ea24954be6"]
    assert "row-by-row" in skipped["b7493573e2"]
    assert "refuses" in skipped["69750e746e"]


def test_what_the_reference_refuses_is_refused(result: ValidationResult) -> None:
    assert (result.refusals, result.refusals_agree) == (2, 2)


def test_every_metric_has_a_bound(result: ValidationResult) -> None:
    assert set(BOUNDS) == {metric.name for metric in REFERENCE_METRICS} == set(result.summary())


@pytest.mark.parametrize("metric", BOUNDS)
def test_worst_error(result: ValidationResult, metric: str) -> None:
    found = [entry for entry in result.comparisons if entry.metric == metric]
    assert len(found) >= 26
    wrong = [
        (entry.run, entry.factor, entry.layer, f"{entry.error:+.3%}")
        for entry in found
        if abs(entry.error) > BOUNDS[metric]
    ]
    assert not wrong


@pytest.mark.parametrize("metric", MEDIANS)
def test_median_error(result: ValidationResult, metric: str) -> None:
    assert result.summary()[metric].median < MEDIANS[metric]


def test_vgg8_energy_has_no_bias(result: ValidationResult) -> None:
    """Eight runs of a network large enough for traces to average out: within 1 % each."""
    found = [e for e in result.comparisons if e.metric == "energy" and e.network == "vgg8"]
    assert len(found) == 8
    assert max(abs(entry.error) for entry in found) < 1e-2


def test_published_latency_of_the_reference() -> None:
    """128.74 us, VGG-8 at the base setting: the latency of the TSB paper's Table 1."""
    design = reference_design(rows()["a06ea1bd17"])
    table = from_layer_csv(REFERENCE / "networks" / "vgg8.csv")
    cost = evaluate(design=design, plan=compile_plan(design=design, table=table))
    assert float(cost.period_s) == near(128.74e-6, rel=1e-3)


# Tiles and copies per layer of the base networks, with and without a pipeline.
FLOORPLANS = {
    ("vgg8", 128, True): (
        [1, 4, 2, 4, 4, 4, 32, 1],
        [16, 16, 4, 4, 2, 1, 1, 8],
        (512, 1024, 512, 8, 7),
    ),
    ("vgg8", 128, False): (
        [1, 1, 2, 2, 4, 4, 32, 1],
        [16, 4, 4, 2, 2, 1, 1, 8],
        (512, 1024, 512, 7, 7),
    ),
    ("resnet20", 64, True): (
        [1] * 7 + [2, 1, 2] + [1] * 12,
        [16] * 8 + [8, 16] + [8] * 4 + [4] * 7 + [16],
        (256, 256, 128, 5, 5),
    ),
    ("resnet20", 64, False): (
        [1] * 22,
        [16] * 7 + [8] * 7 + [4] * 7 + [16],
        (256, 256, 128, 5, 5),
    ),
    ("lenet3", 32, True): ([1, 1, 4], [16, 2, 2], (64, 128, 64, 3, 2)),
    ("lenet3", 32, False): ([1, 1, 4], [16, 2, 2], (64, 128, 64, 3, 2)),
}


@pytest.mark.parametrize(("network", "array", "pipeline"), FLOORPLANS)
def test_floorplans_of_the_reference(network: str, array: int, pipeline: bool) -> None:
    row = rows()["a06ea1bd17"] | {
        "numRowSubArray": str(array),
        "numColSubArray": str(array),
        "pipeline": str(pipeline),
    }
    table = from_layer_csv(REFERENCE / "networks" / f"{network}.csv")
    plan = compile_plan(design=reference_design(row), table=table)
    tiles, copies, sizes = FLOORPLANS[network, array, pipeline]
    floor = plan.floorplan
    assert plan.tiles.tolist() == tiles
    assert plan.copies.tolist() == copies
    found = (
        floor.kernel_side,
        floor.tile_side,
        floor.pe_side,
        floor.grid_rows,
        floor.grid_cols,
    )
    assert tuple(int(value) for value in found) == sizes


def test_cycles_and_areas_of_the_published_breakdown() -> None:
    """VGG-8, layers 1 and 2: cycles by part, and chip areas, as the specification lists them."""
    design = reference_design(rows()["a06ea1bd17"])
    table = from_layer_csv(REFERENCE / "networks" / "vgg8.csv")
    cost = evaluate(design=design, plan=compile_plan(design=design, table=table))
    cycles = {name: value / cost.clock_s for name, value in cost.layer_times_s.items()}
    # Array and PE tree are listed before the division by copies (16); layer 1 fills a tile of 2 x 2
    # PEs, so its registers are divided by 4, layer 2 has no copies inside a tile but 16 of tiles.
    assert cycles["array"][:2].tolist() == near([57600 / 16, 57600 / 16])
    assert cycles["adder_tree"][:2].tolist() == near([1800 / 16, 1800 / 16 + 3600 + 200], rel=1e-9)
    assert cycles["buffer"][:2].tolist() == near(
        [6734 / 4 + 3037.5 + 57600 + 968.75, 7445 / 16 + 9600 + 25200 + 2600], rel=1e-5
    )
    assert cycles["interconnect"][:2].tolist() == near([3002.34 + 7293, 1300 + 11543], rel=1e-5)
    assert cycles["digital"][:2].tolist() == near([100, 100 + 675])
    assert float(cost.area_m2) == near(172.12e-6, rel=1e-4)


def test_uncalibrated_and_dense_runs_translate_to_overrides() -> None:
    runs = rows()
    assert "chip.calibration.sensing_time=1" in reference_overrides(runs["aa0e0db0db"])
    assert "chip.activity.hidden=dense" in reference_overrides(runs["02e6b45760"])
    assert "chip.adc.kind=sar" in reference_overrides(runs["09afb9d52e"])
    assert "chip.interconnect.kind=h-tree" in reference_overrides(runs["dc547c7b30"])
    says = ["a06ea1bd17:"]
    facts: dict[str, Any] = {"code": "unknown-name", "field": "memcelltype", "value": "7"}
    with refused(DataError, **facts, allowed="1 (SRAM)", says=says):
        reference_overrides(runs["a06ea1bd17"] | {"memcelltype": "7"})
    facts = {"code": "out-of-range", "field": "levelOutput", "value": "33"}
    with refused(DataError, **facts, allowed="powers of two", says=says):
        reference_overrides(runs["a06ea1bd17"] | {"levelOutput": "33"})
    facts = {"code": "wrong-type", "field": "levelOutput", "value": "many"}
    with refused(DataError, **facts, says=says):
        reference_overrides(runs["a06ea1bd17"] | {"levelOutput": "many"})


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    chip = tmp_path / "chip.csv"
    with refused(DataError, code="cannot-read", field=chip):
        validate(tmp_path)
    chip.write_text("run_id,net\n1,lenet3\n", encoding="utf-8")
    with refused(DataError, code="missing-key", field=chip, value=ANY, says=["version,", "factor"]):
        validate(tmp_path)
    header = (REFERENCE / "chip.csv").read_text(encoding="utf-8").splitlines()[0]
    chip.write_text(header + "\n", encoding="utf-8")
    with refused(DataError, code="empty", field=chip):
        validate(tmp_path)


def test_a_run_without_its_network_is_left_out_by_name(tmp_path: Path) -> None:
    lines = (REFERENCE / "chip.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "chip.csv").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    result = validate(tmp_path)
    assert result.comparisons == ()
    assert result.skipped == (("fc742c4526", "networks/resnet20.csv is missing"),)


def test_an_altered_reference_fails(tmp_path: Path) -> None:
    """The comparison can fail: 5 % on one number is 5 % in the result."""
    (tmp_path / "networks").symlink_to(REFERENCE / "networks")
    with (REFERENCE / "chip.csv").open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        row = next(entry for entry in reader if entry["run_id"] == "76a40bd89d")
    row["area_um2"] = str(float(row["area_um2"]) / 1.05)
    with (tmp_path / "chip.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(row))
        writer.writeheader()
        writer.writerow(row)
    assert validate(tmp_path).summary()["area"].worst == pytest.approx(0.05, abs=1e-4)


def test_batch_of_runs_equals_single_runs(result: ValidationResult) -> None:
    """validate() evaluates all runs of a network as one batch."""
    table = from_layer_csv(REFERENCE / "networks" / "lenet3.csv")
    for run in ("76a40bd89d", "09afb9d52e", "3fa334687f"):
        design = reference_design(rows()[run])
        with torch.no_grad():
            cost = evaluate(design=design, plan=compile_plan(design=design, table=table))
        found = next(e for e in result.comparisons if e.run == run and e.metric == "energy")
        assert found.predicted == near(float(cost.dynamic_energy_J) * 1e12, rel=1e-12)
