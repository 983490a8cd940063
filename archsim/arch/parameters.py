"""Settings of one configuration or of many as tensors, before defaults: null is NaN.

A table is what a sweep writes into, what rules are asked about, and what the fields of
:class:`archsim.arch.design.DesignBatch` come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from archsim.config.lookup import look_up
from archsim.config.resolve import Resolved
from archsim.config.settings import AbstractSettings
from archsim.config.sourced import Quantity

Kind = Literal["continuous", "integer", "choice", "flag", "block", "list", "text"]
#: The only setting that is of no configuration: placement of the shared block.
PLACEMENT = "design"


@dataclass(frozen=True)
class Parameter:
    """A setting that designs or rules depend on.

    Attributes:
        path: in the configuration.
        kind: a number (null is NaN), a code into ``choices``, a truth value, whether a block of
            settings is there, the number of blocks in a list (null is NaN), or whether a text is
            another than its default.
        choices: of a choice, or of a flag that is a choice between two; of a text, its default.
        words: what a number may be in place of one, and the number that stands for it.
        default: number that a design has where the setting is null.
        fallback: path of the setting that counts in place of one that is null; "" for none.
        needs: path of the block without which the first choice counts; "" for none.
    """

    path: str
    kind: Kind
    choices: tuple[str, ...] = ()
    words: tuple[tuple[str, float], ...] = ()
    default: float = 0.0
    fallback: str = ""
    needs: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of all settings that a design's field depends on."""
        return tuple(path for path in (self.path, self.fallback, self.needs) if path)

    @property
    def is_number(self) -> bool:
        """Whether it is a number, and may be null."""
        return self.kind in ("continuous", "integer")

    def encoded(self, value: Any) -> Tensor:
        """Return the value of a configuration as a tensor of shape ``()``.

        Args:
            value: as the schema has it; None for null.
        """
        if self.kind == "block":
            return torch.tensor(value is not None)
        if self.kind == "text":
            return torch.tensor(value != self.choices[0])
        if self.kind == "list":
            return torch.tensor(math.nan if value is None else len(value), dtype=torch.float64)
        if isinstance(value, Quantity):
            value = value.si
        if self.words and isinstance(value, str):
            value = dict(self.words)[value]
        if value is None:
            value = self.choices[0] if self.choices else math.nan
        if self.kind == "choice":
            return torch.tensor(self.choices.index(value), dtype=torch.int64)
        if self.kind == "flag":
            return torch.tensor(self.choices.index(value) == 1 if self.choices else bool(value))
        return torch.tensor(float(value), dtype=torch.float64)

    def field(self, table: ParameterTable) -> Tensor:
        """Return what a design has: defaults in place of null.

        Args:
            table: with all :attr:`inputs`.
        """
        value = table.values[self.path]
        if self.fallback:
            value = torch.where(value.isnan(), table.values[self.fallback], value)
        if self.is_number:
            value = torch.where(value.isnan(), self.default, value)
        if self.needs:
            value = torch.where(table.values[self.needs], value, torch.zeros_like(value))
        return value


@dataclass(frozen=True, eq=False)
class ParameterTable(AbstractSettings):
    """Settings of one configuration (shape ``()``) or of many (``*batch``, broadcastable).

    Attributes:
        parameters: which, by path.
        values: by path, SI: numbers as float64, choices as int64 codes, flags and blocks as bool.
    """

    parameters: Mapping[str, Parameter]
    values: Mapping[str, Tensor]

    @classmethod
    def of(
        cls, resolved: Resolved, placement: str, parameters: Mapping[str, Parameter]
    ) -> ParameterTable:
        """Read one configuration.

        Args:
            resolved: which.
            placement: of the shared block.
            parameters: settings to read, by path.
        """
        values = {
            path: parameter.encoded(placement if path == PLACEMENT else look_up(resolved, path))
            for path, parameter in parameters.items()
        }
        return cls(parameters, values)

    def written(self, columns: Mapping[str, Tensor]) -> ParameterTable:
        """Return a table with other values of some settings.

        Args:
            columns: by path, ``*batch``.
        """
        return ParameterTable(self.parameters, {**self.values, **columns})

    def knows(self, path: str) -> bool:
        """Return whether a setting can be asked for."""
        return path in self.values

    def number(self, path: str, null: float = math.nan) -> Tensor:
        """Return a number, SI; ``null`` where it is null."""
        value = self.values[path]
        return value if math.isnan(null) else torch.where(value.isnan(), null, value)

    def equals(self, path: str, value: str | bool) -> Tensor:
        """Return where a choice or a flag has a value, or a text its default."""
        parameter, stored = self.parameters[path], self.values[path]
        code = parameter.choices.index(str(value)) if parameter.choices else int(value)
        if parameter.kind == "choice":
            return stored == code
        return stored if code else ~stored

    def differs(self, path: str, value: str | bool) -> Tensor:
        """Return where a choice or a flag has another value."""
        return ~self.equals(path, value)

    def is_null(self, path: str) -> Tensor:
        """Return where a number or a block is null."""
        stored = self.values[path]
        return ~stored if self.parameters[path].kind == "block" else stored.isnan()


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Stack along a new batch axis; equal tensors stay one."""
    first = tensors[0]
    if all(torch.equal(first, other) for other in tensors[1:]):
        return first
    return torch.stack(list(tensors))


def quantity_at(resolved: Resolved, path: str) -> Quantity | None:
    """Return the sourced constant at a dotted path; None for anything else."""
    if "." not in path:
        return None
    value = look_up(resolved, path)
    return value if isinstance(value, Quantity) else None
