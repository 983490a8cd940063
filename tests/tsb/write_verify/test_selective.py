"""Policies, granularities and their cost: by hand, by brute force, and against the samplers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.device import (
    WeightFormat,
    WriteArray,
    program_weights,
)
from archsim.errors import ConfigError
from mapping.bit_slice import matrix_columns
from tests.refusals import refused
from tsb.cells.weight_cells import CellModel, weight_cells
from tsb.write_verify.effort import write_effort
from tsb.write_verify.selective import (
    Tiling,
    verify_all,
    verify_fraction,
    verify_named,
    verify_none,
)

CELL = CellModel(
    sigma=0.1,
    write_model="incremental",
    tolerance=0.043,
    max_pulses=100,
    step_gain=0.055,
    step_sigma=0.02,
)
TILING = Tiling(rows=6, cols=16, slices=4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> dict[str, torch.Tensor]:
    return {
        "conv": torch.randn(7, 2, 3, 3, generator=seeded(1)),
        "fc": torch.randn(5, 13, generator=seeded(2)),
    }


def count(masks: dict[str, torch.Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def magnitudes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: weight.double().abs() for name, weight in weights.items()}


def test_whole_tensors():
    weights = network()
    assert count(verify_none(weights)) == 0
    assert count(verify_all(weights)) == 7 * 18 + 65
    named = verify_named(weights, ["conv"])
    assert (int(named["conv"].sum()), int(named["fc"].sum())) == (7 * 18, 0)
    for mask, weight in zip(named.values(), weights.values(), strict=True):
        assert mask.shape == weight.shape
        assert mask.dtype == torch.bool
    facts = {"code": "unknown-name", "field": "weights", "value": "cnv"}
    with refused(ConfigError, **facts, nearest="conv"):
        verify_named(weights, ["cnv"])


@pytest.mark.parametrize(("fraction", "expected"), [(0, 0), (0.1, 19), (0.0026, 0), (1, 191)])
def test_fraction_rounds_to_the_nearest_weight(fraction, expected):
    scores = magnitudes(network())
    assert count(verify_fraction(scores, float(fraction))) == expected  # of 191


def test_halves_round_up():
    assert count(verify_fraction({"w": torch.rand(1, 5)}, 0.5)) == 3


@settings(max_examples=40)
@given(st.floats(0, 1), st.integers(0, 100))
def test_best_weights_are_taken(fraction, seed):
    source = seeded(seed)
    scores = {n: torch.rand(w.shape, generator=source) for n, w in network().items()}
    masks = verify_fraction(scores, fraction)
    inside = torch.cat([score[masks[name]] for name, score in scores.items()])
    outside = torch.cat([score[~masks[name]] for name, score in scores.items()])
    if len(inside) and len(outside):
        assert inside.min() >= outside.max()


def test_ties_go_in_order():
    masks = verify_fraction({"a": torch.ones(1, 3), "b": torch.ones(1, 3)}, 0.5)
    assert bool(masks["a"].all())
    assert not bool(masks["b"].any())


def brute_force_groups(shape: tuple[int, ...], granularity: str) -> list[set[int]]:
    """Place every cell on its subarray and collect the weights that share a row, or all of it."""
    outputs = shape[0]
    inputs = torch.Size(shape[1:]).numel()
    per_row = TILING.cols // TILING.slices
    found: dict[tuple[int, ...], set[int]] = {}
    for o, r in itertools.product(range(outputs), range(inputs)):
        subarray = (r // TILING.rows, o // per_row)
        key = subarray if granularity == "subarray" else (*subarray, r % TILING.rows)
        found.setdefault(key, set()).add(o * inputs + r)
    return list(found.values())


Place = tuple[int, int]


def laid_out(outputs: int, inputs: int, tiling: Tiling) -> dict[Place, list[tuple[int, int]]]:
    """Cells (weight, number) in each row (strip of columns, input) of all crossbars."""
    rows: dict[Place, list[tuple[int, int]]] = {}
    for o, r in itertools.product(range(outputs), range(inputs)):
        for column, cell in enumerate(tiling.order):
            place = ((o * tiling.slices + column) // tiling.cols, r)
            rows.setdefault(place, []).append((o * inputs + r, cell))
    return rows


FORMATS = {
    "magnitude": WeightFormat(),
    "differential": WeightFormat(encoding="differential"),
    "separate-sign": WeightFormat(encoding="separate-sign"),
    "three bits": WeightFormat(bits_per_cell=3),
    "three bits, separate-sign": WeightFormat(bits_per_cell=3, encoding="separate-sign"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cols", [16, 2, 32])
@pytest.mark.parametrize("granularity", ["row", "subarray"])
def test_groups_are_rows_of_cells_for_every_format(name, cols, granularity):
    """Also where a weight is cut in two, and where its signs lie beside each other."""
    form, shape = FORMATS[name], (13, 2, 2, 2)
    tiling = Tiling.of(form, rows=3, cols=cols)
    expected: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for (strip, row), held in laid_out(13, 8, tiling).items():
        key = (strip, row if granularity == "row" else row // 3)
        expected.setdefault(key, set()).update(held)
    groups = tiling.groups(torch.Size(shape), granularity)
    if groups.dim() == len(shape):
        groups = groups.unsqueeze(-1).expand(*shape, form.cells_per_weight)
    assert groups.shape == (*shape, form.cells_per_weight)
    flat = groups.reshape(13 * 8, -1)
    found = [
        {(int(w), int(c)) for w, c in (flat == g).nonzero()} for g in range(int(flat.max()) + 1)
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected.values()))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cols", [16, 2])
def test_subarrays_of_a_kernel_layer_hold_the_channels_of_one_pixel(name, cols):
    form, shape = FORMATS[name], (13, 5, 2, 3)
    tiling = Tiling.of(form, rows=3, cols=cols, kernel_layers=frozenset({"conv"}))
    expected: dict[tuple[int, ...], set[tuple[int, int]]] = {}
    for (strip, row), held in laid_out(13, 30, tiling).items():
        channel, pixel = divmod(row, 6)
        expected.setdefault((strip, pixel, channel // 3), set()).update(held)
    groups = tiling.groups(torch.Size(shape), "subarray", name="conv")
    if groups.dim() == len(shape):
        groups = groups.unsqueeze(-1).expand(*shape, form.cells_per_weight)
    flat = groups.reshape(13 * 30, -1)
    found = [
        {(int(w), int(c)) for w, c in (flat == g).nonzero()} for g in range(int(flat.max()) + 1)
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected.values()))
    unrolled = Tiling.of(form, rows=3, cols=cols)
    other = tiling.groups(torch.Size(shape), "subarray", name="other")
    assert torch.equal(other, unrolled.groups(torch.Size(shape), "subarray"))
    for granularity in ("row", "weight"):
        rows = tiling.groups(torch.Size(shape), granularity, name="conv")
        assert torch.equal(rows, unrolled.groups(torch.Size(shape), granularity))


def test_a_choice_of_subarrays_knows_the_layers_by_name():
    """The best pixel of one layer, and the best three unrolled inputs of the other."""
    tiling = Tiling(rows=3, cols=16, slices=4, kernel_layers=frozenset({"conv"}))
    scores = {name: torch.zeros(4, 3, 1, 2) for name in ("conv", "other")}
    for name, best in (("conv", 2.0), ("other", 1.0)):
        scores[name][:, 1, 0, 1] = best
    masks = verify_fraction(scores, 0.5, granularity="subarray", tiling=tiling)
    assert bool(masks["conv"][..., 1].all())
    assert not bool(masks["conv"][..., 0].any())
    assert masks["other"][0].flatten().tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize("name", FORMATS)
def test_strips_are_those_of_the_mapping_compiler(name):
    """As many rows of crossbars as the plan has, for a matrix of 43 outputs."""
    form = FORMATS[name]
    settings = [f"chip.precision.bits_per_cell={form.bits_per_cell}"]
    if form.padded_bits:
        settings.append("chip.precision.pad_top_slice=true")
    if form.sides > 1:
        settings.append(f"chip.precision.encoding={form.encoding}")
    design = DesignBatch.from_resolved(resolve(chip="rram-22nm-neurosim", overrides=settings))
    columns = matrix_columns(design=design, weights_wide=torch.tensor([43.0]))
    strips = math.ceil(float(columns) / 128)
    tiling = Tiling.of(form, rows=128, cols=128)
    assert int(tiling.groups(torch.Size((43, 10)), "row").max()) + 1 == 10 * strips


def test_a_part_of_a_weight_has_its_part_of_score_and_size():
    """Slices of 3 bits on 4 columns: weight 1 lies in two rows, its top digit in the first."""
    tiling = Tiling.of(WeightFormat(bits_per_cell=3), rows=4, cols=4)
    whole = 64**2 + 8**2 + 1
    masks = verify_fraction(
        {"w": torch.tensor([[0.0], [1.0]])}, 0.5, granularity="row", tiling=tiling
    )
    # Half of the weights are 3 cells: the first row has 4, weight 0 and the top of weight 1.
    assert masks["w"].tolist() == [[[True] * 3], [[True, False, False]]]
    shares = tiling.cell_shares
    assert shares.tolist() == pytest.approx([64**2 / whole, 8**2 / whole, 1 / whole])
    # Nearly all of the score is in the first row's part of weight 1, so it goes before the rest.
    more = verify_fraction(
        {"w": torch.tensor([[0.0], [1.0]])}, 0.9, granularity="row", tiling=tiling
    )
    assert more["w"].tolist() == [[[True] * 3], [[True] * 3]]
    assert count(more) == 6


def test_rows_that_are_verified_are_those_that_wait():
    """Whole rows of 3-bit cells: the sampler's crossbars wait in as many rows as were chosen."""
    form = WeightFormat(bits_per_cell=3)
    weights = {"w": torch.randn(43, 50, generator=seeded(8))}
    tiling = Tiling.of(form, rows=64, cols=128)
    masks = verify_fraction(magnitudes(weights), 0.2, granularity="row", tiling=tiling)
    chosen = tiling.groups(weights["w"].shape, "row")[masks["w"]].unique().numel()
    device = resolve(chip="rram-22nm-neurosim", overrides=["device.sigma=0"]).device
    done = program_weights(
        weights,
        device=device,
        generator=seeded(),
        weight_format=form,
        verify=masks,
        array=WriteArray(rows=64, cols=128),
    )
    reads = (float(done.time_s) - 100 * device.pulse_width.si) / device.verify_read_time.si
    assert reads == pytest.approx(chosen, rel=1e-9, abs=0)


@pytest.mark.parametrize("granularity", ["row", "subarray"])
@pytest.mark.parametrize("shape", [(7, 2, 3, 3), (5, 13), (4, 6), (1, 1)])
def test_groups_are_those_of_the_crossbars(shape, granularity):
    groups = TILING.groups(torch.Size(shape), granularity)
    assert groups.shape == shape
    flat = groups.flatten()
    members = [set((flat == g).nonzero().flatten().tolist()) for g in range(int(flat.max()) + 1)]
    assert all(members)  # numbered without gaps
    assert sorted(map(sorted, members)) == sorted(
        map(sorted, brute_force_groups(shape, granularity))
    )


@pytest.mark.parametrize("granularity", ["row", "subarray"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.3, 0.77, 1.0])
def test_groups_are_whole_best_first_and_barely_enough(granularity, fraction):
    scores = magnitudes(network())
    masks = verify_fraction(scores, fraction, granularity=granularity, tiling=TILING)
    sums = []
    for name, score in scores.items():
        for members in brute_force_groups(tuple(score.shape), granularity):
            index = torch.tensor(sorted(members))
            verified = masks[name].flatten()[index]
            assert bool(verified.all()) or not bool(verified.any())
            sums.append((float(score.flatten()[index].sum()), len(members), bool(verified.all())))
    taken = [s for s, _, verified in sums if verified]
    left = [s for s, _, verified in sums if not verified]
    if taken and left:
        assert min(taken) >= max(left)
    target = int(fraction * 191 + 0.5)
    total = sum(size for _, size, verified in sums if verified)
    last = min((entry for entry in sums if entry[2]), default=(0.0, 0, False))[1]
    assert total >= target
    assert total - last < target or not taken


def test_effort_of_nothing_and_everything():
    weights = network()
    cells = weight_cells(weights, CELL)
    none = write_effort(verify_none(weights), cells, CELL)
    cell_count = 191 * 4
    assert (none.write_pulses, none.verify_reads, none.verify_cycles) == (cell_count, 0.0, 0.0)
    every = write_effort(verify_all(weights), cells, CELL)
    mean = float(CELL.pulse_distribution().stats().write_pulses[0])
    assert every.write_pulses == pytest.approx(cell_count * mean, rel=1e-12)
    assert (every.normalised_pulses, every.verify_cycles) == (1.0, 1.0)
    assert none.normalised_pulses == pytest.approx(1 / mean)


@pytest.mark.parametrize(
    ("call", "code", "field", "facts"),
    [
        (lambda s: verify_fraction(s, 1.1), "out-of-range", "fraction", {"value": 1.1}),
        (lambda s: verify_fraction(s, -0.1), "out-of-range", "fraction", {"value": -0.1}),
        (
            lambda s: verify_fraction(s, float("nan")),
            "out-of-range",
            "fraction",
            {"value": float("nan"), "allowed": "0 to 1"},
        ),
        (
            lambda s: verify_fraction(s, 0.5, granularity="rows"),
            "unknown-name",
            "granularity",
            {"value": "rows", "nearest": "row"},
        ),
        (
            lambda s: verify_fraction(s, 0.5, granularity="row"),
            "missing-key",
            "tiling",
            {"value": "row"},
        ),
        (
            lambda s: verify_fraction({"w": torch.tensor([[float("nan")]])}, 0.5),
            "not-finite",
            "w",
            {},
        ),
        (
            lambda s: Tiling(rows=0, cols=4, slices=4),
            "out-of-range",
            "rows",
            {"value": 0, "allowed": "1 or more"},
        ),
        (
            lambda s: Tiling(rows=4, cols=4, slices=2, shares=(1.0,)),
            "shape-mismatch",
            "shares",
            {"value": 1, "allowed": "2"},
        ),
    ],
)
def test_bad_requests_are_refused(call, code, field, facts):
    with refused(ConfigError, code=code, field=field, **facts):
        call(magnitudes(network()))
