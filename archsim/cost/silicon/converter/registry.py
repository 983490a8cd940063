"""Every kind of converter, in code order: that of the schema's ``macro.adc_kind``."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import CONVERTER_KINDS, MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converter.binary_search import BINARY_SEARCH
from archsim.cost.silicon.converter.flash import FLASH
from archsim.cost.silicon.converter.law import ConverterLaw
from archsim.cost.silicon.converter.oscillator import OSCILLATOR
from archsim.cost.silicon.converter.ramp import RAMP

CONVERTERS: dict[str, ConverterLaw] = {
    law.name: law for law in (BINARY_SEARCH, RAMP, FLASH, OSCILLATOR)
}


def of_kind(*, macro: MacroBatch, constants: SiliconConstants, what: str) -> Tensor:
    """Return what each macro's kind of converter says, ``*batch``.

    Args:
        macro: ``*batch``.
        constants: of the silicon model.
        what: field of :class:`~archsim.cost.silicon.converter.law.ConverterLaw`.
    """
    bits = macro.resolution_bit
    result = torch.zeros_like(bits)
    for code, name in enumerate(CONVERTER_KINDS):
        chosen = macro.adc_kind == code
        if bool(chosen.any()):
            result = torch.where(chosen, getattr(CONVERTERS[name], what)(bits, constants), result)
    return result
