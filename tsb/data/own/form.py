"""A form that data of the user may have: one class per form, in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from archsim.config.schema.base import Model
from tsb.data.own.items import FoundParts

#: How many items of a part are read at most, by its name.
Most = Mapping[str, int]
_Settings = TypeVar("_Settings", bound=Model)


class FormSettings(Model):
    """What all descriptions of data may say; ``form`` names the form."""

    classes: int | list[str] | None = None

    @property
    def number_of_classes(self) -> int | None:
        """How many there are, where it is said."""
        return len(self.classes) if isinstance(self.classes, list) else self.classes


class DataForm(ABC, Generic[_Settings]):
    """One form of data.

    Attributes:
        name: ``form:`` of a description.
        description: one line for lists.
        example: what a user writes.
        settings: keys of a description beside ``form``.
        suffixes: of files that are taken without a description.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    example: ClassVar[str]
    settings: type[_Settings]
    suffixes: ClassVar[tuple[str, ...]] = ()

    def of_file(self, path: Path) -> dict[str, Any]:
        """Return the settings of a file that is given without a description.

        Args:
            path: with one of :attr:`suffixes`.
        """
        return {"file": path.name}

    @abstractmethod
    def load(self, settings: _Settings, folder: Path, where: str, most: Most) -> FoundParts:
        """Read the data.

        Args:
            settings: of the description.
            folder: that files are below, where they are not absolute.
            where: name of the set, for messages.
            most: items of each part, spread over it; a part that is not named is read whole.

        Raises:
            DataError: whatever is wrong with the files.
        """
