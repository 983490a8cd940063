"""Name, factory, default input, description and source of every built-in network."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch

from archsim.errors import Code, NetworkError, close_matches
from archsim.network.zoo.base import ZooModel

_HE = (
    "K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning for image recognition, CVPR 2016, "
    "doi:10.1109/CVPR.2016.90"
)
_LECUN = (
    "after Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE "
    "86(11), 1998, doi:10.1109/5.726791; reduced to three layers"
)
_VGG = (
    "after K. Simonyan, A. Zisserman, Very deep convolutional networks for large-scale image "
    "recognition, ICLR 2015, arXiv:1409.1556; the 8-layer form is the default network of "
    "DNN+NeuroSim (X. Peng et al., IEDM 2019, doi:10.1109/IEDM19573.2019.8993491)"
)


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """One built-in network.

    Attributes:
        name: What the user writes.
        factory: ``module:function`` that builds it.
        input_shape: ``(channels, height, width)`` with default options.
        description: One line.
        citation: Where the network comes from.
        data: Data set that it is usually trained on (``archsim list data``); None where archsim
            knows none.
        defaults: Options that tell this entry from others of the same factory.
    """

    name: str
    factory: str
    input_shape: tuple[int, int, int]
    description: str
    citation: str
    data: str | None
    defaults: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def build(self, *, device: str | torch.device = "cpu", **options: object) -> ZooModel:
        """Build the model.

        Args:
            device: Where its weights live; ``"meta"`` needs no memory, and cannot run.
            **options: Keyword arguments of the factory, e.g. ``num_classes`` or ``input_size``.

        Raises:
            NetworkError: An option is unknown or has a value that is not allowed.
        """
        module, _, function = self.factory.partition(":")
        make: Callable[..., ZooModel] = getattr(importlib.import_module(module), function)
        known = tuple(inspect.signature(make).parameters)
        for option in options:
            if option not in known:
                raise NetworkError(
                    f"network '{self.name}' has no option '{option}'; allowed are "
                    f"{', '.join(known)}.{close_matches(option, known)}",
                    code=Code.UNKNOWN_KEY,
                    field="options",
                    value=option,
                    allowed=known,
                )
        chosen = {**self.defaults, **options}
        try:
            with torch.device(device):
                return make(**chosen)
        except (TypeError, ValueError, RuntimeError) as error:
            raise NetworkError(
                f"network '{self.name}' cannot be built with {chosen}: {error}",
                code=Code.CALL_FAILED,
                field="options",
                value=chosen,
            ) from error


def names() -> tuple[str, ...]:
    """Names of the built-in networks, in the order of the registry."""
    return tuple(_ENTRIES)


def entry(name: str) -> ZooEntry:
    """The built-in network called ``name``.

    Raises:
        NetworkError: There is none; the message lists all names, nearest first.
    """
    if name not in _ENTRIES:
        raise NetworkError(
            f"unknown network '{name}'.{close_matches(name, _ENTRIES)} Built-in networks: "
            f"{', '.join(_ENTRIES)}. For your own, give package.module:function",
            code=Code.UNKNOWN_NAME,
            field="network",
            value=name,
            allowed=tuple(_ENTRIES),
        )
    return _ENTRIES[name]


def build(name: str, *, device: str | torch.device = "cpu", **options: object) -> ZooModel:
    """Build the network called ``name``; see :meth:`ZooEntry.build`.

    Raises:
        NetworkError: The name or an option is unknown.
    """
    return entry(name).build(device=device, **options)


def _entry(
    name: str,
    factory: str,
    input_shape: tuple[int, int, int],
    description: str,
    citation: str,
    data: str | None,
    **defaults: object,
) -> ZooEntry:
    return ZooEntry(
        name=name,
        factory=f"archsim.network.zoo.{factory}",
        input_shape=input_shape,
        description=description,
        citation=citation,
        data=data,
        defaults=MappingProxyType(defaults),
    )


_MNIST, _CIFAR, _TINY, _IMAGENET = (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224)

_ENTRIES: dict[str, ZooEntry] = {
    item.name: item
    for item in (
        _entry(
            "lenet3",
            "lenet3:LeNet3",
            _MNIST,
            "2 convolutions, 1 linear, MNIST",
            _LECUN,
            "mnist",
        ),
        _entry(
            "lenet3-bn",
            "lenet3:LeNet3",
            _MNIST,
            "LeNet-3 with batch norm, MNIST",
            _LECUN,
            "mnist",
            batch_norm=True,
        ),
        _entry(
            "vgg8",
            "vgg8:VGG8",
            _CIFAR,
            "6 convolutions, 2 linear, CIFAR-10",
            _VGG,
            "cifar10",
        ),
        _entry(
            "resnet18",
            "resnet:resnet18",
            _IMAGENET,
            "ResNet-18, ImageNet",
            _HE,
            None,
        ),
        _entry(
            "resnet18-tiny",
            "resnet:resnet18",
            _TINY,
            "ResNet-18, ImageNet stem, Tiny ImageNet (64x64, 200 classes)",
            _HE,
            "tiny-imagenet",
            input_size=64,
            num_classes=200,
        ),
        _entry(
            "resnet18-cifar",
            "resnet:resnet18",
            _CIFAR,
            "ResNet-18, 3x3 stem, CIFAR-10",
            _HE,
            "cifar10",
            input_size=32,
            num_classes=10,
            stem="cifar",
        ),
        _entry(
            "resnet18-cifar-nodown",
            "resnet:resnet18",
            _CIFAR,
            "ResNet-18, 3x3 stem, shortcuts without weights (option A), CIFAR-10",
            _HE,
            "cifar10",
            input_size=32,
            num_classes=10,
            stem="cifar",
            downsample="none",
        ),
        _entry(
            "resnet20",
            "resnet:resnet20",
            _CIFAR,
            "ResNet-20 with 1x1 shortcuts, CIFAR-10",
            _HE,
            "cifar10",
        ),
        _entry(
            "resnet50",
            "resnet:resnet50",
            _IMAGENET,
            "ResNet-50 v1.5, ImageNet",
            _HE,
            None,
        ),
    )
}
