"""Operators of PyTorch by name: what a stored matrix is computed with, also in another process."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial

import torch


def named_operator(
    namespace: str, name: str, overload: str, *args: object, **kwargs: object
) -> object:
    """Call an operator.

    Args:
        namespace: for example ``aten``.
        name: of the operator.
        overload: of the operator.
        *args: of the operator.
        **kwargs: of the operator.
    """
    return getattr(getattr(getattr(torch.ops, namespace), name), overload)(*args, **kwargs)


def operator_name(compute: Callable[..., object]) -> tuple[str, str, str] | None:
    """Return the name of a call of :func:`named_operator`, or of taking an item; None of others.

    Args:
        compute: a function.

    Returns:
        Namespace, name and overload.
    """
    if compute is operator.getitem:
        return _ITEM
    if not isinstance(compute, partial) or compute.func is not named_operator or compute.keywords:
        return None
    namespace, name, overload = compute.args
    return namespace, name, overload


def operator_called(namespace: str, name: str, overload: str) -> Callable[..., object]:
    """Return the function that :func:`operator_name` names.

    Args:
        namespace: of the operator.
        name: of the operator.
        overload: of the operator.
    """
    if (namespace, name, overload) == _ITEM:
        return operator.getitem
    return partial(named_operator, namespace, name, overload)


_ITEM = ("operator", "getitem", "")
