"""What a data set is, and how its validation part is cut from the training images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor, nn

from archsim.errors import Code, DataError
from tsb.checkpoint import tensors_hash

#: One training image in this many becomes a validation image: 6000 of MNIST, 5000 of CIFAR-10.
VALIDATION_DIVISOR = 10

_BYTE_MAX = 255
#: Hexadecimal digits of a split's hash.
_HASH_DIGITS = 16
#: Letters of the network's own error in a message.
_SHOWN = 200


class RawImages(NamedTuple):
    """Images as stored, 0 to 255, and their classes."""

    images: UInt8[Tensor, "image channel height width"]
    labels: Int[Tensor, " image"]


@dataclass(frozen=True, eq=False)
class Split:
    """Normalised images, float32, and their classes, 0 to ``num_classes - 1``.

    Data of the user may have other inputs (token numbers, int64) and targets (maps of classes,
    values).
    """

    images: Shaped[Tensor, "image ..."]
    labels: Shaped[Tensor, "image ..."]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def head(self, count: int) -> Split:
        """Return the first ``count`` images (all, if there are fewer)."""
        return Split(self.images[:count], self.labels[:count])

    def spread(self, count: int) -> Split:
        """Return ``count`` images spread evenly (all, if there are fewer).

        Archives may be sorted by class, so the first images would not do.
        """
        if count >= len(self):
            return self
        index = torch.linspace(0, len(self) - 1, count).round().long()
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device | str) -> Split:
        """Return the split on a device."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its splits.

    Attributes:
        name: as given to :func:`tsb.data.load_dataset`.
        train: images to train on.
        validation: images to choose by, cut from the training images.
        test: images to report.
        num_classes: number of classes; None where targets are values.
        note: what a reader of results must know about this copy; "" if it is the original.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int | None
    note: str = ""

    @cached_property
    def content_hashes(self) -> dict[str, str]:
        """Hash of the images and labels of each split, by its name; computed once."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            name: tensors_hash({"images": split.images, "labels": split.labels})[:_HASH_DIGITS]
            for name, split in splits.items()
        }

    def with_test(self, count: int) -> Dataset:
        """Return the data set with fewer test items, spread evenly.

        Args:
            count: of the test items; all, if there are fewer.
        """
        return replace(self, test=self.test.spread(count))

    def to(self, device: torch.device | str) -> Dataset:
        """Return the data set on a device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height and width of its images."""
        return tuple(self.test.images.shape[1:])

    def check_fits(self, model: nn.Module, network: str) -> None:
        """Check that a network takes these images and tells their classes apart.

        Args:
            model: in evaluation mode.
            network: its name, for the message.

        Raises:
            DataError: it does not.
        """
        check_outputs(self, _scores(self, model, network), network)


def _scores(data: Dataset, model: nn.Module, network: str) -> Tensor:
    """Return what a network gives for the first test image.

    Raises:
        DataError: it does not take it.
    """
    images = data.test.images[:1]
    has = "x".join(map(str, images.shape[1:]))
    input_shape = getattr(model, "input_shape", None)
    takes = "x".join(map(str, input_shape)) if isinstance(input_shape, tuple) else "others"
    try:
        return _output(model, images)
    except Exception as error:  # whatever a network of the user raises
        other, words = images.float(), ("whole numbers", "real numbers")
        if images.is_floating_point():
            other, words = images.abs().long() * 0, ("real numbers", "whole numbers")
        if _takes(model, other):
            raise DataError.of(
                Code.WRONG_TYPE,
                f"data '{data.name}'",
                str(images.dtype).removeprefix("torch."),
                problem=f"its inputs are {words[0]}; network '{network}' takes {words[1]}",
                allowed=str(other.dtype).removeprefix("torch."),
            ) from error
        raise DataError(
            f"data '{data.name}' has images of {has}; network '{network}' takes {takes} "
            f"({type(error).__name__}: {str(error)[:_SHOWN]})",
            code=Code.SHAPE_MISMATCH,
            field=f"data '{data.name}'",
            value=has,
            allowed=takes,
        ) from error


@torch.no_grad()
def _output(model: nn.Module, images: Tensor) -> Tensor:
    found = model(images)
    if not isinstance(found, Tensor):
        raise TypeError(f"it returns {type(found).__name__}, not a tensor")
    return found


def _takes(model: nn.Module, images: Tensor) -> bool:
    try:
        return bool(_output(model, images).numel())
    except Exception:  # noqa: BLE001 - whatever a network of the user raises
        return False


def check_outputs(data: Dataset, scores: Tensor, network: str) -> None:
    """Check that outputs of a network fit the targets of a data set.

    Args:
        data: which.
        scores: for its first test image.
        network: its name, for the message.

    Raises:
        DataError: another shape, or fewer classes.
    """
    field, target = f"data '{data.name}'", tuple(data.test.labels.shape[1:])
    if data.num_classes is None:
        if tuple(scores.shape[1:]) != target:
            raise DataError.of(
                Code.SHAPE_MISMATCH,
                f"{field}: targets",
                target,
                allowed=f"{tuple(scores.shape[1:])}, the outputs of network '{network}'",
            )
        return
    axis = class_axis(scores, data.test.labels[:1])
    if axis is None:
        raise DataError.of(
            Code.SHAPE_MISMATCH,
            f"{field}: targets",
            target,
            problem="classes that the outputs have no scores for",
            allowed=f"outputs of network '{network}': {tuple(scores.shape[1:])}",
        )
    if scores.shape[axis] < data.num_classes:
        raise DataError(
            f"{field} has {data.num_classes} classes; network '{network}' tells "
            f"{scores.shape[axis]} apart",
            code=Code.SHAPE_MISMATCH,
            field=field,
            value=data.num_classes,
            allowed=str(scores.shape[axis]),
        )


def class_axis(scores: Tensor, labels: Tensor) -> int | None:
    """Return along which axis of scores the classes lie: last, or second; None for neither.

    Args:
        scores: ``item class``; ``item *place class`` (tokens) or ``item class *place`` (maps).
        labels: ``item *place``.
    """
    if scores.dim() == labels.dim() + 1:
        if scores.shape[:-1] == labels.shape:
            return scores.dim() - 1
        if (scores.shape[0], *scores.shape[2:]) == tuple(labels.shape):
            return 1
    return None


def validation_mask(labels: Int[Tensor, " image"]) -> Tensor:
    """Mark the validation images: of each class the last tenth (rounded down) in stored order.

    By class, because image folders are sorted by class; without random numbers, so that the split
    is the same on every machine and in every version.

    Args:
        labels: classes of all training images.
    """
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        mask[members[len(members) - len(members) // VALIDATION_DIVISOR :]] = True
    return mask


def normalise(
    images: UInt8[Tensor, "image channel height width"],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Float[Tensor, "image channel height width"]:
    """Return ``(pixel / 255 - mean) / std`` per channel, in float32.

    Args:
        images: 0 to 255.
        mean: per channel, of pixels from 0 to 1.
        std: per channel, of pixels from 0 to 1.
    """
    shape = (1, len(mean), 1, 1)
    low, spread = torch.tensor(mean).view(shape), torch.tensor(std).view(shape)
    return images.float().div_(_BYTE_MAX).sub_(low).div_(spread)


def assemble(
    *,
    name: str,
    train: RawImages,
    test: RawImages,
    num_classes: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    note: str = "",
) -> Dataset:
    """Check, normalise and split.

    Args:
        name: of the data set.
        train: all training images, the validation images among them.
        test: test images.
        num_classes: number of classes.
        mean: see :func:`normalise`.
        std: see :func:`normalise`.
        note: see :class:`Dataset`.

    Raises:
        DataError: a split without images, or a label out of range.
    """
    for part, raw in (("train", train), ("test", test)):
        if not len(raw.labels):
            raise DataError.of(Code.EMPTY, name, problem=f"no {part} images")
        low, high = int(raw.labels.min()), int(raw.labels.max())
        if low < 0 or high >= num_classes:
            raise DataError(
                f"{name}: {part} labels span {low} to {high}; expected 0 to {num_classes - 1}",
                code=Code.OUT_OF_RANGE,
                field=name,
                value=(low, high),
                allowed=f"0 to {num_classes - 1}",
            )
    held_out = validation_mask(train.labels)

    def split(images: Tensor, labels: Tensor) -> Split:
        return Split(normalise(images, mean, std), labels)

    return Dataset(
        name=name,
        train=split(train.images[~held_out], train.labels[~held_out]),
        validation=split(train.images[held_out], train.labels[held_out]),
        test=split(test.images, test.labels),
        num_classes=num_classes,
        note=note,
    )
