"""Trained factors per output channel, in digital memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tsb.correction.base import Carrier, Correction, Tensors, device_of, spread_over
from tsb.correction.needs import DigitalNeed, Needs
from tsb.correction.on_read import OnRead


@dataclass(kw_only=True)
class Scales(Correction):
    """A digital factor per output channel of every layer on crossbars, before its bias.

    With :class:`tsb.correction.biases.Biases` this is the per-channel compensation of CxDNN,
    trained instead of calculated.

    Attributes:
        names: of the layers' weights; filled by :meth:`attach`.
    """

    name = "scales"
    description = "a trained factor per output channel"
    citation = "Jain & Raghunathan, CxDNN, ACM TECS 18(6), 2019, doi:10.1145/3362035"
    in_cells = False
    trained = True
    starts_as_identity = True

    names: tuple[str, ...] = field(default=(), init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "digital scales"

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`."""
        return Needs(digital=DigitalNeed(scales=True, all_layers=True))

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        self.names = carrier.weights()

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return ones; see :meth:`Correction.start`."""
        del carrier, wanted, images
        device = device_of(tensors)
        return {name: torch.ones(tensors[name].shape[0], device=device) for name in self.names}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        scaled = {n: spread_over(p, tensors[n]) * tensors[n] for n, p in parameters.items()}
        return {**tensors, **scaled}

    def on_read(self, parameters: Tensors) -> OnRead:
        """See :meth:`Correction.on_read`."""
        return OnRead(scales=parameters)

    def digital_products(self, carrier: Carrier) -> int:
        """Count one per output; where a batch norm follows, it could take the factor over."""
        return sum(carrier.outputs(name) for name in self.names)
