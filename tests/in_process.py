"""``archsim ARGUMENTS`` inside this process; the command tree is built once, not for every call."""

from __future__ import annotations

from functools import cache
from unittest import mock

from typer.main import get_command
from typer.testing import CliRunner, Result

from archsim.cli.app import app

_built = cache(get_command)


def archsim(*arguments: object) -> Result:
    """Run a command and return what it printed and how it ended."""
    with mock.patch("typer.testing._get_command", _built):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])
