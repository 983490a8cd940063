"""Find a data set, read it in whatever official form it is there, or download it."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path

from archsim.errors import Code, ConfigError, DataError
from archsim.util.checks import one_of
from archsim.util.consent import check_code_said
from archsim.util.paths import user_cache
from tsb.data.dataset import Dataset, RawImages, assemble
from tsb.data.kept import keep, kept_place, kept_tensors
from tsb.data.own.registry import is_code, is_own, load_own
from tsb.data.sources import Source, dataset_names, source

#: Where Debian's package dataset-fashion-mnist puts its files.
_SYSTEM_FOLDERS = (Path("/usr/share/datasets"),)
#: Errors of this machine's files: a download that ends with one of them failed on our side.
_LOCAL_ERRORS = (
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG),
)


def load_dataset(
    name: str,
    data_root: Path | str | None = None,
    *,
    cache_dir: Path | str | None = None,
    most: Mapping[str, int] | None = None,
) -> Dataset:
    """Load a data set with its fixed splits; see :func:`tsb.data.dataset.validation_mask`.

    All images are held as normalised float32: 0.2 GB for MNIST, 0.7 GB for CIFAR-10, 5.4 GB for
    Tiny ImageNet.

    Args:
        name: one of :func:`tsb.data.dataset_names` (``mnist-part`` comes with archsim), or data of
            the user: :mod:`tsb.data.own`. A function of the user is called: whoever takes the name
            from a file looks first that it was said (:func:`check_data_said`).
        data_root: the folder with the files, a folder above it, or the archive itself. None looks
            among the system's data sets and in the cache, and then downloads the official files
            (their MD5 sums are checked).
        cache_dir: for downloads and decoded JPEG images; None is the user's cache folder. Without
            it nothing can be downloaded, and images are decoded anew each time, with a warning.
        most: of data of the user, items of each part (``train``, ``validation``, ``test``) that are
            read, spread over it; parts that are not named are read whole.

    Raises:
        ConfigError: an unknown name.
        DataError: missing, truncated, damaged, or another data set; no network, or no place for
            what is downloaded.
    """
    if is_own(name):
        return load_own(name, None if data_root is None else Path(data_root), most or {})
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


def check_data_said(name: str) -> None:
    """Refuse to call a function that only a file names.

    Args:
        name: data of a study or a run.

    Raises:
        ConfigError: it is code, and its name was not said in this call; with the option.
    """
    if is_code(name):
        check_code_said(name, "data", ConfigError)


def check_data_name(field: str, name: str) -> None:
    """Check that a name may be that of data; files and modules are not looked at.

    Args:
        field: what the name is given as, for the message.
        name: of a study.

    Raises:
        ConfigError: neither a built-in set nor the user's own.
    """
    if not is_own(name):
        one_of(field, name, dataset_names())


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
    import pooch  # type: ignore[import-untyped]

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
        f"{error.strerror or error}. Set ARCHSIM_CACHE_DIR to a folder that can, or get the files "
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
    kept = kept_place(which.name, place, cache=cache)
    tensors = kept_tensors(kept)
    if tensors is not None:
        parts = [RawImages(tensors[f"{p}.images"], tensors[f"{p}.labels"]) for p in _PARTS]
        return parts[0], parts[1], which.reader.kept_note(which)
    images = which.reader.read(place, which)
    if images.is_slow:
        tensors = {}
        for part, raw in zip(_PARTS, (images.train, images.test), strict=True):
            tensors |= {f"{part}.images": raw.images, f"{part}.labels": raw.labels}
        keep(kept, tensors)
    return images.train, images.test, images.note


_PARTS = ("train", "test")
