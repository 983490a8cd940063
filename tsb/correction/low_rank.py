"""Terms of low rank beside linear layers."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from archsim.errors import Code, ConfigError, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors
from tsb.correction.needs import Unpriced
from tsb.correction.on_read import Unread
from tsb.correction.options import option


@dataclass(kw_only=True)
class LowRank(Correction):
    """A low-rank term beside every linear layer, ``(W + U V) x``, both factors on crossbars.

    U starts at zero and V at the first right singular vectors of the error ``wanted - stored``: the
    directions in which the chip is most wrong.

    Attributes:
        rank: r; the term has ``r (in + out)`` weights.
        names: of the layers' weights; filled by :meth:`attach`.
    """

    name = "low-rank"
    description = "a term of low rank beside linear layers"
    citation = None
    in_cells = True
    trained = True
    starts_as_identity = True

    rank: int = field(default=1, metadata=option("of the terms"))
    names: list[str] = field(default_factory=list, init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return f"terms of rank {self.rank} beside linear layers"

    def hardware(self) -> Unpriced:
        """See :meth:`Correction.hardware`."""
        return Unpriced("terms beside linear layers are not in the cost engine")

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        self.names = [f"{name}.weight" for name in carrier.module_names(nn.Linear)]
        if not self.names:
            raise NetworkError(
                f"network '{carrier.layers.name}' has no linear layer",
                code=Code.UNSUPPORTED,
                field="low-rank",
                value=carrier.layers.name,
            )
        for name in self.names:
            smallest = min(carrier.model.get_parameter(name).shape)
            if not 1 <= self.rank <= smallest:
                raise ConfigError(
                    f"low-rank rank = {self.rank}; '{name}' allows 1 to {smallest}",
                    code=Code.OUT_OF_RANGE,
                    field="low-rank rank",
                    value=self.rank,
                    allowed=f"1 to {smallest}",
                )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return U = 0 and V; see :meth:`Correction.start`."""
        del carrier, images
        first: dict[str, Tensor] = {}
        for name in self.names:
            missing = (wanted[name] - tensors[name]).double()
            _, _, right = torch.linalg.svd(missing, full_matrices=False)
            first[f"{name}.u"] = torch.zeros(missing.shape[0], self.rank, device=missing.device)
            first[f"{name}.v"] = right[: self.rank].float()
        return first

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name in self.names:
            term = parameters[f"{name}.u"] @ parameters[f"{name}.v"]
            corrected[name] = tensors[name] + term
        return corrected

    def on_read(self, parameters: Tensors) -> Unread:
        """See :meth:`Correction.on_read`."""
        del parameters
        return Unread("low-rank terms are folded into the weights of linear layers")

    def macs(self, carrier: Carrier) -> int:
        """Count both factors of every linear layer."""
        layers = [carrier.layer(name) for name in self.names]
        return sum(
            layer.mvms * self.rank * (layer.in_channels + layer.out_channels) for layer in layers
        )
