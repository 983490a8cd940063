"""A repair without labels: numbers of a layer, from what its channels were and should be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class ChannelMoments:
    """Mean and standard deviation of each output channel over items and places."""

    mean: Float[Tensor, " channel"]
    std: Float[Tensor, " channel"]

    @classmethod
    def of(cls, outputs: Tensor, axis: int) -> ChannelMoments:
        """Measure a batch.

        Args:
            outputs: of a layer.
            axis: of its channels.
        """
        by_channel = outputs.detach().movedim(axis, -1).reshape(-1, outputs.shape[axis])
        return cls(by_channel.mean(0), by_channel.std(0, unbiased=False))


class Repair(ABC):
    """One repair.

    Attributes:
        name: what the user writes.
        description: one line for lists.
        needs: what it takes on the chip beside the cells.
        source: of the method.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    needs: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def parts(self, model: nn.Module, layers: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """Return what it acts on, by name; none where it has nothing to do.

        Args:
            model: the network.
            layers: that have their weights on crossbars.
        """


class OutputRepair(Repair):
    """A repair by a factor and a shift of each output channel of layers."""

    def parts(self, model: nn.Module, layers: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """See :meth:`Repair.parts`: all layers on crossbars."""
        del model
        return dict(layers)

    @abstractmethod
    def numbers(self, wanted: ChannelMoments, found: ChannelMoments) -> tuple[Tensor, Tensor]:
        """Return factor and shift of each channel.

        Args:
            wanted: of the outputs without errors.
            found: of those of the chip, what comes before them repaired.
        """


class NormRepair(Repair):
    """A repair by new means and variances of batch norms."""

    def parts(self, model: nn.Module, layers: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """See :meth:`Repair.parts`: batch norms with statistics of their own."""
        del layers
        return {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            and module.running_mean is not None
        }


#: Smallest standard deviation that is divided by, relative to the one that is wanted: an output
#: that is constant on the chip stays as large as it is.
LEAST_STD = 1e-6
