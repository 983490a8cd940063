"""Settings of a chip that its exact read path depends on, and those that it does not."""

from __future__ import annotations

from archsim.arch.parameters import quantity_at
from archsim.config.lookup import look_up
from archsim.config.resolve import Resolved
from archsim.config.sweep import Scalar, Sweep
from archsim.errors import Code, ConfigError
from tsb.study.load import load_study

#: What is read, beside the bits and the encoding of weights; in the order of the schema.
READ_PATHS = (
    "chip.precision.input_bits",
    "chip.precision.encoding",
    "chip.crossbar.rows",
    "chip.crossbar.cols",
    "chip.crossbar.mux_ratio",
    "chip.crossbar.wire_ohm",
    "chip.crossbar.wire_model",
    "chip.adc.kind",
    "chip.adc.bits",
    "chip.adc.range",
    "chip.adc.percentile",
    "chip.adc.snap",
    "chip.adc.slice_ranges",
    "chip.adc.levels",
    "chip.adc.noise_lsb",
    "chip.adc.offset_lsb",
    "chip.read.signed_inputs",
    "chip.read.dac_bits",
    "chip.read.iv_curve",
    "chip.read.rows_at_once",
    "chip.read.offset_subtraction",
    "chip.read.pair",
    "chip.hierarchy.kernel_per_pe",
    "chip.hierarchy.tile",
    "chip.hierarchy.duplication",
    "chip.hierarchy.speed_up_degree",
    "chip.hierarchy.copies",
    "chip.hierarchy.max_tiles",
    "chip.hierarchy.size_check",
    "chip.hierarchy.buffer_rule",
    "device.r_on",
    "device.r_off",
    "device.access",
)
#: Where reads have noise.
READ_NOISE = "device.read_noise_sigma"
#: Of the same blocks, for the cost alone.
NOT_READ = (
    "chip.adc.model",
    "chip.read.voltage",
    "chip.read.access_voltage",
    "chip.read.access_resistance_ratio",
    "chip.read.adc_empty_power",
    "chip.read.idle_sign_plane",
    "chip.read.gating",
    "chip.adc.energy",
    "chip.read.activity",
    "chip.read.cell_current",
    "chip.read.cell_supply",
    "chip.read.sense_time",
    "chip.read.sensing",
    "chip.read.weight_bits_per_conversion",
)


def read_paths(sweep: Sweep) -> tuple[str, ...]:
    """Return the settings of the read path that accuracies of a sweep depend on; none where off.

    Args:
        sweep: with accuracies, or without.

    Raises:
        ConfigError: no such study, or a read path that measures nothing.
    """
    asked = sweep.accuracy
    if asked is None or sweep.fidelity != "accuracy":
        return ()
    study = load_study(asked.study)
    mode = asked.read_path or study.read_path
    if mode == "off":
        return ()
    if mode != "exact":
        raise ConfigError(
            f"sweep.accuracy.read_path = '{mode}': accuracies of points are measured; allowed: "
            "exact, with predict: true for what is not measured, or off",
            code=Code.UNSUPPORTED,
            field="sweep.accuracy.read_path",
            value=mode,
            allowed="exact, or off",
        )
    return (*READ_PATHS, READ_NOISE) if study.read_noise else READ_PATHS


def read_value(resolved: Resolved, path: str) -> Scalar:
    """Return what a chip says of a setting; constants in SI.

    Args:
        resolved: the chip with its device.
        path: one of :data:`READ_PATHS` or :data:`READ_NOISE`.
    """
    quantity = quantity_at(resolved, path)
    if quantity is not None:
        return quantity.si
    value: Scalar = look_up(resolved, path)
    return value
