"""One bank: all terms of energy, latency and area of an invocation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants, default_constants
from archsim.cost.silicon.area import MacroArea, bank_area
from archsim.cost.silicon.array_charge import array_energy_J
from archsim.cost.silicon.converters import converter_energy_J
from archsim.cost.silicon.dc_current import dc_energy_J
from archsim.cost.silicon.digital_tree import digital_energy_J
from archsim.cost.silicon.fixed import fixed_energy_J
from archsim.cost.silicon.interval import MacroSpread, macro_spread
from archsim.cost.silicon.latency import formula_latency_s, latency_s
from archsim.cost.silicon.node import node_factors
from archsim.cost.silicon.phases import phase_factor
from archsim.cost.silicon.word_lines import word_line_energy_J


@dataclass(frozen=True, eq=False)
class MacroEnergy:
    """Terms of one invocation, J, ``*batch``; a processor's share of its chip is in each."""

    converters_J: Tensor
    array_J: Tensor
    dc_J: Tensor
    word_lines_J: Tensor
    fixed_J: Tensor
    digital_J: Tensor

    @property
    def total_J(self) -> Tensor:
        """Their sum, ``*batch``."""
        analog = self.converters_J + self.array_J + self.dc_J + self.word_lines_J + self.fixed_J
        return analog + self.digital_J


@dataclass(frozen=True, eq=False)
class MacroCost:
    """What one invocation of each macro takes, ``*batch``.

    Attributes:
        energy: by term.
        latency_s: of an invocation: the cycle that was given, else the formula's.
        formula_latency_s: by the formula.
        area: of the bank, by part.
        macs_1b: products of one bit by one bit.
        spread: of ln(measured / predicted).
    """

    energy: MacroEnergy
    latency_s: Tensor
    formula_latency_s: Tensor
    area: MacroArea
    macs_1b: Tensor
    spread: MacroSpread

    @property
    def operations_1b(self) -> Tensor:
        """Multiplications and additions of one bit, two per product."""
        return 2 * self.macs_1b


def price_macro(*, macro: MacroBatch, constants: SiliconConstants | None = None) -> MacroCost:
    """Price one invocation of each macro.

    Args:
        macro: ``*batch``.
        constants: of the silicon model; the shipped ones by default.
    """
    constants = constants or default_constants()
    node = node_factors(macro=macro, constants=constants)
    phases = phase_factor(macro=macro, constants=constants)
    analog, digital = constants.processor_energy, constants.digital_processor
    share = torch.where(macro.is_sensing("digital"), digital, analog)
    share = torch.where(macro.is_processor, share, 1.0)
    terms = {
        name: share * term(macro=macro, node=node, constants=constants, phases=phases)
        for name, term in (
            ("converters_J", converter_energy_J),
            ("array_J", array_energy_J),
            ("word_lines_J", word_line_energy_J),
            ("fixed_J", fixed_energy_J),
        )
    }
    current = share * dc_energy_J(macro=macro, node=node, constants=constants)
    tree = share * digital_energy_J(macro=macro, node=node, constants=constants)
    return MacroCost(
        energy=MacroEnergy(**terms, dc_J=current, digital_J=tree),
        latency_s=latency_s(macro=macro, node=node, constants=constants),
        formula_latency_s=formula_latency_s(macro=macro, node=node, constants=constants),
        area=bank_area(macro=macro, node=node, constants=constants),
        macs_1b=macro.macs_1b,
        spread=macro_spread(macro=macro, constants=constants),
    )
