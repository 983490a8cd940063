"""Settings as rules ask for them: by dotted path, of one configuration or of a batch of designs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archsim.config.lookup import look_up
from archsim.config.sourced import Quantity

#: What a rule may know of the network, beside the settings.
LAYERS, NETWORK = "network.layers", "network.name"

#: A number, or a batch of them; a truth value, or a batch of them: what operators work on.
Numbers = Any
Truths = Any


class AbstractSettings(ABC):
    """Settings by dotted path, of one configuration or of a batch: what a predicate may ask."""

    @abstractmethod
    def knows(self, path: str) -> bool:
        """Return whether a setting can be asked for."""

    @abstractmethod
    def number(self, path: str, null: float = math.nan) -> Numbers:
        """Return a number, SI, of a list its length; ``null`` where it is null.

        No comparison is true of NaN.
        """

    @abstractmethod
    def equals(self, path: str, value: str | bool) -> Truths:
        """Return where a choice or a flag has a value."""

    @abstractmethod
    def differs(self, path: str, value: str | bool) -> Truths:
        """Return where a choice or a flag has another value."""

    @abstractmethod
    def is_null(self, path: str) -> Truths:
        """Return where a setting is null."""


@dataclass(frozen=True)
class PlainSettings(AbstractSettings):
    """One configuration.

    Attributes:
        resolved: its models.
        network: what is known of the network: :data:`LAYERS` and :data:`NETWORK`, or nothing.
    """

    resolved: Any
    network: Mapping[str, Any] = field(default_factory=dict)

    def value(self, path: str) -> Any:
        """Return a setting as the schema has it."""
        if path in (LAYERS, NETWORK):
            return self.network[path]
        return look_up(self.resolved, path)

    def knows(self, path: str) -> bool:
        """Return whether a setting can be asked for: what is of the network, where it is known."""
        return path in self.network or path not in (LAYERS, NETWORK)

    def number(self, path: str, null: float = math.nan) -> float:
        """Return a number, SI; ``null`` where it is null."""
        value = self.value(path)
        if value is None:
            return null
        if isinstance(value, tuple):
            return float(len(value))
        return float(value.si if isinstance(value, Quantity) else value)

    def equals(self, path: str, value: str | bool) -> bool:
        """Return whether a choice or a flag has a value."""
        return bool(self.value(path) == value)

    def differs(self, path: str, value: str | bool) -> bool:
        """Return whether a choice or a flag has another value."""
        return not self.equals(path, value)

    def is_null(self, path: str) -> bool:
        """Return whether a setting is null."""
        return self.value(path) is None
