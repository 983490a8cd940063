"""ONNX files on disk: what is read, and what is refused before anything looks inside.

An ONNX file is data: nothing in it is executed. Of the files that it names (external data) only
small tensors that shapes depend on are ever read, and only from the folder of the model.
"""

from __future__ import annotations

import mmap
import stat
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, BinaryIO

from archsim.errors import NOT_GIVEN, Code, NetworkError
from archsim.network.frontend.onnx_wire import WireError, without_weights

if TYPE_CHECKING:
    import onnx

#: Largest message that protobuf reads, in bytes.
MAX_FILE_BYTES = 2**31 - 1
_GIT_LFS = b"version https://git-lfs"


def require_onnx(network: str) -> None:
    """Check that the package ``onnx`` is there.

    Args:
        network: Name of the network, for the message.

    Raises:
        NetworkError: It is not; the message has the command that installs it.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise NetworkError(
            f"network '{network}': ONNX files need the package onnx ({error}); install it with "
            "pip install 'archsim[onnx]'",
            code=Code.MISSING_PACKAGE,
            field="onnx",
        ) from error


def read_proto(path: Path) -> onnx.ModelProto:
    """Parse the ONNX file at ``path``.

    Raises:
        NetworkError: It is missing, no regular file, empty, 2 GiB or larger, or no ONNX model.
    """
    import onnx

    content = _read(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except Exception as error:
        raise refused(path, _NO_MODEL) from error
    if not proto.graph.node:
        raise refused(path, f"{_NO_MODEL}: there is no graph with nodes in it")
    return proto


_NO_MODEL = "is no ONNX model, or is damaged or cut off"


def refused(
    path: Path,
    what: str,
    *,
    code: Code = Code.DAMAGED_FILE,
    value: object = NOT_GIVEN,
    allowed: str | None = None,
) -> NetworkError:
    """The error for a file that ``what`` is said of."""
    said = f"ONNX file '{path}' {what}"
    return NetworkError(said, code=code, field=path, value=value, allowed=allowed)


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "directory" if stat.S_ISDIR(status.st_mode) else "device or pipe"
            raise refused(
                path,
                f"is a {kind}; give the .onnx file",
                code=Code.WRONG_FILE,
                value=kind,
            )
        if status.st_size == 0:
            raise refused(
                path,
                "is empty",
                code=Code.EMPTY,
            )
        if status.st_size > MAX_FILE_BYTES:
            raise refused(
                path,
                f"has {status.st_size} bytes; protobuf reads at most {MAX_FILE_BYTES}. Save the "
                "model with its weights as external data (onnx.save_model(..., "
                "save_as_external_data=True), or torch.onnx.export(..., external_data=True)): "
                "archsim needs their shapes only",
                code=Code.OUT_OF_RANGE,
                value=status.st_size,
                allowed=f"at most {MAX_FILE_BYTES}",
            )
        with path.open("rb") as file:
            return _without_weights(path, file)
    except FileNotFoundError:
        raise refused(
            path,
            "does not exist",
            code=Code.MISSING_FILE,
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise refused(
            path,
            f"cannot be read: {error}",
            code=Code.CANNOT_READ,
        ) from error


def _without_weights(path: Path, file: BinaryIO) -> bytes:
    # Not closed by hand: an error on the way holds on to views of it.
    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if content[: len(_GIT_LFS)] == _GIT_LFS:
        raise refused(
            path,
            "is a pointer of Git LFS, not the model; fetch it: git lfs pull",
            code=Code.WRONG_FILE,
        )
    try:
        return without_weights(memoryview(content))
    except WireError as error:
        raise refused(path, f"{_NO_MODEL} ({error})") from error


def external_file(folder: Path, tensor: str, location: str) -> Path:
    """Where the external data of a tensor lies; the file need not exist.

    Args:
        folder: The folder of the model.
        tensor: Name of the tensor, for the message.
        location: What the model says.

    Raises:
        NetworkError: It lies outside ``folder``: an absolute path, one with ``..``, or one through
            a symbolic link.
    """
    windows = PureWindowsPath(location)
    parts = (*Path(location).parts, *windows.parts)
    is_absolute = Path(location).is_absolute() or bool(windows.drive or windows.root)
    if not location or "\0" in location or is_absolute or ".." in parts:
        raise _outside(folder, tensor, location, "a path below that folder is allowed")
    try:
        real = (folder / location).resolve()
        inside = real.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise _outside(folder, tensor, location, str(error)) from error
    if not inside:
        raise _outside(folder, tensor, location, f"it is a link to '{real}'")
    return real


def _outside(folder: Path, tensor: str, location: str, why: str) -> NetworkError:
    return NetworkError(
        f"ONNX tensor '{tensor}': its external data is at {printable(location)!r}, outside the "
        f"model's folder '{folder}' ({why}); nothing is read from there",
        code=Code.UNSAFE_FILE,
        field=tensor,
        value=printable(location),
    )


def first_line(error: Exception) -> str:
    """The first line of what ``error`` says, cut where it is long."""
    lines = str(error).strip().splitlines()
    return printable(lines[0]) if lines else type(error).__name__


def printable(text: str, most: int = 300) -> str:
    """``text`` of a file as it can be shown: control characters replaced, cut after ``most``."""
    shown = text if len(text) <= most else f"{text[:most]}..."
    return shown if shown.isprintable() else "".join(c if c.isprintable() else "?" for c in shown)
