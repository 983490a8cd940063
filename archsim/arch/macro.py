"""One compute-in-memory macro (bank), or a million: every input of the silicon model in SI.

A macro is what a publication reports: cells, drivers, converters and control of one bank, of which
one *invocation* gives one code per converter. Chips build their subarrays as such a batch too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from archsim.config.schema.macro import ConverterKind, Macro, Memory, Scope, Sensing
from archsim.units import to_si

#: What a macro's cells, sensing, converters and scope may be, in code order.
MACRO_MEMORIES: tuple[str, ...] = get_args(Memory)
MACRO_SENSINGS: tuple[str, ...] = get_args(Sensing)
CONVERTER_KINDS: tuple[str, ...] = get_args(ConverterKind)
MACRO_SCOPES: tuple[str, ...] = get_args(Scope)
#: Memories that keep what they hold without power: their cells conduct.
NON_VOLATILE = ("rram", "pcm", "mram", "flash", "fefet")

_CHOICES = {
    "memory": MACRO_MEMORIES,
    "sensing": MACRO_SENSINGS,
    "adc_kind": CONVERTER_KINDS,
    "scope": MACRO_SCOPES,
}


@dataclass(frozen=True, eq=False)
class MacroBatch:
    """Inputs of one macro (shape ``()``) or of many (``*batch``, broadcastable).

    Numbers are float64, choices int64 codes. NaN stands for what the designer does not know: the
    model has a formula or a default for each of these.

    Attributes:
        node_m: process node.
        vdd_V: supply; NaN for the nominal one.
        memory: code of :data:`MACRO_MEMORIES`.
        sensing: code of :data:`MACRO_SENSINGS`.
        adc_kind: code of :data:`CONVERTER_KINDS`.
        scope: code of :data:`MACRO_SCOPES`.
        cell_transistors: of an SRAM cell, for the area.
        rows: word lines of the array.
        cols: columns that a driven word line crosses.
        rows_per_bitline: cells on a bit line; NaN for ``rows``.
        rows_read: word lines driven at once; NaN for ``rows``.
        dot_product_length: terms of a dot product; NaN for the rows read.
        adcs: converters at work at once.
        adc_bits: resolution; NaN for digital.
        input_bits: bits of the inputs of one invocation.
        weight_bits: bits of the weights that one conversion reads.
        phases: invocations of a product with all input bits.
        cells_per_weight: cells in a row that one conversion reads.
        activity: share of ones among the inputs; NaN for a half.
        cell_current_A: mean current of a cell that is read; NaN for the calibrated charge.
        sense_time_s: how long it flows in one invocation.
        cell_supply_V: voltage it is drawn from; NaN for the supply.
        adc_energy_J: of one conversion; NaN for the formula.
        cycle_s: time of an invocation; NaN for the formula.
    """

    node_m: Tensor
    vdd_V: Tensor
    memory: Tensor
    sensing: Tensor
    adc_kind: Tensor
    scope: Tensor
    cell_transistors: Tensor
    rows: Tensor
    cols: Tensor
    rows_per_bitline: Tensor
    rows_read: Tensor
    dot_product_length: Tensor
    adcs: Tensor
    adc_bits: Tensor
    input_bits: Tensor
    weight_bits: Tensor
    phases: Tensor
    cells_per_weight: Tensor
    activity: Tensor
    cell_current_A: Tensor
    sense_time_s: Tensor
    cell_supply_V: Tensor
    adc_energy_J: Tensor
    cycle_s: Tensor

    @classmethod
    def of(
        cls,
        *,
        memory: str | Tensor,
        sensing: str | Tensor,
        adc_kind: str | Tensor = CONVERTER_KINDS[0],
        scope: str | Tensor = MACRO_SCOPES[0],
        **numbers: float | Tensor | None,
    ) -> MacroBatch:
        """Make a batch from numbers or tensors, choices by name or code.

        Args:
            memory: one of :data:`MACRO_MEMORIES`; so are the next three of theirs.
            sensing: how columns are read.
            adc_kind: of the converters.
            scope: macro or processor.
            **numbers: other fields; what is left out or None is not known (NaN), phases and cells
                per weight are 1, cells have 6 transistors.

        Raises:
            ValueError: an unknown name.
        """
        given = {"memory": memory, "sensing": sensing, "adc_kind": adc_kind, "scope": scope}
        values: dict[str, Tensor] = {}
        for name, choice in given.items():
            code = _CHOICES[name].index(choice) if isinstance(choice, str) else choice
            values[name] = torch.as_tensor(code, dtype=torch.int64)
        for entry in dataclasses.fields(cls):
            if entry.name not in values:
                number = numbers.pop(entry.name, None)
                known = _DEFAULTS.get(entry.name, math.nan) if number is None else number
                values[entry.name] = torch.as_tensor(known, dtype=torch.float64)
        if numbers:
            raise ValueError(f"a macro has no {', '.join(numbers)}")
        return cls(**values)

    @classmethod
    def from_config(cls, macro: Macro) -> MacroBatch:
        """Convert one checked configuration to tensors of shape ``()``.

        Args:
            macro: of a preset.
        """

        def si(value: float | None, unit: str) -> float | None:
            return None if value is None else to_si(value, unit)

        passes = 1.0
        if macro.input_bits is not None:
            passes = math.ceil(macro.input_bits / macro.input_bits_per_cycle)
        return cls.of(
            node_m=to_si(macro.node_nm, "nm"),
            vdd_V=macro.vdd_V,
            memory=macro.memory,
            sensing=macro.sensing,
            adc_kind=macro.adc_kind,
            scope=macro.scope,
            cell_transistors=macro.cell_transistors,
            rows=macro.rows,
            cols=macro.cols,
            rows_per_bitline=macro.rows_per_bitline,
            rows_read=macro.rows_read,
            dot_product_length=macro.dot_product_length,
            adcs=macro.adcs,
            adc_bits=macro.adc_bits,
            input_bits=macro.input_bits_per_cycle,
            weight_bits=macro.weight_bits_per_conversion,
            phases=passes,
            cells_per_weight=math.ceil(macro.weight_bits_per_conversion / macro.bits_per_cell),
            activity=macro.activity,
            cell_current_A=si(macro.cell_current_uA, "uA"),
            sense_time_s=si(macro.sense_time_ns, "ns"),
            cell_supply_V=macro.cell_supply_V,
            adc_energy_J=si(macro.adc_energy_fJ, "fJ"),
            cycle_s=si(macro.cycle_ns, "ns"),
        )

    @classmethod
    def stack(cls, members: Sequence[MacroBatch]) -> MacroBatch:
        """Stack macros of shape ``()`` along a new batch axis.

        Args:
            members: one or more.
        """
        return cls(
            **{
                entry.name: torch.stack([getattr(member, entry.name) for member in members])
                for entry in dataclasses.fields(cls)
            }
        )

    def replace(self, **changes: float | Tensor) -> MacroBatch:
        """Return a copy with some inputs replaced.

        Args:
            **changes: numbers become float64 tensors; codes have to be tensors.
        """
        made = {
            name: value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
            for name, value in changes.items()
        }
        return dataclasses.replace(self, **made)

    def is_memory(self, *names: str) -> Tensor:
        """Return whether the cells are one of these, bool ``*batch``.

        Args:
            *names: of :data:`MACRO_MEMORIES`.
        """
        return _is_one_of(self.memory, MACRO_MEMORIES, names)

    def is_sensing(self, *names: str) -> Tensor:
        """Return whether columns are read in one of these ways, bool ``*batch``.

        Args:
            *names: of :data:`MACRO_SENSINGS`.
        """
        return _is_one_of(self.sensing, MACRO_SENSINGS, names)

    @property
    def is_non_volatile(self) -> Tensor:
        """Whether the cells are resistive or hold a charge without power, bool ``*batch``."""
        return self.is_memory(*NON_VOLATILE)

    @property
    def is_processor(self) -> Tensor:
        """Whether power and area are those of a whole chip, bool ``*batch``."""
        return self.scope == MACRO_SCOPES.index("processor")

    @property
    def rows_on_bitline(self) -> Tensor:
        """Cells on a bit line, ``*batch``."""
        return _known(self.rows_per_bitline, self.rows)

    @property
    def rows_driven(self) -> Tensor:
        """Word lines driven at once, ``*batch``."""
        return _known(self.rows_read, self.rows)

    @property
    def terms(self) -> Tensor:
        """Terms of one dot product, ``*batch``."""
        return _known(self.dot_product_length, self.rows_driven)

    @property
    def resolution_bit(self) -> Tensor:
        """Bits that a conversion has to tell: no more than the sum has; 0 for digital."""
        levels = self.terms * (2**self.input_bits - 1) * (2**self.weight_bits - 1) + 1
        bits = torch.minimum(_known(self.adc_bits, 0.0), torch.log2(levels))
        return torch.where(self.is_sensing("digital"), 0.0, bits)

    @property
    def macs_1b(self) -> Tensor:
        """Products of one bit by one bit in one invocation, ``*batch``."""
        return self.terms * self.adcs * self.input_bits * self.weight_bits

    @property
    def share_of_ones(self) -> Tensor:
        """Ones among the inputs over what they are by default, a half; ``*batch``."""
        return _known(self.activity, 0.5) / 0.5


_DEFAULTS = {"phases": 1.0, "cells_per_weight": 1.0, "cell_transistors": 6.0}


def _is_one_of(code: Tensor, names: Sequence[str], wanted: Sequence[str]) -> Tensor:
    result = torch.zeros_like(code, dtype=torch.bool)
    for name in wanted:
        result = result | (code == names.index(name))
    return result


def _known(value: Tensor, otherwise: Tensor | float) -> Tensor:
    """Return what is known, and the default elsewhere; without NaN in the gradient."""
    return torch.where(torch.isnan(value), otherwise, torch.nan_to_num(value))
