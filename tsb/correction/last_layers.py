"""Retrained layers: their weights are trained for the chip and written again."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from archsim.errors import Code, ConfigError
from tsb.correction.base import Carrier, Correction, Tensors
from tsb.correction.needs import Needs
from tsb.correction.on_read import OnRead
from tsb.correction.options import option


@dataclass(kw_only=True)
class LastLayersTuned(Correction):
    """The last layers, from the weights that the chip was asked for.

    Attributes:
        count: how many layers on crossbars.
        names: of their weights; filled by :meth:`attach`.
    """

    name = "last-layers"
    description = "the last layers, trained and written again"
    citation = None
    in_cells = True
    trained = True
    starts_as_identity = False

    count: int = field(default=1, metadata=option("how many"))
    names: tuple[str, ...] = field(default=(), init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "last layer retrained" if self.count == 1 else f"last {self.count} layers retrained"

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`."""
        return Needs(rewritten_layers=self.count)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        names = carrier.weights()
        if not 1 <= self.count <= len(names):
            raise ConfigError(
                f"last-layers = {self.count}; allowed: 1 to {len(names)}",
                code=Code.OUT_OF_RANGE,
                field="last-layers",
                value=self.count,
                allowed=f"1 to {len(names)}",
            )
        self.names = names[len(names) - self.count :]

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the weights that were asked for; see :meth:`Correction.start`."""
        del carrier, tensors, images
        return {name: wanted[name].detach().clone() for name in self.names}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        return {**tensors, **parameters}

    def on_read(self, parameters: Tensors) -> OnRead:
        """See :meth:`Correction.on_read`."""
        return OnRead(rewritten=tuple(parameters))

    def replaced(self) -> tuple[str, ...]:
        """See :meth:`Correction.replaced`."""
        return self.names
