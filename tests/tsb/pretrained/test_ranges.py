"""Range rules: against exhaustive search, and what each of them promises."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archsim.errors import ConfigError, DataError
from tests.refusals import refused
from tsb.pretrained.layers import input_codes, observe, product_layers, rounded_inputs
from tsb.pretrained.ranges.base import BINS, STRIDE, CodesOf, Observed
from tsb.pretrained.ranges.histogram import divergence
from tsb.pretrained.ranges.registry import RANGE_RULES, range_rule
from tsb.read_path.inputs import InputCodes

GENERATOR = torch.Generator().manual_seed(1)
NORMAL = torch.randn(20_000, generator=GENERATOR)
#: A bulk of ReLU outputs, and few that are far out.
OUTLIERS = torch.cat([NORMAL.abs(), torch.tensor([20.0, 25.0])])


def codes_of(bits: int, signed: str = "two-pass") -> CodesOf:
    return partial(_codes, bits, signed)


def _codes(bits: int, signed: str, low: float, high: float) -> InputCodes:
    return InputCodes.of_range(low, high, bits=bits, signed_inputs=signed)


def seen(values: Tensor) -> Observed:
    low, high = float(values.min()), float(values.max())
    counts = torch.histc(values.abs(), BINS, 0.0, max(-low, high)).double()
    return Observed(low, high, counts)


def squared_error(values: Tensor, codes: InputCodes) -> float:
    return float(((codes.values(values) * codes.step - values) ** 2).double().mean())


@pytest.mark.parametrize("values", [NORMAL, OUTLIERS], ids=["normal", "outliers"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_squared_error_is_least_among_all_ranges(values: Tensor, bits: int) -> None:
    observed, make = seen(values), codes_of(bits)
    found = squared_error(values, RANGE_RULES["mse"].codes(observed, make))
    others = [
        squared_error(values, make(*observed.clipped(observed.largest * k / 300)))
        for k in range(3, 301)
    ]
    # Counted in bins and at every 16th of them: a per cent beside the best of all.
    assert found <= 1.01 * min(others) + (observed.largest / BINS) ** 2


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.9, 100.0])
def test_percentile_holds_that_share(percentile: float) -> None:
    observed = seen(OUTLIERS)
    magnitude = range_rule("percentile", percentile).magnitude(observed, codes_of(8))
    share = percentile / 100
    assert float((magnitude >= OUTLIERS).double().mean()) >= share
    below = magnitude - observed.largest / BINS
    assert float((below > OUTLIERS).double().mean()) <= share
    assert range_rule("percentile", 100).magnitude(observed, codes_of(8)) == observed.largest


def test_max_cuts_nothing_off_and_the_others_cut_outliers() -> None:
    observed = seen(OUTLIERS)
    found = {name: rule.magnitude(observed, codes_of(4)) for name, rule in RANGE_RULES.items()}
    assert found["max"] == observed.largest == 25
    assert max(found["mse"], found["histogram"]) < 15
    for name in ("mse", "histogram"):  # with bits enough there is nothing to gain
        assert RANGE_RULES[name].magnitude(observed, codes_of(16)) == pytest.approx(25, rel=0.05)


def test_divergence_against_its_formula() -> None:
    counts = torch.tensor([4.0, 2.0, 0.0, 6.0, 1.0, 1.0], dtype=torch.float64)
    # Bins 0 and 1 make level 0, bins 2 and 3 level 1; the empty bin stays empty; 2 are cut off.
    real = [4 / 14, 2 / 14, 8 / 14]
    rounded = [3 / 12, 3 / 12, 6 / 12]
    expected = sum(p * math.log(p / q) for p, q in zip(real, rounded, strict=True))
    assert divergence(counts, 4, 2) == pytest.approx(expected)
    assert divergence(counts, 6, 6) == 0
    assert divergence(counts, 3, 2) == math.inf  # what is cut off has no place


def network() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 5))
    return net.eval()


@torch.no_grad()
def test_codes_of_a_network_are_those_of_its_layers_inputs() -> None:
    net, images = network(), torch.randn(12, 1, 8, 8, generator=GENERATOR)
    layers = product_layers(net)
    assert list(layers) == ["0", "3"]
    observed = observe(net, layers, images, 5)
    hidden = net[:3](images)
    assert observed["0"].low == float(images.min())
    assert (observed["3"].low, observed["3"].high) == (0.0, float(hidden.max()))
    assert observed["3"].counts.sum() == hidden.numel()
    codes = input_codes(observed, RANGE_RULES["max"], bits=4, signed_inputs="by-layer")
    assert (codes["0"].signed, codes["3"].signed) == ("zero-point", None)
    with rounded_inputs(layers, codes):
        rounded = net(images)
    first = net[0](codes["0"].values(images) * codes["0"].step)
    then = net[2](net[1](first))
    assert rounded.equal(net[3](codes["3"].values(then) * codes["3"].step))
    assert not rounded.equal(net(images))  # afterwards as before


def test_inputs_that_are_no_numbers_and_inputs_of_zeros() -> None:
    net = network()
    layers = product_layers(net)
    with refused(DataError, code="not-finite", field="0"):
        observe(net, layers, torch.full((2, 1, 8, 8), torch.inf), 2)
    observed = observe(net, layers, torch.zeros(2, 1, 8, 8), 2)
    for name in RANGE_RULES:
        codes = input_codes(observed, RANGE_RULES[name], bits=4, signed_inputs="two-pass")
        assert codes["0"].step == 0


def test_rules_that_cannot_be_used() -> None:
    with refused(ConfigError, code="unknown-name", field="ranges (--ranges)", value="maximum"):
        range_rule("maximum")
    field = "percentile (--percentile)"
    with refused(ConfigError, code="conflict", field=field, value=99, allowed="percentile"):
        range_rule("mse", 99)
    for value in (0.0, 101.0, math.nan):
        with pytest.raises(ConfigError):
            range_rule("percentile", value)


@pytest.mark.parametrize("rule", RANGE_RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_declares_itself_and_keeps_to_its_range(rule: Any) -> None:
    assert all((rule.description, rule.source))
    for values in (NORMAL, OUTLIERS):
        observed = seen(values)
        assert observed.largest / BINS * STRIDE <= rule.magnitude(observed, codes_of(6))
        assert rule.magnitude(observed, codes_of(6)) <= observed.largest
