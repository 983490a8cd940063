"""Constants of the silicon model as SI tensors: calibrated ones, and those of nodes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from archsim.config.checked import validate_model
from archsim.config.load import load_preset
from archsim.config.schema.silicon import ConvertersFile, NodesFile, SiliconFile

#: Constants that the model uses where nobody says.
DEFAULT_CONSTANTS = "calibrated"
#: Classes of macros that have a spread of their own, in code order.
SPREAD_CLASSES = ("sram_current", "redistribution", "charge_sum", "nvm", "digital")


def _constant(path: str) -> Any:
    return field(metadata={"path": path})


@dataclass(frozen=True, eq=False)
class SiliconConstants:
    """One set of constants, shape ``()`` each, or ``*batch`` where sets are compared.

    Each field names its key in ``configs/silicon``. Spreads have a last axis, ``class``.
    """

    converter_linear_F: Tensor = _constant("energy.converter_linear")
    converter_thermal_F: Tensor = _constant("energy.converter_thermal")
    array_current_F: Tensor = _constant("energy.array_current")
    array_charge_sum_F: Tensor = _constant("energy.array_charge_sum")
    array_redistribution_F: Tensor = _constant("energy.array_redistribution")
    dc_charge_C: Tensor = _constant("energy.dc_charge")
    dc_mram: Tensor = _constant("energy.dc_mram")
    dc_input_exponent: Tensor = _constant("energy.dc_input_exponent")
    dc_weight_exponent: Tensor = _constant("energy.dc_weight_exponent")
    word_line_F: Tensor = _constant("energy.word_line")
    fixed_F: Tensor = _constant("energy.fixed")
    input_exponent: Tensor = _constant("energy.input_exponent")
    weight_exponent: Tensor = _constant("energy.weight_exponent")
    phase_exponent: Tensor = _constant("energy.phase_exponent")
    processor_energy: Tensor = _constant("energy.processor")
    digital_F: Tensor = _constant("energy.digital")
    digital_pitch_exponent: Tensor = _constant("energy.digital_pitch_exponent")
    digital_processor: Tensor = _constant("energy.digital_processor")
    highest_nvm_supply_V: Tensor = _constant("energy.highest_nvm_supply")
    latency_base_s: Tensor = _constant("latency.base")
    latency_rows_exponent: Tensor = _constant("latency.rows_exponent")
    latency_inputs_exponent: Tensor = _constant("latency.inputs_exponent")
    latency_sram_current: Tensor = _constant("latency.sram_current")
    latency_nvm_current: Tensor = _constant("latency.nvm_current")
    latency_charge_sum: Tensor = _constant("latency.charge_sum")
    latency_redistribution: Tensor = _constant("latency.redistribution")
    latency_digital: Tensor = _constant("latency.digital")
    area_sram_cell: Tensor = _constant("area.sram_cell")
    area_nvm_cell: Tensor = _constant("area.nvm_cell")
    area_converter_m2: Tensor = _constant("area.converter")
    area_digital_m2: Tensor = _constant("area.digital")
    area_fixed_m2: Tensor = _constant("area.fixed")
    area_processor: Tensor = _constant("area.processor")
    energy_spread: Tensor = _constant("energy_spread")
    latency_spread: Tensor = _constant("latency_spread")
    area_spread: Tensor = _constant("area_spread")

    @classmethod
    def from_file(cls, file: SiliconFile) -> SiliconConstants:
        """Convert one checked file to tensors.

        Args:
            file: of ``configs/silicon``.
        """
        values = {}
        for entry in dataclasses.fields(cls):
            block, _, key = str(entry.metadata["path"]).partition(".")
            node = getattr(file, block)
            numbers: float | list[float] = (
                getattr(node, key).si if key else [getattr(node, n).si for n in SPREAD_CLASSES]
            )
            values[entry.name] = torch.tensor(numbers, dtype=torch.float64)
        return cls(**values)

    def replace(self, **changes: Tensor) -> SiliconConstants:
        """Return a copy with some constants replaced.

        Args:
            **changes: by field.
        """
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, eq=False)
class SiliconNodes:
    """Tables over the node, SI, ascending in the node; and the law of the gate delay."""

    node_m: Tensor
    bit_cell_m2: Tensor
    supply_V: Tensor
    delay_node_m: Tensor
    delay_s: Tensor
    reference_node_m: float
    threshold_V: float
    least_overdrive_V: float
    alpha: float
    highest_supply: float

    @classmethod
    def from_file(cls, file: NodesFile) -> SiliconNodes:
        """Convert the checked table to tensors.

        Args:
            file: ``configs/silicon/nodes.yaml``.
        """

        def ascending(quantity: Any) -> Tensor:
            return torch.tensor(quantity.si_values, dtype=torch.float64).flip(0)

        return cls(
            node_m=ascending(file.node),
            bit_cell_m2=ascending(file.bit_cell),
            supply_V=ascending(file.supply),
            delay_node_m=ascending(file.delay_node),
            delay_s=ascending(file.delay),
            reference_node_m=file.reference_node.si,
            threshold_V=file.threshold.si,
            least_overdrive_V=file.least_overdrive.si,
            alpha=file.alpha.si,
            highest_supply=file.highest_supply.si,
        )


@dataclass(frozen=True)
class SiliconConverters:
    """Counting oscillators: charge at 28 nm, and gate delays, of one count."""

    oscillator_count_F: float
    oscillator_delays: float


def load_constants(name: str = DEFAULT_CONSTANTS) -> SiliconConstants:
    """Return the constants of a preset of ``configs/silicon``, or of a YAML path.

    Args:
        name: preset or path.

    Raises:
        ConfigError: no such preset, or one that does not fit the schema.
    """
    return SiliconConstants.from_file(
        validate_model(SiliconFile, load_preset("silicon", name), "silicon")
    )


@lru_cache(maxsize=1)
def default_constants() -> SiliconConstants:
    """Return the constants that the model uses where nobody says."""
    return load_constants()


@lru_cache(maxsize=1)
def silicon_nodes() -> SiliconNodes:
    """Return the table of nodes."""
    return SiliconNodes.from_file(
        validate_model(NodesFile, load_preset("silicon", "nodes"), "nodes")
    )


@lru_cache(maxsize=1)
def silicon_converters() -> SiliconConverters:
    """Return what counting converters take."""
    file = validate_model(ConvertersFile, load_preset("silicon", "converters"), "converters")
    return SiliconConverters(file.oscillator_count.si, file.oscillator_delays.si)
