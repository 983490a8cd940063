"""Policy ``tsb``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from archsim.config.choices import WITH_BLOCK
from archsim.config.load import Setting
from archsim.config.priced_policies import SHARED_BLOCK
from archsim.errors import Code, ConfigError
from tsb.write_verify.policy.base import Choice, WritePolicy
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class SharedBlockOnly(WritePolicy):
    """The shared block is verified, and nothing of the backbone."""

    name: ClassVar[str] = "tsb"
    description: ClassVar[str] = "the shared block, and nothing of the backbone"
    source: ClassVar[str | None] = (
        "Qin et al., TSB: Tiny Shared Block, ICCAD 2024, arXiv 2406.06544"
    )
    takes: ClassVar[tuple[str, ...]] = ()
    needs_data: ClassVar[bool] = False
    needs_block: ClassVar[bool] = True

    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Choose nothing of the backbone.

        Raises:
            ConfigError: there is no shared block.
        """
        from tsb.write_verify.selective import verify_none

        del choice
        if not context.block:
            raise ConfigError(
                f"policy '{self.name}' verifies the shared block, and there is none: give --design "
                f"{' or '.join(WITH_BLOCK)}",
                code=Code.MISSING_KEY,
                field="--design",
                value=self.name,
                allowed=WITH_BLOCK,
            )
        return verify_none(context.weights)

    def words(self, choice: Choice) -> str:
        """Say so."""
        del choice
        return "shared block verified"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Price the verification of the block's cells."""
        del choice
        return (Setting("chip.programming.policy", SHARED_BLOCK.name),)
