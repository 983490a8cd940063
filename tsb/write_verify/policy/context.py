"""What a write policy may look at when it chooses.

The command line reads the registry of policies for its help, so nothing heavy is imported before a
score is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    import torch

    import tsb.data
    import tsb.write_verify.selective


@dataclass(frozen=True, eq=False, kw_only=True)
class LossDerivatives:
    """Derivatives of a network's loss on given images, each computed once, when it is asked for.

    Attributes:
        model: in evaluation mode.
        images_of: gives labelled training images.
        device: of PyTorch, where a copy of the model computes; None: the model itself, on the CPU.
    """

    model: torch.nn.Module
    images_of: Callable[[], tsb.data.Split]
    device: torch.device | None = None

    @cached_property
    def second_derivative(self) -> dict[str, torch.Tensor]:
        """Second derivative of the mean loss by each weight: SWIM's.

        Raises:
            NetworkError: an operation whose second derivative is not known.
        """
        from tsb.write_verify.scores import swim_scores

        return self._on_device(swim_scores)

    @cached_property
    def fisher(self) -> dict[str, torch.Tensor]:
        """Mean squared gradient of single images' losses: the empirical Fisher information."""
        from tsb.write_verify.scores import fisher_scores

        return self._on_device(fisher_scores)

    def _on_device(self, scores: Callable[..., dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        model, split = self.model, self.images_of()
        if self.device is not None:
            model, split = copy.deepcopy(model).to(self.device), split.to(self.device)
        return {
            name: score.cpu() for name, score in scores(model, split.images, split.labels).items()
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class WriteContext:
    """The weights that a policy chooses from, and what it may know of them.

    Attributes:
        weights: of the backbone on the crossbars, by name, in order of execution.
        std_of: gives the standard deviation of each weight after one unverified pulse, by name, in
            units of the weights: full scale, which may differ from column to column, is in it.
        generator: of policies that draw.
        block: weights of shared blocks that are programmed too, by name.
        loss: of the trained network; None where there are no data.
        tiling: how matrices lie on crossbars; None where single weights are chosen.
    """

    weights: Mapping[str, torch.Tensor]
    std_of: Callable[[Mapping[str, torch.Tensor]], Mapping[str, torch.Tensor]]
    generator: torch.Generator
    block: Mapping[str, torch.Tensor] = field(default_factory=dict)
    loss: LossDerivatives | None = None
    tiling: tsb.write_verify.selective.Tiling | None = None

    @cached_property
    def std(self) -> Mapping[str, torch.Tensor]:
        """Standard deviation of each weight after one pulse, in units of the weights."""
        return self.std_of(self.weights)

    @property
    def second_derivative(self) -> dict[str, torch.Tensor]:
        """Second derivative of the loss by each weight.

        Raises:
            ConfigError: there are no data.
            NetworkError: an operation whose second derivative is not known.
        """
        return self._loss().second_derivative

    @property
    def fisher(self) -> dict[str, torch.Tensor]:
        """Mean squared gradient of single images' losses.

        Raises:
            ConfigError: there are no data.
        """
        return self._loss().fisher

    def _loss(self) -> LossDerivatives:
        if self.loss is None:
            raise ConfigError(
                "derivatives of the loss need a trained network and training images",
                code=Code.MISSING_KEY,
                field="loss",
            )
        return self.loss
