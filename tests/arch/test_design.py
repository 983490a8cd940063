"""Unit: designs as tensors: paths, batches, and no parameter without an effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from archsim.arch.design import ADC_KINDS, MEMORIES, DesignBatch
from archsim.arch.parameters import Parameter, quantity_at
from archsim.arch.technology import LIST_FIELDS, Technology
from archsim.config.choices import PLACEMENTS
from archsim.config.load import preset_names
from archsim.config.resolve import Resolved, resolve
from archsim.config.sourced import Quantity
from archsim.errors import ConfigError
from tests.designs import (
    Conv,
    make_design,
    make_table,
    near,
    points_after,
    price,
    technology,
    tensors_of,
)
from tests.refusals import refused

PARAMETERS = DesignBatch.parameters()


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARAMETERS)
def test_path_leads_to_a_key_of_the_schema(name: str) -> None:
    path = PARAMETERS[name].path
    if path == "design":
        return
    node: object = resolve()
    for key in path.split("."):
        assert key in type(node).model_fields, path  # type: ignore[attr-defined]
        node = getattr(node, key)


def test_paths_are_unique() -> None:
    paths = [entry.path for entry in PARAMETERS.values()]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("name", PARAMETERS)
def test_choices_are_those_of_the_schema(name: str) -> None:
    """Every choice of a parameter is accepted at its path, and gives its own code."""
    entry = PARAMETERS[name]
    if not entry.choices or entry.path in ("design", "device.memory"):
        return
    for code, choice in enumerate(entry.choices):
        overrides = [f"{entry.path}={choice}"]
        if entry.path == "device.write_law":  # what the other laws do not read is null
            null = (
                "write_energy",
                "write_current",
                "v_reset",
                "reset_current",
                "write_capacitance",
            )
            mine = {"constant": "write_energy", "capacitive": "write_capacitance"}.get(choice)
            unit = "pJ" if mine == "write_energy" else "fF"
            given = f"{{value: 1, unit: {unit}, source: test}}"
            overrides += [f"device.{key}={given if key == mine else 'null'}" for key in null]
        if choice == "isaac":
            overrides.append("chip.adc.bits=8")
        if entry.path == "chip.read.pair":
            overrides.append("chip.precision.encoding=differential")
        silicon_kinds = ("ramp", "oscillator")
        if choice in (*silicon_kinds, "charge-sum", "charge-redistribution", "time-domain"):
            needed = ["chip.cost_model=silicon", "chip.adc.kind=sar"]
            overrides += needed[: 1 + (choice not in silicon_kinds)]
        if choice == "charge-redistribution":  # cells with capacitors
            overrides += ["chip.device=sram", "chip.precision.bits_per_cell=1"]
        if choice == "digital" and name == "sensing":
            with pytest.raises(ConfigError, match="priced by archsim macro alone"):
                make_design(*overrides)
            continue
        found = getattr(make_design(*overrides), name)
        assert int(found) == code, choice


def test_memories_have_presets() -> None:
    found = {resolve_device(name).device.memory for name in preset_names("device")}
    assert found == set(MEMORIES)


def resolve_device(name: str) -> Resolved:
    return resolve(device=name, overrides=["chip.precision.bits_per_cell=1"])


def test_kinds_have_their_types() -> None:
    types = {"continuous": torch.float64, "integer": torch.float64}
    types |= {"choice": torch.int64, "flag": torch.bool}
    design = make_design()
    for name, entry in PARAMETERS.items():
        tensor = getattr(design, name)
        assert tensor.dtype == types[entry.kind], name
        assert tensor.shape == (), name


def test_si_inside() -> None:
    design = make_design()
    assert float(design.r_on_ohm) == 100e3
    assert float(design.pulse_width_s) == 10e-9
    assert float(design.adc_empty_power_W) == near(1e-6)
    assert float(design.write_energy_J) == near(0.6e-12)
    assert float(design.technology.node_m) == near(22e-9)
    assert float(design.technology.vdd_V) == 0.85


def test_absent_values_take_the_default_of_the_parameter() -> None:
    design = make_design(device="sram")
    assert float(design.max_pulses) == 1
    assert float(design.write_tolerance) == 1
    assert float(make_design().max_tiles) == 1e12
    assert float(design.v_read_V) == float(design.technology.v_read_V)
    own = make_design("chip.read.voltage={value: 300, unit: mV, source: lab}")
    assert float(own.v_read_V) == near(0.3)


def test_unknown_placement() -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "design", "value": "comon"}
    with refused(ConfigError, **facts, allowed=["none", "separate"], nearest="common"):
        make_design(design="comon")


def test_constants_can_be_looked_up() -> None:
    resolved = resolve()
    found = quantity_at(resolved, "device.r_on")
    assert isinstance(found, Quantity)
    assert found.si == 1e5
    for path in ("design", "chip.adc.bits", "chip.read.voltage"):
        assert quantity_at(resolved, path) is None


# --- batches --------------------------------------------------------------------------------------


def test_stack_then_index_gives_every_design_back() -> None:
    designs = [
        make_design(),
        make_design("chip.adc.bits=7", node="45nm-lstp", design="common"),
        make_design("tsb.channels=8", node="7nm-lstp", device="fefet", chip="neurosim-v1.4"),
        make_design(device="sram", design="separate"),
    ]
    batch = DesignBatch.stack(designs)
    assert batch.batch_shape == (4,)
    for row, design in enumerate(designs):
        expected = dict(tensors_of(design))
        for name, tensor in tensors_of(batch.index(row)):
            assert torch.equal(tensor, expected[name]), name


def test_stack_keeps_equal_fields_scalar() -> None:
    batch = DesignBatch.stack([make_design(), make_design("chip.adc.bits=7")])
    assert batch.adc_bits.tolist() == [5, 7]
    assert batch.rows.shape == ()
    assert batch.technology.node_m.shape == ()
    same = DesignBatch.stack([make_design(), make_design()])
    assert same.batch_shape == ()


def test_index_takes_chunks() -> None:
    bits = torch.arange(3.0, 9.0, dtype=torch.float64)
    batch = make_design().replace(adc_bits=bits)
    chunk = batch.index(slice(2, 4))
    assert chunk.adc_bits.tolist() == [5, 6]
    assert chunk.batch_shape == (2,)
    assert batch.index(5).adc_bits.shape == ()


def test_replace_converts_numbers_and_leaves_the_original_alone() -> None:
    base = make_design()
    changed = base.replace(adc_bits=7, pipeline=False, placement=PLACEMENTS.index("common"))
    assert changed.adc_bits.dtype == torch.float64
    assert changed.pipeline.dtype == torch.bool
    assert changed.placement.dtype == torch.int64
    assert float(base.adc_bits) == 5
    with pytest.raises((TypeError, AttributeError)):
        base.replace(adc_bit=7)


def test_fields_broadcast_to_the_batch_shape() -> None:
    batch = make_design().replace(
        adc_bits=torch.ones(3, 1, dtype=torch.float64), rows=torch.ones(2, dtype=torch.float64)
    )
    assert batch.batch_shape == (3, 2)


def test_derived_numbers() -> None:
    design = make_design("chip.precision.bits_per_cell=2", "chip.adc.bits=6")
    assert float(design.adc_levels) == 64
    assert float(design.weight_slices) == 4
    assert float(design.columns_per_weight) == 4
    differential = make_design("chip.precision.encoding=differential")
    assert float(differential.columns_per_weight) == 8
    padded = make_design("chip.precision.pad_top_slice=true", "chip.precision.bits_per_cell=3")
    assert float(padded.weight_slices) == 3  # ceil(8 / 3)
    # SRAM stores one bit, whatever a batch says.
    sram = make_design(device="sram").replace(bits_per_cell=4)
    assert float(sram.cell_bits) == 1
    assert float(sram.weight_slices) == 8
    assert bool(sram.is_sram)
    assert not bool(design.is_sram)


# --- technologies ---------------------------------------------------------------------------------


def test_technologies_stack_gather_and_index() -> None:
    members = [technology(name) for name in ("65nm-lstp", "22nm-lstp", "7nm-lstp")]
    stacked = Technology.stack(members)
    picked = stacked.gather(torch.tensor([2, 0, 2]))
    assert picked.is_finfet.tolist() == [True, False, True]
    for row, member in enumerate((members[2], members[0], members[2])):
        expected = dict(tensors_of(member))
        for name, tensor in tensors_of(picked.index(row)):
            assert torch.equal(tensor, expected[name]), name
    assert members[0].index(0) is members[0]


def test_lists_of_a_technology() -> None:
    tech = technology("22nm-lstp")
    for name, tensor in tensors_of(tech):
        assert tensor.dim() == (name[1:] in LIST_FIELDS), name


@pytest.mark.parametrize("name", preset_names("technology"))
def test_constants_of_a_node_are_plausible(name: str) -> None:
    tech = technology(name)
    assert float(tech.node_m) == near(float(name.partition("nm")[0]) * 1e-9)
    assert 0.5 < float(tech.vdd_V) < 1.5
    assert float(tech.i_on_n_A_per_m) > 1e3 * float(tech.i_off_n_A_per_m)
    assert float(tech.metal0_width_m) >= float(tech.node_m)
    resistances = tech.wire_resistance_ohm_per_m.tolist()
    assert resistances == sorted(resistances, reverse=True), "wider wires resist less"


# --- no dead parameters ---------------------------------------------------------------------------

_LAYERS = (
    Conv(16, 3, 24, kernel=3, padding=1, pool=True),
    Conv(8, 24, 60, kernel=3, padding=1),
    Conv(8, 60, 60, kernel=3, stride=2, padding=1, pool=True),
    Conv(2, 60, 150, kernel=2),
    Conv(1, 150, 300, digital=1e4),
    Conv(1, 300, 10),
)


def contexts() -> Iterator[tuple[str, DesignBatch]]:
    """Designs between them using everything there is."""
    small = ("chip.crossbar.rows=32", "chip.crossbar.cols=32")
    verify = "chip.programming.policy=all"
    yield "common", make_design(verify, "tsb.channels=8", "tsb.copies=1", *small, design="common")
    yield "separate", make_design("tsb.channels=8", *small, design="separate")
    yield "reference", make_design(*small, chip="neurosim-v1.4", design="separate")
    yield "tree", make_design("chip.interconnect.kind=h-tree", *small, verify)
    yield (
        "matrix",
        make_design("chip.hierarchy.kernel_per_pe=false", *small, chip="neurosim-v1.4"),
    )
    yield "sar", make_design("chip.adc.kind=sar", *small, device="pcm", node="45nm-lstp")
    yield "one bit", make_design("chip.precision.bits_per_cell=1", "chip.crossbar.mux_ratio=4")
    yield (
        "copies",
        make_design(
            "chip.hierarchy.copies=8",
            "chip.hierarchy.kernel_per_pe=false",
            "chip.crossbar.rows=64",
            "chip.crossbar.cols=64",
            chip="neurosim-v1.4",
        ),
    )
    yield "refused", make_design("chip.crossbar.rows=1024", chip="neurosim-v1.4")
    for policy in ("last-layers", "fraction"):
        yield policy, make_design(f"chip.programming.policy={policy}")
    yield "two spreads", make_design(verify, device="rram4")
    yield "capacitive", make_design(verify, device="fefet")
    one_bit = "chip.precision.bits_per_cell=1"
    yield "redraw", make_design(verify, one_bit, "device.sigma=0.35", device="stt-mram")
    # Two rows at a time, and numbers for every channel.
    limit = "chip.programming.max_power={value: 16, unit: mW, source: assumed}"
    yield (
        "limited",
        make_design(
            limit,
            "chip.programming.parallel_subarrays=8",
            "chip.correction.kind=scale-and-bias",
            "chip.correction.layers=all",
        ),
    )
    silicon = ("chip.cost_model=silicon", "chip.buffers.kind=sram-macro")
    # Cores above what stays a register file, and slower than the clock.
    cores = ("chip.buffers.register_limit=1000", "chip.buffers.global_core=65536")
    yield "silicon", make_design(*silicon, *cores)
    yield "silicon SRAM", make_design(*silicon, "chip.read.sensing=charge-sum", device="sram")
    known = {
        "read.sense_time": "{value: 2, unit: ns, source: assumed}",
        "read.cell_current": "{value: 1, unit: uA, source: assumed}",
        "read.cell_supply": "{value: 0.5, unit: V, source: assumed}",
        "adc.energy": "{value: 20, unit: fJ, source: assumed}",
        "timing.read_cycle": "{value: 5, unit: ns, source: assumed}",
        "timing.clock": "{value: 2, unit: ns, source: assumed}",
        "read.activity": "0.3",
    }
    settings = (f"chip.{path}={value}" for path, value in known.items())
    yield "known", make_design("chip.cost_model=silicon", *settings)
    for when in ("reload", "multi-chip"):
        yield (
            when,
            make_design(
                f"chip.off_chip.when_full={when}",
                "chip.hierarchy.max_tiles=2",
                "chip.off_chip.images_per_reload=4",
                # Slower than the programming of the cells.
                "memory.bandwidth=0.001",
            ),
        )


def other_values(entry: Parameter, value: Tensor) -> Iterator[Tensor]:
    """Values that differ from the present one."""
    if entry.kind == "flag":
        yield ~value
    elif entry.kind == "choice":
        for code in range(len(entry.choices)):
            if code != int(value):
                yield torch.tensor(code)
    elif entry.kind == "integer" and float(value) == 0:
        yield torch.ones_like(value)
    elif float(value) == 0:
        yield torch.tensor(5e-9 if entry.path == "chip.timing.clock_floor" else 0.5).double()
    else:
        yield value * 2
        yield value / 2


#: Parameters that may be without effect, and why.
NO_EFFECT: dict[str, str] = {}


def outcome(design: DesignBatch, layers: Sequence[Conv] = _LAYERS) -> dict[str, Tensor]:
    table = make_table(*layers)
    with torch.no_grad():
        _, cost = price(design, table, points_after(*layers))
    return dict(tensors_of(cost))


@pytest.fixture(scope="module")
def baselines() -> list[tuple[str, DesignBatch, dict[str, Tensor]]]:
    return [(name, design, outcome(design)) for name, design in contexts()]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_changes_something(
    name: str, baselines: list[tuple[str, DesignBatch, dict[str, Tensor]]]
) -> None:
    entry = PARAMETERS[name]

    def has_effect() -> bool:
        for _, design, before in baselines:
            for value in other_values(entry, getattr(design, name)):
                after = outcome(design.replace(**{name: value}))
                if any(not torch.equal(after[key], before[key]) for key in before):
                    return True
        return False

    assert has_effect() is (name not in NO_EFFECT), NO_EFFECT.get(name, "a dead parameter")


def test_every_choice_of_a_kind_is_told_apart(
    baselines: list[tuple[str, DesignBatch, dict[str, Tensor]]],
) -> None:
    """No two ADC kinds, and no two memories, are the same circuit."""
    design = make_design(device="rram")
    # The last kinds of converters, ramps and oscillators, have no circuit.
    for name, count in (("adc_kind", ADC_KINDS.index("ramp")), ("memory", 3)):
        energies = [
            float(outcome(design.replace(**{name: torch.tensor(code)}))[".dynamic_energy_J"])
            for code in range(count)
        ]
        assert len(set(energies)) == count, name


def test_every_technology_constant_changes_something() -> None:
    """Planar and FinFET nodes between them, resistive cells and SRAM, all three ADC kinds."""
    small = ("chip.crossbar.rows=32", "chip.crossbar.cols=32")
    designs = [
        make_design(*small, device="rram"),
        make_design(*small, "chip.adc.kind=sar", device="rram", node="45nm-lstp"),
        make_design(*small, device="rram", node="22nm-hp"),
        make_design(*small, device="sram", node="14nm-lstp", chip="neurosim-v1.4"),
        make_design(*small, device="fefet", node="7nm-lstp"),
        # The three pieces of the flash time: low, middle and high column resistance.
        make_design("device.r_on=10", "device.r_off=100", "chip.crossbar.rows=256"),
        make_design("device.r_on=1000", "device.r_off=1e5", *small),
        # What the supply acts through.
        make_design(*small, "technology.vdd=0.7"),
    ]
    # v_read_V is the default of a design's own v_read_V, taken in from_resolved.
    names = [name for name in Technology.constant_names() if name != "v_read_V"]
    alive: set[str] = set()
    for design in designs:
        # Row i of the batch changes constant i; the last row changes nothing.
        changed = {}
        for row, name in enumerate(names):
            value = getattr(design.technology, name)
            scale = torch.ones(len(names) + 1, *[1] * value.dim(), dtype=torch.float64)
            # A limit between two pieces of a fit has to pass over the point that is evaluated.
            scale[row] = 1e6 if "breaks" in name else 1.5
            changed[name] = value * scale
        after = outcome(
            design.replace(technology=design.technology.replace(**changed)), _LAYERS[:3]
        )
        for tensor in after.values():
            if tensor.dim() and tensor.shape[0] == len(names) + 1:
                rows = tensor.reshape(len(names) + 1, -1)
                differs = (rows[:-1] != rows[-1]).any(-1).tolist()
                alive |= {name for name, moved in zip(names, differs, strict=True) if moved}
    assert set(names) - alive == set()
