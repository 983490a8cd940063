"""Programming of weight tensors, against closed forms, loops and counts by hand."""

from __future__ import annotations

import math

import pytest
import torch

from archsim.config.resolve import resolve
from archsim.device import (
    ENCODINGS,
    WeightFormat,
    WriteArray,
    level_sigmas,
    profile_sigma,
    program_tensor,
    program_weights,
    write_verify_closed_form,
    zero_conductance_level,
)
from archsim.device.cell_programmer import CellProgrammer
from archsim.device.tensor_programming import BLOCK_CELLS
from archsim.errors import ConfigError, DataError
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded
from tests.refusals import refused

STEP = {"tolerance": 0.043, "max_pulses": 100, "step_gain": 0.055, "step_sigma": 0.02}
REDRAW = ("write_verify.model=redraw", "device_to_device_share=0")
PROFILES = {
    "uniform": (),
    "weight": ("sigma_profile.kind=weight", "sigma_profile.factor=4"),
    "level": ("sigma_profile.kind=level", "sigma_profile.factor=4"),
}


def device(*settings: str, name: str = "rram-neurosim"):
    return resolve(device=name, overrides=[f"device.{setting}" for setting in settings]).device


def gaussian(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


def cell_sigmas(profile: str, form: WeightFormat, codes: torch.Tensor) -> torch.Tensor:
    """Sigma of each cell, ``*weights cell``, from the profile functions alone."""
    digits = form.encode(codes).flatten(-2)
    if profile == "level":
        return level_sigmas(sigma=0.1, level_count=form.level_count, factor=4.0)[digits]
    position = codes.abs() / form.largest_code
    factor = 4.0 if profile == "weight" else 1.0
    each = profile_sigma(position=position, sigma=0.1, factor=factor)
    return each.unsqueeze(-1).expand(digits.shape)


def weight_std(form: WeightFormat, scale: float, sigmas: torch.Tensor) -> torch.Tensor:
    """Standard deviation of each weight from the sigmas of its independent cells."""
    significance = 2.0 ** (form.bits_per_cell * torch.arange(form.slices - 1, -1, -1).double())
    squares = (sigmas * significance.repeat(form.sides)).square().sum(-1)
    return scale * (form.level_count - 1) * squares.sqrt()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("bits_per_cell", [2, 3])
def test_one_shot_noise_is_that_of_the_closed_form(encoding, profile, bits_per_cell):
    form = WeightFormat(bits_per_cell=bits_per_cell, encoding=encoding)
    weight = gaussian(60, 700)
    done = program_weights(
        {"w": weight},
        device=device(*PROFILES[profile]),
        generator=seeded(2),
        weight_format=form,
        keep_cells=True,
    )
    codes, scale = form.quantise(weight)
    sigmas = cell_sigmas(profile, form, codes)
    noise = (done.weights["w"] - codes * scale) / weight_std(form, scale, sigmas)
    assert abs(float(noise.mean())) <= mean_error(noise)
    assert abs(float(noise.square().mean().sqrt()) - 1) <= rms_error(noise)
    cells = done.tensors["w"].cell_errors / sigmas
    assert abs(float(cells.square().mean().sqrt()) - 1) <= rms_error(cells)
    # Not only on average: each class of cells has its own spread.
    for sigma in sigmas.unique().tolist():
        own = cells[sigmas == sigma]
        assert abs(float(own.square().mean().sqrt()) - 1) <= rms_error(own), sigma
    assert done.tally.residual_sigma == pytest.approx(
        float(done.tensors["w"].cell_errors.double().square().mean().sqrt()), rel=1e-6
    )
    assert done.tally.verified_residual_sigma is None


def test_the_papers_noise_of_eight_bits_in_two_bit_cells():
    weight = gaussian(100, 1000)
    done = program_weights({"w": weight}, device=device(), generator=seeded(3))
    codes, scale = WeightFormat().quantise(weight)
    noise = (done.weights["w"] - codes * scale) / (0.1 * weight.abs().max())
    assert abs(float(noise.square().mean().sqrt()) - 0.7776) <= rms_error(noise) + 5e-5


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("model", ["incremental", "redraw"])
def test_write_verify_is_that_of_the_closed_form(encoding, profile, model):
    form = WeightFormat(encoding=encoding)
    settings = PROFILES[profile] + (REDRAW if model == "redraw" else ())
    weight = gaussian(40, 500)
    done = program_weights(
        {"w": weight},
        device=device(*settings),
        generator=seeded(4),
        weight_format=form,
        verify=True,
        keep_cells=True,
    )
    tensor, tally = done.tensors["w"], done.tally
    codes, _ = form.quantise(weight)
    sigmas = cell_sigmas(profile, form, codes)
    kinds, member = sigmas.unique(return_inverse=True)
    closed = write_verify_closed_form(model=model, sigma=kinds, **STEP)
    pulses, errors = tensor.cell_pulses.double(), tensor.cell_errors.double()
    for kind in range(len(kinds)):
        own = member == kind
        # What the grid of the closed form leaves: 2e-5 and 1e-3, see error_chain.
        allowed = mean_error(pulses[own]) + 2e-5 * float(closed.write_pulses[kind])
        assert abs(float(pulses[own].mean() - closed.write_pulses[kind])) <= allowed
        allowed = rms_error(errors[own]) + 1e-3 * float(closed.residual_sigma[kind])
        rms = errors[own].square().mean().sqrt()
        assert abs(float(rms - closed.residual_sigma[kind])) <= allowed
    expected = float(closed.unconverged_fraction[member].sum())
    slack = ERRORS * math.sqrt(expected) + 2e-5 * tally.cells + 1
    assert abs(tally.unconverged_cells - expected) <= slack
    assert tally.unconverged_cells == int((errors.abs() > 0.043).sum())
    assert tally.write_pulses == tally.verify_reads == int(pulses.sum())
    assert int(tally.verified_by_pulses.sum()) == tally.cells == pulses.numel()
    assert tally.verified_residual_sigma == pytest.approx(tally.residual_sigma)


def test_device_errors_make_redraw_repeat_itself():
    """A cell with device error d hits the tolerance with its own probability p(d)."""
    settings = ("write_verify.model=redraw", "write_verify.max_pulses=20")
    done = program_weights(
        {"w": gaussian(100, 500)},
        device=device(*settings, "device_to_device_share=0.5"),
        generator=seeded(5),
        verify=True,
        keep_cells=True,
    )
    d = torch.linspace(-8, 8, 40_001, dtype=torch.float64)
    density = torch.exp(-(d**2) / 2) / math.sqrt(2 * math.pi)
    part = 0.1 * math.sqrt(0.5)
    fails = 1 - (
        torch.special.ndtr((0.043 - part * d) / part)
        - torch.special.ndtr((-0.043 - part * d) / part)
    )
    pulses = sum(float(torch.trapezoid(density * fails**k, d)) for k in range(20))
    unconverged = float(torch.trapezoid(density * fails**20, d)) * done.tally.cells
    counts = done.tensors["w"].cell_pulses.double()
    assert abs(float(counts.mean()) - pulses) <= mean_error(counts)
    assert abs(done.tally.unconverged_cells - unconverged) <= ERRORS * math.sqrt(unconverged)
    # Independent pulses would almost all have converged: the test tells the two apart.
    independent = write_verify_closed_form(
        model="redraw", sigma=0.1, tolerance=0.043, max_pulses=20
    )
    assert unconverged > 10 * float(independent.unconverged_fraction) * done.tally.cells


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("bits_per_cell", [1, 2, 3, 4])
@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reads_back_exactly_without_spread(encoding, bits_per_cell, verify, dtype, monkeypatch):
    monkeypatch.setattr("archsim.device.tensor_programming.BLOCK_CELLS", 512)
    form = WeightFormat(bits_per_cell=bits_per_cell, encoding=encoding)
    weights = {
        "conv": gaussian(7, 5, 3, 3).to(dtype).to(memory_format=torch.channels_last),
        "fc": gaussian(3, 641, seed=2).to(dtype).T,
        "bias": gaussian(9, seed=3).to(dtype),
        "scalar": gaussian(seed=4).to(dtype),
        "zeros": torch.zeros(4, 2, dtype=dtype),
        "nothing": torch.zeros(0, 5, dtype=dtype),
    }
    done = program_weights(
        weights,
        device=device("sigma=0"),
        generator=seeded(),
        weight_format=form,
        verify=verify,
        array=WriteArray(rows=8, cols=8),
    )
    for name, weight in weights.items():
        codes, scale = form.quantise(weight)
        assert torch.equal(done.weights[name], (codes.double() * scale).to(dtype)), name
        assert done.weights[name].dtype == dtype
    count = sum(weight.numel() for weight in weights.values())
    assert done.tally.weights == count
    assert done.tally.cells == count * form.cells_per_weight
    assert done.tally.write_pulses == done.tally.cells
    assert done.tally.verify_reads == (done.tally.cells if verify else 0)
    assert done.tally.unconverged_cells == 0
    assert done.tally.residual_sigma == 0


def test_zeros_have_no_scale_and_no_noise():
    done = program_weights({"w": torch.zeros(5, 5)}, device=device(), generator=seeded())
    assert done.tensors["w"].scale == 0
    assert torch.equal(done.weights["w"], torch.zeros(5, 5))
    assert done.tally.residual_sigma > 0.05


def test_masked_weights_get_the_residual_and_the_others_sigma():
    weights = {"a": gaussian(100, 200), "b": gaussian(50, 90), "c": gaussian(10, 10)}
    masks = {"a": torch.rand(100, 200, generator=seeded(7)) < 0.3, "b": gaussian(50, 90) > 9}
    done = program_weights(
        weights, device=device(), generator=seeded(6), verify=masks, keep_cells=True
    )
    errors, pulses = done.tensors["a"].cell_errors, done.tensors["a"].cell_pulses
    closed = write_verify_closed_form(model="incremental", sigma=0.1, **STEP)
    for mask, sigma in ((masks["a"], float(closed.residual_sigma)), (~masks["a"], 0.1)):
        own = errors[mask]
        assert abs(float(own.square().mean().sqrt()) - sigma) <= rms_error(own) + 1e-3 * sigma
    assert bool((pulses[~masks["a"]] == 1).all())
    tally, verified = done.tally, int(masks["a"].sum())
    assert (tally.verified_weights, tally.verified_cells) == (verified, 4 * verified)
    assert tally.verify_reads == int(pulses[masks["a"]].sum())
    assert tally.write_pulses == tally.cells - 4 * verified + tally.verify_reads
    # Most cells that nobody reads lie outside the tolerance: they do not count.
    assert tally.unconverged_cells == int((errors[masks["a"]].abs() > 0.043).sum())
    assert [done.tensors[name].tally.verified_weights for name in "abc"] == [verified, 0, 0]
    assert tally.verified_residual_sigma == pytest.approx(
        float(errors[masks["a"]].double().square().mean().sqrt()), rel=1e-6
    )


def test_single_cells_can_be_verified():
    """The most significant cell alone: its error shrinks, the others keep theirs."""
    mask = torch.zeros(100, 300, 4, dtype=torch.bool)
    mask[..., 0] = True
    done = program_weights(
        {"w": gaussian(100, 300)},
        device=device(),
        generator=seeded(8),
        verify={"w": mask},
        keep_cells=True,
    )
    spread = done.tensors["w"].cell_errors.square().mean((0, 1)).sqrt()
    assert spread.tolist() == pytest.approx([0.0299, 0.1, 0.1, 0.1], rel=0.03)
    assert done.tally.verified_weights == 30_000
    assert done.tally.verified_cells == 30_000


def test_pulses_energy_and_time_by_hand():
    """3 outputs x 5 inputs of 4 cells without spread: 12 columns on crossbars of 2 x 8."""
    write = ("write_energy=2", "verify_read_energy=500", "pulse_width=10", "verify_read_time=5")
    mask = torch.zeros(3, 5, dtype=torch.bool)
    mask[0, 0] = mask[2, 4] = True
    done = program_weights(
        {"w": gaussian(3, 5)},
        device=device("sigma=0", *write),
        generator=seeded(),
        verify={"w": mask},
        array=WriteArray(rows=2, cols=8),
    )
    assert (done.tally.write_pulses, done.tally.verify_reads) == (60, 8)
    assert done.energy_J == pytest.approx(60 * 2e-12 + 8 * 500e-15)
    # Rows 0-1, 2-3 and 4, each with a strip of outputs 0 and 1 and one of output 2.
    nanoseconds = done.tensors["w"].crossbar_times_s * 1e9
    assert nanoseconds.tolist() == pytest.approx([25, 20, 20, 20, 10, 15])
    assert done.time_s == pytest.approx(110e-9)


def test_groups_of_half_a_row_take_the_time_of_arrays_of_half_the_columns():
    times_s = [
        program_weights(
            {"w": gaussian(9, 11)},
            device=device(),
            generator=seeded(9),
            verify=True,
            array=WriteArray(rows=4, **array),
        ).time_s
        for array in ({"cols": 8, "cells_at_once": 4}, {"cols": 4})
    ]
    assert times_s[0] == pytest.approx(times_s[1], rel=1e-12)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_rows_wait_for_their_slowest_cell(encoding):
    form = WeightFormat(encoding=encoding)
    outputs, inputs, rows, cols = 9, 11, 4, 10
    mask = torch.rand(outputs, inputs, generator=seeded(1)) < 0.3
    chip = device()
    done = program_tensor(
        gaussian(outputs, inputs),
        name="w",
        device=chip,
        generator=seeded(9),
        chip_seed=0,
        weight_format=form,
        verify=mask,
        array=WriteArray(rows=rows, cols=cols),
        keep_cells=True,
    )
    slowest: dict[tuple[int, int], int] = {}
    for o, i, c in torch.cartesian_prod(*map(torch.arange, done.cell_pulses.shape)).tolist():
        column = c
        if encoding == "separate-sign":  # each negative cell beside its positive one
            column = 2 * (c % form.slices) + c // form.slices
        row = ((o * form.cells_per_weight + column) // cols, i)
        reads = int(done.cell_pulses[o, i, c]) if mask[o, i] else 0
        slowest[row] = max(slowest.get(row, 0), reads)
    expected: dict[tuple[int, int], float] = {}
    for (strip, row), reads in slowest.items():
        key = (strip, row // rows)
        time = max(reads, 1) * chip.pulse_width.si + reads * chip.verify_read_time.si
        expected[key] = expected.get(key, 0) + time
    # Crossbars are numbered row tile by row tile.
    order = sorted(expected, key=lambda key: (key[1], key[0]))
    assert done.crossbar_times_s.tolist() == pytest.approx([expected[key] for key in order])


@pytest.mark.parametrize("cols", [128, 9])
def test_separate_sign_has_the_cells_of_differential_in_another_order(cols):
    """On 128 columns no weight is cut in two, so that each row waits for the same cells."""
    both = {
        encoding: program_weights(
            {"w": gaussian(16, 64)},
            device=device(),
            generator=seeded(10),
            weight_format=WeightFormat(encoding=encoding),
            verify=True,
            array=WriteArray(rows=64, cols=cols),
        )
        for encoding in ("differential", "separate-sign")
    }
    pair, beside = both["differential"], both["separate-sign"]
    assert torch.equal(pair.weights["w"], beside.weights["w"])
    assert pair.tally.write_pulses == beside.tally.write_pulses
    times = (pair.tensors["w"].crossbar_times_s, beside.tensors["w"].crossbar_times_s)
    assert times[0].shape == times[1].shape
    assert torch.equal(*times) == (cols == 128)


def test_tensors_together_or_one_by_one_are_the_same():
    weights = {name: gaussian(30, 20 + seed, seed=seed) for seed, name in enumerate("abc")}
    together = program_weights(
        weights, device=device(), generator=seeded(11), verify=True, chip_seed=3
    )
    generator = seeded(11)
    for name, weight in weights.items():
        alone = program_weights(
            {name: weight}, device=device(), generator=generator, verify=True, chip_seed=3
        )
        assert torch.equal(alone.weights[name], together.weights[name])


def test_blocks_cover_tensors_of_any_size(monkeypatch):
    """Many small blocks and few large ones are distributed alike on every part of the matrix."""
    weight = gaussian(6, 5000)
    codes, scale = WeightFormat().quantise(weight)
    for block in (4, 1000, BLOCK_CELLS):
        monkeypatch.setattr("archsim.device.tensor_programming.BLOCK_CELLS", block)
        part = weight[:, :100] if block == 4 else weight
        done = program_weights(
            {"w": part},
            device=device(),
            generator=seeded(12),
            verify=block != 4,
            array=WriteArray(rows=64, cols=8),
        )
        sigma = 0.1 if block == 4 else 0.0299
        noise = (done.weights["w"] - (codes * scale)[:, : part.shape[1]]) / part.abs().max()
        allowed = rms_error(noise) + 2e-4
        assert abs(float(noise.square().mean().sqrt()) - 0.7776 * sigma) <= allowed
        assert done.tally.cells == part.numel() * 4


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_same_chip_keeps_its_device_errors(share):
    weights = {"w": gaussian(60, 400)}

    def errors(chip_seed: int | None, seed: int) -> torch.Tensor:
        done = program_weights(
            weights,
            device=device(f"device_to_device_share={share}"),
            generator=seeded(seed),
            chip_seed=chip_seed,
            keep_cells=True,
        )
        return done.tensors["w"].cell_errors.flatten().double()

    first, again, other = errors(7, 1), errors(7, 2), errors(8, 3)
    product = first * again / 0.01
    assert abs(float(product.mean()) - share) <= mean_error(product)
    if share == 1:
        assert torch.equal(first, again)
    strange = first * other / 0.01
    assert abs(float(strange.mean())) <= mean_error(strange)
    assert abs(float(first.square().mean().sqrt()) - 0.1) <= rms_error(first)


def test_a_chip_that_was_drawn_can_be_programmed_again():
    drawn = program_weights(
        {"w": gaussian(8, 8), "v": gaussian(8, 8)},
        device=device("device_to_device_share=1"),
        generator=seeded(13),
    )
    again = program_weights(
        {"v": gaussian(8, 8)},
        device=device("device_to_device_share=1"),
        generator=seeded(14),
        chip_seed=drawn.chip_seed,
    )
    assert torch.equal(drawn.weights["v"], again.weights["v"])
    assert not torch.equal(drawn.weights["v"], drawn.weights["w"])


def test_stuck_cells_stay_where_they_are_and_do_not_converge():
    settings = ("stuck_on_rate=0.02", "stuck_off_rate=0.05", "sigma=0", "write_verify.max_pulses=9")
    weights = {"w": gaussian(100, 300)}
    run = {"device": device(*settings), "verify": True, "keep_cells": True, "chip_seed": 1}
    done = program_weights(weights, generator=seeded(15), **run)
    tally, cells = done.tally, done.tally.cells
    assert abs(tally.stuck_cells / cells - 0.07) <= ERRORS * math.sqrt(0.07 * 0.93 / cells)
    form = WeightFormat()
    digits = form.encode(form.quantise(weights["w"]).codes).flatten(-2)
    errors = done.tensors["w"].cell_errors
    wrong = errors.abs() > 1e-6
    landed = digits + 3 * errors
    assert set(landed[wrong].round(decimals=4).tolist()) == {0.0, 3.0}
    assert tally.unconverged_cells == int(wrong.sum())
    assert torch.equal(done.tensors["w"].cell_pulses, torch.where(wrong, 9, 1).int())
    again = program_weights(weights, generator=seeded(16), **run)
    assert torch.equal(again.weights["w"], done.weights["w"])


def test_clipping_stops_at_zero_conductance():
    chip = device("sigma=0.3")
    run = {"device": chip, "keep_cells": True, "chip_seed": 1}
    weights = {"w": gaussian(50, 50)}
    free = program_weights(weights, generator=seeded(17), **run).tensors["w"]
    cut = program_weights(weights, generator=seeded(17), clip_at_zero=True, **run).tensors["w"]
    form = WeightFormat()
    digits = form.encode(form.quantise(weights["w"]).codes).flatten(-2)
    lowest = float(
        zero_conductance_level(level_count=4, g_off_S=1 / chip.r_off.si, g_on_S=1 / chip.r_on.si)
    )
    landed = digits + 3 * free.cell_errors
    assert float(landed.min()) < lowest - 0.5
    torch.testing.assert_close(digits + 3 * cut.cell_errors, landed.clamp_min(lowest))


def test_a_tolerance_that_is_too_tight_is_reported():
    done = program_weights(
        {"w": gaussian(10, 20)},
        device=device("write_verify.tolerance=1.0e-9", "write_verify.max_pulses=30"),
        generator=seeded(),
        verify=True,
    )
    assert done.tally.unconverged_cells == done.tally.cells == 800
    assert done.tally.write_pulses == 30 * 800
    assert done.tally.residual_sigma > 0


def test_time_is_not_made_up():
    done = program_weights({"w": gaussian(3, 3)}, device=device(), generator=seeded())
    assert done.time_s is None
    assert done.tensors["w"].crossbar_times_s is None
    assert done.tensors["w"].cell_pulses is None


def test_weights_are_not_changed_and_load_into_a_model():
    model = torch.nn.Linear(6, 4)
    before = model.weight.detach().clone()
    done = program_weights(
        {"weight": model.weight}, device=device(), generator=seeded(), verify=True
    )
    assert torch.equal(model.weight, before)
    model.load_state_dict(done.weights, strict=False)
    assert torch.equal(model.weight, done.weights["weight"])
    assert not torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("change", "error", "code", "field", "facts"),
    [
        ({"weights": {}}, DataError, "empty", "weights", {"allowed": "at least one tensor"}),
        (
            {"weights": {"w": torch.tensor([[math.nan]])}},
            DataError,
            "not-finite",
            "w",
            {"value": 1},
        ),
        (
            {"verify": {"v": torch.ones(2, 3) > 0}},
            ConfigError,
            "unknown-name",
            "verify",
            {"value": "v", "allowed": "w"},
        ),
        (
            {"verify": {"w": torch.ones(3, 2) > 0}},
            ConfigError,
            "shape-mismatch",
            "verify['w']",
            {"value": (3, 2), "allowed": ["(2, 3)", "(2, 3, 4)"]},
        ),
        (
            {"verify": {"w": torch.ones(2, 3)}},
            ConfigError,
            "wrong-type",
            "verify['w']",
            {"value": "torch.float32", "allowed": "torch.bool"},
        ),
        (
            {"weight_format": WeightFormat(bits_per_cell=8)},
            ConfigError,
            "out-of-range",
            "bits_per_cell",
            {"value": 8, "allowed": "1 to 4"},
        ),
    ],
)
def test_bad_input_is_explained(change, error, code, field, facts):
    run = {"weights": {"w": torch.ones(2, 3)}, "device": device(), "generator": seeded()}
    with refused(error, code=code, field=field, **facts):
        program_weights(**(run | change))


def test_sram_is_exact_and_has_nothing_to_verify():
    one_bit = WeightFormat(bits_per_cell=1)
    sram = resolve(device="sram", overrides=["chip.precision.bits_per_cell=1"]).device
    weight = gaussian(4, 4)
    run = {"device": sram, "weight_format": one_bit, "generator": seeded()}
    codes, scale = one_bit.quantise(weight)
    done = program_weights({"w": weight}, **run)
    assert torch.equal(done.weights["w"], (codes.double() * scale).float())
    with refused(ConfigError, code="conflict", field="device", value="sram"):
        program_weights({"w": weight}, verify=True, **run)
    with refused(ConfigError, code="conflict", field="clip_at_zero", says=["r_on", "r_off;"]):
        program_weights({"w": weight}, clip_at_zero=True, **run)


@pytest.mark.parametrize("name", ["rram1", "fefet2", "rram4", "fefet6", "pcm"])
def test_presets_can_be_programmed(name):
    done = program_weights(
        {"w": gaussian(20, 30)}, device=device(name=name), generator=seeded(), verify=True
    )
    assert done.tally.verified_residual_sigma < 0.045
    assert done.energy_J > 0


def test_streams_of_a_chip_are_independent(monkeypatch):
    """Device errors and defects, of each tensor and of each chip, have seeds of their own."""
    seeds = []
    original = CellProgrammer.program

    def noted(self, codes, *, verified, generator, chip):
        seeds.append((chip.device.initial_seed(), chip.defects.initial_seed()))
        return original(self, codes, verified=verified, generator=generator, chip=chip)

    monkeypatch.setattr(CellProgrammer, "program", noted)
    weights = {name: torch.ones(4, 4) for name in ("a", "b")}
    device = resolve(device="rram").device
    for chip_seed in (7, 8, 7):
        generator = torch.Generator().manual_seed(chip_seed)
        program_weights(weights, device=device, generator=generator, chip_seed=chip_seed)
    assert len({seed for pair in seeds[:4] for seed in pair}) == 8
    assert seeds[4:] == seeds[:2]
