"""Options that the commands about training and chips share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_DATA = "Data"

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="archsim list data; mnist-part comes with archsim. Default: the network's.",
        show_default=False,
        rich_help_panel=_DATA,
    ),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="MODULE:FUNCTION",
        help="The network, where a file names code of yours: it is not run unless you name it too.",
        show_default=False,
    ),
]
DataRootOption = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="FOLDER",
        help="Where the data lie; downloaded and cached if not given.",
        rich_help_panel=_DATA,
    ),
]
