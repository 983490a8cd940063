"""How a field of a design batch says which setting it comes from."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from archsim.arch.parameters import PLACEMENT, Kind, Parameter
from archsim.config.choices import PLACEMENTS
from archsim.config.lookup import schema_fields
from archsim.config.resolve import Resolved


def names(path: str) -> tuple[str, ...]:
    """Return what a setting may be, in code order: that of its schema.

    Args:
        path: dotted.
    """
    return PLACEMENTS if path == PLACEMENT else schema_fields(Resolved)[path].choices


def parameter(path: str, kind: Kind = "continuous", **other: Any) -> Any:
    """Return a dataclass field that carries its :class:`archsim.arch.parameters.Parameter`.

    Args:
        path: of the setting.
        kind: of the parameter.
        **other: of the parameter.
    """
    choices = names(path) if kind in ("choice", "flag") else ()
    return field(metadata={"parameter": Parameter(path, kind, choices, **other)})
