"""All effects, in the order in which a chip meets them.

To add one: its class in a file of its own here, and its line below. A back end that does not
compute it refuses it by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.errors import Code, ConfigError
from tsb.read_path.effects.base import Effect
from tsb.read_path.effects.batch_range import BatchRange
from tsb.read_path.effects.converter import ConverterNoise, ConverterOffset, UnevenLevels
from tsb.read_path.effects.iv_curve import IvCurve
from tsb.read_path.effects.middle_column import MiddleColumn
from tsb.read_path.effects.off_current import OffCurrent
from tsb.read_path.effects.read_noise import NoiseOfReads, NoiseOfReadsByLaw
from tsb.read_path.effects.rounding import Rounding
from tsb.read_path.effects.wires import DrivenWires, GatedWires
from tsb.read_path.effects.written import CellDrift, ProgrammingError, StuckCells

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings

EFFECTS: tuple[Effect, ...] = (
    ProgrammingError(),
    StuckCells(),
    CellDrift(),
    IvCurve(),
    OffCurrent(),
    DrivenWires(),
    GatedWires(),
    MiddleColumn(),
    NoiseOfReads(),
    NoiseOfReadsByLaw(),
    ConverterOffset(),
    ConverterNoise(),
    Rounding(),
    UnevenLevels(),
    BatchRange(),
)


def acting(settings: ReadSettings) -> tuple[Effect, ...]:
    """Return the effects that change what is read, further ones of the settings last.

    Args:
        settings: of the chip.
    """
    return tuple(effect for effect in EFFECTS + settings.effects if effect.acts(settings))


def check_back_end(settings: ReadSettings, back_end: str) -> None:
    """Refuse effects that a back end does not compute.

    Args:
        settings: of the chip.
        back_end: one of :data:`tsb.read_path.effects.base.BACK_ENDS`.

    Raises:
        ConfigError: such effects, by name, with what computes them.
    """
    for effect in acting(settings):
        if back_end not in effect.back_ends:
            keys = ", ".join(effect.settings)
            raise ConfigError(
                f"read_path = '{back_end}' does not compute the effect '{effect.name}' ({keys}); "
                f"allowed: read_path {' or '.join(effect.back_ends)}",
                code=Code.UNSUPPORTED,
                field="read_path",
                value=back_end,
                allowed=effect.back_ends,
            )
