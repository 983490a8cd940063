"""Measured levels of a device: what cells land on, one by one and in closed form."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from archsim.config.resolve import resolve
from archsim.config.schema.level import QUANTILES
from archsim.device import CellSpec, LevelTable, WeightFormat, pulse_distribution
from archsim.device.cell_programmer import CellProgrammer, ChipStreams
from archsim.errors import Code, ConfigError
from tests.device.measured import MEANS, SIGMAS, measured_chip, measured_file

CELLS = 40_000
LINE = np.linspace(-2, 2, QUANTILES).tolist()


def program(path: str, bits: int = 2, *, seed: int = 0, verify: bool = False) -> torch.Tensor:
    """Program cells that hold every level in turn; levels in rows, shares of the range."""
    form = WeightFormat(weight_bits=bits, bits_per_cell=bits)
    device = resolve(device=path, overrides=["chip.precision.bits_per_cell=1"]).device
    programmer = CellProgrammer(device=device, weight_format=form)
    codes = torch.arange(1 << bits).unsqueeze(1).expand(-1, CELLS).contiguous()
    stream = torch.Generator().manual_seed(seed)
    block = programmer.program(
        codes,
        verified=torch.ones(*codes.shape, 1, 1, dtype=torch.bool) if verify else None,
        generator=stream,
        chip=ChipStreams(device=stream, defects=stream),
    )
    return (block.levels[..., 0, 0] / ((1 << bits) - 1)).double()


def test_cells_land_where_their_level_was_measured(tmp_path: Path) -> None:
    """Mean and spread of each level, within five standard errors; also with a share of cells."""
    share = {"value": 0.5, "unit": "1", "source": "assumed"}
    landed = program(measured_file(tmp_path, device_to_device_share=share))
    for level, mean, sigma in zip(landed, MEANS, SIGMAS, strict=True):
        assert float(level.mean()) == pytest.approx(mean, abs=5 * sigma / CELLS**0.5)
        assert float(level.std()) == pytest.approx(sigma, rel=5 / (2 * CELLS) ** 0.5)


def test_fewer_bits_take_levels_at_equal_steps(tmp_path: Path) -> None:
    """One bit of four levels takes the first and the last."""
    landed = program(measured_file(tmp_path), bits=1)
    assert landed.mean(1).tolist() == pytest.approx([MEANS[0], MEANS[3]], abs=2e-3)


def test_quantiles_are_the_shape_of_the_errors(tmp_path: Path) -> None:
    """Errors of two humps: scipy's test of the distribution, and mean and spread as said."""
    half = QUANTILES // 2
    humps = [*np.linspace(-3, -2, half), 0.0, *np.linspace(2, 3, half)]
    landed = program(measured_file(tmp_path, quantiles=humps, write_verify=None))
    # An independent sampler: inverse transform of the same points, brought to mean 0, spread 1.
    uniform = np.random.default_rng(1).random(200_000)
    shape = np.interp(uniform, np.linspace(0, 1, QUANTILES), humps)
    shape = (shape - shape.mean()) / shape.std()
    for level, mean, sigma in zip(landed.numpy(), MEANS, SIGMAS, strict=True):
        assert level.mean() == pytest.approx(mean, abs=5 * sigma / CELLS**0.5)
        assert level.std() == pytest.approx(sigma, rel=0.01)
        assert stats.ks_2samp((level - mean) / sigma, shape).statistic < 0.015
    assert stats.kstest((landed[0].numpy() - MEANS[0]) / SIGMAS[0], "norm").statistic > 0.1


@pytest.mark.parametrize("level", range(4))
def test_write_verify_from_a_mean_error(tmp_path: Path, level: int) -> None:
    """The closed form, whose first pulse has a mean error, against cells pulsed one by one."""
    device = resolve(device=measured_file(tmp_path)).device
    table, loop = LevelTable.of_device(device), device.write_verify
    assert table is not None
    assert loop is not None
    assert loop.step_gain is not None
    assert loop.step_sigma is not None
    closed = pulse_distribution(
        model="incremental",
        sigma=table.sigmas[level],
        mean=table.biases[level],
        tolerance=loop.tolerance.si,
        max_pulses=loop.max_pulses.si,
        step_gain=loop.step_gain.si,
        step_sigma=loop.step_sigma.si,
    )
    errors = program(str(tmp_path / "measured.yaml"), verify=True)[level] - level / 3
    residual = float(errors.square().mean().sqrt())
    assert float(closed.residual_sigma) == pytest.approx(residual, rel=0.02)


def test_first_pulse_of_a_mean_error_is_accepted_as_often_as_scipy_says() -> None:
    """P(|N(m, s)| > t) of the first pulse, whatever the sign of the mean."""
    mean, sigma, tolerance = 0.06, 0.03, 0.05
    normal = stats.norm(mean, sigma)
    beyond = normal.sf(tolerance) + normal.cdf(-tolerance)
    for sign in (1, -1):
        closed = pulse_distribution(
            model="incremental",
            sigma=sigma,
            mean=sign * mean,
            tolerance=tolerance,
            max_pulses=3,
            step_gain=0.5,
            step_sigma=0.01,
        )
        assert float(closed.survival[1]) == pytest.approx(beyond, abs=1e-6)


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("chip.precision.bits_per_cell=4", "chip.precision.bits_per_cell"),
        ("device.write_verify.model=redraw", "device.write_verify.model"),
        ("device.spread_reference=maximum", "device.spread_reference"),
        ("device.sigma_profile.kind=level", "device.sigma_profile.kind"),
        ("device.memory=sram", "device.levels"),
        ("device.sigma={value: 0.2, unit: '1', source: test}", "device.sigma"),
    ],
)
def test_what_cannot_use_levels_is_refused(tmp_path: Path, override: str, field: str) -> None:
    """The setting is named."""
    with pytest.raises(ConfigError) as raised:
        measured_chip(tmp_path, override)
    assert raised.value.problems[0].field == field
    assert raised.value.problems[0].code is Code.CONFLICT


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"means": (0.0, 0.5, 0.4, 1.0)}, "device.levels.2.mean"),
        ({"means": (0.0,), "sigmas": (0.1,)}, "device.levels"),
        ({"quantiles": tuple(LINE[::-1])}, "device.level_shapes.0.quantiles"),
        ({"quantiles": tuple(LINE)}, "device.level_shapes"),
    ],
)
def test_tables_that_are_none_are_refused(
    tmp_path: Path, keys: dict[str, tuple[float, ...]], field: str
) -> None:
    """Levels that fall, one level, quantiles that fall, quantiles that are to be verified."""
    with pytest.raises(ConfigError) as raised:
        measured_chip(tmp_path, **keys)
    assert raised.value.problems[0].field == field


def test_one_spread_does_not_replace_levels(tmp_path: Path) -> None:
    """A spread of the caller is refused, but for that which the levels have."""
    resolved = measured_chip(tmp_path)
    own = (sum(sigma**2 for sigma in SIGMAS) / 4) ** 0.5
    assert resolved.device.sigma_of_range == pytest.approx(own)
    assert CellSpec.of_chip(resolved, sigma_of_range=resolved.device.sigma_of_range).levels
    with pytest.raises(ConfigError, match="which no one number replaces"):
        CellSpec.of_chip(resolved, sigma_of_range=0.2)


def test_published_levels_of_the_docs_are_devices_with_the_published_spreads(
    tmp_path: Path,
) -> None:
    """The YAML of the how-to page: NeuRRAM's and PCM's polynomials at four levels."""
    page = Path(__file__).parents[2] / "docs/how-to/measured-device.md"
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    polynomials = {
        "neurram": (40.0, [0.348, 16.030, -43.853, 45.393, -16.815]),
        "pcm-levels": (25.0, [0.26348, 1.9650, -1.1731]),
    }
    assert len(blocks) == len(polynomials)
    for text, (name, (top_uS, powers)) in zip(blocks, polynomials.items(), strict=True):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        device = resolve(chip="rram-22nm-neurosim", device=str(path)).device
        assert device.name == name
        assert device.levels is not None
        for level, g_uS in zip(device.levels, np.linspace(1, top_uS, 4), strict=True):
            spread_uS = sum(c * (g_uS / top_uS) ** i for i, c in enumerate(powers))
            assert level.sigma.si == pytest.approx(spread_uS / (top_uS - 1), abs=1e-5)


def test_every_number_of_a_level_has_its_source(tmp_path: Path) -> None:
    """Means and spreads are among the constants of a configuration, by place."""
    known = {constant.path: constant.source for constant in measured_chip(tmp_path).constants()}
    assert known["device.levels.2.mean"] == "measured cells of a test"
