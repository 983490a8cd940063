"""The registry of effects: what entries declare, and that each acts where it says."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from archsim.config.load import Setting
from archsim.config.lookup import schema_fields
from archsim.config.resolve import Resolved, resolve
from archsim.device import ReadNoise
from archsim.errors import ConfigError
from tests.refusals import refused
from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import (
    example,
    matrix_read,
    sum_by_sum,
)
from tsb.read_path.effects.base import BACK_ENDS, STAGES, Effect, Floats, ReadPlace
from tsb.read_path.effects.iv_curve import parsed
from tsb.read_path.effects.registry import EFFECTS, acting, check_back_end
from tsb.read_path.read_noise import Noise
from tsb.read_path.settings import ReadSettings, Wires

_TABLE = (0.0, 0.1, 0.2, 0.5, 1.0)
#: Settings that make each effect act, of those that read cells.
ACTS: dict[str, dict[str, Any]] = {
    "iv-curve": {"dac_bits": 2, "iv_curve": "cubic: 0.25"},
    "off-current": {"on_off_ratio": 16.3},
    "wires-driven": {"wires": Wires(model="driven", ohm_per_cell=5.0)},
    "wires-gated": {"wires": Wires(model="gated", ohm_per_cell=500.0)},
    "read-noise": {"read_noise": 0.2},
    "read-noise-law": {
        "read_noise": 0.2,
        "read_noise_law": ReadNoise(
            sigma=0.1, off=0.04, read_time_s=250e-9, exponent=0.65, most=0.2
        ),
    },
    "adc-offset": {"offset_lsb": 1.0},
    "adc-noise": {"noise_lsb": 1.0},
    "adc-rounding": {"bits": 3},
    "adc-levels": {"levels": _TABLE},
    "adc-batch-range": {"bits": 5, "range": "neurosim-v1.4"},
    "middle-column": {"bits": 3, "offset_subtraction": "middle-column"},
}
_WRITTEN = {"programming-error", "stuck-cells", "drift"}


def test_entries_declare_what_they_are() -> None:
    names = [effect.name for effect in EFFECTS]
    assert len(set(names)) == len(names)
    assert set(names) == set(ACTS) | _WRITTEN
    assert [STAGES.index(effect.acts_on) for effect in EFFECTS] == sorted(
        STAGES.index(effect.acts_on) for effect in EFFECTS
    )
    known = {path.partition("chip.")[2] or path for path in schema_fields(Resolved)}
    for effect in EFFECTS:
        assert effect.description
        assert set(effect.back_ends) <= set(BACK_ENDS)
        assert "exact" in effect.back_ends
        for key in effect.settings:
            assert any(path == key or path.startswith(f"{key}.") for path in known), key


@pytest.mark.parametrize("effect", [one for one in EFFECTS if one.name in ACTS],
                         ids=lambda one: one.name)  # fmt: skip
def test_an_effect_acts_where_it_is_set_and_changes_what_is_read(effect: Effect) -> None:
    plain = oracle.settings(bits=8, rows=16, dac_bits=ACTS[effect.name].get("dac_bits", 1))
    chip = oracle.settings(**{"bits": 8, "rows": 16, **ACTS[effect.name]})
    if effect.name == "adc-rounding":
        plain = oracle.settings(bits=0, rows=16)
    assert effect in acting(chip)
    assert effect not in acting(plain)
    codes, inputs = example(1, chip)
    if effect.name == "wires-driven":  # its cells are computed by the network
        return
    assert (matrix_read(codes, chip)(inputs, Noise(1)) != matrix_read(codes, plain)(inputs)).any()


@pytest.mark.parametrize("effect", [one for one in EFFECTS if one.name in ACTS],
                         ids=lambda one: one.name)  # fmt: skip
def test_a_back_end_that_cannot_do_it_says_so_by_name(effect: Effect) -> None:
    bits = 0 if effect.acts_on != "conversion" else 3
    chip = oracle.settings(**{"bits": bits, "rows": 16, **ACTS[effect.name]})
    check_back_end(chip, "exact")
    for back_end in set(BACK_ENDS) - set(effect.back_ends):
        with refused(
            ConfigError, code="unsupported", field="read_path", value=back_end, allowed="exact"
        ) as caught:
            check_back_end(chip, back_end)
        assert any(f"'{one.name}'" in str(caught.value) for one in acting(chip))


class _Doubled(Effect):
    name: ClassVar[str] = "doubled"
    description: ClassVar[str] = "sums twice as large"
    acts_on: ClassVar[str] = "sums"
    settings: ClassVar[tuple[str, ...]] = ()
    back_ends: ClassVar[tuple[str, ...]] = ("exact",)

    def acts(self, settings: ReadSettings) -> bool:
        return True

    def sums(self, at: ReadPlace, sums: Floats) -> Floats:
        return 2 * sums


@pytest.mark.parametrize("bits", [0, 10])
def test_a_new_effect_is_one_class(bits: int) -> None:
    plain = oracle.settings(encoding="differential", bits=bits, rows=16)
    codes, inputs = example(2, plain)
    chip = plain.but(effects=(_Doubled(),))
    np.testing.assert_allclose(matrix_read(codes, chip)(inputs), 2 * (inputs @ codes.astype(float)))
    with refused(
        ConfigError, code="unsupported", field="read_path", value="approximate", allowed="exact"
    ):
        check_back_end(chip, "approximate")


@pytest.mark.parametrize("curve", ["linear", "cubic: 0.25", "sinh: 2"])
def test_rows_are_driven_by_the_curve(curve: str) -> None:
    chip = oracle.settings(dac_bits=2, iv_curve=curve, bits=9, rows=16)
    codes, inputs = example(3, chip)
    drive = matrix_read(codes, chip).drive
    assert (drive[0], drive[3]) == (0.0, pytest.approx(3.0))
    share = parsed(curve)[1]
    third = {"linear": 1 / 3, "cubic": (1 / 3 - share / 27) / (1 - share),
             "sinh": np.sinh(share / 3) / np.sinh(share or 1)}[parsed(curve)[0]]  # fmt: skip
    assert drive[1] == pytest.approx(3 * third)
    middle = oracle.settings(dac_bits=1, iv_curve=curve, bits=9, rows=16)
    np.testing.assert_array_equal(
        matrix_read(codes, middle)(inputs), inputs.astype(np.int64) @ codes
    )
    conversion = matrix_read(codes, chip).group_conversions()[0]
    np.testing.assert_allclose(
        conversion.totals(inputs, None, 0),
        sum_by_sum(conversion, inputs, None, 0),
        atol=1e-6,
    )


@pytest.mark.parametrize("curve", ["cubic: 0.5", "sinh: 0", "sinh: -1", "cubic", "quartic: 1"])
def test_curves_that_are_none_are_refused(curve: str) -> None:
    with refused(
        ConfigError, code="out-of-range", field="read.iv_curve", value=curve, allowed="linear"
    ):
        oracle.settings(iv_curve=curve)


@pytest.mark.parametrize(
    ("changes", "code", "field", "value"),
    [
        ({"bits": 17}, "out-of-range", "adc.bits", 17),
        ({"bits": 5, "percentile": 50.0}, "out-of-range", "adc.percentile", 50.0),
        ({"bits": 5, "percentile": 100.5}, "out-of-range", "adc.percentile", 100.5),
        ({"bits": 5, "noise_lsb": -1.0}, "out-of-range", "adc.noise_lsb", -1.0),
        ({"bits": 5, "offset_lsb": float("inf")}, "out-of-range", "adc.offset_lsb", float("inf")),
        ({"bits": 5, "columns_per_converter": 0}, "out-of-range", "crossbar.mux_ratio", 0),
        ({"bits": 5, "range": "whole"}, "unknown-name", "adc.range", "whole"),
        ({"bits": 5, "levels": "even"}, "unknown-name", "adc.levels", "even"),
        ({"bits": 5, "levels": "lloyd-max"}, "conflict", "adc.range", "full-scale"),
        ({"bits": 2, "levels": _TABLE}, "out-of-range", "adc.levels", _TABLE),
        ({"rows": 0}, "out-of-range", "crossbar.rows", 0),
        ({"rows": 16, "rows_at_once": 17}, "out-of-range", "read.rows_at_once", 17),
        ({"dac_bits": 9}, "out-of-range", "read.dac_bits", 9),
        ({"input_bits": 17}, "out-of-range", "precision.input_bits", 17),
        ({"on_off_ratio": 1.0}, "out-of-range", "on_off_ratio", 1.0),
        ({"pair": "both"}, "unknown-name", "read.pair", "both"),
        ({"offset_subtraction": "no"}, "unknown-name", "read.offset_subtraction", "no"),
        ({"signed_inputs": "no"}, "unknown-name", "read.signed_inputs", "no"),
        ({"signed_inputs": "sign-plane", "dac_bits": 2}, "conflict", "read.dac_bits", 2),
        ({"read_noise": float("nan")}, "out-of-range", "device.read_noise_sigma", float("nan")),
        ({"input_percentile": 50.0}, "out-of-range", "read.input_percentile", 50.0),
    ],
)
def test_settings_that_cannot_be_read_are_refused(
    changes: dict[str, Any], code: str, field: str, value: object
) -> None:
    with refused(ConfigError, code=code, field=field, value=value):
        oracle.settings(**changes)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"model": "wifi"}, "unknown-name", "crossbar.wire_model"),
        ({"rows_at": "left"}, "unknown-name", "crossbar.rows_at"),
        ({"ohm_per_cell": -1.0}, "out-of-range", "crossbar.wire_ohm"),
        ({"r_on_ohm": 0.0}, "out-of-range", "device.r_on"),
        ({"columns": 0}, "out-of-range", "crossbar.cols"),
    ],
)
def test_wires_that_cannot_be_are_refused(changes: dict[str, Any], code: str, field: str) -> None:
    with refused(ConfigError, code=code, field=field, value=next(iter(changes.values()))):
        Wires(**changes)


def test_pairs_that_are_subtracted_need_two_bits() -> None:
    chip = oracle.settings(encoding="differential", pair="analog", bits=1)
    codes, inputs = example(4, chip)
    with refused(ConfigError, code="out-of-range", field="adc.bits", value=1, allowed="2"):
        matrix_read(codes, chip)(inputs)


def test_a_table_below_0_needs_sums_with_a_sign() -> None:
    chip = oracle.settings(bits=3, levels=(-1.0, 0.0, 1.0))
    codes, inputs = example(5, chip)
    with refused(ConfigError, code="out-of-range", field="adc.levels", value=-1.0):
        matrix_read(codes, chip)(inputs)


def test_successive_approximation_has_even_levels() -> None:
    overrides = [Setting("chip.adc.kind", "sar"), Setting("chip.adc.levels", "lloyd-max")]
    with refused(
        ConfigError, code="conflict", field="chip.adc.levels", value="lloyd-max", allowed="linear"
    ):
        resolve(chip="rram-22nm", overrides=overrides)
