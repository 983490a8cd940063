"""A programmed chip: seeded, saveable, with the errors that the device's distribution promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import nn

from archsim.errors import ConfigError, DataError
from archsim.network.load import load_module
from tests.refusals import refused
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import read_tensors, write_tensors
from tsb.program import storage as storage_module
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import verify_all, verify_named

CELL = CellModel(
    sigma=0.1,
    write_model="incremental",
    tolerance=0.043,
    max_pulses=100,
    step_gain=0.055,
    step_sigma=0.02,
)
STORAGE = WeightStorage(cell=CELL)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return load_module("lenet3-bn")


def test_same_seed_same_chip_and_another_seed_not(model: nn.Module) -> None:
    one, same, other = (deploy(model, STORAGE, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(one.tensors[name], same.tensors[name]) for name in one.tensors)
    assert not torch.equal(one.tensors["fc.weight"], other.tensors["fc.weight"])


def test_only_the_weights_have_errors(model: nn.Module) -> None:
    chip = deploy(model, STORAGE, seed=0)
    for name, before in model.state_dict().items():
        assert torch.equal(chip.tensors[name], before) == (name not in mapped_weights(model))


def test_saved_and_loaded(model: nn.Module, tmp_path: Path) -> None:
    placed = WeightStorage(cell=CELL, scaling="column", copies={"fc.weight": 2})
    chip = deploy(model, placed, seed=1, network="lenet3-bn")
    chip.save(tmp_path / "chip.safetensors")
    again = ProgrammedChip.load(tmp_path / "chip.safetensors", network="lenet3-bn")
    assert again.storage == placed
    assert (again.seed, again.backbone, again.verified_weights) == (1, chip.backbone, 0)
    for name, tensor in chip.tensors.items():
        assert torch.equal(tensor, again.tensors[name])
    fresh = load_module("lenet3-bn")
    again.load_into(fresh)
    images = torch.randn(4, 1, 28, 28)
    chip.load_into(model)
    assert torch.equal(fresh(images), model(images))


def test_options_of_the_network_are_kept(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "chip.safetensors"
    given = {"widths": [4, 4, 8], "batch_norm": True}
    deploy(model, STORAGE, seed=1, network="vgg8", options=given).save(path)
    assert ProgrammedChip.load(path).options == given
    tensors, about = read_tensors(path)
    del about["options"]  # a chip of before they were recorded
    write_tensors(path, tensors, about)
    assert ProgrammedChip.load(path).options == {}
    write_tensors(path, tensors, {**about, "options": 3})
    with refused(DataError, code="wrong-file", field=path):
        ProgrammedChip.load(path)


def test_error_is_that_of_the_distribution() -> None:
    model = nn.Sequential(nn.Linear(300, 200, bias=False))
    weight = next(model.parameters()).detach()
    chip = deploy(model, STORAGE, seed=0)
    error = chip.tensors["0.weight"] - quantise(weight)
    # 0.7776 sigma max|W|: arXiv 2305.14561.
    expected = 0.7776 * 0.1 * float(weight.abs().max())
    assert float(error.std()) == pytest.approx(expected, rel=0.02, abs=0)


def test_copies_and_write_verify_make_the_same_errors_smaller(model: nn.Module) -> None:
    plain = deploy(model, STORAGE, seed=0)
    copied = deploy(model, WeightStorage(cell=CELL, copies={"fc.weight": 4}), seed=0)
    name = "fc.weight"
    error, smaller = (c.tensors[name] - c.wanted[name] for c in (plain, copied))
    torch.testing.assert_close(smaller, error / 2, atol=1e-6, rtol=1e-4)
    weights = dict(mapped_weights(model))
    verified = deploy(model, STORAGE, seed=0, verified=verify_named(weights, [name]))
    assert verified.verified_weights == weights[name].numel()
    ratio = float((verified.tensors[name] - verified.wanted[name]).std() / error.std())
    assert ratio == pytest.approx(0.3, rel=0.05, abs=0)  # residual 0.03 of sigma 0.1
    assert torch.equal(verified.tensors["conv1.weight"], plain.tensors["conv1.weight"])


def test_column_scaling_gives_each_output_its_own_full_scale() -> None:
    model = nn.Sequential(nn.Linear(2000, 2, bias=False))
    with torch.no_grad():
        model[0].weight[1] *= 0.01
    chip = deploy(model, WeightStorage(cell=CELL, scaling="column"), seed=0)
    error = (chip.tensors["0.weight"] - chip.wanted["0.weight"]).std(1)
    largest = model[0].weight.detach().abs().amax(1)
    torch.testing.assert_close(error, 0.07776 * largest, rtol=0.05, atol=0)


def test_all_zero_weights_stay_zero() -> None:
    model = nn.Sequential(nn.Linear(4, 3, bias=False))
    nn.init.zeros_(model[0].weight)
    for scaling in ("tensor", "column"):
        chip = deploy(model, WeightStorage(cell=CELL.but(sigma=0.0), scaling=scaling), seed=0)
        assert not chip.tensors["0.weight"].any()


@pytest.mark.parametrize(
    ("change", "code", "field", "value", "allowed"),
    [
        ({"scaling": "row"}, "unknown-name", "scaling", "row", ["tensor", "column"]),
        (
            {"copies": {"fc.weight": 0}},
            "out-of-range",
            "copies of 'fc.weight'",
            0,
            "1 or more",
        ),
    ],
)
def test_bad_storage(
    change: dict[str, object], code: str, field: str, value: object, allowed: str | list[str]
) -> None:
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed):
        WeightStorage(cell=CELL, **change)  # type: ignore[arg-type]


def test_copies_of_what_is_not_there(model: nn.Module) -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "copies", "value": "fc1.weight"}
    with refused(ConfigError, **facts, nearest="fc.weight"):
        deploy(model, WeightStorage(cell=CELL, copies={"fc1.weight": 2}), seed=0)


def test_bad_seed_and_bad_weights(model: nn.Module) -> None:
    for seed in (-1, 2**32):
        facts: dict[str, Any] = {"code": "out-of-range", "field": "seed", "value": seed}
        with refused(ConfigError, **facts, allowed="0 to 4294967295"):
            deploy(model, STORAGE, seed=seed)
    with torch.no_grad():
        model.get_parameter("fc.weight")[0, 0] = float("nan")
    with refused(DataError, code="not-finite", field="fc.weight", value=1, says=["4900"]):
        deploy(model, STORAGE, seed=0, verified=verify_all(mapped_weights(model)))


def test_chip_of_another_network(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "chip.safetensors"
    chip = deploy(model, STORAGE, seed=0, network="lenet3-bn")
    chip.save(path)
    facts: dict[str, Any] = {"code": "wrong-file", "field": path, "value": "lenet3-bn"}
    with refused(DataError, **facts, allowed="vgg8"):
        ProgrammedChip.load(path, network="vgg8")
    with refused(DataError, code="shape-mismatch", field="checkpoint", value=ANY):
        chip.load_into(load_module("lenet3"))


def test_not_a_chip(tmp_path: Path) -> None:
    from tsb.checkpoint import save_checkpoint

    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, load_module("lenet3"), network="lenet3")
    with refused(DataError, code="wrong-file", field=path, says=["archsim", "deploy"]):
        ProgrammedChip.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with refused(DataError, code="damaged-file", field=path):
        ProgrammedChip.load(path)


def test_stuck_cells_are_frozen_with_the_chip(model: nn.Module) -> None:
    """One cell in a hundred, stuck off: a chip keeps its own, copies have each their own."""
    stuck = CELL.but(stuck_off_rate=0.01)
    one, same = (deploy(model, WeightStorage(cell=stuck), seed=3).tensors for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    sound = deploy(model, STORAGE, seed=3).tensors
    changed = ~torch.isclose(one["fc.weight"], sound["fc.weight"], rtol=1e-5, atol=1e-8)
    share = float(changed.double().mean())
    # Four cells per weight, most of them not at the lowest level already.
    assert 0.01 < share < 0.045
    pair = WeightStorage(cell=stuck, copies={"fc.weight": 2})
    both = deploy(model, pair, seed=3).tensors["fc.weight"]
    assert float((both - sound["fc.weight"]).abs().max()) > 0
    with_one = deploy(model, WeightStorage(cell=stuck), seed=3)
    wanted = with_one.wanted["fc.weight"]
    assert float((both - wanted).square().mean()) < 0.6 * float(
        (with_one.stored["fc.weight"] - wanted).square().mean()
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["chip.fc.weight", "wanted.fc.weight", "chip.fc.bias"])
def test_a_chip_of_numbers_that_are_none_is_refused(
    model: nn.Module, tmp_path: Path, part: str, value: float
) -> None:
    path = tmp_path / "chip.safetensors"
    deploy(model, STORAGE, seed=1, network="lenet3-bn").save(path)
    tensors, about = read_tensors(path)
    tensors[part].view(-1)[0] = value
    write_tensors(path, tensors, about)
    with refused(DataError, code="not-finite", field=part, value=1):
        ProgrammedChip.load(path)


def test_defects_and_spread_have_seeds_of_their_own(
    model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One seed for both would tie a cell's defect to the numbers that its neighbours' noise is."""
    drawn: list[tuple[int, int]] = []
    original = storage_module.defective_instance

    def noted(weights: Any, cell: Any, verified: Any, spread: Any, defects: Any) -> Any:
        drawn.append((spread.initial_seed(), defects.initial_seed()))
        return original(weights, cell, verified, spread, defects)

    monkeypatch.setattr(storage_module, "defective_instance", noted)
    stuck = WeightStorage(cell=CELL.but(stuck_off_rate=0.1))
    for seed in (0, 1, 2):
        deploy(model, stuck, seed=seed)
    pairs = dict.fromkeys(drawn)
    assert [spread for spread, _ in pairs] == [0, 1, 2]
    assert len({seed for pair in pairs for seed in pair}) == 6


def test_defects_leave_the_other_cells_as_they_are(model: nn.Module) -> None:
    """With a rate next to none the chip is that of no defects, and another seed has others."""
    rare = WeightStorage(cell=CELL.but(stuck_off_rate=1e-12))
    plain, same = (deploy(model, storage, seed=5) for storage in (STORAGE, rare))
    for name in plain.stored:
        torch.testing.assert_close(same.tensors[name], plain.tensors[name], rtol=1e-5, atol=1e-7)
    stuck = WeightStorage(cell=CELL.but(sigma=0.0, stuck_off_rate=0.1))
    chips = [deploy(model, stuck, seed=seed) for seed in (5, 6)]
    changed = [chip.tensors["fc.weight"] != chip.wanted["fc.weight"] for chip in chips]
    assert not torch.equal(*changed)
