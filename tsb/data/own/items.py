"""Inputs and targets as they come, made into tensors of one shape and one number format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from archsim.errors import Code, DataError

#: The parts that a data set may name; one without a name is cut in three.
PARTS = ("train", "validation", "test")
#: Part of a set that is not divided.
WHOLE = "all"
#: Most bytes of a set: it is held in memory.
MAX_SET_BYTES = 2**32
#: Keys of an item that is a mapping, inputs before targets.
_KEYS = ("inputs", "targets")


@dataclass(frozen=True, eq=False)
class Items:
    """One part of a data set.

    Attributes:
        inputs: float32, or int64 (token numbers).
        targets: int64 (classes, one or more per item) or float32 (values).
    """

    inputs: Shaped[Tensor, "item ..."]
    targets: Shaped[Tensor, "item ..."]

    def __len__(self) -> int:
        """Number of items."""
        return len(self.inputs)

    def at(self, index: Tensor) -> Items:
        """Return some of the items.

        Args:
            index: numbers, or a mask.
        """
        return Items(self.inputs[index], self.targets[index])


@dataclass(frozen=True, eq=False, kw_only=True)
class FoundParts:
    """What a form of data gave.

    Attributes:
        parts: by name, some of :data:`PARTS`, or :data:`WHOLE` alone.
        classes: their number, where the data say it.
        note: what a reader of results must know.
    """

    parts: Mapping[str, Items]
    classes: int | None = None
    note: str = ""


def spread(length: int, most: int | None) -> list[int]:
    """Return item numbers spread evenly over a set: all classes, also where it is sorted.

    Args:
        length: of the set.
        most: of the items; None for all.
    """
    if most is None or most >= length:
        return list(range(length))
    return [number * length // most for number in range(most)]


def number_format(tensor: Tensor, where: str) -> Tensor:
    """Return numbers as networks take them: float32, or int64 for whole numbers and flags.

    Args:
        tensor: any shape.
        where: of what, for the message.

    Raises:
        DataError: complex numbers, or some that are not finite.
    """
    if tensor.is_complex():
        raise DataError.of(
            Code.WRONG_TYPE, where, str(tensor.dtype), allowed="real or whole numbers"
        )
    if not tensor.is_floating_point():
        return tensor.long()
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise DataError.of(
            Code.NOT_FINITE,
            where,
            bad,
            problem=f"entries of {tensor.numel()} that are infinite or not a number",
        )
    return tensor.float()


def as_tensor(value: object, where: str) -> Tensor:
    """Return one input or target, or a batch of them, as a tensor.

    Args:
        value: a tensor, an array, a number, or lists of numbers.
        where: of what, for the message.

    Raises:
        DataError: anything else.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    try:
        array = np.asarray(value)
        if array.dtype == object or array.dtype.kind not in "biufc":
            raise TypeError(f"{type(value).__name__}")
        return torch.from_numpy(np.array(array, order="C"))
    except (TypeError, ValueError) as error:
        raise DataError.of(
            Code.WRONG_TYPE,
            where,
            type(value).__name__,
            allowed="a tensor, an array or numbers (images: make tensors of them)",
        ) from error


def pair_of(item: object, where: str) -> tuple[Any, Any]:
    """Return input and target of an item or a batch.

    Args:
        item: a pair, or a mapping with the keys ``inputs`` and ``targets``.
        where: of what, for the message.

    Raises:
        DataError: neither.
    """
    if isinstance(item, Mapping):
        if all(key in item for key in _KEYS):
            return item[_KEYS[0]], item[_KEYS[1]]
        raise DataError.of(
            Code.MISSING_KEY,
            where,
            sorted(map(str, item)),
            allowed="the keys inputs and targets (rename columns)",
        )
    if isinstance(item, Sequence) and not isinstance(item, str | bytes) and len(item) == 2:
        return item[0], item[1]
    raise DataError.of(
        Code.WRONG_TYPE, where, type(item).__name__, allowed="a pair (input, target)"
    )


class Collected:
    """Items that are put together, one by one or in batches, within the limit on memory."""

    def __init__(self, where: str, expected: int | None = None) -> None:
        """Begin with nothing.

        Args:
            where: data set and part, for messages.
            expected: number of items, where it is known before.
        """
        self.where, self.expected = where, expected
        self.parts: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.size, self.count = 0, 0

    def add(self, item: object, *, batch: bool) -> None:
        """Add one item, or a batch of them along the first axis.

        Args:
            item: see :func:`pair_of`.
            batch: whether it is a batch.

        Raises:
            DataError: no pair, shapes that differ, or more than fits.
        """
        place = f"{self.where}: {'batch' if batch else 'item'} {len(self.parts[0])}"
        pair = [as_tensor(value, place) for value in pair_of(item, place)]
        pair = pair if batch else [tensor.unsqueeze(0) for tensor in pair]
        if not pair[0].dim() or not pair[1].dim() or len(pair[0]) != len(pair[1]):
            shapes = tuple(tuple(tensor.shape) for tensor in pair)
            raise DataError.of(
                Code.SHAPE_MISMATCH, place, shapes, allowed="as many targets as inputs"
            )
        for kept, tensor, what in zip(self.parts, pair, _KEYS, strict=True):
            if kept and kept[0].shape[1:] != tensor.shape[1:]:
                raise DataError.of(
                    Code.SHAPE_MISMATCH,
                    place,
                    tuple(tensor.shape[1:]),
                    problem=f"{what} of another shape than those before",
                    allowed=str(tuple(kept[0].shape[1:])),
                )
            kept.append(tensor)
        self.count += len(pair[0])
        self._check_size(pair)

    def _check_size(self, pair: list[Tensor]) -> None:
        """Refuse more than fits, at once where the number of items is known."""
        added = sum(4 * tensor.numel() for tensor in pair)
        self.size += added
        whole = self.size if self.expected is None else added * self.expected
        if max(whole, self.size) > MAX_SET_BYTES:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                self.where,
                f"{max(whole, self.size) / 2**30:.1f} GiB",
                problem="more than is held in memory",
                allowed=f"{MAX_SET_BYTES / 2**30:.0f} GiB; evaluate fewer with --test-images",
            )

    def items(self) -> Items:
        """Return all items.

        Raises:
            DataError: none, or entries that are not finite.
        """
        if not self.count:
            raise DataError.of(Code.EMPTY, self.where, problem="no items")
        inputs, targets = (
            number_format(torch.cat(kept), f"{self.where}: {what}")
            for kept, what in zip(self.parts, _KEYS, strict=True)
        )
        return Items(inputs, targets)


def scaled(
    inputs: Tensor,
    *,
    divide_by: int | float,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    where: str,
) -> Tensor:
    """Return ``(input / divide_by - mean) / std`` per channel, float32.

    Args:
        inputs: ``item channel ...``.
        divide_by: e.g. 255 for bytes.
        mean: per channel; None for 0.
        std: per channel; None for 1.
        where: of what, for the message.

    Raises:
        DataError: another number of channels.
    """
    result = inputs.float() / divide_by
    for values, is_std in ((mean, False), (std, True)):
        if values is None:
            continue
        channels = inputs.shape[1] if inputs.dim() > 1 else 0
        if len(values) not in (1, channels):
            raise DataError.of(
                Code.SHAPE_MISMATCH,
                f"{where}: {'std' if is_std else 'mean'}",
                list(values),
                allowed=f"1 or {channels} values, the channels of the inputs",
            )
        per_channel = torch.tensor(list(values)).view(1, -1, *[1] * (inputs.dim() - 2))
        result = result / per_channel if is_std else result - per_channel
    return result


def classes_of(parts: Iterable[Items], said: int | None, where: str) -> int | None:
    """Return how many classes the targets of a set have; None for values.

    Args:
        parts: of the set.
        said: what the data say; None for nothing: one more than the largest.
        where: of what, for the message.

    Raises:
        DataError: classes below 0 (-100 leaves an entry out where items have several), or beyond
            those that the data name; whole numbers in one part and real ones in another.
    """
    kinds = {items.targets.is_floating_point() for items in parts}
    if len(kinds) > 1:
        raise DataError.of(
            Code.CONFLICT,
            f"{where}: targets",
            problem="classes in one part, real numbers in another",
        )
    if kinds == {True}:
        return None
    highest = -1
    for items in parts:
        targets = items.targets
        used = targets if targets.dim() == 1 else targets[targets != IGNORED]
        low, high = (int(used.min()), int(used.max())) if used.numel() else (0, -1)
        bound = math.inf if said is None else said
        if low < 0 or high >= bound:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                f"{where}: targets",
                (low, high),
                allowed="0 or more" if said is None else f"0 to {said - 1}",
            )
        highest = max(highest, high)
    return highest + 1 if said is None else said


#: Class of an entry that counts nowhere, as in PyTorch's losses; where an item has several.
IGNORED = -100
