"""Policy ``last-layers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from archsim.config.load import Setting
from archsim.config.priced_policies import LAST_LAYERS
from archsim.errors import Code, ConfigError
from tsb.write_verify.policy.base import Choice, WritePolicy
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch


@final
class LastLayersVerified(WritePolicy):
    """All weights of the last layers are verified."""

    name: ClassVar[str] = "last-layers"
    description: ClassVar[str] = "all weights of the last layers, in order of execution"
    source: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ("last_layers",)
    needs_data: ClassVar[bool] = False

    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Choose the last tensors.

        Raises:
            ConfigError: more layers than there are.
        """
        from tsb.write_verify.selective import verify_named

        weights, count = context.weights, choice.last_layers
        if count > len(weights):
            raise ConfigError(
                f"last layers = {count}; allowed: 1 to {len(weights)}",
                code=Code.OUT_OF_RANGE,
                field="last layers",
                value=count,
                allowed=f"1 to {len(weights)}",
            )
        return verify_named(weights, list(weights)[len(weights) - count :])

    def words(self, choice: Choice) -> str:
        """Say how many."""
        count = choice.last_layers
        return f"last {'layer' if count == 1 else f'{count} layers'} verified"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Price the verification of as many layers."""
        return (
            Setting("chip.programming.policy", LAST_LAYERS.name),
            Setting("chip.programming.last_layers", choice.last_layers),
        )
