"""Where a study is computed: the CPU or one GPU.

This is not the device of a chip's cells, which is in :mod:`archsim.device`. Networks, images
and corrections lie where it is computed. Programming stays on the CPU, with CPU generators, so
that the same seed and weights give the same chip on every machine; files are of the CPU.
"""

from __future__ import annotations

import re

import torch

from archsim.errors import Code, ConfigError

CPU = torch.device("cpu")


def compute_device(name: str, *, jobs: int = 1) -> torch.device:
    """Return a device by name, if it can be used.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU if there is one, else the CPU.
        jobs: processes that want to use it.

    Raises:
        ConfigError: another name, a GPU that is not there, fewer than one process, or several
            processes on one GPU.
    """
    if jobs < 1:
        raise ConfigError.of(Code.OUT_OF_RANGE, "jobs", jobs, allowed="1 or more")
    if not re.fullmatch(r"cpu|auto|cuda(:[0-9]+)?", name):
        raise ConfigError.of(
            Code.UNKNOWN_NAME,
            "device",
            name,
            allowed="cpu, cuda, cuda:N, auto",
            more=": where to compute. The device of the chip's cells is study.device",
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return CPU
    if not count:
        built = "finds none" if torch.backends.cuda.is_built() else "is built without CUDA"
        raise ConfigError.of(
            Code.UNSUPPORTED,
            "device",
            name,
            problem=f"no GPU, PyTorch {torch.__version__} {built}",
            allowed="cpu, auto",
        )
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        raise ConfigError.of(
            Code.OUT_OF_RANGE, "device", name, allowed=f"cuda:0 to cuda:{count - 1}, cpu, auto"
        )
    if jobs > 1:
        raise ConfigError(
            f"jobs = {jobs} with device = '{name}'; allowed: 1. Processes would take turns on the "
            "GPU, each with a copy of the data: use --jobs 1, or --device cpu",
            code=Code.CONFLICT,
            field="jobs",
            value=jobs,
            allowed="1",
        )
    return torch.device("cuda", index)


def describe(device: torch.device) -> str:
    """Return a device as results name it: ``cpu``, or ``cuda:0 (NVIDIA H200)``.

    Args:
        device: from :func:`compute_device`.
    """
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """Return a seeded generator that draws on a device; CPU and GPU draw different numbers.

    Args:
        device: from :func:`compute_device`.
        seed: any.
    """
    return torch.Generator(device).manual_seed(seed)
