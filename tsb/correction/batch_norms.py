"""Recalibrated batch norms."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from archsim.errors import Code, NetworkError
from tsb.correction.base import Carrier, Correction, Tensors
from tsb.correction.calibration import CALIBRATION_BATCH
from tsb.correction.needs import DigitalNeed, Needs
from tsb.correction.on_read import OnRead


@dataclass(kw_only=True)
class BatchNorms(Correction):
    """Mean and variance of the batch norms measured on the programmed chip; needs no labels."""

    name = "batch-norm"
    description = "batch norms recalibrated on the chip, without labels"
    citation = "Joshi et al., Nature Communications 11, 2020, doi:10.1038/s41467-020-16108-9"
    in_cells = False
    trained = False
    starts_as_identity = False

    def words(self) -> str:
        """See :meth:`Correction.words`."""
        return "batch norms recalibrated"

    def hardware(self) -> Needs:
        """See :meth:`Correction.hardware`.

        Accuracies are measured with a digital scale and bias for each batch norm, whatever the
        method: recalibration puts other numbers into the same registers. The cost engine takes
        batch norms as folded into the weights and prices these numbers for no method.
        """
        return Needs(
            presumed=DigitalNeed(scales=True, all_layers=True),
            notes=(
                "scales and biases of batch norms are there for every method and priced for none: "
                "the cost engine folds batch norms into the weights",
            ),
        )

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        if not any(isinstance(m, _BatchNorm) for m in carrier.model.modules()):
            raise NetworkError(
                f"network '{carrier.layers.name}' has no batch norm to recalibrate",
                code=Code.UNSUPPORTED,
                field="batch-norm",
                value=carrier.layers.name,
            )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the statistics of the images on this chip; see :meth:`Correction.start`."""
        del wanted
        # Inside, as what the layers compute goes with the copy.
        with torch.no_grad(), carrier.as_read(tensors):
            model = copy.deepcopy(carrier.model)
            state = model.state_dict()
            model.load_state_dict({name: tensors.get(name, state[name]) for name in state})
            norms = {n: m for n, m in model.named_modules() if isinstance(m, _BatchNorm)}
            for norm in norms.values():
                norm.reset_running_stats()
                norm.momentum = None  # running statistics become plain averages
                norm.train()
            for part in images.split(CALIBRATION_BATCH):
                model(part)
        return {
            f"{name}.{kind}": getattr(norm, kind).clone()
            for name, norm in norms.items()
            for kind in ("running_mean", "running_var")
        }

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        return {**tensors, **parameters}

    def on_read(self, parameters: Tensors) -> OnRead:
        """See :meth:`Correction.on_read`."""
        del parameters
        return OnRead()
