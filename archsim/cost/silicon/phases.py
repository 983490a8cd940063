"""How much an invocation does for its input bits and for being one of several passes."""

from __future__ import annotations

from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants


def phase_factor(*, macro: MacroBatch, constants: SiliconConstants) -> Tensor:
    """Return the effective number of input phases of an invocation, ``*batch``.

    Several input bits come from a DAC or a pulse width in one shot in most chips, so the energy
    grows more slowly than they do. Where inputs are fed bit by bit, published efficiency is that of
    usual activations, whose upper bits are mostly zero. Specification, sections 3 and 3.2.

    Args:
        macro: ``*batch``.
        constants: of the silicon model.
    """
    return macro.input_bits**constants.input_exponent * macro.phases**constants.phase_exponent
