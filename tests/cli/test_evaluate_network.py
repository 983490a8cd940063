"""`archsim evaluate NETWORK`: own network, weights, data and metric from outside the repository."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import archsim
from archsim.api.chips import deploy_chips, evaluate_chips
from archsim.errors import ConfigError, DataError
from reports.figures.network_accuracy import collect_stages
from reports.tables import network_accuracy as tables
from tests.cli.conftest import Run
from tests.house.helpers import ROOT
from tests.refusals import command_refused, refused

CHIP = "rram-22nm-neurosim"
WEIGHTS = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
OWN = '''
import torch
from torch import nn


def denoiser():
    """Gives its inputs back, through two layers."""
    layer = nn.Conv2d(1, 8, 3, padding=1)
    back = nn.Conv2d(8, 1, 3, padding=1)
    with torch.no_grad():
        for each in (layer, back):
            each.weight.zero_(), each.bias.zero_()
        layer.weight[:, 0, 1, 1] = torch.linspace(0.2, 1.0, 8)
        back.weight[0, :, 1, 1] = 1 / (8 * torch.linspace(0.2, 1.0, 8))
    return nn.Sequential(layer, back)


def images():
    noise = torch.rand(30, 1, 6, 6)
    return {"train": (noise[:20], noise[:20]), "test": (noise[20:], noise[20:])}


def largest_error(outputs, targets):
    return (outputs - targets).abs().flatten(1).amax(1)


largest_error.higher_is_better = False


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(6, 8), nn.Linear(8, 6)

    def forward(self, tokens):
        return self.out(self.table(tokens))


def language():
    torch.manual_seed(0)
    model = Tokens()
    with torch.no_grad():  # the next number follows
        model.table.weight.copy_(torch.eye(6, 8))
        model.out.weight.copy_(8 * torch.eye(6, 8).roll(1, 0))
        model.out.bias.zero_()
    return model


def counting():
    tokens = torch.arange(8 * 5).view(8, 5) % 6
    return {"train": (tokens, (tokens + 1) % 6), "test": (tokens, (tokens + 1) % 6)}


def maps():
    images = torch.rand(12, 1, 6, 6)
    pair = images, (images[:, 0] > 0.5).long()
    return {"train": pair, "test": pair}


def threshold():
    layer = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))
        layer.bias.copy_(torch.tensor([0.5, -0.5]))
    return layer
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own_task_of_a_user.py"
    path.write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return path


def evaluated(run: Run, *arguments: object) -> dict[str, Any]:
    done = run("evaluate", *arguments, "--chip", CHIP, "--format", "json")
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def stages(result: dict[str, Any]) -> dict[str, float]:
    return {stage["stage"]: stage["mean"] for stage in result["stages"]}


@pytest.mark.parametrize(
    ("network", "data", "metric", "direction", "real"),
    [
        ("denoiser", "images", None, "lower", 0.0),
        ("denoiser", "images", "largest_error", "lower", 0.0),
        ("language", "counting", "perplexity", "lower", 1.0017),
        ("language", "counting", "top-1", "higher", 1.0),
        ("threshold", "maps", "mean-iou", "higher", 1.0),
    ],
)
def test_every_task_from_a_file_of_the_user(
    run: Run, own: Path, network: str, data: str, metric: str | None, direction: str, real: float
) -> None:
    said = (
        () if metric is None else ("--metric", f"{own.name}:{metric}" if "_" in metric else metric)
    )
    result = evaluated(
        run, f"{own.name}:{network}", "--data", f"{own.name}:{data}", *said, "--chips", 2,
        "--sigma", 0.2,
    )  # fmt: skip
    found = stages(result)
    assert result["metric"]["direction"] == direction
    assert result["metric"]["name"] == (metric or "mse")
    assert found["float"] == pytest.approx(real, abs=1e-4)
    worse = [stage["lost"] for stage in result["stages"]]
    assert worse[0] == 0
    assert worse[2] > -1e-9
    assert [stage["chips"] for stage in result["stages"]] == [0, 0, 2]


def test_trained_weights_of_a_built_in_network(run: Run, own: Path) -> None:
    arguments = ("lenet3", "--checkpoint", WEIGHTS, "--data", "mnist-part", "--test-images", 60)
    plain = evaluated(run, *arguments, "--chips", 2, "--sigma", 0.3)
    more = evaluated(
        run, *arguments, "--chips", 2, "--sigma", 0.3, "--repair", "output-match", "--ranges",
        "percentile", "--percentile", 99.5, "--scaling", "column", "--calibration", 40,
    )  # fmt: skip
    assert stages(plain)["float"] == stages(more)["float"] > 0.9
    assert [stage["stage"] for stage in more["stages"]][-1] == "repaired"
    assert more["better"] in ("programmed", "repaired")
    assert {layer["layer"] for layer in more["layers"]} == {"conv1", "conv2", "fc"}
    assert all(layer["high"] > layer["low"] for layer in more["layers"])
    assert more["ranges"] == "percentile 99.5"
    wider = {layer["layer"]: layer["high"] for layer in plain["layers"]}
    assert any(layer["high"] < wider[layer["layer"]] for layer in more["layers"])


def test_chips_are_those_of_deploy(own: Path, tmp_path: Path) -> None:
    """Inputs of 16 bits are as good as real ones within their range: beside few images that are
    cut off, the accuracy is that of the saved chips.
    """
    files = deploy_chips("lenet3", WEIGHTS, tmp_path / "chips", chips=3, chip=CHIP, sigma=0.3)
    saved = evaluate_chips(files, data="mnist-part", test_images=60)
    given = {"chip": CHIP, "chips": 3, "sigma": 0.3, "test_images": 60}
    result = archsim.evaluate_network(
        "lenet3", WEIGHTS, data="mnist-part", overrides=["chip.precision.input_bits=16"], **given
    )
    stage = result.stage("programmed")
    assert stage.mean == pytest.approx(saved.stats.mean, abs=4 / (3 * 60))
    assert stage.ci95_low == pytest.approx(saved.stats.ci95_low, abs=0.04)


def test_table_csv_and_figure(run: Run, own: Path, tmp_path: Path) -> None:
    arguments = (
        "evaluate", f"{own.name}:denoiser", "--data", f"{own.name}:images", "--chip", CHIP,
        "--chips", 3, "--repair", "bias-correction", "--sigma", 0.2,
    )  # fmt: skip
    table = run(*arguments, "--plot", "stages.png")
    assert table.exit_code == 0, table.stderr
    assert (tmp_path / "stages.png").stat().st_size > 1000
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))
    assert [row["stage"] for row in rows] == ["float", "fixed-point", "programmed", "repaired"]
    assert float(rows[2]["ci95_low"]) <= float(rows[2]["mean"]) <= float(rows[2]["ci95_high"])
    assert float(rows[2]["worst"]) >= float(rows[2]["mean"])  # the largest error is the worst


def test_what_is_better_follows_the_metric(own: Path) -> None:
    def result(metric: str) -> archsim.NetworkAccuracy:
        return archsim.evaluate_network(
            f"{own.name}:language", data=f"{own.name}:counting", metric=metric, chip=CHIP, chips=3,
            sigma=0.4, repair="output-match",
        )  # fmt: skip

    for metric in ("perplexity", "top-1"):
        found = result(metric)
        plain, repaired = found.stage("programmed"), found.stage("repaired")
        higher = repaired.mean > plain.mean
        helps = higher if metric == "top-1" else repaired.mean < plain.mean
        assert (found.better == "repaired") == helps
        assert tables.choice(found).startswith("Use" if helps else "Leave")
        one, other = (stage.ci95_high - stage.ci95_low for stage in (plain, repaired))
        apart = abs(plain.mean - repaired.mean) > (one + other) / 2
        assert ("overlap" in tables.choice(found)) == (not apart)
        panel = collect_stages(found)
        assert panel.higher_is_better == (metric == "top-1")
        assert panel.dots[0].mean == pytest.approx(
            found.stage("float").mean * (100 if metric == "top-1" else 1)
        )
        shown = tables.stages(found)
        assert found.metric.direction in shown.title
        assert len(shown.rows) == 4


def test_what_cannot_be_evaluated(run: Run, own: Path, tmp_path: Path) -> None:
    lenet = ("evaluate", "lenet3", "--checkpoint", WEIGHTS, "--data")
    command_refused(run("evaluate", "lenet3"), "--checkpoint", code="missing-key")
    other = f"{own.name}:images"
    command_refused(run(*lenet, other), "1x28x28", code="shape-mismatch")
    command_refused(run(*lenet, "mnist-part", "--metric", "mse"), "mse", code="conflict")
    command_refused(
        run(*lenet, "mnist-part", "--repair", "batch-norm"), "batch-norm", code="unsupported"
    )
    for option, value in (("--runs", 3), ("--method", "TSB"), ("--correction", "a.safetensors")):
        command_refused(run(*lenet, "mnist-part", option, value), option, code="unsupported")
    (tmp_path / "run").mkdir()
    command_refused(
        run("evaluate", "run", "--repair", "batch-norm"), "--repair", code="unsupported"
    )
    wrong = {name: torch.zeros(2) for name in ("a", "b")}
    save_file(wrong, tmp_path / "w.safetensors")
    with refused(
        DataError, code="shape-mismatch", field=tmp_path / "w.safetensors", value="lenet3"
    ):
        archsim.evaluate_network("lenet3", tmp_path / "w.safetensors", data="mnist-part")
    with refused(ConfigError, code="out-of-range", field="chips (--chips)", value=0, allowed="1"):
        archsim.evaluate_network("lenet3", WEIGHTS, data="mnist-part", chips=0)


DRIFT = ("lenet3", "--checkpoint", WEIGHTS, "--data", "mnist-part", "--test-images", 30)


def test_drift_and_its_compensation(run: Run, own: Path) -> None:
    given = (*DRIFT, "--chips", 2, "--set", "chip.device=pcm", "--read-after", 1e7, "--read-noise")
    result = evaluated(run, *given, "--compensation", "column", "--calibrated-after", 1e6)
    names = ["float", "fixed-point", "programmed", "drifted", "compensated"]
    assert [stage["stage"] for stage in result["stages"]] == names
    assert result["better"] in ("drifted", "compensated")
    assert (result["read_after_s"], result["calibrated_after_s"]) == (1e7, 1e6)
    price = result["compensation_price"]
    # Outputs of the three layers, each times its factor.
    assert price["products"] == 5 * 28**2 + 10 * 14**2 + 10
    assert all(value > 0 for value in price.values())
    table = run("evaluate", *given, "--compensation", "layer", "--chip", CHIP)
    assert "compensation layer" in table.stdout
    assert "one reference read" in table.stdout
    plain = evaluated(run, *given)
    assert plain["better"] is None
    assert plain["compensation_price"] is None


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        (("--compensation", "layer"), "--compensation", "conflict"),
        (("--read-after", -1), "--read-after", "out-of-range"),
        (("--read-after", 9, "--calibrated-after", 1), "--calibrated-after", "conflict"),
        (("--read-after", 3600), "read_after_s", "conflict"),
        (("--read-noise",), "--read-noise", "conflict"),
    ],
)
def test_drift_that_cannot_be_asked_for(
    run: Run, own: Path, more: tuple[object, ...], field: str, code: str
) -> None:
    command_refused(run("evaluate", *DRIFT, *more), field, code=code)


def test_own_classes_beyond_those_of_the_network(own: Path) -> None:
    own.write_text(
        own.read_text()
        + "def eleven():\n    return torch.zeros(22, 1, 28, 28), torch.arange(22) % 11\n"
    )
    field = f"data '{own.name}:eleven'"
    with refused(DataError, code="shape-mismatch", field=field, value=11, allowed="10"):
        archsim.evaluate_network("lenet3", WEIGHTS, data=f"{own.name}:eleven", chip=CHIP)
