"""Figure: measured levels, their fitted distributions, and means beside equal steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archsim.device.fit import Fitted
from reports.figures.style import check_suffix, level_colours, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Bins that are drawn as one.
_TOGETHER = 8


def draw_fit(fitted: Fitted) -> Figure:
    """Draw the shares of writes with normal curves, and the residual means of the levels.

    Args:
        fitted: a fit.
    """
    figure = new_figure(8.0, 3.4)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    colours = level_colours(len(fitted.levels), ordered=True)
    edges = fitted.bins[::_TOGETHER]
    width = float(edges[1] - edges[0])
    middle = (edges[:-1] + edges[1:]) / 2
    for level, counts, colour in zip(fitted.levels, fitted.histogram, colours, strict=True):
        share = counts.reshape(-1, _TOGETHER).sum(1) / width
        left.stairs(np.where(share > 0, share, np.nan), edges, fill=True, color=colour, alpha=0.4)
        mean, sigma = level.mean.value or 0.0, level.sigma.value or 0.0
        if sigma > 0:
            density = np.exp(-(((middle - mean) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
            near = np.abs(middle - mean) < 4 * sigma
            left.plot(middle[near], density[near], color=colour, linewidth=1.2)
    left.set_xlabel("conductance, share of the range")
    left.set_ylabel("writes (bars) and normal fit (lines)")
    steps = np.linspace(0.0, 1.0, len(fitted.levels))
    errors = [float(level.mean.value or 0.0) for level in fitted.levels] - steps
    right.errorbar(
        steps,
        errors,
        yerr=[float(level.sigma.value or 0.0) for level in fitted.levels],
        fmt="o",
        markersize=4,
        capsize=3,
    )
    right.axhline(0.0, color="0.6", linewidth=0.8)
    right.set_xlabel("level at equal steps")
    right.set_ylabel("mean error, bar: sigma of one write")
    for axes in (left, right):
        tidy(axes)
        axes.tick_params(labelsize=7)
    figure.suptitle(f"{fitted.file}: {fitted.devices} cells, {fitted.rows} rows", fontsize=10)
    return figure


def save_fit(fitted: Fitted, path: Path) -> None:
    """Draw and write the figure.

    Args:
        fitted: a fit.
        path: of the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_fit(fitted), path)
