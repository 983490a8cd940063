"""Blocks that are not shared: what sharing is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from archsim.errors import Code, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors, device_of, matrix_times
from tsb.correction.needs import Unpriced
from tsb.correction.on_read import OnRead, Unread


@dataclass(kw_only=True)
class OwnBlocks(Correction):
    """A 1x1 convolution of its own after every convolution, or linear layer that is named.

    Attributes:
        sizes: channels by layer; filled by :meth:`attach`.
        linear: one of the linear layers among them; "" for none.
    """

    name = "own-blocks"
    description = "a 1x1 convolution per layer, not shared"
    citation = None
    in_cells = True
    trained = True
    starts_as_identity = True

    sizes: dict[str, int] = field(default_factory=dict, init=False)
    linear: str = field(default="", init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "a block of its own per layer"

    def hardware(self) -> Unpriced:
        """See :meth:`Correction.hardware`."""
        return Unpriced("a block of its own for each layer is not in the cost engine")

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for point in carrier.points:
            if not carrier.folds(point):
                raise NetworkError(
                    "own-blocks follow convolutions and linear layers, not residual blocks",
                    code=Code.CONFLICT,
                    field="own-blocks",
                )
            self.linear = point.name if point.channels_last else self.linear
            self.sizes[point.name] = point.channels

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return identities; see :meth:`Correction.start`."""
        del carrier, wanted, images
        device = device_of(tensors)
        return {name: torch.eye(size, device=device) for name, size in self.sizes.items()}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name, matrix in parameters.items():
            corrected[f"{name}.weight"] = matrix_times(matrix, tensors[f"{name}.weight"])
            if f"{name}.bias" in tensors:
                corrected[f"{name}.bias"] = matrix @ tensors[f"{name}.bias"]
        return corrected

    def on_read(self, parameters: Tensors) -> OnRead | Unread:
        """See :meth:`Correction.on_read`."""
        if self.linear:
            return Unread(f"its block behind linear layer '{self.linear}' is folded into weights")
        return OnRead(blocks={f"{name}.weight": (name,) for name in parameters})

    def macs(self, carrier: Carrier) -> int:
        """Count one product of a matrix per pixel of every map."""
        return sum(point.channels**2 * point.height * point.width for point in carrier.points)
