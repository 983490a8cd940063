"""Learning curves of backbones: noisy and clean validation accuracy against epochs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reports.figures.style import (
    COLOURS,
    check_columns,
    check_suffix,
    new_figure,
    save,
    save_table,
    tidy,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_COLUMNS = ("backbone", "sigma", "seed", "epoch", "noisy_accuracy", "clean_accuracy")
_WIDTH_IN, _HEIGHT_IN, _PER_ROW = 3.4, 2.6, 3


class LearningCurve(NamedTuple):
    """One training: epochs, and accuracies in per cent."""

    seed: int
    epochs: tuple[int, ...]
    noisy: tuple[float, ...]
    clean: tuple[float, ...]


def collect_learning_curves(epochs: pandas.DataFrame) -> dict[str, tuple[LearningCurve, ...]]:
    """Collect the curves, by title of their panel: backbone and sigma.

    Args:
        epochs: of ``archsim.api.evaluate.learning_curves``.

    Raises:
        DataError: a missing column, or no row.
    """
    check_columns("learning curves", epochs, _COLUMNS)
    panels: dict[str, tuple[LearningCurve, ...]] = {}
    for (backbone, sigma), panel_epochs in epochs.groupby(["backbone", "sigma"], sort=False):
        curves = []
        for seed, rows in panel_epochs.groupby("seed"):
            ordered = rows.sort_values("epoch")
            curves.append(
                LearningCurve(
                    int(str(seed)),
                    tuple(int(value) for value in ordered["epoch"]),
                    tuple(100 * float(value) for value in ordered["noisy_accuracy"]),
                    tuple(100 * float(value) for value in ordered["clean_accuracy"]),
                )
            )
        panels[f"{backbone}, sigma {sigma:g}"] = tuple(curves)
    return panels


def draw_learning_curves(panels: dict[str, tuple[LearningCurve, ...]]) -> Figure:
    """Draw a panel per backbone and sigma; each has its own range of accuracy."""
    across = min(_PER_ROW, len(panels))
    down = -(-len(panels) // across)
    figure = new_figure(_WIDTH_IN * across, 0.5 + _HEIGHT_IN * down)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=False):
        for index, curve in enumerate(curves):
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(curve.epochs, curve.noisy, color=colour, label=f"seed {curve.seed}, noisy")
            axes.plot(
                curve.epochs, curve.clean, color=colour, linestyle=":", label=f"{curve.seed}, clean"
            )
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation, %")
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes)
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def save_learning_curves(epochs: pandas.DataFrame, path: Path) -> None:
    """Collect, draw and write the figure, and beside it the epochs as CSV.

    Args:
        epochs: of ``archsim.api.evaluate.learning_curves``.
        path: PNG, SVG or PDF.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: no epochs.
    """
    check_suffix(path)
    save(draw_learning_curves(collect_learning_curves(epochs)), path)
    save_table(epochs, path.with_suffix(".csv"))
