"""Corrections of a programmed chip: what they compute, how they are trained, what they refuse."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn

from archsim.errors import ConfigError, DataError, NetworkError
from archsim.network import zoo
from archsim.network.load import load_module, load_network
from tests.refusals import refused
from tsb.cells.noise import WeightNoise
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import load_checkpoint
from tsb.correction import (
    Carrier,
    CorrectedChip,
    Correction,
    TuneSettings,
    make_carrier,
    parse_corrections,
    tune,
)
from tsb.correction.calibration import layer_outputs
from tsb.correction.corrected import apply_all, attach_all, load_parameters, start_all
from tsb.correction.parse import format_terms, parse_terms
from tsb.data import Dataset, load_dataset
from tsb.monte_carlo import monte_carlo
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.shared_block import SharedBlock

#: The module, which the function of its name hides.
TUNE = importlib.import_module("tsb.correction.tune")
DATA = Path(__file__).parents[2] / "data"
CELL = CellModel(
    sigma=0.2,
    write_model="incremental",
    tolerance=0.043,
    max_pulses=100,
    step_gain=0.055,
    step_sigma=0.02,
)
STORAGE = WeightStorage(cell=CELL)
DEFAULTS = {"tsb": {"channels": 5}, "linear-block": {"channels": 7}}
QUICK = TuneSettings(steps=60, batch_size=64, noise=WeightNoise(sigma=0.03))


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load_dataset("mnist", DATA / "mnist")


def prepared(method: str, network: str = "lenet3") -> tuple[Carrier, list[Correction]]:
    model = load_module(network)
    if network == "lenet3":
        load_checkpoint(DATA / "checkpoints" / "lenet3.safetensors").load_into(model)
    carrier = make_carrier(model, load_network(network))
    corrections = parse_corrections(method, DEFAULTS)
    attach_all(corrections, carrier)
    return carrier, corrections


def some_chips(carrier: Carrier, count: int) -> list[ProgrammedChip]:
    plain = make_carrier(load_module("lenet3"), carrier.layers).model
    load_checkpoint(DATA / "checkpoints" / "lenet3.safetensors").load_into(plain)
    return [deploy(plain, STORAGE, seed=seed, network="lenet3") for seed in range(count)]


def accuracy(tensors: dict[str, Tensor], carrier: Carrier, data: Dataset) -> float:
    test = data.test
    scores = torch.func.functional_call(carrier.model, tensors, (test.images,))
    return float((scores.argmax(-1) == test.labels).double().mean())


def test_retrained_layers_start_from_the_weights_that_were_asked_for(mnist: Dataset) -> None:
    carrier, corrections = prepared("last-layers")
    chip = some_chips(carrier, 1)[0]
    first = start_all(corrections, carrier, chip, mnist.train.images)
    corrected = apply_all(corrections, chip.tensors, first)
    assert torch.equal(corrected["fc.weight"], chip.wanted["fc.weight"])
    assert not torch.equal(corrected["fc.weight"], chip.tensors["fc.weight"])


@pytest.mark.parametrize(("channels", "depth"), [(5, 1), (3, 2), (10, 4)])
def test_folded_block_is_the_module_between_convolution_and_batch_norm(
    channels: int, depth: int
) -> None:
    torch.manual_seed(0)
    carrier, corrections = prepared(f"tsb:channels={channels},depth={depth}", "lenet3-bn")
    block = SharedBlock(channels, depth)
    for layer in block.layers:
        nn.init.normal_(layer.weight)
    parameters = {
        f"0.layers.{i}.weight": layer.weight.detach()[:, :, 0, 0]
        for i, layer in enumerate(block.layers)
    }
    images = torch.randn(3, 1, 28, 28)
    tensors = dict(carrier.model.state_dict())
    folded = apply_all(corrections, tensors, parameters)
    found = torch.func.functional_call(carrier.model, folded, (images,))
    model = load_module("lenet3-bn")
    model.load_state_dict(tensors)
    model.conv1 = nn.Sequential(model.conv1, block)  # type: ignore[arg-type, assignment]
    model.conv2 = nn.Sequential(model.conv2, block)  # type: ignore[arg-type, assignment]
    torch.testing.assert_close(found, model.eval()(images), rtol=1e-4, atol=1e-4)


def test_block_after_residual_blocks_is_a_module_of_its_own() -> None:
    torch.manual_seed(0)
    carrier, corrections = prepared("tsb:channels=16", "resnet20")
    images = torch.randn(2, 3, 32, 32)
    tensors = {n: t for n, t in carrier.model.state_dict().items() if "shared_block" not in n}
    plain = load_module("resnet20")
    plain.load_state_dict(tensors)
    identity = {"0.layers.0.weight": torch.eye(16)}
    once = torch.func.functional_call(
        carrier.model, apply_all(corrections, tensors, identity), (images,)
    )
    torch.testing.assert_close(once, plain(images))
    # Twice the identity after each of nine blocks: each doubles its output.
    for name in [point.name for point in carrier.points]:
        plain.get_submodule(name).register_forward_hook(lambda m, i, output: 2 * output)
    twice = {"0.layers.0.weight": 2 * torch.eye(16)}
    found = torch.func.functional_call(
        carrier.model, apply_all(corrections, tensors, twice), (images,)
    )
    torch.testing.assert_close(found, plain(images))


def test_insertions_are_the_last_places() -> None:
    carrier, corrections = prepared("tsb:channels=5,insertions=1")
    changed = apply_all(
        corrections, carrier.model.state_dict(), {"0.layers.0.weight": 2 * torch.eye(5)}
    )
    own = carrier.model.state_dict()
    assert torch.equal(changed["conv1.weight"], own["conv1.weight"])
    assert torch.equal(changed["conv2.weight"], 2 * own["conv2.weight"])


@pytest.mark.parametrize(
    ("method", "written", "digital"),
    [
        ("", 0, 0),
        ("tsb", 25, 0),
        ("tsb:channels=4,depth=2", 32, 0),
        ("own-blocks", 125, 0),
        ("biases", 0, 25),
        ("scales+biases", 0, 50),
        ("tsb+biases", 25, 25),
        ("last-layers:2", 5350, 0),
        ("low-rank:2", 1000, 0),
        ("linear-block", 49, 0),
    ],
)
def test_budget(method: str, written: int, digital: int, mnist: Dataset) -> None:
    carrier, corrections = prepared(method)
    chip = some_chips(carrier, 1)[0]
    corrected = CorrectedChip(
        chip=chip,
        corrections=tuple(corrections),
        parameters=start_all(corrections, carrier, chip, mnist.train.images),
        carrier=carrier,
        storage=STORAGE,
        verify=True,
    )
    assert (corrected.written_weights, corrected.digital_parameters) == (written, digital)


@pytest.mark.parametrize(
    ("method", "products"),
    # LeNet-3: 5 maps of 28 x 28, 10 of 14 x 14, 10 scores
    [("tsb+biases", 0), ("scales", 5 * 784 + 10 * 196 + 10), ("output-match", 10)],
)
def test_digital_multiplications(method: str, products: int) -> None:
    carrier, corrections = prepared(method)
    assert sum(own.digital_products(carrier) for own in corrections) == products


@pytest.mark.parametrize(
    ("method", "macs"),
    # Blocks at each pixel of each group of channels, the last group padded.
    [
        ("", 0),
        ("biases", 0),
        ("last-layers:2", 0),
        ("tsb:channels=1", 5 * 784 + 10 * 196),
        ("tsb:channels=5", 25 * (784 + 2 * 196)),
        ("tsb:channels=10", 100 * (784 + 196)),
        ("tsb:channels=4,depth=2", 2 * 16 * (2 * 784 + 3 * 196)),
        ("tsb:channels=5,insertions=1", 25 * 2 * 196),
        ("own-blocks", 25 * 784 + 100 * 196),
        ("linear-block", 490 * 7),
        ("low-rank:2", 2 * (490 + 10)),
        ("scales", 5 * 784 + 10 * 196 + 10),
    ],
)
def test_multiply_adds(method: str, macs: int) -> None:
    carrier, corrections = prepared(method)
    assert sum(own.macs(carrier) for own in corrections) == macs


@pytest.mark.parametrize("method", ["tsb", "biases", "scales+biases", "last-layers:1"])
def test_training_repairs_the_chips_it_saw(method: str, mnist: Dataset) -> None:
    carrier, corrections = prepared(method)
    chips = some_chips(carrier, 3)
    result = tune(carrier, chips, corrections, mnist, QUICK)
    assert not any(result.diverged)
    assert len(result.losses) == QUICK.steps
    before = [accuracy(chip.tensors, carrier, mnist) for chip in chips]
    after = [
        accuracy(apply_all(corrections, chip.tensors, own), carrier, mnist)
        for chip, own in zip(chips, result.parameters, strict=True)
    ]
    assert sum(after) > sum(before) + 0.02


def test_a_chip_is_trained_the_same_alone_and_among_others(mnist: Dataset) -> None:
    carrier, corrections = prepared("tsb+biases")
    chips = some_chips(carrier, 2)
    together = tune(carrier, chips, corrections, mnist, QUICK).parameters[1]
    alone = tune(carrier, chips[1:], corrections, mnist, QUICK).parameters[0]
    for name in together:
        torch.testing.assert_close(together[name], alone[name], rtol=1e-3, atol=1e-4)


def test_a_loss_that_is_not_finite_gives_back_the_first_parameters(mnist: Dataset) -> None:
    carrier, corrections = prepared("scales")
    chips = some_chips(carrier, 1)
    wild = TuneSettings(steps=50, batch_size=64, learning_rate=1e30)
    result = tune(carrier, chips, corrections, mnist, wild)
    assert result.diverged == (True,)
    assert result.kept == (False,)
    assert all(bool((p == 1).all()) for p in result.parameters[0].values())


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("method", ["scales+biases", "tsb"])
def test_one_chip_that_diverges_leaves_the_others_alone(
    method: str, compiled: bool, mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chip whose weights overflow: the others are trained as they are without it."""
    if not compiled:
        monkeypatch.setattr(TUNE, "COMPILED_WEIGHTS", 0)
    carrier, corrections = prepared(method)
    chips = some_chips(carrier, 3)
    huge = {n: 1e30 * t if n.endswith("weight") else t for n, t in chips[1].tensors.items()}
    broken = [chips[0], replace(chips[1], tensors=huge), chips[2]]
    result = tune(carrier, broken, corrections, mnist, QUICK)
    assert result.diverged == (False, True, False)
    assert result.kept == (True, False, True)
    assert len(result.losses) == QUICK.steps
    assert all(map(math.isfinite, result.losses))
    first = start_all(corrections, carrier, chips[1], mnist.train.images)
    assert all(torch.equal(result.parameters[1][n], p) for n, p in first.items())
    without = tune(carrier, [chips[0], chips[2]], corrections, mnist, QUICK)
    for one, other in zip(result.parameters[::2], without.parameters, strict=True):
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-4)


def test_a_chip_may_diverge_in_the_middle(mnist: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """At step 20 alone its loss is infinite: what it had learnt until then is not kept."""
    carrier, corrections = prepared("scales")
    chips = some_chips(carrier, 2)
    real, calls = TUNE._Run.losses, []

    def losses(*arguments: Any) -> Tensor:
        calls.append(len(calls))
        burst = torch.tensor([len(calls) == 20, False])
        return torch.where(burst, torch.inf, real(*arguments))

    monkeypatch.setattr(TUNE._Run, "losses", losses)
    result = tune(carrier, chips, corrections, mnist, QUICK)
    assert result.diverged == (True, False)
    assert result.kept == (False, True)
    assert len(result.losses) == QUICK.steps
    assert all(bool((p == 1).all()) for p in result.parameters[0].values())


def test_labels_are_not_needed_to_match_outputs(mnist: Dataset) -> None:
    carrier, corrections = prepared("output-match")
    chip = some_chips(carrier, 1)[0]
    images = mnist.train.images
    found = start_all(corrections, carrier, chip, images)
    corrected = apply_all(corrections, chip.tensors, found)
    real = layer_outputs(carrier.model, corrected, images, ["fc"])["fc"]
    ideal = layer_outputs(carrier.model, {**chip.tensors, **chip.wanted}, images, ["fc"])["fc"]
    torch.testing.assert_close(real.mean(0), ideal.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(real.std(0), ideal.std(0), rtol=1e-3, atol=1e-3)


def test_recalibrated_batch_norms_normalise(mnist: Dataset) -> None:
    torch.manual_seed(0)
    carrier, corrections = prepared("batch-norm", "lenet3-bn")
    chip = deploy(carrier.model, STORAGE, seed=0)
    images = mnist.train.images[:500]
    found = start_all(corrections, carrier, chip, images)
    corrected = apply_all(corrections, chip.tensors, found)
    for name, inner in (("bn1", "conv1"), ("bn2", "conv2")):
        maps = layer_outputs(carrier.model, corrected, images, [inner])[inner]
        torch.testing.assert_close(found[f"0.{name}.running_mean"], maps.mean((0, 2, 3)))
        torch.testing.assert_close(
            found[f"0.{name}.running_var"], maps.var((0, 2, 3)), rtol=1e-3, atol=0
        )


def test_writing_again_changes_only_what_is_in_cells(mnist: Dataset) -> None:
    carrier, corrections = prepared("tsb+biases")
    chip = some_chips(carrier, 1)[0]
    corrected = CorrectedChip(
        chip=chip,
        corrections=tuple(corrections),
        parameters=start_all(corrections, carrier, chip, mnist.train.images),
        carrier=carrier,
        storage=STORAGE,
        verify=True,
    )
    source = torch.Generator().manual_seed(0)
    one, other = corrected.draw(source), corrected.draw(source)
    assert torch.equal(one["fc.weight"], other["fc.weight"])
    assert torch.equal(one["fc.bias"], other["fc.bias"])
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    found = monte_carlo(
        carrier.model,
        lambda _: corrected.draw,
        mnist.test.images,
        mnist.test.labels,
        chips=1,
        runs=5,
        generator=source,
    )
    assert found.accuracy.shape == (1, 5)


def test_saved_parameters(tmp_path: Path, mnist: Dataset) -> None:
    carrier, corrections = prepared("tsb+biases")
    one, other = some_chips(carrier, 2)
    path = tmp_path / "tsb.safetensors"
    corrected = CorrectedChip(
        chip=one,
        corrections=tuple(corrections),
        parameters=tune(carrier, [one], corrections, mnist, QUICK).parameters[0],
        carrier=carrier,
        storage=STORAGE,
        verify=True,
    )
    corrected.save(path, method="tsb+biases")
    found = load_parameters(path, one, "tsb+biases")
    assert all(torch.equal(found[n], p) for n, p in corrected.parameters.items())
    with refused(DataError, code="wrong-file", field=path, says=["chip"]):
        load_parameters(path, other, "tsb+biases")
    facts: dict[str, Any] = {"code": "wrong-file", "field": path, "value": "tsb+biases"}
    with refused(DataError, **facts, allowed="tsb"):
        load_parameters(path, one, "tsb")


@pytest.mark.parametrize(
    ("method", "code", "field", "value", "allowed"),
    [
        ("tbs", "unknown-name", "correction", "tbs", ["tsb"]),
        ("tsb+tsb", "given-twice", "correction", "tsb", ()),
        ("tsb:width=4", "unknown-key", "correction tsb", "width=4", "channels=NUMBER"),
        ("biases:4", "unknown-key", "correction biases", "4", "none"),
        ("tsb:channels=-1", "unknown-key", "correction tsb", "channels=-1", "channels=NUMBER"),
        ("tsb:channels=11", "out-of-range", "tsb channels", 11, "1 to 10"),
        ("tsb:channels=4,insertions=3", "out-of-range", "insertions", 3, "1 to 2"),
        ("last-layers:4", "out-of-range", "last-layers", 4, "1 to 3"),
        ("low-rank:11", "out-of-range", "low-rank rank", 11, "1 to 10"),
        ("linear-block:8", "shape-mismatch", "linear-block channels", 8, "490"),
    ],
)
def test_refused(
    method: str, code: str, field: str, value: object, allowed: str | list[str]
) -> None:
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed):
        prepared(method, "lenet3")


def test_what_a_network_lacks_is_refused() -> None:
    facts: dict[str, Any] = {"code": "unsupported", "field": "batch-norm", "value": "lenet3"}
    with refused(NetworkError, **facts, says=["biases,"]):
        prepared("batch-norm", "lenet3")
    with refused(NetworkError, code="conflict", field="own-blocks"):
        prepared("own-blocks", "resnet20")


def perceptron() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    model.input_shape = (1, 28, 28)  # type: ignore[assignment]
    return model


def test_a_network_without_convolutions_is_told_what_applies() -> None:
    model = perceptron()
    carrier = make_carrier(model, load_network(model))
    facts: dict[str, Any] = {"code": "empty", "field": "insertion", "value": ANY}
    with refused(NetworkError, **facts, says=["linear-block,"]):
        attach_all(parse_corrections("tsb", DEFAULTS), carrier)
    attach_all(parse_corrections("low-rank+biases"), carrier)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("steps", -1, "0 or more"),
        ("seed", 2**32, "0 to 4294967295"),
        ("batch_size", 0, "1 or more"),
        ("learning_rate", 0.0, "above 0"),
    ],
)
def test_bad_settings(field: str, value: float, allowed: str) -> None:
    with refused(ConfigError, code="out-of-range", field=field, value=value, allowed=allowed):
        TuneSettings(**{field: value})  # type: ignore[arg-type]


def test_nothing_to_train_on(mnist: Dataset) -> None:
    carrier, corrections = prepared("tsb")
    nothing: Sequence[ProgrammedChip] = []
    facts: dict[str, Any] = {"code": "out-of-range", "field": "chips, batch_size"}
    with refused(ConfigError, **facts, value=(0, QUICK.batch_size)):
        tune(carrier, nothing, corrections, mnist, QUICK)
    with refused(ConfigError, **facts, value=(1, 5000), says=["634"]):
        tune(carrier, some_chips(carrier, 1), corrections, mnist, TuneSettings(batch_size=5000))


def test_a_block_between_residual_blocks_has_no_scales_of_its_own() -> None:
    """There the block is a module of the network; the other corrections are not about it."""
    model = zoo.build("resnet18-cifar", widths=(4, 4, 8, 8)).eval()
    graph = load_network(model, name="resnet18-cifar")
    carrier = make_carrier(model, graph)
    corrections = parse_corrections("tsb:channels=4+scales", {})
    attach_all(corrections, carrier)
    assert carrier.weights() == tuple(f"{layer.name}.weight" for layer in graph.layers)
    outputs = sum(x.out_channels * x.out_height * x.out_width for x in graph.layers)
    assert corrections[1].digital_products(carrier) == outputs


@pytest.mark.parametrize(
    "text", ["", "tsb", "tsb:channels=8,depth=2+biases", "last-layers:count=2+batch-norm"]
)
def test_terms_are_written_as_they_are_read(text: str) -> None:
    assert format_terms(parse_terms(text)) == text
