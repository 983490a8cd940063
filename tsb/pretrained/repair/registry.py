"""All repairs without labels: the one place that lists them."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.errors import Code, ConfigError
from archsim.util.checks import one_of
from tsb.pretrained.repair.base import OutputRepair, Repair
from tsb.pretrained.repair.batch_norms import BatchNormRecalibration
from tsb.pretrained.repair.bias_correction import BiasCorrection
from tsb.pretrained.repair.output_match import ChannelMatch

NONE = "none"
REPAIRS: Mapping[str, Repair] = {
    repair.name: repair for repair in (ChannelMatch(), BiasCorrection(), BatchNormRecalibration())
}


def repairs_named(text: str) -> tuple[Repair, ...]:
    """Return repairs.

    Args:
        text: names joined by ``+``, or ``none``.

    Raises:
        ConfigError: an unknown name, one given twice, or two that set the same numbers.
    """
    if text == NONE:
        return ()
    names = text.split("+")
    for name in names:
        one_of("repair (--repair)", name, (*REPAIRS, NONE))
    repairs = tuple(REPAIRS[name] for name in names if name != NONE)
    outputs = [repair.name for repair in repairs if isinstance(repair, OutputRepair)]
    if NONE in names or len(set(names)) < len(names) or len(outputs) > 1:
        raise ConfigError.of(
            Code.CONFLICT,
            "repair (--repair)",
            text,
            problem="given twice, or two that set the same numbers",
            allowed=f"batch-norm, and one of {ChannelMatch.name} and {BiasCorrection.name}",
        )
    return repairs
