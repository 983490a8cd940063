"""How far off a prediction can be: from the spread that the calibration left."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SPREAD_CLASSES, SiliconConstants

#: Quantiles of the normal distribution: of 80 % and of 90 % of the chips.
Z_80, Z_90 = 1.2815515655446004, 1.6448536269514722


@dataclass(frozen=True, eq=False)
class MacroSpread:
    """Standard deviation of ln(measured / predicted), ``*batch``."""

    energy: Tensor
    latency: Tensor
    area: Tensor


def spread_class(*, macro: MacroBatch) -> Tensor:
    """Return the class of each macro, a code of ``SPREAD_CLASSES``, ``*batch``.

    Args:
        macro: ``*batch``.
    """
    by_name = {
        "redistribution": macro.is_sensing("charge-redistribution"),
        "charge_sum": macro.is_sensing("charge-sum", "time-domain"),
        "nvm": macro.is_non_volatile & ~macro.is_sensing("digital"),
        "digital": macro.is_sensing("digital"),
    }
    code = torch.zeros_like(macro.sensing)
    for name, is_it in by_name.items():
        code = torch.where(is_it, SPREAD_CLASSES.index(name), code)
    return code


def macro_spread(*, macro: MacroBatch, constants: SiliconConstants) -> MacroSpread:
    """Return the spread of each quantity.

    A factor of ``exp(Z_90 * spread)`` to either side holds 90 % of the chips.

    Args:
        macro: ``*batch``.
        constants: of the silicon model.
    """
    code = spread_class(macro=macro)
    return MacroSpread(
        energy=constants.energy_spread.to(code.device)[code],
        latency=constants.latency_spread.to(code.device)[code],
        area=constants.area_spread.to(code.device)[code],
    )
