"""A training objective: how one batch becomes one loss, and what is to be said of it.

The gradient of the loss is taken at noisy weights and moves the clean ones
(:func:`tsb.cells.noise.noisy_weights`). An entry is one class in one file, listed in
:mod:`tsb.train.objective.registry`; its options are the fields of its dataclass that say so.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from archsim.errors import Code, ConfigError
from tsb.cells.noise import WeightNoise, noisy_weights

#: What every entry declares; beside these it has ``prepare`` (or ``_loss``: :class:`Stateless`).
DECLARED = ("name", "description", "citation")
_OPTION = "option"


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch, the network that sees it, and the source of the noise that it sees it through."""

    model: nn.Module
    weights: Mapping[str, Tensor]
    generator: torch.Generator
    images: Tensor
    labels: Tensor

    def scores(self, noise: WeightNoise, buffers: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the scores of a new noisy instance, ``(images, classes)``."""
        instance = noisy_weights(self.weights, noise, self.generator)
        tensors = {**(buffers or {}), **instance}
        scores: Tensor = functional_call(self.model, tensors, (self.images,))
        return scores


class Loss(ABC):
    """How the loss of a batch is made, for one network."""

    @property
    def auxiliary(self) -> nn.Module | None:
        """What is trained with the network and thrown away afterwards; None for most.

        Its parameters go to the optimiser, and it is saved with the network.
        """
        return None

    def loss(
        self,
        model: nn.Module,
        weights: Mapping[str, Tensor],
        noise: WeightNoise,
        generator: torch.Generator,
        images: Float[Tensor, "images ..."],
        labels: Int[Tensor, " images"],
    ) -> Float[Tensor, ""]:
        """Return the loss of one batch, with gradient to the clean weights.

        Args:
            model: the network, in the mode that it is to run in.
            weights: its weights on crossbars: :func:`tsb.cells.stored.mapped_weights`.
            noise: of the weights.
            generator: source of the noise, on the device of the model.
            images: one batch.
            labels: its classes.

        Raises:
            ConfigError: noise that the objective cannot use.
        """
        return self._loss(Batch(model, weights, generator, images, labels), noise)

    @abstractmethod
    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        """Return the loss of one batch; see :meth:`loss`."""


class TrainingObjective(ABC):
    """An entry of the registry.

    Attributes:
        name: what the user writes.
        description: one line on what is minimised.
        citation: publication of the objective; None where it is nobody's invention.
        words: for people, in the line of a method; the name, if an entry says no more.
        forward_passes: of every image through the network in a training step. What is not of the
            network (an auxiliary module) is not counted.
        added_sigma: the largest noise on top of that of the training, relative to the range.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    citation: ClassVar[str | None]

    @property
    def words(self) -> str:
        """The name."""
        return self.name

    @property
    def forward_passes(self) -> int:
        """One pass."""
        return 1

    @property
    def added_sigma(self) -> float:
        """None."""
        return 0.0

    @abstractmethod
    def prepare(self, model: nn.Module, image_shape: Sequence[int], seed: int) -> Loss:
        """Return the loss for a network.

        Args:
            model: to be trained, on its device; it is not changed.
            image_shape: of one image: channels, height, width.
            seed: of the auxiliary module, if there is one.

        Raises:
            ConfigError: a network that the objective cannot train.
        """


class Stateless(TrainingObjective, Loss):
    """An objective that asks nothing of the network: it is its own loss, by ``_loss``."""

    def prepare(self, model: nn.Module, image_shape: Sequence[int], seed: int) -> Loss:
        """Return itself."""
        return self


def option(description: str) -> dict[str, Any]:
    """Return the metadata of a dataclass field that is an option; the field has a default.

    Args:
        description: a phrase for people.
    """
    return {_OPTION: description}


def options_of(objective: type[TrainingObjective]) -> dict[str, str]:
    """Return the options of an objective by name, each as ``name=default (what it is)``.

    Args:
        objective: its class, a dataclass.
    """
    known: Any = objective
    return {
        each.name: f"{each.name}={each.default} ({each.metadata[_OPTION]})"
        for each in fields(known)
        if _OPTION in each.metadata
    }


def check_not_negative(name: str, value: float) -> None:
    """Check an option that is a strength.

    Args:
        name: of the option.
        value: as given.

    Raises:
        ConfigError: it is below 0, or not finite.
    """
    if not 0 <= value < math.inf:
        finite = "0 or more, and finite"
        raise ConfigError.of(Code.OUT_OF_RANGE, name, value, allowed=finite, form="g")
