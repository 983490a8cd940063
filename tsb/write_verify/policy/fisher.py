"""Policy ``fisher``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from tsb.write_verify.policy.base import ByScore
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class Fisher(ByScore):
    """Weights of large gradients first; not SWIM: see :mod:`tsb.write_verify.scores`."""

    name: ClassVar[str] = "fisher"
    description: ClassVar[str] = "mean squared gradient of the loss (empirical Fisher information)"
    source: ClassVar[str | None] = "Kunstner et al., NeurIPS 2019, arXiv 1905.12558"
    needs_data: ClassVar[bool] = True

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Return the mean squared gradient of single images' losses."""
        return dict(context.fisher)
