"""Measured levels in accuracy: weights, saved chips and drawn cells against cells one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from archsim.config.resolve import resolve
from archsim.device import ENCODINGS, CellSpec, program_weights
from tests.device.measured import measured_chip
from tests.refusals import refused
from tsb.cells.cell_model import CellModel
from tsb.cells.read_out import ReadOut
from tsb.cells.weight_cells import mean_weights, noise_std, weight_cells
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.program.tensor_cells import CellsOfTensor
from tsb.write_verify.selective import verify_none

SHAPE = (3, 5)
CHIPS = 3000


def weights() -> dict[str, torch.Tensor]:
    """Weights of both signs, the largest at full scale."""
    drawn = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2)).double()
    return {"w": drawn / drawn.abs().max()}


def cell_by_cell(tmp_path: Path, encoding: str, **rates: object) -> tuple[CellModel, torch.Tensor]:
    """The closed forms' cells, and weights of many chips that the device programmed."""
    spec = CellSpec.of_chip(measured_chip(tmp_path, **rates), encoding=encoding)
    many = weights()["w"].repeat(CHIPS, 1)
    done = program_weights(
        {"w": many},
        device=spec.device,
        weight_format=spec.weight_format,
        generator=torch.Generator().manual_seed(3),
    )
    return CellModel.of(spec), done.weights["w"].view(CHIPS, *SHAPE)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_weights_have_the_mean_and_spread_of_their_cells(tmp_path: Path, encoding: str) -> None:
    """Closed forms and the drawn chips of ``deploy``, against the device's own sampler."""
    cell, sampled = cell_by_cell(tmp_path, encoding)
    cells, masks = weight_cells(weights(), cell), verify_none(weights())
    # What cells are asked for are codes.
    asked = cell.weight_format.codes_of(weights()["w"], cells["w"].scale) * cells["w"].scale
    mean = mean_weights({"w": asked}, cells, masks)["w"]
    std = noise_std(cells, masks, centred=True)["w"]
    whole = noise_std(cells, masks)["w"]
    error = 5 * std / CHIPS**0.5
    assert bool(((sampled.mean(0) - mean).abs() < error).all())
    torch.testing.assert_close(sampled.std(0), std, rtol=0.08, atol=0.0)
    torch.testing.assert_close(whole, torch.hypot(std, mean - asked), rtol=1e-6, atol=1e-9)
    assert float((mean - asked).abs().max()) > 0.01
    write = WeightStorage(cell=cell).writer(weights(), masks)
    stream = torch.Generator().manual_seed(4)
    drawn = torch.stack([write(stream)["w"] for _ in range(CHIPS)])
    assert bool(((drawn.mean(0) - sampled.mean(0)).abs() < 1.5 * error).all())
    torch.testing.assert_close(drawn.std(0), std, rtol=0.08, atol=0.0)


def test_tensors_written_one_by_one_have_the_means_of_their_levels(tmp_path: Path) -> None:
    """A stream writes what all tensors at once are written to, mean errors and all."""
    storage = WeightStorage(cell=cell_by_cell(tmp_path, "differential")[0])
    both = {"a": weights()["w"], "b": 0.5 * weights()["w"]}
    masks = verify_none(both)
    whole = storage.write(both, masks, torch.Generator().manual_seed(4))
    stream = dict(storage.stream(both, masks, torch.Generator().manual_seed(4)))
    assert all(torch.equal(whole[name], stream[name]) for name in both)
    assert not torch.equal(whole["a"], both["a"])


def test_stuck_cells_keep_the_means_of_the_others(tmp_path: Path) -> None:
    """Chips with defects have the mean that the device's own sampler has."""
    rate = {"value": 0.05, "unit": "1", "source": "assumed"}
    cell, sampled = cell_by_cell(
        tmp_path, "differential", stuck_on_rate=rate, stuck_off_rate={**rate}
    )
    many = {"w": weights()["w"].repeat(CHIPS, 1)}
    write = WeightStorage(cell=cell).writer(many, verify_none(many))
    drawn = write(torch.Generator().manual_seed(4))["w"].view(CHIPS, *SHAPE)
    spread = sampled.std(0)
    assert bool(((drawn.mean(0) - sampled.mean(0)).abs() < 7 * spread / CHIPS**0.5).all())
    torch.testing.assert_close(drawn.std(0), spread, rtol=0.12, atol=0.0)


def test_cells_behind_weights_have_the_means_of_their_levels(tmp_path: Path) -> None:
    """Errors of cells that are divided among a weight's cells, level by level."""
    resolved = measured_chip(tmp_path)
    spec = CellSpec.of_chip(resolved, encoding="differential")
    storage = WeightStorage(cell=CellModel.of(spec))
    target = weights()["w"].repeat(CHIPS // 10, 1)
    masks = verify_none({"w": target})
    held = storage.writer({"w": target}, masks)(torch.Generator().manual_seed(0))["w"]
    cells = CellsOfTensor.of(storage.targets({"w": target})["w"], masks["w"], storage, 1)
    stream = torch.Generator().manual_seed(1)
    errors = cells.errors((held / cells.step).flatten(), stream)
    form = spec.weight_format
    exact = ReadOut(device=spec.device, weight_format=form, verify={}).draw_cells(
        {"w": target}, stream
    )["w"]
    exact = exact.flatten(0, 1).flatten(1) / (form.level_count - 1)
    level = (cells.levels * 3).round()
    for place in range(4):
        mine, theirs = errors[level == place], exact[level == place]
        assert float(mine.mean()) == pytest.approx(float(theirs.mean()), abs=0.006)
        assert float(mine.std()) == pytest.approx(float(theirs.std()), rel=0.1)


@pytest.mark.parametrize("device", ["measured", "pcm"])
def test_saved_chips_know_their_cells(tmp_path: Path, device: str) -> None:
    """Tables of levels and laws of read noise come back as they were."""
    resolved = measured_chip(tmp_path) if device == "measured" else resolve(device=device)
    cell = CellModel.of(CellSpec.of_chip(resolved))
    chip = deploy(nn.Linear(3, 2), WeightStorage(cell=cell), seed=0)
    chip.save(tmp_path / "chip.safetensors")
    assert ProgrammedChip.load(tmp_path / "chip.safetensors").storage.cell == cell


def test_cells_of_other_bits_are_refused(tmp_path: Path) -> None:
    """A table of four levels is one of 2-bit cells."""
    cell = CellModel.of(CellSpec.of_chip(measured_chip(tmp_path)))
    with refused(Exception, code="conflict", field="bits_per_cell", value=4):
        cell.but(bits_per_cell=4)
