"""Trained biases: digital, so that nothing is written to a crossbar, and there is no noise."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from archsim.errors import Code, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors
from tsb.correction.needs import DigitalNeed, Needs
from tsb.correction.on_read import OnRead


@dataclass(kw_only=True)
class Biases(Correction):
    """The biases of all layers and batch norms, trained for this chip.

    Attributes:
        names: of the biases; filled by :meth:`attach`.
    """

    name = "biases"
    description = "trained biases of layers and batch norms"
    citation = None
    in_cells = False
    trained = True
    starts_as_identity = True

    names: list[str] = field(default_factory=list, init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "digital biases"

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`."""
        return Needs(digital=DigitalNeed(scales=False, all_layers=True))

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        self.names = [name for name, _ in carrier.model.named_parameters() if _is_bias(name)]
        if not self.names:
            raise NetworkError(
                f"network '{carrier.layers.name}' has no biases to train",
                code=Code.UNSUPPORTED,
                field="biases",
                value=carrier.layers.name,
            )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the biases as they are; see :meth:`Correction.start`."""
        del carrier, wanted, images
        return {name: tensors[name].detach().clone() for name in self.names}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        return {**tensors, **parameters}

    def on_read(self, parameters: Tensors) -> OnRead:
        """See :meth:`Correction.on_read`."""
        del parameters
        return OnRead()


def _is_bias(name: str) -> bool:
    return name.rsplit(".", 1)[-1] == "bias"
