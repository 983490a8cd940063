"""Policy ``swim``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class Swim(ByScore):
    """Weights of large second derivatives first."""

    name: ClassVar[str] = "swim"
    description: ClassVar[str] = "second derivative of the loss"
    source: ClassVar[str | None] = "Yan, Hu & Shi, SWIM, DAC 2022, arXiv 2202.08395"
    needs_data: ClassVar[bool] = True

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Return the second derivative of the loss by each weight."""
        return dict(context.second_derivative)
