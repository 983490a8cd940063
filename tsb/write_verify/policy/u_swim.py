"""Policy ``u-swim``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class USwim(ByScore):
    """Weights first whose errors are expected to cost most; the loss is half the score."""

    name: ClassVar[str] = "u-swim"
    description: ClassVar[str] = "second derivative of the loss times each weight's own variance"
    source: ClassVar[str | None] = "U-SWIM, arXiv 2401.05357"
    needs_data: ClassVar[bool] = True

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Return second derivative times variance after one pulse, in units of the weights."""
        return {
            name: second.double() * context.std[name].double().square()
            for name, second in context.second_derivative.items()
        }
