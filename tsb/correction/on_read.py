"""What a correction does where a chip is read exactly, layer by layer.

Corrections are linear in the outputs of layers, and training folds them into the weights. A chip
does not: what stands on a crossbar of its own has input codes and converters of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    from tsb.correction.base import Correction


@dataclass(frozen=True, kw_only=True)
class OnRead:
    """What happens to the outputs of layers, in this order, before their biases are added.

    Attributes:
        rewritten: names of weights on crossbars that are replaced by parameters of the same name.
        blocks: layers of a shared block, ``c c`` each, behind the weight of that name, each on a
            crossbar; by parameter name.
        scales: digital factors, one per output, by name of the weight.
    """

    rewritten: tuple[str, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scales: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Unread:
    """A correction that the exact read path cannot read.

    Attributes:
        reason: a whole phrase.
    """

    reason: str


def readable_acts(
    corrections: Sequence[Correction], parameters_of: Callable[[int], Mapping[str, Tensor]]
) -> list[OnRead]:
    """Return what each correction does when a chip is read exactly.

    Args:
        corrections: attached, in order.
        parameters_of: parameters of one of them, by its number.

    Raises:
        ConfigError: a correction that cannot be read exactly, by name.
    """
    acts = []
    for index, correction in enumerate(corrections):
        act = correction.on_read(parameters_of(index))
        if isinstance(act, Unread):
            raise ConfigError(
                f"correction '{correction.name}' cannot be read exactly: {act.reason}; allowed: "
                "read_path off",
                code=Code.UNSUPPORTED,
                field="read_path",
                value=correction.name,
                allowed="off",
            )
        acts.append(act)
    return acts
