"""Find a data set, read it in whatever official form it is there, or download it."""

from __future__ import annotations

import errno
import hashlib
import re
import warnings
from functools import lru_cache
from pathlib import Path

import torch

from archsim.errors import Code, DataError
from tsb.checkpoint import read_tensors, write_tensors
from tsb.data.dataset import Dataset, RawImages, assemble
from tsb.data.sources import Source, source

#: Where Debian's package dataset-fashion-mnist puts its files.
_SYSTEM_FOLDERS = (Path("/usr/share/datasets"),)
#: Errors of this machine's files: a download that ends with one of them failed on our side.
_LOCAL_ERRORS = (
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG),
)


def load_dataset(
    name: str, data_root: Path | str | None = None, *, cache_dir: Path | str | None = None
) -> Dataset:
    """Load a data set with its fixed splits; see :func:`tsb.data.dataset.validation_mask`.

    All images are held as normalised float32: 0.2 GB for MNIST, 0.7 GB for CIFAR-10, 5.4 GB for
    Tiny ImageNet.

    Args:
        name: one of :func:`tsb.data.dataset_names`; ``mnist-part`` comes with archsim.
        data_root: the folder with the files, a folder above it, or the archive itself. None looks
            among the system's data sets and in the cache, and then downloads the official files
            (their MD5 sums are checked).
        cache_dir: for downloads and decoded JPEG images; None is the user's cache folder. Without
            it nothing can be downloaded, and images are decoded anew each time, with a warning.

    Raises:
        ConfigError: an unknown name.
        DataError: missing, truncated, damaged, or another data set; no network, or no place for
            what is downloaded.
    """
    which = source(name)
    cache = Path(cache_dir) if cache_dir is not None else user_cache()
    place = _find(which, Path(data_root)) if data_root is not None else _find_or_fetch(which, cache)
    train, test, note = _read(which, place, cache)
    return assemble(
        name=name,
        train=train,
        test=test,
        num_classes=which.num_classes,
        mean=which.mean,
        std=which.std,
        note=note,
    )


def raw_images(name: str, data_root: Path | str | None = None) -> tuple[RawImages, RawImages]:
    """Return all training and test images as their files have them: in their order, not normalised.

    Args:
        name: as of :func:`load_dataset`.
        data_root: as there.

    Raises:
        ConfigError: an unknown name.
        DataError: as there.
    """
    which, cache = source(name), user_cache()
    place = _find(which, Path(data_root)) if data_root is not None else _find_or_fetch(which, cache)
    train, test, _ = _read(which, place, cache)
    return train, test


def user_cache() -> Path:
    """Return the user's cache folder of archsim."""
    import pooch  # type: ignore[import-untyped]

    return Path(pooch.os_cache("archsim"))


def found(name: str) -> Path | None:
    """Return where a data set lies that needs no download, None where it would need one.

    Args:
        name: as of :func:`load_dataset`.

    Raises:
        ConfigError: an unknown name.
    """
    return _here(source(name), user_cache())


def _present(which: Source, root: Path) -> Path | None:
    """Return the folder or archive with the data at or below ``root``, if it is there."""
    if root.is_file():
        return root
    for place in (root / folder for folder in which.folders):
        if place.is_file() or (place.is_dir() and which.reader.holds(place)):
            return place
    return root if root.is_dir() and which.reader.holds(root) else None


def _find(which: Source, root: Path) -> Path:
    place = _present(which, root)
    if place is None:
        looked_for = ", ".join(f"'{folder}'" for folder in which.folders)
        files = ", ".join(download.file for download in which.downloads)
        if not files:
            raise DataError(
                f"--data-root '{root}': {which.name} is not there; it comes with archsim, so leave "
                "--data-root out",
                code=Code.MISSING_FILE,
                field=root,
                value=which.name,
            )
        raise DataError(
            f"--data-root '{root}': {which.name} is not there. Looked for {looked_for} and for its "
            f"files in the folder itself. Official files: {files}"
            + ("" if root.exists() else " (and there is no such folder)"),
            code=Code.MISSING_FILE,
            field=root,
            value=which.name,
        )
    return place


def _find_or_fetch(which: Source, cache: Path) -> Path:
    return _here(which, cache) or _fetch(which, cache)


def _here(which: Source, cache: Path) -> Path | None:
    """Return what needs no download: shipped, in a folder of the system, or fetched before."""
    if which.shipped:
        return Path(__file__).parent / which.shipped
    places = (_present(which, root) for root in _SYSTEM_FOLDERS)
    return next((place for place in places if place is not None), None) or _fetched(which, cache)


def _fetched(which: Source, cache: Path) -> Path | None:
    """Return what an earlier call downloaded; a cache that cannot be read holds nothing."""
    try:
        whole = cache.is_dir() and _complete(which, cache)
        return _present(which, cache) if whole else None
    except OSError:
        return None


def _complete(which: Source, cache: Path) -> bool:
    return all((_download_path(which, cache) / each.file).is_file() for each in which.downloads)


def _download_path(which: Source, cache: Path) -> Path:
    return cache / which.name if which.reader.has_own_folder else cache


def _fetch(which: Source, cache: Path) -> Path:
    import pooch

    folder = _download_path(which, cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place(which, folder, error) from error
    for each in which.downloads:
        try:
            pooch.retrieve(url=each.url, known_hash=f"md5:{each.md5}", fname=each.file, path=folder)
        # requests has its own tree of errors below OSError; a wrong checksum is a ValueError
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _LOCAL_ERRORS:
                raise _no_place(which, folder, error) from error
            raise DataError(
                f"{which.name} could not be downloaded from {each.url}: {_reason(error)}. Get the "
                "files elsewhere, and give their folder with --data-root",
                code=Code.UNREACHABLE,
                field=each.url,
            ) from error
    return folder if which.reader.has_own_folder else folder / which.downloads[0].file


def _no_place(which: Source, folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{which.name} is downloaded to the cache folder {folder}, which cannot be written: "
        f"{error.strerror or error}. Set XDG_CACHE_HOME to a folder that can, or get the files "
        "elsewhere and give their folder with --data-root",
        code=Code.CANNOT_WRITE,
        field=folder,
    )


def _reason(error: Exception) -> str:
    """Return the last cause of a failed download: urllib3 nests them, each with the address."""
    text = str(error).partition(" for url: ")[0]
    if "Caused by" not in text:
        return text
    return re.sub(r"[\"'>]+\)*$", "", text.rpartition(": ")[2])


def _read(which: Source, place: Path, cache: Path) -> tuple[RawImages, RawImages, str]:
    which.reader.check(place, which)
    cached = _cached(which, place, cache)
    if cached is not None and _is_there(cached):
        tensors, _ = read_tensors(cached)
        parts = [RawImages(tensors[f"{p}.images"], tensors[f"{p}.labels"]) for p in _PARTS]
        return parts[0], parts[1], which.reader.kept_note(which)
    images = which.reader.read(place, which)
    if cached is not None and images.is_slow:
        _store(cached, images.train, images.test)
    return images.train, images.test, images.note


_PARTS = ("train", "test")


def _cached(which: Source, place: Path, cache: Path) -> Path | None:
    """Where the decoded images of an archive are kept; None for folders, which may change."""
    if not place.is_file():
        return None
    about = place.stat()
    key = f"{place.resolve()} {about.st_size} {about.st_mtime_ns}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache / f"decoded-{which.name}-{digest}.safetensors"


def _is_there(cached: Path) -> bool:
    try:
        return cached.is_file()
    except OSError:  # in a folder that must not be entered
        return False


def _store(cached: Path, train: RawImages, test: RawImages) -> None:
    """Keep decoded images; where that is not possible they are decoded again next time."""
    tensors: dict[str, torch.Tensor] = {}
    for part, raw in zip(_PARTS, (train, test), strict=True):
        tensors |= {f"{part}.images": raw.images, f"{part}.labels": raw.labels}
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(cached, tensors, {})
    except OSError as error:
        _warn_not_kept(f"{cached.parent}: cannot be made: {error.strerror or error}")
    except DataError as error:
        _warn_not_kept(str(error))


@lru_cache(maxsize=16)
def _warn_not_kept(reason: str) -> None:  # once for each reason
    warnings.warn(
        f"decoded images are not kept and will be decoded again next time ({reason}); set "
        "XDG_CACHE_HOME to a folder that can be written",
        stacklevel=2,
    )
