"""The three parts of a data set: what it does not divide is cut, by a fixed rule, and said."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archsim.errors import Code, DataError
from tsb.data.dataset import VALIDATION_DIVISOR, Dataset, Split, validation_mask
from tsb.data.own.items import PARTS, WHOLE, FoundParts, Items, classes_of


def as_dataset(name: str, found: FoundParts) -> Dataset:
    """Return a data set with its three parts.

    A part that is missing is cut from another one: of each class the last tenth in stored order
    (of items without a class of their own, the last tenth), at least one item.

    Args:
        name: what the user writes.
        found: what the form of data gave.

    Raises:
        DataError: too few items, parts of different shapes, or targets that are no classes.
    """
    where = f"data '{name}'"
    parts, note = divided(found.parts, where)
    _check_alike(parts, where)
    classes = classes_of(parts.values(), found.classes, where)
    splits = {part: Split(parts[part].inputs, parts[part].targets) for part in PARTS}
    notes = "; ".join(text for text in (found.note, note) if text)
    return Dataset(name=name, num_classes=classes, note=notes, **splits)


def divided(parts: Mapping[str, Items], where: str) -> tuple[dict[str, Items], str]:
    """Return all three parts, and what was cut from what.

    Args:
        parts: some of them, or the whole set alone.
        where: of what, for the message.

    Raises:
        DataError: too few items to cut, or training items and no others to test on.
    """
    given = {WHOLE: parts["train"]} if tuple(parts) == ("train",) else dict(parts)
    if WHOLE in given:
        rest, test = _cut(given[WHOLE], where)
        train, validation = _cut(rest, where)
        cut = f"one set: {len(test)} test and {len(validation)} validation items were split off"
        return {"train": train, "validation": validation, "test": test}, cut
    if "test" not in given:
        raise DataError.of(
            Code.MISSING_KEY, where, sorted(given), problem="no test part", allowed=", ".join(PARTS)
        )
    if "validation" in given:
        if "train" in given:
            return given, ""
        note = "no training part: that for validation serves for calibration too"
        return {"train": given["validation"], **given}, note
    origin = "train" if "train" in given else "test"
    rest, validation = _cut(given[origin], where)
    note = f"no validation part: {len(validation)} of the {origin} items were split off"
    if origin == "test":
        return {"train": validation, "validation": validation, "test": rest}, (
            f"{note}, for calibration too, and are not tested on"
        )
    return {**given, "train": rest, "validation": validation}, note


def _cut(items: Items, where: str) -> tuple[Items, Items]:
    """Return what stays, and what is cut off."""
    count = len(items)
    if count < 2:
        raise DataError.of(
            Code.EMPTY, where, count, problem="items; too few to divide", allowed="2 or more"
        )
    mask = _mask(items.targets)
    return items.at(~mask), items.at(mask)


def _mask(targets: Tensor) -> Tensor:
    is_class = targets.dim() == 1 and not targets.is_floating_point()
    mask = validation_mask(targets) if is_class else torch.zeros(len(targets), dtype=torch.bool)
    if not is_class:
        mask[len(targets) - len(targets) // VALIDATION_DIVISOR :] = True
    if not mask.any():
        mask[-1] = True
    return mask


def _check_alike(parts: Mapping[str, Items], where: str) -> None:
    """Refuse parts whose items have different shapes or number formats."""
    first = parts["test"]
    for name, items in parts.items():
        for what in ("inputs", "targets"):
            here, there = getattr(items, what), getattr(first, what)
            if here.shape[1:] != there.shape[1:] or here.dtype != there.dtype:
                raise DataError.of(
                    Code.SHAPE_MISMATCH,
                    f"{where}: {what} of {name}",
                    f"{tuple(here.shape[1:])} {here.dtype}",
                    allowed=f"{tuple(there.shape[1:])} {there.dtype}, those of test",
                )
