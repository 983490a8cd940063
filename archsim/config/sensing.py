"""Which ways of sensing each memory can have: the one table, for macros and for chips.

Capacitors and gates stand beside the cells of SRAM and eDRAM; other cells conduct. FeFET cells with
a capacitor each have been built (1FeFET-1C: Laleni et al., JXCDC 10, 2024,
doi:10.1109/JXCDC.2024.3495612), but none is in the calibration, and device files describe the
transistor alone: not priced.
"""

from __future__ import annotations

from typing import get_args

from archsim.config.schema.macro import Sensing

_ALL: tuple[str, ...] = get_args(Sensing)
_CONDUCTING = ("current", "charge-sum", "time-domain")
#: By the name of the memory.
FITTING_SENSING: dict[str, tuple[str, ...]] = {
    "sram": _ALL,
    "edram": _ALL,
    "rram": _CONDUCTING,
    "pcm": _CONDUCTING,
    "mram": _CONDUCTING,
    "flash": _CONDUCTING,
    "fefet": _CONDUCTING,
}
