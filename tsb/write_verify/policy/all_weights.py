"""Policy ``all``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from archsim.config.load import Setting
from archsim.config.priced_policies import EVERYTHING
from tsb.write_verify.policy.base import Choice, WritePolicy
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class AllWeights(WritePolicy):
    """Every weight is verified."""

    name: ClassVar[str] = "all"
    description: ClassVar[str] = "every weight"
    source: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    needs_data: ClassVar[bool] = False

    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Choose everything."""
        from tsb.write_verify.selective import verify_all

        del choice
        return verify_all(context.weights)

    def words(self, choice: Choice) -> str:
        """Say so."""
        del choice
        return "all weights verified"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Price the verification of every cell."""
        del choice
        return (Setting("chip.programming.policy", EVERYTHING.name),)
