"""Policy ``none``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from archsim.config.load import Setting
from archsim.config.priced_policies import NOTHING
from tsb.write_verify.policy.base import Choice, WritePolicy
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class NoWeights(WritePolicy):
    """Nothing is verified: every cell gets one pulse."""

    name: ClassVar[str] = "none"
    description: ClassVar[str] = "nothing: one pulse per cell"
    source: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    needs_data: ClassVar[bool] = False
    verifies: ClassVar[bool] = False

    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Choose nothing."""
        from tsb.write_verify.selective import verify_none

        del choice
        return verify_none(context.weights)

    def words(self, choice: Choice) -> str:
        """Say what happens instead."""
        del choice
        return "one pulse per cell"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Price one pulse per cell."""
        del choice
        return (Setting("chip.programming.policy", NOTHING.name),)
