"""Tasks for worker processes, which import little: a fresh process has to import this file."""

from __future__ import annotations

import os
import signal

from archsim.errors import ConfigError


def fails(description: str, number: int) -> int:
    """Fail at the fourth part."""
    if number == 3:
        raise ConfigError(f"{description}: no")
    return number


def dies(description: str, number: int) -> int:
    """Kill the worker at the fourth part."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
