"""Image folders or archives: ``PART/CLASS/picture.png``, with the transforms that are stated."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from archsim.errors import Code, DataError
from archsim.util.files import is_folder, path_exists, read_regular
from tsb.data.files import MAX_FILE_BYTES, read_tree
from tsb.data.image_folder import IMAGE_SUFFIXES
from tsb.data.kept import keep, kept_place, kept_tensors
from tsb.data.own.form import DataForm, FormSettings, Most
from tsb.data.own.items import MAX_SET_BYTES, PARTS, WHOLE, FoundParts, Items, scaled, spread

#: What folders of the parts are called; torchvision's and Tiny ImageNet's ``val`` too.
_PART_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_BYTE_MAX = 255
Side = Annotated[int, Field(strict=True, ge=1, le=8192)]
Spread = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ImageSettings(FormSettings):
    """Keys of ``form: images``."""

    folder: str = Field(min_length=1)
    resize: Side | tuple[Side, Side] | None = None
    crop: Side | tuple[Side, Side] | None = None
    grey: bool = False
    mean: list[float] | None = None
    std: list[Spread] | None = None


class Images(DataForm[ImageSettings]):
    """Images by part and class, resized, cropped and normalised as the description says."""

    name = "images"
    description = "a folder or archive with PART/CLASS/*.png or *.jpg; resize, crop, mean, std"
    example = "{form: images, folder: photos, resize: 256, crop: 224, mean: [0.5], std: [0.25]}"
    settings = ImageSettings
    suffixes: ClassVar[tuple[str, ...]] = ()

    def load(self, settings: ImageSettings, folder: Path, where: str, most: Most) -> FoundParts:
        """See :meth:`DataForm.load`."""
        place = folder / settings.folder
        form = settings.model_dump_json(exclude={"mean", "std"})
        kept = kept_place("images", place, f"{form} {sorted(most.items())}")
        tensors = kept_tensors(kept)
        if tensors is None:
            names, tensors = _decoded(place, settings, most)
            tensors["classes"] = torch.tensor(len(names))
            keep(kept, tensors)
        parts = {
            part: Items(
                scaled(
                    tensors[f"{part}.inputs"],
                    divide_by=_BYTE_MAX,
                    mean=settings.mean,
                    std=settings.std,
                    where=where,
                ),
                tensors[f"{part}.targets"],
            )
            for part in (*PARTS, WHOLE)
            if f"{part}.inputs" in tensors
        }
        return FoundParts(parts=parts, classes=int(tensors["classes"]))


def _decoded(
    place: Path, settings: ImageSettings, most: Most
) -> tuple[list[str], dict[str, Tensor]]:
    """Return class names, and the pixels (0 to 255) and classes of each part."""
    files = _listed(place)
    labelled = _labelled(files, place)
    names = _class_names(labelled, settings, place)
    numbers = {name: number for number, name in enumerate(names)}
    tensors: dict[str, Tensor] = {}
    for part, classes in labelled.items():
        paths = list(classes)
        chosen = [paths[number] for number in spread(len(paths), most.get(part))]
        pixels = []
        for path in chosen:
            content = files[path] or read_regular(place / path, MAX_FILE_BYTES)
            pixels.append(_pixels(content, settings, f"{place}/{path}"))
            _check_alike(pixels, f"{place}/{path}", len(chosen))
        tensors[f"{part}.inputs"] = torch.stack(pixels)
        tensors[f"{part}.targets"] = torch.tensor([numbers[classes[path]] for path in chosen])
    return names, tensors


def _listed(place: Path) -> dict[str, bytes]:
    """Return the images of a folder (not yet read) or of an archive, sorted by path.

    Raises:
        DataError: missing, damaged, or nothing in it.
    """
    if is_folder(place):
        found = (path for path in place.rglob("*") if _is_image(path.name) and path.is_file())
        files = dict.fromkeys(sorted(path.relative_to(place).as_posix() for path in found), b"")
    else:
        files = read_tree(place, _is_image) if path_exists(place) else {}
    if not files:
        raise DataError.of(
            Code.MISSING_FILE,
            place,
            problem="no images",
            allowed=f"PART/CLASS/NAME with {', '.join(IMAGE_SUFFIXES)}",
        )
    return files


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _labelled(files: Mapping[str, bytes], place: Path) -> dict[str, dict[str, str]]:
    """Return the class of each image, by part and path.

    Raises:
        DataError: an image in no folder of a class, or parts beside undivided classes.
    """
    labelled: dict[str, dict[str, str]] = {}
    for path in files:
        folders = PurePosixPath(path).parts[:-1]
        start = next((i for i, name in enumerate(folders) if name in _PART_FOLDERS), None)
        part = WHOLE if start is None else _PART_FOLDERS[folders[start]]
        below = folders if start is None else folders[start + 1 :]
        if not below:
            raise DataError.of(
                Code.WRONG_FORM, place, path, allowed="PART/CLASS/NAME: a folder for each class"
            )
        # An archive may have a folder around all; the class is the folder that images lie in.
        labelled.setdefault(part, {})[path] = below[-1] if start is None else below[0]
    if WHOLE in labelled and len(labelled) > 1:
        raise DataError.of(
            Code.CONFLICT,
            place,
            next(iter(labelled[WHOLE])),
            problem="lies in no part, and others do",
            allowed=", ".join(_PART_FOLDERS),
        )
    return labelled


def _class_names(
    labelled: Mapping[str, Mapping[str, str]], settings: ImageSettings, place: Path
) -> list[str]:
    """Return the classes: those that are named, else those of the training images, sorted.

    Raises:
        DataError: images of another class, or another number of classes.
    """
    first = labelled.get("train", next(iter(labelled.values())))
    names = sorted(set(first.values()))
    if isinstance(settings.classes, list):
        names = settings.classes
    elif settings.classes not in (None, len(names)):
        raise DataError.of(
            Code.SHAPE_MISMATCH,
            f"{place}: classes",
            settings.classes,
            allowed=f"{len(names)}, the folders there are",
        )
    strange = sorted({name for part in labelled.values() for name in part.values()} - set(names))
    if strange:
        raise DataError.of(Code.UNKNOWN_NAME, f"{place}: class", strange[0], allowed=tuple(names))
    return names


def _check_alike(pixels: list[Tensor], where: str, count: int) -> None:
    """Refuse images of several sizes, and more than fits in memory.

    Raises:
        DataError: which, and what to state.
    """
    first, last = pixels[0], pixels[-1]
    if first.shape != last.shape:
        raise DataError.of(
            Code.SHAPE_MISMATCH,
            where,
            tuple(last.shape),
            problem="of another size than the first image; state resize and crop",
            allowed=str(tuple(first.shape)),
        )
    size = 4 * first.numel() * count
    if size > MAX_SET_BYTES:
        raise DataError.of(
            Code.OUT_OF_RANGE,
            where,
            f"{size / 2**30:.1f} GiB",
            problem="more than is held in memory",
            allowed=f"{MAX_SET_BYTES / 2**30:.0f} GiB; evaluate fewer with --test-images",
        )


def _pixels(content: bytes, settings: ImageSettings, where: str) -> Tensor:
    """Return one image, ``channel height width``, 0 to 255.

    ``resize`` gives the shorter side (or height and width), bilinear with antialiasing; ``crop``
    is cut from the middle: what torchvision's Resize and CenterCrop do.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("L" if settings.grey else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError.of(
            Code.DAMAGED_FILE, where, problem=f"not a readable image: {error}"
        ) from error
    if settings.resize is not None:
        image = image.resize(_size(settings.resize, image.size), Image.Resampling.BILINEAR)
    if settings.crop is not None:
        height, width = _pair(settings.crop)
        if height > image.height or width > image.width:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                f"{where}: crop",
                (height, width),
                allowed=f"at most {image.height}x{image.width}, what is left after resize",
            )
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        image = image.crop((left, top, left + width, top + height))
    array = np.array(image)
    array = array[:, :, None] if settings.grey else array
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def _pair(side: int | tuple[int, int]) -> tuple[int, int]:
    return (side, side) if isinstance(side, int) else side


def _size(resize: int | tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height after a resize that gives the shorter side, or height and width."""
    if not isinstance(resize, int):
        return resize[1], resize[0]
    width, height = size
    if width <= height:
        return resize, int(resize * height / width)
    return int(resize * width / height), resize
