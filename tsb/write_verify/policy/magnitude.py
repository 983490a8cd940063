"""Policy ``magnitude``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class Magnitude(ByScore):
    """Large weights first."""

    name: ClassVar[str] = "magnitude"
    description: ClassVar[str] = "large weights first, in the units of each layer"
    source: ClassVar[str | None] = None
    needs_data: ClassVar[bool] = False

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Return ``|w|``, in the units of each tensor (not relative to its largest weight)."""
        return {name: weight.detach().double().abs() for name, weight in context.weights.items()}
