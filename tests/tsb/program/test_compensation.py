"""Compensation of drift: by hand, and the laws that reference reads must keep."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archsim.arch.design import CHANNEL_CORRECTIONS
from archsim.config.choices import COMPENSATIONS
from archsim.config.resolve import resolve
from archsim.device import ENCODINGS
from archsim.errors import ConfigError
from tests.cell_models import cell_model
from tests.refusals import refused
from tsb.program.chip_read import Conditions, Drift
from tsb.program.compensation.base import Compensation
from tsb.program.compensation.registry import REGISTRY, compensation_named
from tsb.program.storage import WeightStorage
from tsb.write_verify.selective import verify_none

DAY_S, YEAR_S = 86400.0, 3.15e7
WEIGHTS = {"a": torch.linspace(-1, 1, 60).view(6, 10), "b": torch.full((2, 3), -0.4)}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def placed(encoding: str = "differential", **more: object) -> WeightStorage:
    cell = cell_model(resolve(device="pcm").device, encoding=encoding)
    return WeightStorage(cell=cell, **more)  # type: ignore[arg-type]


def drift(time_s: float, how: str, spread: float, **more: float) -> Drift:
    device = resolve(device="pcm", overrides=[f"device.drift_nu_sigma={spread}"]).device
    return Drift.of_device(device, time_s, compensation=compensation_named(how), **more)


def later(own: WeightStorage, late: Drift, *, noisy: bool = False) -> dict[str, Tensor]:
    masks = verify_none(WEIGHTS)
    stored = own.write(WEIGHTS, masks, seeded(1))
    return late.later(stored, WEIGHTS, masks, own, seeded(2), noisy=noisy)


@pytest.mark.parametrize("how", REGISTRY)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_all_cells_have_lost_alike_comes_back(how: str, encoding: str) -> None:
    """Whatever the encoding subtracts: the factor acts before that."""
    for scaling in ("tensor", "column"):
        own = placed(encoding, scaling=scaling, copies={"a": 2})
        stored = own.write(WEIGHTS, verify_none(WEIGHTS), seeded(1))
        found = later(own, drift(YEAR_S, how, 0.0))
        for name, weight in stored.items():
            torch.testing.assert_close(found[name], weight, rtol=0, atol=2e-6)


@pytest.mark.parametrize("how", REGISTRY)
def test_factors_by_hand(how: str) -> None:
    first, now = torch.tensor([4.0, 8.0, 0.0, 4.0]), torch.tensor([2.0, 8.0, 0.0, -2.0])
    found = REGISTRY[how].factors(first, now)
    # A reading that is not above zero says nothing.
    by_hand = {"layer": [2.0] * 4, "column": [2.0, 1.0, 1.0, 1.0]}[how]
    assert found.tolist() == by_hand


@pytest.mark.parametrize("how", REGISTRY)
def test_compensated_cells_are_the_same_cells(how: str) -> None:
    """Exponents do not depend on it: one factor for each channel, and none before the drift."""
    own = placed()  # of a pair nothing is left to subtract: weights are multiplied as they are
    plain = later(own, drift(YEAR_S, "none", 0.03))
    found = later(own, drift(YEAR_S, how, 0.03))
    early = later(own, drift(YEAR_S, how, 0.03, measured_s=1.0))
    for name, weight in plain.items():
        factors = (found[name] / weight).double()
        spread = factors.std(1) if how == "column" else factors.flatten().std()
        assert float(spread.max()) < 1e-5
        assert float(factors.min()) > 1.3
        torch.testing.assert_close(early[name], weight)
    apart = [float((found["a"] / plain["a"])[row, 0]) for row in range(6)]
    assert (len({round(one, 4) for one in apart}) > 1) == (how == "column")


def test_a_layer_gets_its_mean_loss() -> None:
    """Of many cells with exponents of their own: the mean over them, in closed form."""
    big = {"w": torch.ones(40, 500)}
    own, late = placed(), drift(YEAR_S, "layer", 0.02)
    masks = verify_none(big)
    found = late.later(big, big, masks, own, seeded(3))["w"].double()
    plain = drift(YEAR_S, "none", 0.02).later(big, big, masks, own, seeded(3))["w"]
    factor = float(found[0, 0] / plain[0, 0])
    assert factor == pytest.approx(1 / late.share(YEAR_S), rel=0.01)


def test_factors_of_an_earlier_day_are_too_small() -> None:
    size = [
        float(later(placed(), drift(YEAR_S, "layer", 0.008, measured_s=time_s))["a"].abs().sum())
        for time_s in (1.0, 3600.0, DAY_S, YEAR_S)
    ]
    assert size == sorted(size)
    assert len(set(size)) == 4


def test_reference_reads_have_noise_of_their_own() -> None:
    """Drawn aside: other noise moves factors, no exponents; a layer's sum has less of it."""
    own = placed()
    moved = {}
    for how in REGISTRY:
        late = drift(YEAR_S, how, 0.0)
        quiet, loud = later(own, late), later(own, late, noisy=True)
        factors = (loud["a"] / quiet["a"]).double()
        assert float(factors.std(1).max()) < 1e-5
        moved[how] = float((factors[:, 0] - 1).abs().mean())
    assert 0 < moved["layer"] < moved["column"]


@pytest.mark.parametrize("measured_s", [DAY_S, YEAR_S])
def test_noise_of_reads_is_multiplied_too(measured_s: float) -> None:
    late = drift(YEAR_S, "layer", 0.008, measured_s=measured_s)
    plain = drift(YEAR_S, "none", 0.008)
    zero = {name: torch.zeros_like(weight) for name, weight in WEIGHTS.items()}
    noise = [
        Conditions(noisy=True, drift=each, time_s=YEAR_S).read(zero, WEIGHTS, placed(), seeded(4))
        for each in (late, plain)
    ]
    ratio = noise[0]["a"] / noise[1]["a"]
    expected = torch.full_like(ratio, 1 / late.share(measured_s))
    torch.testing.assert_close(ratio, expected)


@pytest.mark.parametrize("each", REGISTRY.values(), ids=lambda each: each.name)
def test_every_compensation_declares_itself(each: Compensation) -> None:
    assert all(getattr(each, key) for key in ("name", "description", "needs", "source"))
    assert each.correction in CHANNEL_CORRECTIONS


def test_names_are_those_of_the_schema() -> None:
    assert ("none", *REGISTRY) == COMPENSATIONS
    with refused(ConfigError, code="unknown-name", field="compensation", value="global"):
        compensation_named("global")
