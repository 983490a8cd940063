"""The curve on a small network with labels of its own, and the speed-up on curves made by hand."""

from __future__ import annotations

from unittest.mock import ANY

import pandas as pd
import pytest
import torch

from archsim.errors import ConfigError, DataError
from archsim.network.zoo.registry import build
from tests.refusals import refused
from tests.tsb.write_verify.test_selective import CELL
from tsb.write_verify.curve import summarise_curve, write_verify_runs
from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.magnitude import Magnitude
from tsb.write_verify.policy.random_order import RandomOrder
from tsb.write_verify.selective import Tiling
from tsb.write_verify.speed_up import needed_effort, speed_up

NOISY = CELL.but(sigma=0.4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def task():
    """A small network whose linear layer alone decides, for half of the weights."""
    torch.manual_seed(3)
    model = build("lenet3", input_size=8).eval()
    images = torch.randn(80, 1, 8, 8, generator=seeded(3))
    with torch.no_grad():
        labels = model(images).argmax(1)
    weights = {n: p.detach() for n, p in model.named_parameters() if p.dim() > 1}
    return model, weights, images, labels


def run(task, **options):
    model, weights, images, labels = task
    policies = (RandomOrder(), Magnitude())
    arguments = {"fractions": (0.0, 0.5, 1.0), "instances": 40, "backend": "loop"} | options
    return write_verify_runs(
        model, weights, NOISY, arguments.pop("policies", policies), images, labels, **arguments
    )


@pytest.fixture(scope="module")
def runs(task):
    return run(task)


def test_table_is_tidy(runs):
    assert len(runs) == 2 * 3 * 40
    keys = ["device", "policy", "fraction", "instance"]
    assert not runs.duplicated(keys).any()
    assert not runs.isna().any().any()
    assert (runs["images"] == 80).all()


def test_ends_of_the_curve_are_common_to_all_policies(runs):
    for fraction in (0.0, 1.0):
        end = runs[runs["fraction"] == fraction].pivot_table(
            index="instance", columns="policy", values="accuracy"
        )
        assert (end["random"] == end["magnitude"]).all()
    everything = runs[runs["fraction"] == 1.0]
    assert (everything["verify_cycles"] == 1.0).all()
    assert (everything["normalised_pulses"] == 1.0).all()
    nothing = runs[runs["fraction"] == 0.0]
    assert (nothing["verify_cycles"] == 0.0).all()
    # One pulse for each of four cells per weight, which verified ones take several times.
    assert (nothing["normalised_pulses"] * everything["write_pulses"].iloc[0]).to_numpy() == (
        pytest.approx(nothing["write_pulses"].to_numpy())
    )


def test_verifying_more_is_better(runs):
    means = runs.groupby(["policy", "fraction"])["accuracy"].mean().unstack()
    assert (means.diff(axis=1).iloc[:, 1:] > 0.005).all().all()


def test_back_ends_and_seeds(task, runs):
    assert run(task, backend="compiled").equals(runs)
    assert run(task).equals(runs)
    assert not run(task, seed=1).equals(runs)


def test_random_order_differs_between_instances(task):
    """The share of cycles depends on which weights are taken where pulses differ."""
    model, weights, images, labels = task
    cell = CELL.but(factor=4.0, profile="weight")
    table = write_verify_runs(
        model, weights, cell, [RandomOrder()], images, labels, fractions=(0.5,), instances=5
    )
    assert table["verify_cycles"].nunique() == 5
    assert table["verified_fraction"].nunique() == 1


def test_rows_go_beyond_the_fraction(task):
    table = run(
        task,
        fractions=(0.5,),
        instances=2,
        granularity="row",
        tiling=Tiling(rows=16, cols=16, slices=4),
    )
    assert (table["verified_fraction"] >= 0.5 - 1e-3).all()
    assert (table["verified_fraction"] < 0.52).all()


class OtherNetwork(ByScore):
    """Scores of weights that are not there."""

    name = "other"
    description = "weights that are not there"
    source = None
    needs_data = False

    def score(self, context):
        return {"fc.weight": torch.ones(3, 3)}


def test_scores_of_another_network_are_refused(task):
    facts = {"code": "shape-mismatch", "field": "scores", "value": ("fc.weight",)}
    with refused(ConfigError, **facts, says=["'other'"]):
        run(task, policies=[OtherNetwork()])
    facts = {"code": "out-of-range", "field": "fraction", "value": 1.5}
    with refused(ConfigError, **facts, allowed="0 to 1"):
        run(task, fractions=(1.5,))


def test_read_noise_is_in_every_point(task):
    model, weights, images, labels = task
    noisy = NOISY.but(sigma=0.0, read_noise_sigma=0.6)
    table = write_verify_runs(
        model, weights, noisy, [RandomOrder()], images, labels,
        fractions=(0.0, 1.0), instances=10, backend="loop",
    )  # fmt: skip
    assert (table["accuracy"] < 1).all()
    exact = write_verify_runs(
        model, weights, noisy.but(read_noise_sigma=0.0), [RandomOrder()], images, labels,
        fractions=(0.0,), instances=2, backend="loop",
    )  # fmt: skip
    assert exact["accuracy"].mean() > table["accuracy"].mean() + 0.05


def test_stuck_cells_are_refused(task):
    model, weights, images, labels = task
    facts = {"code": "unsupported", "field": "stuck_on_rate", "value": (0.0, 0.1)}
    with refused(ConfigError, **facts, allowed="0"):
        write_verify_runs(
            model, weights, NOISY.but(stuck_off_rate=0.1), [RandomOrder()], images, labels
        )


def test_summary_by_hand():
    runs = pd.DataFrame(
        {
            "device": "d",
            "policy": "p",
            "fraction": 0.5,
            "instance": range(4),
            "verified_fraction": 0.5,
            "write_pulses": [1.0, 2.0, 3.0, 4.0],
            "normalised_pulses": 0.6,
            "verify_cycles": 0.5,
            "accuracy": [0.90, 0.92, 0.94, 0.96],
            "images": 10,
        }
    )
    (row,) = summarise_curve(runs).to_dict("records")
    assert row["accuracy"] == pytest.approx(0.93)
    assert row["write_pulses"] == 2.5
    half = 3.182446 * (0.002 / 3) ** 0.5 / 2  # t(0.975, 3) s / sqrt(4)
    assert row["ci95_high"] - 0.93 == pytest.approx(half, rel=1e-5)
    assert (row["worst"], row["instances"], row["images"]) == (0.90, 4, 10)
    with refused(DataError, code="empty", field="runs"):
        summarise_curve(runs[:0])


def test_needed_effort_by_hand():
    effort = torch.tensor([0.0, 0.2, 0.6, 1.0], dtype=torch.float64)
    accuracy = torch.tensor(
        [
            [0.50, 0.70, 0.90, 0.90],  # 0.89 is reached 95 % of the way from 0.2 to 0.6
            [0.50, 0.895, 0.88, 0.90],  # falls below again: only the last crossing counts
            [0.90, 0.91, 0.92, 0.90],  # never too low
            [0.90, 0.50, 0.60, 0.90],
        ],
        dtype=torch.float64,
    )
    expected = [0.2 + 0.4 * 0.95, 0.6 + 0.4 * 0.5, 0.0, 0.6 + 0.4 * 0.29 / 0.3]
    assert needed_effort(accuracy, effort, 0.01).tolist() == pytest.approx(expected)


def made_up(policies: dict[str, float], noise: float = 0.0) -> pd.DataFrame:
    """Curves that rise in a straight line to 0.9 at a given effort, and stay there."""
    fractions = torch.linspace(0, 1, 21).tolist()
    shift = noise * torch.randn(60, generator=seeded(8))
    rows = [
        {
            "device": "d",
            "policy": policy,
            "fraction": fraction,
            "instance": instance,
            "verify_cycles": fraction**2,
            "normalised_pulses": 0.1 + 0.9 * fraction**2,
            "accuracy": 0.8 + 0.1 * min(1.0, fraction / full) + float(shift[instance]),
        }
        for policy, full in policies.items()
        for fraction in fractions
        for instance in range(60)
    ]
    return pd.DataFrame(rows)


def test_speed_up_of_curves_made_by_hand():
    table = speed_up(made_up({"random": 1.0, "swim": 0.25}, noise=0.02), drops=(0.02,))
    table = table.set_index(["effort", "policy"])
    swim = table.loc[("fraction", "swim")]
    assert swim["needed"] == pytest.approx(0.2)  # 0.88 of the way 0.8 to 0.9, in 0.25
    assert swim["speed_up"] == pytest.approx(4.0)
    # The noise is common to all points of an instance: pairing removes it altogether.
    assert swim["speed_up_low"] == pytest.approx(4.0)
    assert swim["needed_high"] == pytest.approx(0.2)
    assert table.loc[("fraction", "random"), "speed_up"] == 1.0
    assert swim["over_all"] == pytest.approx(1 / swim["needed"], rel=1e-12, abs=0)
    assert swim["over_all_low"] <= swim["over_all"] <= swim["over_all_high"]
    assert table.loc[("verify_cycles", "swim"), "speed_up"] == pytest.approx(16, rel=0.03)
    # 0.8 of the weights against 0.2 of them, and a tenth of all pulses whatever is verified.
    pulses = table.loc[("normalised_pulses", "swim")]
    assert pulses["needed"] == pytest.approx(0.1 + 0.9 * 0.2**2, rel=0.02)
    assert pulses["speed_up"] == pytest.approx((0.1 + 0.9 * 0.8**2) / 0.136, rel=0.02)


def test_bootstrap_interval_covers_the_truth():
    """Independent noise at each point: the interval of the needed effort covers 80 % of the way."""
    hits = 0
    for seed in range(60):
        runs = made_up({"random": 1.0})
        noise = 0.02 * torch.randn(len(runs), generator=seeded(seed), dtype=torch.float64)
        runs["accuracy"] += noise.numpy()
        row = speed_up(runs, drops=(0.05,), resamples=200, seed=seed).iloc[0]
        hits += row["needed_low"] <= 0.5 <= row["needed_high"]
    assert hits >= 50


def test_speed_up_needs_a_comparison():
    facts = {"code": "missing-key", "field": "runs", "value": ANY, "allowed": "random"}
    with refused(DataError, **facts):
        speed_up(made_up({"swim": 0.5}))
    runs = made_up({"random": 0.5})
    with refused(DataError, **facts):
        speed_up(runs[runs["fraction"] < 0.9])
