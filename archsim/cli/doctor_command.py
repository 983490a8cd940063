"""``archsim doctor``: versions, folders, data, extras, and a self-test."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.health import Health


@guarded
def doctor_command(
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Look at this machine and installation: what works, and what to put into a bug report.

    Takes about ten seconds. Nothing is installed, downloaded or sent. Exit code 1: something that
    archsim needs does not work.
    """
    check_writable(out)
    from archsim.api.doctor import doctor

    health = doctor()
    if format is Format.JSON:
        deliver(json_text(health.to_dict()), out)
    elif format is Format.CSV:
        records = [asdict(check) for check in health.checks]
        deliver(csv_text(list(records[0]), records), out)
    else:
        _show(health, out)
    if not health.ok:
        raise typer.Exit(1)


def _show(health: Health, out: object) -> None:
    from pathlib import Path

    from archsim.cli import render

    def draw(console: Console) -> None:
        for group in dict.fromkeys(check.group for check in health.checks):
            lines = [
                f"{'' if check.ok else 'BROKEN: '}{check.name}: {check.found}"
                + (f" ({check.advice})" if check.advice else "")
                for check in health.checks
                if check.group == group
            ]
            render.show(console, render.bullets(group[0].upper() + group[1:], lines))
        verdict = "Everything that archsim needs works." if health.ok else "Something is broken."
        render.show(console, render.bullets("Verdict", [verdict]))

    render.present(draw, out if isinstance(out, Path) else None)
