"""Models of the timm library by name: ``timm:convnext_tiny``. An optional extra.

timm needs torchvision, for image transforms and one batch norm, none of which a layer graph needs.
torchvision in turn needs the build of PyTorch that it was compiled with, and where the two differ
it cannot be imported. Then, and only while ``import timm`` runs, an import of torchvision gives a
placeholder (:class:`_Placeholders`): its classes can be named and derived from, and raise
:class:`~archsim.errors.NetworkError` when something is made of them. Afterwards it is gone from
``sys.modules``, so that other libraries see what is really installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

import torch
from torch import nn

from archsim.errors import Code, NetworkError, close_matches
from archsim.network.offline import offline

PREFIX = "timm:"
_TORCHVISION = "torchvision"
_INSTALL = (
    "pip install 'archsim[timm]'; beside a CPU build of PyTorch, without torchvision: "
    "pip install huggingface_hub && pip install --no-deps timm"
)


def build_timm(
    spec: str, options: Mapping[str, object], shape: Sequence[int] | None = None
) -> tuple[nn.Module, tuple[int, ...]]:
    """Build a timm model without weights, on the ``meta`` device, and find its input shape.

    Args:
        spec: ``timm:NAME``.
        options: Keyword arguments of ``timm.create_model``; ``pretrained`` is refused.
        shape: ``(channels, height, width)`` that the model shall take, if not its own.

    Returns:
        The model and the input shape of its ``pretrained_cfg``: ``(channels, height, width)``.

    Raises:
        NetworkError: timm is not installed, has no such model, or cannot build it.
    """
    name = spec.removeprefix(PREFIX)
    timm = import_timm()
    known: list[str] = timm.list_models()
    if name.partition(".")[0] not in known:
        raise NetworkError(
            f"unknown timm model '{name}'.{close_matches(name, known)} timm has {len(known)} "
            "models: timm.list_models('*resnet*') in Python",
            code=Code.UNKNOWN_NAME,
            field="network",
            value=name,
            allowed=tuple(known),
        )
    if "pretrained" in options:
        raise NetworkError(
            f"network '{spec}': option 'pretrained' is not allowed; archsim downloads no weights",
            code=Code.UNKNOWN_KEY,
            field="options",
            value="pretrained",
        )
    try:
        with offline():
            model = _sized(timm, name, options, shape)
    except Exception as error:
        raise NetworkError(
            f"network '{spec}' cannot be built with {dict(options)}: "
            f"{type(error).__name__}: {error}",
            code=Code.CALL_FAILED,
            field="options",
            value=dict(options),
        ) from error
    return model.eval(), input_shape(model)


def import_timm() -> ModuleType:
    """Import timm, with placeholders for a torchvision that cannot be imported.

    Raises:
        NetworkError: timm cannot be imported; the message says how to install it.
    """
    loaded: ModuleType | None = sys.modules.get("timm")
    if loaded is not None:
        return loaded
    try:
        with _torchvision():
            return importlib.import_module("timm")
    except ImportError as error:
        raise NetworkError(
            f"timm models need the optional package timm ({error}); install it with {_INSTALL}",
            code=Code.MISSING_PACKAGE,
            field="timm",
        ) from error


def load_timm(spec: str, options: Mapping[str, object]) -> nn.Module:
    """Build a timm model with random weights in memory.

    Args:
        spec: ``timm:NAME``.
        options: As for :func:`build_timm`.

    Raises:
        NetworkError: As :func:`build_timm`.
    """
    build_timm(spec, options)  # all that can be wrong, without memory
    with offline():
        model: nn.Module = import_timm().create_model(
            spec.removeprefix(PREFIX), pretrained=False, **options
        )
    return model.eval()


def _sized(
    timm: ModuleType, name: str, options: Mapping[str, object], shape: Sequence[int] | None
) -> nn.Module:
    """Create a model for images of ``shape``; models without a fixed size know no ``img_size``."""
    model = _create(timm, name, options)
    if shape is None or len(shape) != 3 or tuple(shape) == input_shape(model):
        return model
    channels = {} if shape[0] == input_shape(model)[0] else {"in_chans": shape[0]}
    try:
        return _create(timm, name, {"img_size": tuple(shape[1:]), **channels, **options})
    except TypeError:
        return _create(timm, name, {**channels, **options}) if channels else model


def _create(timm: ModuleType, name: str, options: Mapping[str, object]) -> nn.Module:
    """Create a model; on the CPU if its constructor computes with values, which ``meta`` has not.

    With fewer weights in memory nothing else would differ: the graph knows shapes only.
    """
    try:
        with torch.device("meta"):
            model: nn.Module = timm.create_model(name, pretrained=False, **options)
    except (RuntimeError, NotImplementedError):
        model = timm.create_model(name, pretrained=False, **options)
    return model


def input_shape(model: nn.Module) -> tuple[int, ...]:
    """Input shape of the model's own configuration: the fixed one, else the one for training.

    Args:
        model: Of timm.
    """
    config = getattr(model, "pretrained_cfg", {})
    size = config.get("input_size") if hasattr(config, "get") else None
    return tuple(int(length) for length in size or (3, 224, 224))


@contextmanager
def _torchvision() -> Iterator[None]:
    """The installed torchvision if it can be imported, else placeholders that go away again."""
    try:
        importlib.import_module(_TORCHVISION)
    except Exception:  # noqa: BLE001 - a build for another PyTorch raises RuntimeError and others
        _forget_torchvision()
    else:
        yield
        return
    finder = _Placeholders()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _forget_torchvision()


def _forget_torchvision() -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == _TORCHVISION]:
        del sys.modules[module]


class _Absent(type):
    """Type of all that a placeholder module offers: names inside it exist, instances do not."""

    def __getattr__(cls, name: str) -> type:
        return _absent(f"{cls.__qualname__}.{name}", name)

    def __call__(cls, *_: object, **__: object) -> NoReturn:
        raise NetworkError(
            f"timm uses {cls.__qualname__} of torchvision, which cannot be imported beside this "
            "PyTorch; install the torchvision that belongs to it",
            code=Code.MISSING_PACKAGE,
            field="torchvision",
            value=cls.__qualname__,
        )


def _absent(path: str, name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Absent(path, (), {})


class _Placeholders(MetaPathFinder, Loader):
    """Answers every import of torchvision, or of a part of it, with an empty module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for torchvision and below, None for everything else."""
        if fullname.partition(".")[0] != _TORCHVISION:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module a class for every name asked of it."""
        path = module.__name__
        vars(module)["__getattr__"] = lambda name: _absent(f"{path}.{name}", name)
