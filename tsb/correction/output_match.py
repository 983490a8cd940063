"""Outputs of linear layers matched to the clean network, in digital memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from archsim.errors import Code, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors, spread_over
from tsb.correction.calibration import layer_outputs
from tsb.correction.needs import DigitalNeed, Needs
from tsb.correction.on_read import OnRead


@dataclass(kw_only=True)
class OutputMatch(Correction):
    """Scale and bias per output of every linear layer, so that it matches the clean network.

    Needs no labels: mean and standard deviation of each output over the images are those that the
    network has with the weights it was asked for. What recalibration does for batch norms, for the
    layers that have none.

    Attributes:
        names: of the layers; filled by :meth:`attach`.
    """

    name = "output-match"
    description = "outputs of linear layers matched to those of the clean network, without labels"
    citation = None
    in_cells = False
    trained = False
    starts_as_identity = False

    names: list[str] = field(default_factory=list, init=False)

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "outputs of linear layers matched"

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`."""
        return Needs(digital=DigitalNeed(scales=True, all_layers=False))

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for name in carrier.module_names(nn.Linear):
            if carrier.model.get_submodule(name).bias is not None:
                self.names.append(name)
        if not self.names:
            raise NetworkError(
                f"network '{carrier.layers.name}' has no linear layer with a bias",
                code=Code.UNSUPPORTED,
                field="output-match",
                value=carrier.layers.name,
            )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return scale and bias, layer after layer; see :meth:`Correction.start`."""
        ideal = layer_outputs(carrier.model, {**tensors, **wanted}, images, self.names)
        parameters: dict[str, Tensor] = {}
        for name in self.names:
            corrected = self.apply(tensors, parameters)
            with carrier.as_read(corrected, self.on_read(parameters)):
                real = layer_outputs(carrier.model, corrected, images, [name])[name]
            # Over images and, of tokens, places.
            real, wanted_out = (each.flatten(0, -2) for each in (real, ideal[name]))
            scale = wanted_out.std(0) / real.std(0).clamp_min(torch.finfo(real.dtype).tiny)
            raw = real - tensors[f"{name}.bias"]  # what the crossbar gave
            parameters[f"{name}.scale"] = scale
            parameters[f"{name}.bias"] = wanted_out.mean(0) - scale * raw.mean(0)
        return parameters

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        corrected = dict(tensors)
        for name in self.names:
            if f"{name}.scale" in parameters:
                weight = tensors[f"{name}.weight"]
                corrected[f"{name}.weight"] = spread_over(parameters[f"{name}.scale"], weight)
                corrected[f"{name}.weight"] = corrected[f"{name}.weight"] * weight
                corrected[f"{name}.bias"] = parameters[f"{name}.bias"]
        return corrected

    def on_read(self, parameters: Tensors) -> OnRead:
        """See :meth:`Correction.on_read`."""
        scales = {
            f"{name}.weight": parameters[f"{name}.scale"]
            for name in self.names
            if f"{name}.scale" in parameters
        }
        return OnRead(scales=scales)

    def digital_products(self, carrier: Carrier) -> int:
        """Count one per output of the linear layers."""
        return sum(carrier.outputs(f"{name}.weight") for name in self.names)
