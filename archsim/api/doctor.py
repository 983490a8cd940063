"""Look at the machine and the installation: what works, what is missing, what to report."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from archsim.results.health import Check, Health


class Extra(NamedTuple):
    """An optional package, and what it is for."""

    package: str
    extra: str
    use: str


#: Optional packages as in ``pyproject.toml``; a test compares.
EXTRAS = (
    Extra("optuna", "search", "archsim sweep with strategy: optuna"),
    Extra("distributed", "cluster", "archsim sweep --scheduler"),
    Extra("onnx", "onnx", "archsim map model.onnx"),
    Extra("timm", "timm", "archsim map timm:NAME"),
)
#: The name that a requirement such as ``torch>=2.6`` begins with.
_NAME = re.compile(r"[\w.-]+")


def doctor() -> Health:
    """Return what is found on this machine; takes about ten seconds, most of it the self-test.

    Nothing is installed, downloaded, or sent.
    """
    parts = (_versions, _machine, _folders, _data, _extras, _self_test)
    return Health(tuple(check for part in parts for check in part()))


def _needed() -> list[str]:
    """Return the packages that the installed archsim asks for, its extras left out."""
    try:
        asked = metadata.requires("archsim") or []
    except metadata.PackageNotFoundError:  # run from a folder that was never installed
        return ["torch", "numpy"]
    names = (_NAME.match(each) for each in asked if "extra ==" not in each)
    return [name[0] for name in names if name is not None]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> Iterator[Check]:
    from archsim import __version__

    yield Check("versions", "archsim", f"{__version__}, {Path(__file__).parents[1]}")
    yield Check("versions", "Python", f"{platform.python_version()}, {sys.executable}")
    for package in _needed():
        version = _version(package)
        advice = "" if version else f"pip install {package}"
        yield Check("versions", package, version or "missing", version is not None, advice)


def _machine() -> Iterator[Check]:
    import torch

    yield Check("machine", "system", platform.platform())
    yield Check("machine", "processor", f"{platform.machine()}, {os.cpu_count()} cores")
    threads = os.environ.get("OMP_NUM_THREADS")
    said = f"torch {torch.get_num_threads()}, OMP_NUM_THREADS {threads or 'not set'}"
    yield Check("machine", "threads", said)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    yield Check("machine", "GPU", gpu)


def _folders() -> Iterator[Check]:
    from archsim.util.paths import configs_dir, user_cache

    yield Check("folders", "presets", str(configs_dir()))
    yield _writable("cache", user_cache(), "set ARCHSIM_CACHE_DIR to a folder that can be written")
    yield _writable("working directory", Path.cwd(), "change to a folder that can be written")


def _writable(name: str, folder: Path, advice: str) -> Check:
    """Try to write where the folder is, or where it would be made."""
    place = next(each for each in (folder, *folder.parents) if each.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            return Check("folders", name, f"{folder}, can be written")
    except OSError as error:
        return Check("folders", name, f"{folder}: {error.strerror or error}", False, advice)


def _data() -> Iterator[Check]:
    from tsb.data.load import found
    from tsb.data.sources import dataset_names

    for name in dataset_names():
        place = found(name)
        said = str(place) if place else "not found"
        yield Check("data", name, said, advice="" if place else "downloaded when needed")


def _extras() -> Iterator[Check]:
    for extra in EXTRAS:
        version = _version(extra.package)
        how = "" if version else f"pip install 'archsim[{extra.extra}]'"
        yield Check("extras", extra.package, f"{version or 'missing'}: {extra.use}", advice=how)


def _self_test() -> Iterator[Check]:
    yield _tried("map a network", _map)
    yield _tried("program it", _program)
    yield _tried("compile a kernel", _compile)


def _tried(name: str, test: Callable[[], str]) -> Check:
    began = time.perf_counter()
    try:
        found = test()
    except Exception as error:  # noqa: BLE001 - whatever breaks is what the user should report
        advice = "report this, with the whole output"
        return Check("self-test", name, f"{type(error).__name__}: {error}", False, advice)
    return Check("self-test", name, f"{found}, {time.perf_counter() - began:.1f} s")


def _map() -> str:
    from archsim.api.map import map_network

    result = map_network("lenet3", design="common")
    return f"lenet3, {result.totals['area_mm2']:.3g} mm2, {result.totals['latency_us']:.3g} us"


def _program() -> str:
    from archsim.api.program.run import program

    result = program("lenet3", policy="none")
    return f"{result.to_dict()['write_pulses']:,} pulses"


def _compile() -> str:
    import numba
    import numpy as np

    doubled = numba.njit(lambda values: values * 2.0)(np.ones(3))
    return f"numba {numba.__version__}, sum {doubled.sum():g}"
