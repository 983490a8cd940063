"""A shared block for linear layers, which a TSB after convolutions cannot reach."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors, device_of
from tsb.correction.needs import Unpriced
from tsb.correction.on_read import Unread
from tsb.correction.options import option


@dataclass(kw_only=True)
class LinearBlock(Correction):
    """A shared block for linear layers: every group of c inputs goes through the same c x c matrix.

    ``W (I x B) x``: on the chip the block's crossbar is read before the layer's. It reaches errors
    of linear layers, which a TSB after convolutions cannot.

    Attributes:
        channels: c; must divide the inputs of every linear layer.
        names: of the layers' weights; filled by :meth:`attach`.
    """

    name = "linear-block"
    description = "a shared block before linear layers"
    citation = None
    in_cells = True
    trained = True
    starts_as_identity = True

    channels: int = field(
        metadata=option("a divisor of the inputs of every linear layer", example=2)
    )
    names: list[str] = field(default_factory=list, init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "shared block before linear layers"

    def hardware(self) -> Unpriced:
        """See :meth:`Correction.hardware`."""
        return Unpriced("a shared block before linear layers is not in the cost engine")

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for name in carrier.module_names(nn.Linear):
            features = carrier.model.get_parameter(f"{name}.weight").shape[1]
            if features % self.channels:
                raise ConfigError(
                    f"linear-block channels = {self.channels}; must divide the "
                    f"{features} inputs of layer '{name}'",
                    code=Code.SHAPE_MISMATCH,
                    field="linear-block channels",
                    value=self.channels,
                    allowed=f"divisors of {features}",
                )
            self.names.append(f"{name}.weight")
        if not self.names:
            raise NetworkError(
                f"network '{carrier.layers.name}' has no linear layer",
                code=Code.UNSUPPORTED,
                field="linear-block",
                value=carrier.layers.name,
            )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the identity; see :meth:`Correction.start`."""
        del carrier, wanted, images
        return {"weight": torch.eye(self.channels, device=device_of(tensors))}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name in self.names:
            weight = tensors[name]
            grouped = weight.reshape(weight.shape[0], -1, self.channels)
            corrected[name] = (grouped @ parameters["weight"]).reshape(weight.shape)
        return corrected

    def on_read(self, parameters: Tensors) -> Unread:
        """See :meth:`Correction.on_read`."""
        del parameters
        return Unread("a block before linear layers is folded into their weights")

    def macs(self, carrier: Carrier) -> int:
        """Count one product of the block per group of inputs of every linear layer."""
        layers = [carrier.layer(name) for name in self.names]
        return sum(layer.mvms * layer.in_channels * self.channels for layer in layers)
