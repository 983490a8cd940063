"""No connection while a model is built: a layer graph needs shapes, so nothing is downloaded.

Inside :func:`offline`, connections of this thread to the internet fail (by an audit hook of
Python), and the libraries of Hugging Face are told before that there is none, so that they do not
try again and again. Files that lie on this machine can still be read. Other threads, connections
that are open already and sockets between processes of this machine are left alone.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
#: Where Hugging Face keeps what it read from the environment when it was imported.
_HUB, _HUB_FLAG = "huggingface_hub.constants", "HF_HUB_OFFLINE"
#: Errors of its libraries that mean: this would have to be downloaded.
_OFFLINE_ERRORS = frozenset({"OfflineModeIsEnabled", "LocalEntryNotFoundError"})


class DownloadRefusedError(OSError):
    """A connection that was asked for while a network was built."""


class _Guard(threading.local):
    """Whether this thread is inside :func:`offline`."""

    depth = 0


_guard = _Guard()
_installed = threading.Event()


@contextmanager
def offline() -> Iterator[None]:
    """Refuse downloads inside; afterwards environment and libraries are as they were.

    Raises:
        DownloadRefusedError: Inside, from whatever opens a connection.
    """
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_audit)
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    flag = _set_hub_flag(True)
    os.environ.update(_ENVIRONMENT)
    _guard.depth += 1
    try:
        yield
    finally:
        _guard.depth -= 1
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        # Imported inside, it has read our environment; it would have read the one from before.
        was_offline = any(before[name] for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
        _set_hub_flag(was_offline if flag is None else flag)


def wants_download(error: BaseException) -> bool:
    """Whether ``error``, or what it came from, is a download that :func:`offline` refused."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        names = {kind.__name__ for kind in type(current).__mro__}
        if isinstance(current, DownloadRefusedError) or names & _OFFLINE_ERRORS:
            return True
        current = current.__cause__ or current.__context__
    return False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _guard.depth and event in ("socket.connect", "socket.getaddrinfo"):
        first = arguments[0]
        if isinstance(first, socket.socket) and first.family not in _INTERNET:
            return
        raise DownloadRefusedError("archsim builds networks without a connection")


_INTERNET = (socket.AF_INET, socket.AF_INET6)


def _set_hub_flag(value: bool) -> bool | None:
    """Set the flag of the Hugging Face hub; return what it was, None where it is not loaded."""
    hub = sys.modules.get(_HUB)
    if hub is None:
        return None
    before = bool(vars(hub).get(_HUB_FLAG, False))
    vars(hub)[_HUB_FLAG] = value
    return before
