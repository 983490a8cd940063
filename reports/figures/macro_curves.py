"""Figure: energy of a macro over cell resistance, rows read and supply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archsim.results.macro_curves import MacroCurves
from reports.figures.style import COLOURS, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_macro_curves(curves: MacroCurves) -> Figure:
    """Draw a panel per input: the whole energy, and the part of the cells' currents.

    Args:
        curves: of one macro.
    """
    count = len(curves.curves)
    figure = new_figure(3.6 * count, 3.4)
    figure.suptitle(f"{curves.name}: energy per invocation", fontsize=11)
    for index, curve in enumerate(curves.curves):
        axes = figure.add_subplot(1, count, index + 1)
        tidy(axes)
        axes.plot(curve.x, curve.energy_pJ, color=COLOURS[0], label="whole bank")
        if max(curve.current_pJ) > 0:
            axes.plot(
                curve.x, curve.current_pJ, color=COLOURS[1], linestyle="--", label="cell currents"
            )
        if curve.is_log:
            axes.set_xscale("log")
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(curve.title, fontsize=8)
        axes.set_ylabel("pJ", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=7, frameon=False)
    return figure


def save_macro_curves(curves: MacroCurves, path: Path) -> None:
    """Draw and write the figure.

    Args:
        curves: of one macro.
        path: of the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_macro_curves(curves), path)
