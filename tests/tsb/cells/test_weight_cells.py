"""Closed forms of weights against the device package and against the samplers."""

from __future__ import annotations

import pytest
import torch

from archsim.config.load import load_preset
from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.device import (
    ENCODINGS,
    code_noise_std_of,
    level_sigmas,
    program_weights,
    sample_codes,
    weight_noise_std,
)
from archsim.errors import ConfigError, DataError
from tests.cell_models import cell_model
from tests.refusals import refused
from tsb.cells.weight_cells import (
    defective_instance,
    gaussian_instance,
    noise_std,
    weight_cells,
)
from tsb.write_verify.effort import write_effort
from tsb.write_verify.selective import verify_all, verify_none

RRAM = cell_model(resolve().device)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights() -> dict[str, torch.Tensor]:
    return {"conv": torch.randn(6, 3, 3, 3, generator=seeded(1)), "fc": torch.full((2, 2), -0.3)}


def test_preset():
    assert (RRAM.sigma, RRAM.factor, RRAM.cells_per_weight) == (0.1, 1.0, 4)
    assert RRAM.max_pulses == 100
    with refused(ConfigError, code="conflict", field="device", value="sram"):
        cell_model(DeviceFile.model_validate(load_preset("device", "sram")))


@pytest.mark.parametrize("profile", ["level", "weight"])
@pytest.mark.parametrize(("bits", "per_cell"), [(8, 2), (8, 3), (4, 4), (6, 1)])
def test_uniform_device_is_the_closed_form(profile, bits, per_cell):
    cell = RRAM.but(profile=profile, weight_bits=bits, bits_per_cell=per_cell)
    for name, own in weight_cells(weights(), cell).items():
        largest = float(weights()[name].abs().max())
        expected = weight_noise_std(
            max_weight=largest, sigma=0.1, weight_bits=bits, bits_per_cell=per_cell
        )
        torch.testing.assert_close(own.spread, expected.expand(own.spread.shape))
        stats = cell.pulse_distribution().stats()
        residual = expected * stats.residual_sigma[0] / 0.1
        torch.testing.assert_close(own.residual, residual.expand(own.residual.shape))
        pulses = cell.cells_per_weight * stats.write_pulses[0]
        torch.testing.assert_close(own.pulses, pulses.expand(own.pulses.shape))


def test_level_profile_is_that_of_the_device_package():
    cell = RRAM.but(factor=4.0)
    weight = weights()["conv"]
    own = weight_cells({"w": weight}, cell)["w"]
    largest = float(weight.abs().max())
    codes = torch.round(weight.double().abs() / largest * 255).long()
    sigma = level_sigmas(sigma=0.1, level_count=4, factor=4.0)
    expected = code_noise_std_of(codes=codes, level_sigma=sigma, weight_bits=8, bits_per_cell=2) * (
        largest / 255
    )
    torch.testing.assert_close(own.spread, expected)
    assert float(own.spread.max() / own.spread.min()) > 2


def test_weight_profile_by_hand():
    # 0.25 becomes code 64 of 255, just inside the middle: the place is that of the code.
    weight = torch.tensor([[-1.0, 0.26, 0.5, 0.25, 0.8, 0.74, 0.0, 0.249]])
    own = weight_cells({"w": weight}, RRAM.but(factor=4.0, profile="weight"))["w"]
    outer = float(own.spread[0, 0])
    assert outer == pytest.approx(4369**0.5 / 85 * 0.1 / 7**0.5)
    ratio = (own.spread / outer).flatten().tolist()
    assert ratio == pytest.approx([1, 4, 4, 4, 1, 4, 1, 1])


CHIPS = 3000
#: Standard errors that a sampled mean may be off.
ERRORS = 4.5
DEVICES = {
    "plain": (),
    "level profile": ("sigma_profile.kind=level", "sigma_profile.factor=4"),
    "weight profile": ("sigma_profile.kind=weight", "sigma_profile.factor=4"),
    "stuck": ("stuck_on_rate=0.02", "stuck_off_rate=0.05"),
    "stuck, weight profile": (
        *("stuck_on_rate=0.03", "stuck_off_rate=0.01"),
        *("sigma_profile.kind=weight", "sigma_profile.factor=4"),
    ),
    "redraw about a device error": (
        *("write_verify.model=redraw", "device_to_device_share=0.7"),
        *("write_verify.tolerance=0.05", "write_verify.max_pulses=12"),
    ),
}


def device_of(*settings: str) -> DeviceFile:
    return resolve(overrides=[f"device.{setting}" for setting in settings]).device


def check_mean(values: torch.Tensor, expected: torch.Tensor) -> None:
    """The mean over the first axis, within standard errors."""
    error = values.std(0) / len(values) ** 0.5
    assert bool(((values.mean(0) - expected).abs() <= ERRORS * error + 1e-12).all())


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", DEVICES)
def test_closed_forms_are_the_law_of_the_sampler(name, encoding):
    """Mean square error and pulses of verified and unverified weights, on 3000 chips."""
    device = device_of(*DEVICES[name])
    cell = cell_model(device, encoding=encoding)
    weight = torch.linspace(-1, 1, 24)
    tensors = {"w": weight.expand(CHIPS, 24)}  # all chips in one tensor
    masks = {"w": (torch.arange(24) % 2 == 0).expand(CHIPS, 24)}
    done = program_weights(
        tensors,
        device=device,
        generator=seeded(4),
        weight_format=cell.weight_format,
        verify=masks,
        keep_cells=True,
    )
    cells = weight_cells(tensors, cell)
    codes, scale = cell.weight_format.quantise(tensors["w"])
    errors = done.weights["w"].double() - codes * scale
    check_mean(errors.square(), noise_std(cells, masks)["w"][0] ** 2)
    pulses = done.tensors["w"].cell_pulses[:, ::2].sum(-1).double()
    check_mean(pulses, cells["w"].pulses[0, ::2])
    effort = write_effort(masks, cells, cell)
    spread = float(pulses.std()) * pulses.numel() ** 0.5
    assert abs(done.tally.write_pulses - effort.write_pulses) <= ERRORS * spread
    assert (effort.weights, effort.verified_weights) == (24 * CHIPS, 12 * CHIPS)


def test_single_cells_are_verified():
    """A mask per cell: the most significant cell alone has the residual."""
    weight = torch.linspace(-1, 1, 20).expand(CHIPS, 20)
    device, cell = device_of(), RRAM
    mask = torch.zeros(CHIPS, 20, 4, dtype=torch.bool)
    mask[..., 0] = True
    done = program_weights({"w": weight}, device=device, generator=seeded(5), verify={"w": mask})
    cells = weight_cells({"w": weight}, cell)
    codes, scale = cell.weight_format.quantise(weight)
    std = noise_std(cells, {"w": mask})["w"][0]
    check_mean((done.weights["w"].double() - codes * scale).square(), std**2)
    residual = float(cell.pulse_distribution().residual_sigma[0])
    by_hand = (64**2 * residual**2 + (16**2 + 4**2 + 1) * 0.1**2) ** 0.5 * 3 / 255
    torch.testing.assert_close(std, torch.full_like(std, by_hand))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_read_noise_is_added(encoding):
    cell = RRAM.but(read_noise_sigma=0.02, encoding=encoding)
    cells = weight_cells(weights(), cell)
    masks = verify_none(weights())
    still, read = noise_std(cells, masks), noise_std(cells, masks, read=True)
    form = cell.weight_format
    for name, own in cells.items():
        codes, scale = form.quantise(weights()[name])
        noise = form.code_noise_std(codes, torch.full((4,), 0.02, dtype=torch.float64)) * scale
        torch.testing.assert_close(read[name] ** 2, still[name] ** 2 + noise**2)
        torch.testing.assert_close(own.read_noise(), noise, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("bits", "over"), [(1, 1 / 7), (2, 8.5 / 7), (3, 8.5 / 7), (4, 8.5 / 7)])
def test_mean_variance_over_levels_is_what_the_docstring_says(bits, over):
    cell = RRAM.but(factor=4.0, profile="level", bits_per_cell=bits)
    assert float(cell.class_sigmas().square().mean()) == pytest.approx(0.01 * over, rel=1e-9, abs=0)


def test_a_device_without_write_verify_takes_one_pulse():
    sram = resolve(device="sram", overrides=["chip.precision.bits_per_cell=1"]).device
    cell = cell_model(sram, bits_per_cell=1, verifiable=False)
    own = weight_cells(weights(), cell)["conv"]
    assert bool((own.pulses == 8).all())
    assert not bool(own.spread.any())


def test_gaussian_sampler_agrees_with_the_cell_sampler_of_the_device_package():
    tensors = {"w": torch.linspace(0, 1, 16).view(2, 8)}
    cells = weight_cells(tensors, RRAM)
    std = noise_std(cells, verify_none(tensors))
    generator = seeded(5)
    fast = torch.stack([gaussian_instance(tensors, std, generator)["w"] for _ in range(4000)])
    exact = sample_codes(
        codes=torch.round(tensors["w"] * 255).long(),
        level_sigma=level_sigmas(sigma=0.1, level_count=4),
        weight_bits=8,
        bits_per_cell=2,
        samples=4000,
        generator=seeded(6),
    )
    ratio = fast.double().std(0) / (exact.std(0) / 255)
    torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=0.065, rtol=0.0)


def test_common_random_numbers():
    """With the same seed a verified weight has the same error, only smaller."""
    tensors = weights()
    cells = weight_cells(tensors, RRAM)
    none = gaussian_instance(tensors, noise_std(cells, verify_none(tensors)), seeded(7))
    every = gaussian_instance(tensors, noise_std(cells, verify_all(tensors)), seeded(7))
    ratio = float(RRAM.pulse_distribution().residual_sigma[0]) / 0.1
    for name, weight in tensors.items():
        expected = (none[name] - weight) * ratio
        torch.testing.assert_close(every[name] - weight, expected, atol=1e-6, rtol=1e-4)


def test_no_range_no_noise():
    own = weight_cells({"w": torch.zeros(2, 3)}, RRAM)["w"]
    assert not bool(own.spread.any())
    assert float(own.pulses.min()) > 4
    silent = weight_cells(weights(), RRAM.but(sigma=0.0))["conv"]
    assert not bool(silent.spread.any())
    assert bool((silent.pulses == 4).all())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bad):
    with refused(DataError, code="not-finite", field="fc", value=1):
        weight_cells({"fc": torch.tensor([[1.0, bad]])}, RRAM)


@pytest.mark.parametrize(
    ("field", "value", "code", "allowed"),
    [
        ("sigma", -0.1, "out-of-range", "0 to 1"),
        ("sigma", 1.5, "out-of-range", "0 to 1"),
        ("profile", "cell", "unknown-name", ["level", "weight"]),
        ("bits_per_cell", 0, "out-of-range", "1 to 8"),
        ("encoding", "magnitud", "unknown-name", ["magnitude"]),
        ("device_share", 1.5, "out-of-range", "0 to 1"),
        ("read_noise_sigma", -0.1, "out-of-range", "0 or more"),
    ],
)
def test_impossible_devices_are_refused(field, value, code, allowed):
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed):
        RRAM.but(**{field: value})


def test_more_than_every_cell_cannot_be_stuck():
    with refused(ConfigError, code="out-of-range", field="stuck_on_rate", value=(0.6, 0.6)):
        RRAM.but(stuck_on_rate=0.6, stuck_off_rate=0.6)


@pytest.mark.parametrize("encoding", ["magnitude", "offset", "differential", "separate-sign"])
def test_chips_with_stuck_cells_have_the_law_of_single_cells(encoding):
    """Mean error, mean square and tail of weights, against cells that are programmed one by one."""
    changes = ["device.stuck_on_rate=0.02", "device.stuck_off_rate=0.06"]
    device = resolve(device="rram", overrides=changes).device
    cell = cell_model(device, encoding=encoding)
    weights = {"w": torch.linspace(-1, 1, 40_000, dtype=torch.float64)}
    half = torch.arange(40_000) % 2 == 0
    found = defective_instance(weights, cell, {"w": half}, seeded(1), seeded(2))["w"]
    done = program_weights(
        weights,
        device=device,
        generator=seeded(3),
        weight_format=cell.weight_format,
        verify={"w": half},
    )
    error, exact = found - weights["w"], done.tensors["w"].weights - weights["w"]
    for part in (half, ~half):
        mine, theirs = error[part], exact[part]
        apart = torch.hypot(mine.std(), theirs.std()) / len(mine) ** 0.5
        assert float((mine.mean() - theirs.mean()).abs()) < 5 * float(apart)
        squares = torch.hypot(mine.square().std(), theirs.square().std()) / len(mine) ** 0.5
        assert float((mine.square().mean() - theirs.square().mean()).abs()) < 5 * float(squares)
        # A normal distribution of this variance has 4.6 % beyond twice its deviation, and no second
        # hump.
        for bound in (0.2, 0.4, 0.8):
            shares = [float((each.abs() > bound).double().mean()) for each in (mine, theirs)]
            spread = (2 * shares[1] * (1 - shares[1]) / len(mine)) ** 0.5
            assert abs(shares[0] - shares[1]) < 5 * spread + 1e-12, bound
    closed = weight_cells(weights, cell)["w"]
    expected = torch.where(half, closed.residual, closed.spread).square()
    limit = 5 * float(error.square().std()) / 200
    assert float(error.square().mean()) == pytest.approx(float(expected.mean()), abs=limit, rel=0)


def test_defects_leave_the_other_errors_alone():
    """Cells that are not stuck have the errors of a chip without defects."""
    cell = cell_model(resolve(device="rram").device)
    weights = {"w": torch.linspace(-1, 1, 1000, dtype=torch.float64)}
    none = {"w": torch.zeros(1000, dtype=torch.bool)}
    few = cell.but(stuck_off_rate=0.01)
    plain = gaussian_instance(weights, {"w": weight_cells(weights, cell)["w"].spread}, seeded(1))[
        "w"
    ]
    found = defective_instance(weights, few, none, seeded(1), seeded(2))["w"]
    same = torch.isclose(plain, found, rtol=1e-12, atol=1e-15)
    # Four cells per weight.
    assert float(same.double().mean()) == pytest.approx(
        0.99**4, abs=5 * (0.04 * 0.96 / 1000) ** 0.5
    )
