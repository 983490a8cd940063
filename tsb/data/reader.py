"""How the files of a data set are told from others and read: one class per official form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tsb.data.dataset import RawImages

if TYPE_CHECKING:
    from tsb.data.sources import Source


class ReadImages(NamedTuple):
    """What a reader found.

    Attributes:
        train: images to train on, validation among them.
        test: images to report.
        note: what a reader of results must know about this copy; "" if it is the original.
        is_slow: whether images were decoded one by one, so that they are worth keeping.
    """

    train: RawImages
    test: RawImages
    note: str = ""
    is_slow: bool = False


class Reader(ABC):
    """An official form of a data set.

    Attributes:
        has_own_folder: whether what is downloaded is a folder of several files, not one archive.
    """

    has_own_folder: ClassVar[bool]

    @abstractmethod
    def holds(self, folder: Path) -> bool:
        """Return whether a folder has files of this form.

        Args:
            folder: is there.
        """

    @abstractmethod
    def check(self, place: Path, source: Source) -> None:
        """Refuse what cannot be of this form by its kind alone.

        Args:
            place: folder or file.
            source: the data set that it should be.

        Raises:
            DataError: a file in place of a folder, or no archive.
        """

    @abstractmethod
    def read(self, place: Path, source: Source) -> ReadImages:
        """Decode training and test images.

        Args:
            place: folder or archive, checked.
            source: the data set that it should be.

        Raises:
            DataError: missing, damaged, or another data set.
        """

    def kept_note(self, source: Source) -> str:
        """Return the note of decoded images that were kept, those of :attr:`ReadImages.is_slow`.

        Args:
            source: the data set.
        """
        del source
        return ""
