"""A device that is not there: tensors that say ``other:0`` and hold their numbers on the CPU.

It shows, on a machine without a GPU, what a GPU would refuse. Inside :class:`OtherDevice` all that
is asked for on ``other`` is such a tensor, and an operation that mixes it with a plain CPU tensor
raises, as PyTorch does on a GPU. As there, CPU tensors without dimensions may be mixed in, CPU
indices may be used, and a generator draws on its own device alone. It is PyTorch's device type for
backends from outside (PrivateUse1), since autograd refuses CUDA tensors where CUDA is not built in.

What it does not show: kernels of a GPU and how they round or draw, autocast, streams, memory and
speed, and code that asks for the device type ``cuda`` by name.

:func:`register` cannot be undone: use it in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "other"
_ATEN = torch.ops.aten
#: Operations whose second argument may be indices on the CPU.
_INDEXED = {_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default}


class OtherTensor(Tensor):
    """A tensor of the other device; ``held`` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OtherTensor:
        """Wrap numbers."""
        made = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        """Return the numbers; PyTorch refuses this for all wrappers."""
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Work on the numbers, wrap what comes out."""
        return _run(func, args, kwargs or {}, frozenset())


class OtherDevice(TorchDispatchMode):
    """Makes tensors of the other device where they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.generators: list[torch.Generator] = []

    def generator_on(self, device: torch.device, seed: int) -> torch.Generator:
        """Return a generator for a device; stands in for that of `tsb.compute_device`."""
        made = torch.Generator().manual_seed(seed)
        if device.type == NAME:
            self.generators.append(made)  # kept alive: it is known by its address
        return made

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Work on the numbers, wrap what belongs there."""
        own = frozenset(generator._cdata for generator in self.generators)
        return _run(func, args, kwargs or {}, own)


def _run(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    generators: frozenset[int],
) -> Any:
    leaves = tree_leaves((args, kwargs))
    others = [leaf for leaf in leaves if isinstance(leaf, OtherTensor)]
    asked = kwargs.get("device")
    there = bool(others) if asked is None else asked.type == NAME
    if func is _ATEN.copy_.default:
        there = isinstance(args[0], OtherTensor)
    elif asked is None and others:
        _refuse_mixed(func, args, kwargs)
    for leaf in leaves:
        if isinstance(leaf, torch.Generator) and (leaf._cdata in generators) != there:
            raise RuntimeError(f"{func}: a generator of another device")
    given = {id(other.held): other for other in others}
    plain_args, plain_kwargs = tree_map(_held, (args, kwargs))
    if asked is not None:
        plain_kwargs["device"] = torch.device("cpu")
    found = func(*plain_args, **plain_kwargs)

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return given[id(value)] if id(value) in given else OtherTensor(value)

    return tree_map(wrapped, found) if there else found


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OtherTensor) else value


def _refuse_mixed(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    looked_at = (args[:1], args[2:]) if func in _INDEXED else args
    for leaf in tree_leaves((looked_at, kwargs)):
        if isinstance(leaf, Tensor) and not isinstance(leaf, OtherTensor) and leaf.dim():
            raise RuntimeError(
                f"Expected all tensors to be on the same device: {func} of {NAME} and cpu"
            )


class _Backend:
    """What PyTorch asks the module of a device for."""

    def is_available(self) -> bool:
        """Return whether there is one."""
        return True

    def is_initialized(self) -> bool:
        """Return whether it has begun."""
        return True

    def current_device(self) -> int:
        """Return the only one."""
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Have no random state of its own."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """Return the number formats of autocast."""
        return [torch.bfloat16]


def register() -> None:
    """Make the device known to PyTorch, for the rest of this process."""
    _setup_privateuseone_for_python_backend("other", backend_module=_Backend())
    # Else module.to() swaps .data, which the wrapper has not.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
