"""Policy ``random``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class RandomOrder(ByScore):
    """Weights in a random order: what every other score is compared with."""

    name: ClassVar[str] = "random"
    description: ClassVar[str] = "a random order of all weights"
    source: ClassVar[str | None] = None
    needs_data: ClassVar[bool] = False
    drawn_per_chip: ClassVar[bool] = True

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Draw a number for every weight."""
        import torch

        return {
            name: torch.rand(weight.shape, generator=context.generator, dtype=torch.float64)
            for name, weight in context.weights.items()
        }
