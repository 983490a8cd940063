"""Time of an invocation: a fallback where the designer does not know the cycle."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MACRO_SENSINGS, MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converter.registry import of_kind
from archsim.cost.silicon.node import NodeFactors, reference_delay_s


def formula_latency_s(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants
) -> Tensor:
    """Return the time of an invocation by the formula, s, ``*batch``.

    Published figures are work over throughput, so a pipelined macro shows its cycle; and designers
    choose the clock. Specification, section 4.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    rows = macro.rows_on_bitline**constants.latency_rows_exponent
    inputs = macro.input_bits**constants.latency_inputs_exponent
    slowness = node.delay_s / reference_delay_s()
    kind = of_kind(macro=macro, constants=constants, what="slowness")
    counted = of_kind(macro=macro, constants=constants, what="further_delays") * node.delay_s
    base = constants.latency_base_s * _by_sensing(macro, constants) * kind
    return base * rows * inputs * slowness + counted


def latency_s(*, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants) -> Tensor:
    """Return the cycle that the designer knows, else the formula's, s, ``*batch``.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    formula = formula_latency_s(macro=macro, node=node, constants=constants)
    return torch.where(torch.isnan(macro.cycle_s), formula, torch.nan_to_num(macro.cycle_s))


def _by_sensing(macro: MacroBatch, constants: SiliconConstants) -> Tensor:
    current = torch.where(
        macro.is_non_volatile, constants.latency_nvm_current, constants.latency_sram_current
    )
    by_name = {
        "current": current,
        "charge-sum": constants.latency_charge_sum,
        "charge-redistribution": constants.latency_redistribution,
        "time-domain": constants.latency_charge_sum,
        "digital": constants.latency_digital,
    }
    result = torch.zeros_like(current)
    for code, name in enumerate(MACRO_SENSINGS):
        result = torch.where(macro.sensing == code, by_name[name], result)
    return result
