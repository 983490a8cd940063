"""Objective ``noise-injection``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn import functional

from tsb.cells.noise import WeightNoise
from tsb.train.objective.base import Batch, Stateless


@final
@dataclass(frozen=True)
class NoiseInjection(Stateless):
    """Cross-entropy at one noisy instance of the weights."""

    name: ClassVar[str] = "noise-injection"
    description: ClassVar[str] = "cross-entropy at one noisy instance of the weights"
    citation: ClassVar[str | None] = None

    @property
    def words(self) -> str:
        """Two words."""
        return "noise injection"

    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        return functional.cross_entropy(batch.scores(noise), batch.labels)
