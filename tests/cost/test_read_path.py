"""Laws and by-hand cases of the read path: planes, passes, groups of rows, pairs, dummy columns."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from archsim.cost.activity import plane_probability
from archsim.network import from_graph, load_network
from archsim.network.insertion import InsertionPoint
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price

STD = 0.25


def above(x: float) -> float:
    """P(N(0, STD) > x)."""
    return 0.5 * math.erfc(x / STD / math.sqrt(2))


def planes(*settings: str, signed: bool, first: bool = False, padding: float = 0.0) -> list[float]:
    """P(bit = 1) of one layer, most significant first."""
    one = torch.ones(1, dtype=torch.float64)
    found: Tensor = plane_probability(
        design=make_design(*settings),
        is_first=one * first,
        is_signed=torch.tensor([signed]),
        padding_share=one * padding,
    )
    return [float(value) for value in found[0]]


BITS = "chip.precision.input_bits="


# --- planes ---------------------------------------------------------------------------------------


def test_one_bit_of_rectified_inputs_can_be_on() -> None:
    """Code round(2 x), at most 1: on above a quarter."""
    assert planes(BITS + "1", signed=False) == [near(above(0.25))]


def test_two_bits_of_rectified_inputs() -> None:
    """Code round(4 x), at most 3: 1 from 1/8, 2 from 3/8, 3 from 5/8."""
    edges = [above(edge) for edge in (1 / 8, 3 / 8, 5 / 8)]
    expected = [near(edges[1]), near(edges[0] - edges[1] + edges[2])]
    assert planes(BITS + "2", signed=False) == expected


def test_zero_point_codes_of_signed_inputs() -> None:
    """Code round(2 x) + 2 from -2 to 1: 1 up to -1/4, 2 up to 1/4, 0 below -3/4."""
    top = 1 - above(0.25)
    low = above(0.25) + (above(0.25) - above(0.75))
    assert planes(BITS + "2", signed=True) == [near(top), near(low)]


def test_padding_of_zero_point_inputs_has_the_code_of_zero() -> None:
    plain, padded = (planes(BITS + "4", signed=True, padding=p) for p in (0.0, 0.25))
    assert padded[0] == near(0.75 * plain[0] + 0.25)
    assert padded[1:] == [near(0.75 * value) for value in plain[1:]]


def test_twos_complement_has_a_sign_plane_that_is_on() -> None:
    """Of two bits: negative below -1/4 in steps of 1/2; the other bit is odd codes."""
    found = planes(BITS + "2", "chip.read.signed_inputs=sign-plane", signed=True)
    assert found == [near(above(0.25)), near(above(0.25) + above(0.25) - above(0.75))]


def test_either_pass_is_that_of_rectified_inputs() -> None:
    both = "chip.read.signed_inputs=two-pass"
    assert planes(BITS + "5", both, signed=True) == planes(BITS + "5", signed=False)
    uniform = planes(BITS + "3", both, signed=True, first=True)
    assert uniform == [0.25, 0.25, 0.25]


@pytest.mark.parametrize("how", ["zero-point", "two-pass", "sign-plane"])
def test_inputs_without_sign_have_no_sign_plane(how: str) -> None:
    found = planes(BITS + "8", f"chip.read.signed_inputs={how}", signed=False)
    assert found == planes(BITS + "8", signed=False)
    assert found[0] > 0
    assert planes(BITS + "8", signed=False, first=True) == [0.5] * 8


def test_the_idle_sign_plane_of_the_reference() -> None:
    found = planes(BITS + "3", "chip.read.idle_sign_plane=true", signed=False)
    assert found == [0.0, *planes(BITS + "2", signed=False)]


# --- monotone in bits -----------------------------------------------------------------------------


def totals(cost: CostBreakdown) -> dict[str, float]:
    """What must not fall with input bits."""
    return {
        "latency": float(cost.latency_s),
        "period": float(cost.period_s),
        "energy": float(cost.energy_J),
        "array": float(cost.energies_J["array"]),
        "adc": float(cost.energies_J["adc"]),
    }


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("chip.activity.hidden=dense", "chip.activity.first_layer=dense"),
        ("chip.buffers.kind=sram", "chip.timing.pipeline=false"),
        ("chip.read.signed_inputs=two-pass", "chip.interconnect.kind=h-tree"),
        ("chip.read.signed_inputs=sign-plane", "chip.crossbar.rows=64"),
    ],
    ids=lambda settings: "+".join(settings) or "default",
)
@pytest.mark.parametrize("network", ["lenet3", "vgg8"])
def test_time_and_energy_grow_with_input_bits(network: str, settings: tuple[str, ...]) -> None:
    table = from_graph(load_network(network))
    found = [
        totals(price(make_design(f"{BITS}{bits}", *settings), table)[1]) for bits in range(1, 17)
    ]
    for fewer, more in itertools.pairwise(found):
        for key, value in more.items():
            assert value >= fewer[key] * (1 - 1e-12), key
    assert found[0]["array"] > 0


# --- passes, groups, pairs, dummies ---------------------------------------------------------------

#: 128 inputs and 32 outputs of four cells: one crossbar, full; the other half full.
FULL, HALF = Conv(1, 128, 32), Conv(1, 64, 32)


def priced(*settings: str, layer: Conv = FULL, hidden: bool = True) -> CostBreakdown:
    """The last of two layers alone; the first one reads the network input."""
    layers = (Conv(1, 16, 128), layer) if hidden else (layer,)
    return price(make_design(*settings), make_table(*layers))[1]


def of_last(cost: CostBreakdown, component: str) -> tuple[float, float]:
    """Energy and cycles of the last layer."""
    energy = float(cost.layer_energies_J[component][-1])
    return energy, float(cost.layer_times_s["array"][-1] / cost.clock_s)


def test_two_passes_double_the_reads_of_signed_inputs_alone() -> None:
    one = "chip.read.signed_inputs=zero-point", "chip.read.signed_inputs=two-pass"
    for hidden, factor in ((True, 1.0), (False, 2.0)):
        plain, both = (priced(setting, hidden=hidden) for setting in one)
        assert of_last(both, "mux")[0] == near(factor * of_last(plain, "mux")[0])
        assert of_last(both, "mux")[1] == factor * of_last(plain, "mux")[1]
    # Half of the uniform bits are on in either pass, so the word lines swing as often.
    plain, both = (priced(setting, hidden=False) for setting in one)
    assert of_last(both, "array")[0] == near(of_last(plain, "array")[0])


def test_by_layer_reads_hidden_inputs_twice_and_the_networks_own_once() -> None:
    rule, alike = "chip.read.signed_inputs=by-layer", ("zero-point", "two-pass")
    own, hidden = (f"chip.read.signed_inputs={each}" for each in alike)
    assert planes(rule, signed=True, first=True) == planes(own, signed=True, first=True)
    assert planes(rule, signed=True) == planes(hidden, signed=True)
    assert planes(rule, signed=False) == planes(own, signed=False)
    assert of_last(priced(rule, hidden=False), "mux") == of_last(priced(own, hidden=False), "mux")
    table = make_table(Conv(1, 16, 128))
    points = (InsertionPoint(name="layer0", after="layer0", channels=16, height=1, width=1),)
    reads = {}
    for how in (*alike, "by-layer"):
        design = make_design(
            f"chip.read.signed_inputs={how}", "chip.activity.first_layer=uniform", design="common"
        )
        reads[how] = price(design, table, points)[1].layer_energies_J["mux"].tolist()
    first, last = reads["by-layer"]
    assert first == near(reads["zero-point"][0])
    assert last == near(reads["two-pass"][1]) == near(2 * reads["zero-point"][1])


@pytest.mark.parametrize("rows", [128, 64, 48, 1])
def test_rows_read_at_once_multiply_reads(rows: int) -> None:
    plain, grouped = priced(), priced(f"chip.read.rows_at_once={rows}")
    assert of_last(grouped, "mux")[1] == math.ceil(128 / rows) * of_last(plain, "mux")[1]
    # Each row is driven once, whatever its group.
    assert of_last(grouped, "array")[0] == near(of_last(plain, "array")[0])


def test_all_rows_at_once_is_null() -> None:
    plain, same = priced(), priced("chip.read.rows_at_once=128")
    assert float(plain.energy_J) == float(same.energy_J)
    assert float(plain.area_m2) == float(same.area_m2)


def test_conversions_of_groups_by_hand() -> None:
    """A published converter takes as much for every conversion: planes x groups x columns.

    Groups of a half-empty crossbar are converted too.
    """
    andrulis = "chip.adc.model=andrulis2024"
    for layer in (FULL, HALF):
        one = of_last(priced(andrulis, layer=layer), "adc")[0]
        four = of_last(priced(andrulis, "chip.read.rows_at_once=32", layer=layer), "adc")[0]
        assert four == near(4 * one)


def test_empty_groups_cost_what_an_empty_column_does() -> None:
    """SAR, dense inputs: the second group of a half-full crossbar finds no row on."""
    settings = ("chip.adc.kind=sar", "chip.activity.hidden=dense")
    half = of_last(priced(*settings, layer=HALF), "adc")[0]
    two = of_last(priced(*settings, "chip.read.rows_at_once=64", layer=HALF), "adc")[0]
    # 8 planes of 128 columns, 6 decisions of 1 ns, 1 uW.
    assert two - half == near(8 * 128 * 6e-9 * 1e-6)


@pytest.mark.parametrize("encoding", ["differential", "separate-sign"])
def test_analog_pairs_halve_conversions_and_turns(encoding: str) -> None:
    pairs = (f"chip.precision.encoding={encoding}", "chip.adc.model=andrulis2024")
    digital, analog = priced(*pairs), priced(*pairs, "chip.read.pair=analog")
    energy, cycles = of_last(digital, "adc")
    half, half_cycles = of_last(analog, "adc")
    assert half == near(energy / 2)
    assert half_cycles == cycles / 2
    assert of_last(analog, "mux")[0] == near(of_last(digital, "mux")[0] / 2)


@pytest.mark.parametrize(
    ("how", "columns", "conversions"),
    [("off-column", 1, 1), ("zero-column", 4, 4), ("analog", 1, 0)],
)
def test_dummy_columns(how: str, columns: int, conversions: int) -> None:
    andrulis = "chip.adc.model=andrulis2024"
    plain, dummy = priced(andrulis), priced(andrulis, f"chip.read.offset_subtraction={how}")
    found = float(dummy.areas_m2["array"] / plain.areas_m2["array"])
    assert found == near((128 + columns) / 128)
    energy, cycles = of_last(plain, "adc")
    with_dummies, more_cycles = of_last(dummy, "adc")
    assert with_dummies == near(energy * (128 + conversions) / 128)
    # At most one further turn of an ADC: there are 16 of 8 columns.
    assert more_cycles == cycles * (9 if conversions else 8) / 8
    # Word lines swing at every turn, and cross the dummies too.
    swung = of_last(dummy, "array")[0] / of_last(plain, "array")[0]
    assert swung == near(more_cycles / cycles * (128 + columns) / 128)
