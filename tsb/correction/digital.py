"""Corrections in digital memory: nothing is written to a crossbar, and there is no noise."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archsim.errors import NetworkError
from tsb.correction.base import Carrier, Correction, Tensors, device_of, spread_over

#: Images per forward pass of the recalibration; their statistics are averaged.
_CALIBRATION_BATCH = 500


@dataclass(kw_only=True)
class Biases(Correction):
    """The biases of all layers and batch norms, trained for this chip."""

    name: str = "biases"
    names: list[str] = field(default_factory=list)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        self.names = [name for name, _ in carrier.model.named_parameters() if _is_bias(name)]
        if not self.names:
            raise NetworkError(f"network '{carrier.layers.name}' has no biases to train")

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the biases as they are; see :meth:`Correction.start`."""
        del carrier, wanted, images
        return {name: tensors[name].detach().clone() for name in self.names}

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        return {**tensors, **parameters}


def _is_bias(name: str) -> bool:
    return name.rsplit(".", 1)[-1] == "bias"


@dataclass(kw_only=True)
class Scales(Correction):
    """A digital factor per output channel of every layer on crossbars, before its bias.

    With :class:`Biases` this is the per-channel compensation of CxDNN (Jain & Raghunathan, ACM
    TECS 18(6), 2019, doi:10.1145/3362035), trained instead of calculated.
    """

    name: str = "scales"
    names: tuple[str, ...] = ()

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

    def digital_products(self, carrier: Carrier) -> int:
        """Count one per output; where a batch norm follows, it could take the factor over."""
        return sum(carrier.outputs(name) for name in self.names)


@dataclass(kw_only=True)
class BatchNorms(Correction):
    """Mean and variance of the batch norms measured on the programmed chip; needs no labels."""

    name: str = "batch-norm"
    trained: bool = False

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        if not any(isinstance(m, _BatchNorm) for m in carrier.model.modules()):
            raise NetworkError(
                f"network '{carrier.layers.name}' has no batch norm to recalibrate; use 'biases' "
                "or 'scales'"
            )

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return the statistics of the images on this chip; see :meth:`Correction.start`."""
        del wanted
        model = copy.deepcopy(carrier.model)
        own = model.state_dict()
        model.load_state_dict({name: tensors.get(name, own[name]) for name in own})
        norms = {n: m for n, m in model.named_modules() if isinstance(m, _BatchNorm)}
        for norm in norms.values():
            norm.reset_running_stats()
            norm.momentum = None  # running statistics become plain averages
            norm.train()
        with torch.no_grad():
            for part in images.split(_CALIBRATION_BATCH):
                model(part)
        return {
            f"{name}.{kind}": getattr(norm, kind).clone()
            for name, norm in norms.items()
            for kind in ("running_mean", "running_var")
        }

    def apply(self, tensors: Tensors, parameters: Tensors) -> dict[str, Tensor]:
        """See :meth:`Correction.apply`."""
        return {**tensors, **parameters}


@dataclass(kw_only=True)
class OutputMatch(Correction):
    """Scale and bias per output of every linear layer, so that it matches the clean network.

    Needs no labels: mean and standard deviation of each output over the images are those that the
    network has with the weights it was asked for. What recalibration does for batch norms, for the
    layers that have none.
    """

    name: str = "output-match"
    trained: bool = False
    names: list[str] = field(default_factory=list)

    def attach(self, carrier: Carrier) -> None:
        """See :meth:`Correction.attach`."""
        for name, module in carrier.model.named_modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                self.names.append(name)
        if not self.names:
            raise NetworkError(f"network '{carrier.layers.name}' has no linear layer with a bias")

    def start(
        self, carrier: Carrier, tensors: Tensors, wanted: Tensors, images: Tensor
    ) -> dict[str, Tensor]:
        """Return scale and bias, layer after layer; see :meth:`Correction.start`."""
        ideal = _outputs(carrier.model, {**tensors, **wanted}, images, self.names)
        found: dict[str, Tensor] = {}
        for name in self.names:
            real = _outputs(carrier.model, self.apply(tensors, found), images, [name])[name]
            scale = ideal[name].std(0) / real.std(0).clamp_min(torch.finfo(real.dtype).tiny)
            raw = real - tensors[f"{name}.bias"]  # what the crossbar gave
            found[f"{name}.scale"] = scale
            found[f"{name}.bias"] = ideal[name].mean(0) - scale * raw.mean(0)
        return found

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

    def digital_products(self, carrier: Carrier) -> int:
        """Count one per output of the linear layers."""
        return sum(carrier.outputs(f"{name}.weight") for name in self.names)


def _outputs(
    model: nn.Module, tensors: Tensors, images: Tensor, names: list[str]
) -> dict[str, Tensor]:
    """Return the outputs of some layers over all images, ``image feature``."""
    parts: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            del module, inputs
            parts[name].append(output.detach())

        return model.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in names]
    try:
        with torch.no_grad():
            for part in images.split(_CALIBRATION_BATCH):
                torch.func.functional_call(model, dict(tensors), (part,))
    finally:
        for handle in handles:
            handle.remove()
    return {name: torch.cat(found) for name, found in parts.items()}
