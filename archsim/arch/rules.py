"""What no design may be: the rules of archsim/config/rules.py, asked of whole batches.

The rows stand in ``config``, because what resolves a configuration checks it too, and knows no
tensors. Here each row is bound to a :class:`archsim.arch.parameters.ParameterTable`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.parameters import Kind, Parameter, ParameterTable
from archsim.config import rules
from archsim.config.lookup import FieldKind, schema_fields
from archsim.config.resolve import Resolved
from archsim.config.settings import LAYERS

_KINDS: Mapping[FieldKind, Kind] = {
    "block": "block",
    "list": "list",
    "constant": "continuous",
    "number": "continuous",
    "flag": "flag",
    "choice": "choice",
    "text": "text",
}


def checked_parameters() -> dict[str, Parameter]:
    """Return every setting that designs or rules depend on, by path."""
    known = DesignBatch.inputs()
    schema = schema_fields(Resolved)
    reads = {path for rule in rules.RULES for path in rule.reads}
    for path in sorted(reads & schema.keys() - known.keys()):
        entry = schema[path]
        choices = (str(entry.default),) if entry.kind == "text" else entry.choices
        known[path] = Parameter(path, _KINDS[entry.kind], choices)
    return known


def table_of(resolved: Resolved, placement: str) -> ParameterTable:
    """Return one configuration as a table that rules can be asked about, shape ``()``.

    Args:
        resolved: which.
        placement: of the shared block.
    """
    return ParameterTable.of(resolved, placement, checked_parameters())


def broken(table: ParameterTable, *, layers: int | None = None) -> dict[str, Tensor]:
    """Return, by name of the rule, where designs break it; rules that nothing breaks are left out.

    Args:
        table: of :func:`table_of`, with any values written into it, ``*batch``.
        layers: of the network, with weights; None asks no rule about it.
    """
    if layers is not None:
        table = table.written({LAYERS: torch.tensor(float(layers), dtype=torch.float64)})
    masks = {rule.name: mask for rule, mask in rules.broken_rules(table).items()}
    return {name: mask for name, mask in masks.items() if bool(mask.any())}
