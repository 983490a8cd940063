"""Programmed cells, read later: against the sampler alone, and by hand."""

from __future__ import annotations

import pytest
import torch

from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.device import ENCODINGS, WeightFormat, drift_factor, program_weights
from archsim.errors import ConfigError
from tests.cell_models import cell_model
from tests.designs import near
from tests.refusals import refused
from tsb.cells.read_out import ReadOut, drifts
from tsb.cells.weight_cells import weight_cells
from tsb.write_verify.selective import verify_all

WEIGHTS = {"a": torch.linspace(-1, 1, 60).view(6, 10), "b": torch.full((2, 3), 0.4)}
EXACT = ("sigma=0", "read_noise_sigma=0", "drift_nu_sigma=0")
DAY_S = 86400.0


def device(*settings: str, name: str = "pcm") -> DeviceFile:
    return resolve(device=name, overrides=[f"device.{setting}" for setting in settings]).device


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("time_s", [0.0, 20.0])
def test_at_once_and_without_noise_it_is_the_sampler(encoding, time_s):
    """The same numbers from the same seed; PCM drifts from 20 s on."""
    chip, form = device("read_noise_sigma=0"), WeightFormat(encoding=encoding)
    masks = verify_all(WEIGHTS)
    read = ReadOut(device=chip, weight_format=form, verify=masks, time_s=time_s)
    assert not read.drifts
    found = read.draw(WEIGHTS, seeded(3))
    done = program_weights(
        WEIGHTS, device=chip, generator=seeded(3), weight_format=form, verify=masks
    )
    for name, weight in done.weights.items():
        assert torch.equal(found[name], weight)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("time_s", [0.0, DAY_S])
def test_clipped_cells_hold_no_less_than_nothing(encoding, time_s):
    """The same pulses: only weights with a cell below zero conductance are read otherwise.

    By hand: a cell at level 0 of an error below ``-g_off / (g_on - g_off)`` stops there.
    """
    chip = device("sigma=0.3", "read_noise_sigma=0", "drift_nu_sigma=0")
    form = WeightFormat(encoding=encoding)
    found, done = {}, {}
    for clip in (False, True):
        read = ReadOut(device=chip, weight_format=form, verify={}, time_s=time_s, clip_at_zero=clip)
        found[clip] = read.draw(WEIGHTS, seeded(6))["a"].double()
        done[clip] = program_weights(
            WEIGHTS, device=chip, generator=seeded(6), weight_format=form, keep_cells=True,
            clip_at_zero=clip,
        ).tensors["a"]  # fmt: skip
    codes, scale = form.quantise(WEIGHTS["a"])
    on, off = 1 / 40e3, 1 / 1e6
    levels = form.encode(codes).flatten(-2) + 3 * done[False].cell_errors.double()
    below = (levels < -3 * off / (on - off)).any(-1)
    assert 0.05 < float(below.double().mean()) < 0.99
    assert torch.equal(found[True] != found[False], below)
    stopped = levels.clamp_min(-3 * off / (on - off)).view(*codes.shape, form.sides, form.slices)
    left = float(drift_factor(time_s=time_s, start_s=20.0, drift_nu=0.049)) if time_s else 1.0
    later = left * stopped - (1 - left) * 3 * off / (on - off)
    by_hand = form.decode(later, codes) * scale
    torch.testing.assert_close(found[True], by_hand, rtol=1e-4, atol=1e-4 * scale * 255)
    if not time_s:
        assert torch.equal(found[True], done[True].weights.double())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_read_has_the_noise_of_its_cells(encoding):
    constant = ("sigma=0", "read_noise_sigma=0.02", "read_noise_law=null")
    chip, form = device(*constant), WeightFormat(encoding=encoding)
    weight = {"w": torch.linspace(-1, 1, 10).expand(4000, 10)}
    read = ReadOut(device=chip, weight_format=form, verify={})
    codes, scale = form.quantise(weight["w"])
    noise = (read.draw(weight, seeded(4))["w"].double() - codes * scale).flatten()
    own = weight_cells(weight, cell_model(chip, encoding=encoding))["w"]
    own_noise = float(own.read_noise()[0, 0])
    assert abs(float(noise.mean())) < 4.5 * own_noise / len(noise) ** 0.5
    assert float(noise.std()) == near(own_noise, rel=4.5 / (2 * len(noise)) ** 0.5)


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [(0.0, 0.0335), (1.0, 0.0335), (DAY_S, 0.0448), (365.25 * DAY_S, 0.0496)],
)
def test_read_noise_of_pcm_over_time(time_s, expected):
    """By hand, of a cell at full conductance, relative to it; beside it one at g_off, 40 / 1000."""
    chip = device("sigma=0", "drift_nu=0", "drift_nu_sigma=0")
    form = WeightFormat(weight_bits=2, bits_per_cell=2, encoding="magnitude")
    weight = {"w": torch.tensor([1.0, 0.0]).expand(20_000, 2)}
    read = ReadOut(device=chip, weight_format=form, verify={}, time_s=time_s)
    noise = read.draw(weight, seeded(4))["w"].double() - weight["w"]
    full, low = (noise.std(0) * (1 - 0.04)).tolist()
    error = 4.5 / (2 * len(noise)) ** 0.5
    assert full == near(expected, rel=error)
    assert low == near(expected * 0.04**0.35, rel=error)


def test_every_draw_is_another_chip():
    read = ReadOut(device=device(), weight_format=WeightFormat(), verify={}, time_s=DAY_S)
    source = seeded(5)
    first, second = (read.draw(WEIGHTS, source)["a"] for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, read.draw(WEIGHTS, seeded(5))["a"])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_drift_by_hand(encoding):
    """Every cell has f of its conductance left; what level 0 loses is lost too."""
    chip, form = device(*EXACT), WeightFormat(encoding=encoding)
    read = ReadOut(device=chip, weight_format=form, verify={}, time_s=DAY_S)
    found = read.draw(WEIGHTS, seeded())["a"].double()
    left = float(drift_factor(time_s=DAY_S, start_s=20.0, drift_nu=0.049))
    assert left == near((DAY_S / 20) ** -0.049, rel=1e-12)
    on, off = 1 / 40e3, 1 / 1e6
    # Levels move to f l - (1 - f) g_off / step: of all digits together by that of the top code.
    shift = -(1 - left) * off / (on - off) * 255
    codes, scale = form.quantise(WEIGHTS["a"])
    stored = form.stored_codes(codes).double()
    later = left * stored + shift
    by_hand = {
        "magnitude": torch.where(codes < 0, -later[..., 0], later[..., 0]),
        "offset": later[..., 0] - 128,
        "differential": left * codes.double(),
        "separate-sign": left * codes.double(),
    }[encoding]
    torch.testing.assert_close(found, by_hand * scale, rtol=1e-5, atol=2e-5 * scale * 255)


def test_exponents_differ_between_cells():
    chip = device("sigma=0", "read_noise_sigma=0", "drift_nu_sigma=0.02")
    weight = {"w": torch.ones(3000, 4)}
    read = ReadOut(device=chip, weight_format=WeightFormat(), verify={}, time_s=DAY_S)
    found = read.draw(weight, seeded(6))["w"].double()
    assert float(found.std()) > 0.05
    assert float(found.max()) > float(drift_factor(time_s=DAY_S, start_s=20.0, drift_nu=0.049))


def test_which_devices_drift():
    assert drifts(device())
    assert not drifts(device(name="rram"))
    mram = resolve(device="stt-mram", overrides=["chip.precision.bits_per_cell=1"]).device
    assert not drifts(mram)


@pytest.mark.parametrize("time_s", [-1.0, float("inf"), float("nan")])
def test_impossible_times_are_refused(time_s):
    facts = {"code": "out-of-range", "field": "time_s", "value": time_s}
    with refused(ConfigError, **facts, allowed="0 or more"):
        ReadOut(device=device(), weight_format=WeightFormat(), verify={}, time_s=time_s)


@pytest.mark.parametrize("lacking", ["drift_start", "r_on", "r_off"])
def test_a_device_that_cannot_say_how_it_drifts_is_refused(lacking):
    chip = device().model_copy(update={lacking: None})
    ReadOut(device=chip, weight_format=WeightFormat(), verify={})
    with refused(
        ConfigError, code="missing-key", field="device", value=[lacking], says=["(drift_nu),"]
    ):
        ReadOut(device=chip, weight_format=WeightFormat(), verify={}, time_s=1.0)
