"""What axes write is what resolving gives: sampled, over all paths of the schema."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.design import DesignBatch
from archsim.arch.rules import broken
from archsim.config.load import load_preset, preset_names
from archsim.config.lookup import look_up, schema_fields
from archsim.config.resolve import Resolved, resolve
from archsim.config.sourced import Quantity
from archsim.config.sweep import load_sweep
from archsim.errors import Code, ConfigError
from archsim.explore.run.rows import box_rows
from archsim.explore.run.sweep import Job
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Box
from tests.explore.space.pair_check import (
    assert_as_resolved,
    box_of,
    differences,
    telling_points,
)
from tests.explore.sweeps import MIXED, SPACES, space_of, sweep_of
from tests.refusals import refused

#: Values that go together in part only: with each other, with the base, or with nothing.
POOL: dict[str, list[Any]] = {
    "device": ["rram", "sram", "stt-mram", "rram4", "pcm", "fefet6"],
    "chip.precision.bits_per_cell": [1, 2, 3, 4],
    "chip.precision.weight_bits": [4, 6, 8],
    "chip.precision.pad_top_slice": [False, True],
    "chip.precision.encoding": ["offset", "differential"],
    "chip.crossbar.cols": [8, 16, 20, 96, 128],
    "chip.crossbar.mux_ratio": [3, 5, 8, 16],
    "chip.adc.model": ["circuit", "isaac"],
    "chip.adc.bits": [4, 5, 8],
    "chip.programming.policy": ["none", "all", "tsb"],
    "device.max_bits_per_cell": [1, 2, 4],
    "device.sigma": [0.05, 0.4, 0.9],
    "device.stuck_on_rate": [0.1, 0.6],
    "device.stuck_off_rate": [0.3, 0.5],
    "device.spread_reference": ["range", "maximum"],
}


@st.composite
def pooled(draw: st.DrawFn) -> tuple[dict[str, list[Any]], str, list[str]]:
    """A few axes with a few values each, a device and settings of the base."""
    paths = draw(st.lists(st.sampled_from(list(POOL)), min_size=1, max_size=4, unique=True))
    axes = {
        path: draw(st.lists(st.sampled_from(POOL[path]), min_size=1, max_size=3, unique=True))
        for path in paths
    }
    device = draw(st.sampled_from(POOL["device"][:4]))
    bits = draw(st.sampled_from([1, 2]))
    return axes, device, [f"chip.precision.bits_per_cell={bits}"]


def resolves(space: Space, point: int) -> DesignBatch | None:
    try:
        resolved, design, _ = space.resolve(space.settings(point))
        return DesignBatch.from_resolved(resolved, design)
    except ConfigError:
        return None


def assert_left_out_exactly_if_refused(
    axes: dict[str, Any], device: str, base_settings: list[str]
) -> None:
    """A sweep has the points that resolve one by one, with the same designs; or is refused."""
    space = space_of(axes, device=device, set=base_settings)
    alone = {point: resolves(space, point) for point in range(space.grid.size)}
    base, problem = None, None
    try:
        base = space.base(())
    except ConfigError as error:
        problem = error.problems[0]
    if base is None:
        # As a whole: an axis without effect, or some value of some axis is allowed nowhere.
        allowed = [space.grid.digits(point) for point, one in alone.items() if one is not None]
        seen = [len(set(values)) for values in zip(*allowed, strict=True)]
        is_idle = problem is not None and problem.code is Code.UNSUPPORTED
        assert is_idle or seen != list(space.grid.shape), problem
        return
    for point, one in alone.items():
        box = box_of(space, point)
        _, design, table = space.design(box)
        wrong = broken(table, layers=len(base.table)) | space.not_settable(box)
        assert (one is None) == bool(wrong), (space.settings(point), wrong)
        if one is not None:
            assert differences(one, design) == [], space.settings(point)


@pytest.mark.slow
@given(pooled())
@settings(max_examples=60)
def test_a_combination_is_left_out_exactly_if_no_configuration_allows_it(
    drawn: tuple[dict[str, list[Any]], str, list[str]],
) -> None:
    assert_left_out_exactly_if_refused(*drawn)


#: Every setting of the schema that an axis may have beside those of the technology, which are
#: resolved for each of their combinations anyway.
PATHS = {
    path: entry
    for path, entry in schema_fields(Resolved).items()
    if entry.kind not in ("block", "list", "text") and not path.startswith("technology.")
}


def values_at(path: str) -> st.SearchStrategy[Any]:
    """Values of a setting, some of which it may not have."""
    entry = PATHS[path]
    null = [None] if entry.nullable else []
    if entry.choices:
        return st.sampled_from([*entry.choices])
    if entry.kind == "flag":
        return st.booleans()
    found = look_up(resolve(chip="rram-22nm-neurosim"), path)
    if isinstance(found, Quantity):
        near = [found.value, found.value * 2, found.value / 2, 0.5]
        return st.sampled_from([*near, *null])
    whole = found or 1
    return st.sampled_from([whole, whole + 1, 2 * whole, whole // 2, *null])


@st.composite
def of_any_paths(draw: st.DrawFn) -> tuple[dict[str, list[Any]], str, list[str]]:
    """Axes of any settings and of files, a device and no settings of the base."""
    paths = draw(st.lists(st.sampled_from(list(PATHS)), min_size=1, max_size=2, unique=True))
    below = [path for path in PATHS if path.startswith("device.")]
    paths = [*dict.fromkeys([*paths, draw(st.sampled_from(below))])]
    axes = {
        path: draw(st.lists(values_at(path), min_size=1, max_size=2, unique=True)) for path in paths
    }
    files = {
        "device": ["rram", "sram", "pcm", "stt-mram"],
        "chip.off_chip.memory": ["lpddr4", "hbm2"],
        "design": ["none", "common"],
    }
    for name in draw(st.lists(st.sampled_from(list(files)), max_size=2, unique=True)):
        axes[name] = draw(
            st.lists(st.sampled_from(files[name]), min_size=1, max_size=2, unique=True)
        )
    device = draw(st.sampled_from(files["device"]))
    return axes, device, ["chip.precision.bits_per_cell=1"]


@pytest.mark.slow
@given(of_any_paths())
@settings(max_examples=120)
def test_every_setting_is_written_as_resolving_it_would(
    drawn: tuple[dict[str, list[Any]], str, list[str]],
) -> None:
    assert_left_out_exactly_if_refused(*drawn)


@pytest.mark.parametrize("name", SPACES)
def test_pairs_of_values_are_as_resolved(name: str) -> None:
    axes, keys = SPACES[name]
    space = space_of(axes, **keys)
    assert_as_resolved(space, telling_points(space, 64))


@pytest.mark.parametrize("name", preset_names("sweep"))
def test_pairs_of_values_of_shipped_sweeps_are_as_resolved(name: str) -> None:
    space = Space(load_sweep(name, network="lenet3"))
    assert_as_resolved(space, telling_points(space, 32))


def test_a_write_that_is_wrong_is_found() -> None:
    space = space_of(MIXED)
    points = telling_points(space, 64)
    assert_as_resolved(space, points)
    (write,) = (own for own in space.base((1,)).writes if own.axis == "chip.adc.bits")
    write.columns["chip.crossbar.rows"] = torch.tensor([64.0, 64.0, 65.0], dtype=torch.float64)
    with pytest.raises(AssertionError):
        assert_as_resolved(space, points)


def test_the_schema_leaves_what_several_settings_decide_to_the_rules() -> None:
    """A value that is written directly is checked by the block around it and nothing else."""
    for path, entry in schema_fields(Resolved).items():
        if entry.kind == "block":
            value = look_up(resolve(chip="rram-22nm-neurosim"), path)
            block = type(
                look_up(resolve(chip="rram-22nm-neurosim", device="pcm"), path)
                if value is None
                else value
            )
            assert not block.__pydantic_decorators__.model_validators, path


def test_a_device_without_a_noise_of_its_own_for_verify_reads_takes_that_of_any_read() -> None:
    space = space_of({"device": ["rram", "pcm"], "device.read_noise_sigma": [0.01, 0.05]})
    assert_as_resolved(space, range(space.grid.size))
    _, design, _ = space.design(Box((slice(0, 2), slice(0, 2))))
    assert design.verify_noise.flatten().tolist() == [0.01, 0.05, 0.0084, 0.0084]  # pcm has its own


def test_devices_with_other_units_are_refused(tmp_path: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: rram\nr_on: {value: 50000, unit: ohm, source: mine}\n")
    axes: dict[str, Any] = {"device": ["rram", str(file)], "device.r_on": [50, 100]}
    with refused(ConfigError, code="conflict", field="sweep.axes", value="device.r_on"):
        Job(sweep_of(axes)).plan()
    axes["device.r_on"] = {"values": [50, 100], "when": "device == rram"}
    assert Job(sweep_of(axes)).plan().points == 3


def test_a_limit_that_a_slower_pulse_keeps_is_one_of_the_sweep() -> None:
    """A cell takes 0.6 pJ a pulse: 60 uW in 10 ns, and 30 uW in 20 ns."""
    limit = "chip.programming.max_power={value: 10, unit: mW, source: test}"
    space = space_of({"chip.programming.max_power": [0.04, 10], "device.pulse_width": [20, 10]})
    facts: dict[str, Any] = {"code": "missing-key", "field": "chip.programming.max_power"}
    with refused(ConfigError, **facts, value=0.04, allowed=["unit:", "source:"]):
        space.base(())
    space = space_of(
        {"chip.programming.max_power": [0.04, 10], "device.pulse_width": [20, 10]}, set=[limit]
    )
    rows = box_rows(space, Box((slice(0, 2), slice(0, 2))))
    assert rows.table["point"].to_pylist() == [0, 2, 3]
    assert list(rows.forbidden.values()) == [1]


def test_a_device_needs_its_resistances_in_a_sweep_too() -> None:
    axes = {"device": ["sram", "rram"], "device.memory": ["sram", "rram"]}
    space = space_of(axes, set=["chip.precision.bits_per_cell=1"])
    rows = box_rows(space, Box((slice(0, 2), slice(0, 2))))
    # Without resistances it is no RRAM, and one with access transistors no SRAM.
    assert rows.table["point"].to_pylist() == [0, 3]
    assert resolves(space, 1) is None
    assert resolves(space, 2) is None


def test_a_value_that_a_device_does_not_have_is_refused() -> None:
    axes: dict[str, Any] = {"device": ["rram", "sram"], "device.write_verify.max_pulses": [5, 10]}
    keys: dict[str, Any] = {"set": ["chip.precision.bits_per_cell=1"]}
    facts: dict[str, Any] = {"code": "unknown-key", "field": "device.write_verify.max_pulses"}
    with refused(ConfigError, **facts, value="max_pulses", says=["sram,", "where,", "(when)"]):
        Job(sweep_of(axes, **keys)).plan()
    axes["device.write_verify.max_pulses"] = {"values": [5, 10], "when": "device != sram"}
    assert Job(sweep_of(axes, **keys)).plan().points == 3


@pytest.mark.parametrize(
    ("axes", "base_settings"),
    [
        ({"device.r_on.value": [50, 60], "chip.adc.bits": [5, 6]}, []),
        ({"device.r_on.unit": ["kohm", "ohm"], "chip.adc.bits": [5, 6]}, []),
        ({"device.write_verify": [None], "device": ["rram", "pcm"]}, []),
        (
            {
                "device": ["rram", "pcm"],
                "device.write_verify": {"values": [None], "when": "device == pcm"},
                "chip.programming.policy": ["none", "all"],
            },
            [],
        ),
        ({"device": ["rram", "stt-mram"], "chip.precision.bits_per_cell": [1, 4]}, []),
        ({"chip.off_chip.memory": ["lpddr4", "hbm2"], "memory.bandwidth": [1, 2]}, []),
        (
            {
                "design": ["none", "common"],
                "chip.precision.bits_per_cell": {"values": [1, 3], "when": "design == none"},
            },
            ["chip.precision.weight_bits=6", "chip.precision.bits_per_cell=4"],
        ),
    ],
)
def test_unusual_axes(axes: dict[str, Any], base_settings: list[str]) -> None:
    space = space_of(axes, set=base_settings)
    every = Box(tuple(slice(0, len(axis)) for axis in space.grid.axes))
    kept = space.grid.kept(every, space.grid.tables(every)).reshape(-1)
    assert kept.any()
    for point in range(space.grid.size):
        if kept[point]:
            box = box_of(space, point)
            one, (base, design, table) = resolves(space, point), space.design(box)
            wrong = broken(table, layers=len(base.table)) | space.not_settable(box)
            assert (one is None) == bool(wrong), space.settings(point)
            assert one is None or differences(one, design) == [], space.settings(point)


def test_a_unit_and_a_device_act_on_each_other() -> None:
    space = space_of({"device": ["rram", "pcm"], "device.r_on.unit": ["kohm", "ohm"]})
    both = ("device.r_on.unit", "device")
    with refused(ConfigError, code="conflict", field="sweep.axes", value=both):
        space.base(())


def test_a_block_that_a_chip_leaves_out_has_no_settings(tmp_path: Any) -> None:
    """As with --set: a default is not written there to be changed."""
    document = {**load_preset("chip", "rram-22nm")}
    document.pop("digital", None)
    file = tmp_path / "chip.yaml"
    file.write_text(yaml.safe_dump(document))
    space = space_of({"chip.digital.mac_units": [256, 512]}, chip=str(file))
    assert resolves(space, 0) is None
    with refused(ConfigError, code="unknown-key", field="chip.digital", value="digital"):
        space.base(())


def test_a_value_that_nothing_allows_is_refused_and_not_left_out() -> None:
    axes: dict[str, Any] = {"chip.precision.bits_per_cell": [1, 3], "chip.adc.bits": [5, 6]}
    facts: dict[str, Any] = {"code": "conflict", "field": "chip.precision.bits_per_cell"}
    with refused(ConfigError, **facts, value=3, allowed="[1, 2, 4, 8]"):
        space_of(axes).base(())
    axes["chip.precision.weight_bits"] = [6, 8]
    space_of(axes).base(())
