"""What a correction does where a chip is read exactly, layer by layer.

Corrections are linear in the outputs of layers, and training folds them into the weights. A chip
does not: what stands on a crossbar of its own has input codes and converters of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


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
