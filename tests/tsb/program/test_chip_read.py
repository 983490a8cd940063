"""Drift and read noise of deployed chips: by hand, in closed form, and against the cell sampler."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.device import ENCODINGS, WeightFormat, drift_factor, mean_drift_factor
from archsim.errors import ConfigError
from tests.cell_models import cell_model
from tests.designs import near
from tests.refusals import refused
from tsb.cells.quantize import quantise
from tsb.cells.read_out import ReadOut
from tsb.cells.weight_cells import weight_cells
from tsb.correction import CorrectedChip, make_carrier, parse_corrections
from tsb.correction.corrected import attach_all, start_all
from tsb.correction.used import ChipInUse
from tsb.program.chip import deploy
from tsb.program.chip_read import Conditions, Drift, read_noise
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import verify_all, verify_none

DAY_S = 86400.0
#: Of the preset pcm.
START_S, NU, NU_SIGMA = 20.0, 0.049, 0.008
ON_S, OFF_S = 1 / 40e3, 1 / 1e6
#: Conductance of the lowest level, in steps of an 8-bit code.
OFF_STEPS = 255 * OFF_S / (ON_S - OFF_S)
WEIGHTS = {"a": torch.linspace(-1, 1, 60).view(6, 10), "b": torch.full((2, 3), -0.4)}


#: Noise that is the same for all cells at all times.
CONSTANT = "read_noise_law=null"


def device(*settings: str) -> DeviceFile:
    return resolve(device="pcm", overrides=[f"device.{setting}" for setting in settings]).device


def placed(*settings: str, encoding: str = "magnitude", **more: object) -> WeightStorage:
    cell = cell_model(device(*settings), encoding=encoding)
    return WeightStorage(cell=cell, **more)  # type: ignore[arg-type]


def drift(time_s: float = DAY_S, *settings: str) -> Drift:
    return Drift.of_device(device(*settings), time_s)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def left_of(time_s: float = DAY_S) -> float:
    return float(drift_factor(time_s=time_s, start_s=START_S, drift_nu=NU))


@pytest.mark.parametrize("scaling", ["tensor", "column"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_alike_exponents_by_hand(encoding: str, scaling: str) -> None:
    """Each cell has f of its conductance left, whatever part of the weight's error is its own."""
    own = placed(encoding=encoding, scaling=scaling)
    stored = own.write(WEIGHTS, verify_none(WEIGHTS), seeded(1))
    later = drift(DAY_S, "drift_nu_sigma=0").later(
        stored, WEIGHTS, verify_none(WEIGHTS), own, seeded(2)
    )
    left = left_of()
    assert left == near((DAY_S / START_S) ** -NU, rel=1e-12)
    form = WeightFormat(encoding=encoding)
    for name, weight in WEIGHTS.items():
        largest = weight.abs().amax(1, keepdim=True) if scaling == "column" else weight.abs().max()
        step = largest.double() / form.largest_code
        lost = (1 - left) * OFF_STEPS
        sign = torch.where(weight < 0, -1.0, 1.0)
        by_hand = {
            "magnitude": left * stored[name] - lost * step * sign,
            "offset": left * stored[name] - step * ((1 - left) * 128 + lost),
            "differential": left * stored[name],
            "separate-sign": left * stored[name],
        }[encoding]
        torch.testing.assert_close(later[name].double(), by_hand.double(), rtol=1e-5, atol=1e-6)


def test_mean_over_exponents_in_closed_form() -> None:
    own, weight = placed("sigma=0"), {"w": torch.ones(5000, 8)}
    wide = drift(DAY_S, "drift_nu_sigma=0.02")
    found = wide.later(weight, weight, verify_none(weight), own, seeded(3))["w"].double()
    left = float(mean_drift_factor(time_s=DAY_S, start_s=START_S, drift_nu=NU, drift_nu_sigma=0.02))
    mean = left - (1 - left) * OFF_STEPS / 255
    error = float(found.std()) / found.numel() ** 0.5
    assert float(found.mean()) == pytest.approx(mean, abs=4.5 * error, rel=0)
    of_the_mean = left_of() - (1 - left_of()) * OFF_STEPS / 255
    assert mean - of_the_mean > 9 * error  # the mean of f is not f of the mean


@pytest.mark.parametrize("copies", [1, 4])
def test_the_law_is_that_of_cells_that_are_programmed_and_drift(copies: int) -> None:
    """Mean, spread and correlation with the weight at first: as the sampler of single cells has."""
    chip = device("sigma=0.2", "drift_nu_sigma=0.05", "read_noise_sigma=0")
    count = 20_000
    weight = {"w": torch.full((count, 1), 0.7)}
    weight["w"][0] = 1.0
    own = WeightStorage(cell=cell_model(chip), copies={"w": copies})
    stored = own.write(weight, verify_none(weight), seeded(4))
    found = Drift.of_device(chip, DAY_S).later(stored, weight, verify_none(weight), own, seeded(5))[
        "w"
    ][1:, 0]
    cells = []
    for seed in range(copies):
        read = ReadOut(device=chip, weight_format=WeightFormat(), verify={}, time_s=DAY_S)
        cells.append(read.draw(weight, seeded(10 + seed))["w"][1:, 0])
    other = torch.stack(cells).mean(0)
    sides = torch.stack([found, other]).double()
    mean, std = sides.mean(1), sides.std(1)
    assert float((mean[0] - mean[1]).abs()) < 4.5 * float(std.max()) * (2 / count) ** 0.5
    assert float(std[0] / std[1]) == near(1.0, rel=4.5 / count**0.5)
    # Errors of the weight that are there from the start are kept, and shrink.
    pairs = torch.stack([stored["w"][1:, 0].double(), found.double()])
    covariance = torch.cov(pairs)
    slope = float(covariance[0, 1] / covariance[0, 0])
    left = float(mean_drift_factor(time_s=DAY_S, start_s=START_S, drift_nu=NU, drift_nu_sigma=0.05))
    rest = float((covariance[1, 1] - slope**2 * covariance[0, 0]).sqrt())
    error = rest / float(covariance[0, 0].sqrt()) / count**0.5
    assert slope == pytest.approx(left, abs=4.5 * error, rel=0)


def test_exponents_follow_from_the_seed_alone() -> None:
    """Not from the masks or the errors: methods are compared on the same cells."""
    own, late = placed("sigma=0.05"), drift()
    changes = []
    for masks in (verify_none(WEIGHTS), verify_all(WEIGHTS)):
        stored = own.write(WEIGHTS, masks, seeded(6))
        later = late.later(stored, WEIGHTS, masks, own, seeded(7))
        changes.append(torch.cat([(later[n] - stored[n]).flatten() for n in WEIGHTS]))
    other = late.later(stored, WEIGHTS, masks, own, seeded(8))
    unlike = torch.cat([(other[n] - stored[n]).flatten() for n in WEIGHTS])
    apart = [float((own - changes[0]).abs().mean()) for own in (changes[1], unlike)]
    assert apart[0] < apart[1] / 2


def test_large_tensors_are_cut_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """With equal exponents nothing depends on the draws, so parts must join to the whole."""
    own, late = placed(), drift(DAY_S, "drift_nu_sigma=0")
    stored = own.write(WEIGHTS, verify_none(WEIGHTS), seeded(1))
    whole = late.later(stored, WEIGHTS, verify_none(WEIGHTS), own, seeded(2))
    monkeypatch.setattr("tsb.program.tensor_cells._WEIGHTS_AT_ONCE", 7)
    parts = late.later(stored, WEIGHTS, verify_none(WEIGHTS), own, seeded(2))
    for name in WEIGHTS:
        torch.testing.assert_close(whole[name], parts[name])


def test_nothing_drifts_in_a_tensor_without_range() -> None:
    zeros = {"w": torch.zeros(3, 4)}
    later = drift().later(zeros, zeros, verify_none(zeros), placed("sigma=0"), seeded())
    assert torch.equal(later["w"], zeros["w"])
    assert not read_noise(zeros, placed(), seeded())["w"].any()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_read_noise_in_closed_form(encoding: str) -> None:
    own = placed(CONSTANT, "read_noise_sigma=0.02", encoding=encoding, copies={"w": 4})
    weight = {"w": torch.linspace(-2, 2, 10).expand(8000, 10).contiguous()}
    noise = read_noise(weight, own, seeded(9))["w"].double()
    cell = weight_cells({"w": quantise(weight["w"])}, own.cell)["w"]
    error = 4.5 / (2 * noise.numel()) ** 0.5
    assert float(noise.std()) == near(float(cell.read_noise()[0, 0]) / 2, rel=error)
    assert float(noise.mean().abs()) < 4.5 * float(noise.std()) / noise.numel() ** 0.5


@pytest.mark.parametrize("time_s", [1.0, DAY_S])
def test_read_noise_of_pcm_is_that_of_its_cells(time_s: float) -> None:
    """Two-bit cells, 85 = 1111 in base four: 1/3 of the range each, on one side of a pair."""
    own = placed(encoding="differential")
    weight = {"w": torch.full((4, 20_000), 85 / 255)}
    weight["w"][:, 0] = 1.0
    found = read_noise(weight, own, seeded(9), time_s)["w"][:, 1:].double()
    root = math.sqrt(math.log((time_s + 250e-9) / 500e-9))
    on, off = (0.0088 * g**0.35 * root / 0.96 for g in (0.04 + 0.96 / 3, 0.04))
    # Of 3 levels each, 64 + 16 + 4 + 1 steps, and the other side of the pair at level 0.
    by_hand = 3 * math.sqrt((64**2 + 16**2 + 4**2 + 1) * (on**2 + off**2)) / 255
    assert float(found.std()) == near(by_hand, rel=4.5 / (2 * found.numel()) ** 0.5)


def test_noise_goes_with_what_drift_leaves() -> None:
    later, own, held = Conditions(noisy=True, drift=drift(), time_s=DAY_S), placed(), WEIGHTS
    drifted = later.read(held, WEIGHTS, own, seeded(3))["a"] - held["a"]
    at_once = read_noise(WEIGHTS, own, seeded(3), DAY_S)["a"]
    share = mean_drift_factor(time_s=DAY_S, start_s=START_S, drift_nu=NU, drift_nu_sigma=NU_SIGMA)
    torch.testing.assert_close(drifted, at_once * float(share), rtol=1e-3, atol=1e-6)


def test_columns_have_their_own_noise() -> None:
    weight = {"w": torch.tensor([[1.0], [0.1]]) * torch.ones(2, 20_000)}
    noise = read_noise(weight, placed(scaling="column"), seeded(9))["w"]
    assert float(noise[0].std() / noise[1].std()) == near(10.0, rel=0.03)


def linear() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 12), nn.ReLU(), nn.Linear(12, 4))
    model.input_shape = (1, 6, 6)  # type: ignore[assignment]
    return model.eval()


def in_use(method: str, conditions: Conditions, seed: int = 3) -> ChipInUse:
    from archsim.network.load import load_network

    model = linear()
    carrier = make_carrier(model, load_network(model))
    corrections = parse_corrections(method)
    attach_all(corrections, carrier)
    own = placed(CONSTANT, "sigma=0.05")
    chip = deploy(model, own, seed=seed)
    corrected = CorrectedChip(
        chip=chip,
        corrections=tuple(corrections),
        parameters=start_all(corrections, carrier, chip, torch.randn(8, 1, 6, 6)),
        carrier=carrier,
        storage=own,
        verify=True,
    )
    return ChipInUse(corrected=corrected, verified=verify_none(chip.wanted), conditions=conditions)


def drawn(used: ChipInUse, runs: int, seed: int = 0) -> list[dict[str, Tensor]]:
    draw, source = used.runs(), seeded(seed)
    return [draw(source) for _ in range(runs)]


def test_a_chip_drifts_once_and_is_read_anew() -> None:
    still = drawn(in_use("biases", Conditions(drift=drift())), 2)
    assert torch.equal(still[0]["1.weight"], still[1]["1.weight"])
    noisy = drawn(in_use("biases", Conditions(drift=drift(), noisy=True)), 2)
    assert not torch.equal(noisy[0]["1.weight"], noisy[1]["1.weight"])
    for name in ("1.weight", "3.weight"):
        apart = [float((run[name] - still[0][name]).std()) for run in noisy]
        wanted = in_use("", Conditions()).corrected.chip.wanted
        size = float(weight_cells(wanted, placed(CONSTANT).cell)[name].read_noise().flatten()[0])
        few = wanted[name].numel()
        assert all(own == near(size, rel=4.5 / (2 * few) ** 0.5) for own in apart)
    # Digital numbers neither drift nor are they noisy.
    assert torch.equal(noisy[0]["1.bias"], noisy[1]["1.bias"])


def test_the_seed_of_a_chip_decides_its_drift_and_its_reads() -> None:
    """Whatever else draws from the generator of the runs."""
    conditions = Conditions(drift=drift(), noisy=True)
    one, other = (drawn(in_use("biases", conditions), 2, seed) for seed in (0, 1))
    written = drawn(in_use("last-layers:1", conditions), 2)
    for k in range(2):
        assert torch.equal(one[k]["1.weight"], other[k]["1.weight"])
        assert torch.equal(one[k]["1.weight"], written[k]["1.weight"])
    assert not torch.equal(
        one[0]["1.weight"], drawn(in_use("biases", conditions, seed=4), 1)[0]["1.weight"]
    )


def test_corrections_in_cells_drift_with_the_chip() -> None:
    at_once, later = (
        torch.stack([run["3.weight"] for run in drawn(in_use("last-layers:1", own), 200)])
        for own in (Conditions(), Conditions(drift=drift()))
    )
    wanted = in_use("last-layers:1", Conditions()).corrected.chip.wanted["3.weight"]
    large = wanted.abs() > wanted.abs().max() / 2
    ratio = (later.mean(0) / at_once.mean(0))[large]
    left, off = left_of(), OFF_S / (ON_S - OFF_S)
    share = left - (1 - left) * off * wanted.abs().max() / wanted.abs()[large]
    torch.testing.assert_close(ratio, share, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("name", "time_s", "code", "says"),
    [
        ("rram", 3600.0, "conflict", ["'rram'", "pcm"]),
        ("pcm", 20.0, "out-of-range", ["'pcm'", "20", "(drift_start):"]),
        ("pcm", float("inf"), "out-of-range", ["'pcm'"]),
    ],
)
def test_impossible_times(name: str, time_s: float, code: str, says: list[str]) -> None:
    with refused(
        ConfigError, code=code, field="read_after_s", value=time_s, allowed="0", says=says
    ):
        Drift.of_device(resolve(device=name).device, time_s)


def test_a_device_that_cannot_say_how_it_drifts() -> None:
    with refused(ConfigError, code="missing-key", field="device", value=["r_off"]):
        Drift.of_device(device().model_copy(update={"r_off": None}), DAY_S)
