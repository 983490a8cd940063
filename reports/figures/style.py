"""One look for all figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archsim.errors import Code, ConfigError, DataError
from archsim.util.files import check_name, is_folder

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: File endings that figures are written to.
SUFFIXES = (".png", ".svg", ".pdf")

#: Colour-blind safe sequence (Okabe and Ito, Color Universal Design, 2008), without black.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
#: Colour of the shared block in every figure.
TSB_COLOUR = "#222222"


def check_suffix(path: Path) -> None:
    """Check that a figure can be written under this name.

    Raises:
        ConfigError: an ending that is not one of :data:`SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"--plot {path}: ending '{path.suffix}'; allowed: {', '.join(SUFFIXES)}",
            code=Code.WRONG_FORM,
            field="--plot",
            value=path,
            allowed=SUFFIXES,
        )
    check_name(path)
    if not is_folder(path.parent):
        raise ConfigError(
            f"--plot {path}: folder '{path.parent}' does not exist",
            code=Code.MISSING_FILE,
            field="--plot",
            value=path,
        )


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes, *, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draw a light grid behind the data, and no frame above and beside it.

    Args:
        axes: to tidy up.
        grid: its lines.
    """
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def level_colours(count: int, *, ordered: bool) -> tuple[str, ...]:
    """Return a colour per level: from dark to light if the levels have an order.

    Args:
        count: of levels; at most ``len(COLOURS)`` unless ordered.
        ordered: numbers, not names.
    """
    if not ordered:
        return COLOURS[:count]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    # Not to the lightest end, which is hard to see on white.
    shares = [0.9 * index / max(count - 1, 1) for index in range(count)]
    return tuple(to_hex(colormaps["viridis"](share)) for share in shares)


def check_columns(what: str, frame: pandas.DataFrame, columns: Sequence[str]) -> None:
    """Check that a table has rows and the columns that a figure needs.

    Args:
        what: the figure, for the message.
        frame: the table.
        columns: that it needs.

    Raises:
        DataError: no row, or names the missing columns.
    """
    lacks = [name for name in columns if name not in frame.columns]
    if lacks or frame.empty:
        raise DataError(
            f"{what}: {len(frame)} rows, missing columns: {lacks}",
            code=Code.MISSING_KEY if lacks else Code.EMPTY,
            field=what,
            value=lacks,
        )


def save(figure: Figure, path: Path) -> None:
    """Write a figure; vector formats keep text as text.

    Raises:
        ConfigError: a wrong ending.
        DataError: a place that cannot be written to, or a full disk.
    """
    import matplotlib as mpl

    check_suffix(path)
    try:
        with mpl.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
            figure.savefig(path, dpi=160)
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> DataError:
    said = f"cannot be written: {error.strerror or error}"
    return DataError.of(Code.CANNOT_WRITE, path, problem=said)


def save_table(frame: pandas.DataFrame, path: Path) -> None:
    """Write the numbers of a figure as CSV, without the index.

    Args:
        frame: the numbers.
        path: where to.

    Raises:
        DataError: a place that cannot be written to, or a full disk.
    """
    try:
        frame.to_csv(path, index=False)
    except OSError as error:
        raise _not_written(path, error) from error
