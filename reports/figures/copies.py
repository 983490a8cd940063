"""EDP of the shared block's copies against what they take: area, and cells that are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archsim.errors import Code, ConfigError
from reports.figures.axis import plain_ticks
from reports.figures.style import COLOURS, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archsim.results.compared import CompareResult

_NAMES = {"common": "common block", "separate": "separate blocks"}
_MARKERS = {"common": "s", "separate": "D"}


class CopiesPoint(NamedTuple):
    """One design: copies asked for, blocks on the chip, and what is drawn.

    ``area_pct`` is the area beyond the chip without a block, in per cent of that; ``cells`` those
    written for blocks; ``edp`` the EDP (latency) in that of the chip without.
    """

    asked: str
    blocks: int
    area_pct: float
    cells: int
    edp: float


class CopiesInfo(NamedTuple):
    """By network, then by placement: the points, fewest blocks first."""

    networks: dict[str, dict[str, tuple[CopiesPoint, ...]]]


def collect_copies(result: CompareResult) -> CopiesInfo:
    """Collect every feasible design that has blocks and a feasible base.

    Args:
        result: of a comparison, best with several numbers of copies.

    Raises:
        ConfigError: there is none.
    """
    networks: dict[str, dict[str, list[CopiesPoint]]] = {}
    for row in result.rows():
        if row["tsb_blocks"] is None or row["edp_uJ_us_ratio"] is None:
            continue
        point = CopiesPoint(
            row["tsb_copies"],
            row["tsb_blocks"],
            100 * (row["area_mm2_ratio"] - 1),
            row["tsb_cells"],
            row["edp_uJ_us_ratio"],
        )
        networks.setdefault(row["network"], {}).setdefault(row["design"], []).append(point)
    if not networks:
        raise ConfigError(
            "--plot: no design with a shared block can be built; allowed: one that can",
            code=Code.UNSUPPORTED,
            field="--plot",
        )
    return CopiesInfo(
        {
            name: {
                design: tuple(sorted(points, key=lambda point: (point.blocks, point.asked)))
                for design, points in designs.items()
            }
            for name, designs in networks.items()
        }
    )


def draw_copies(info: CopiesInfo) -> Figure:
    """Draw two panels per network: EDP against extra area, and against cells written."""
    count = len(info.networks)
    figure = new_figure(9.0, 0.8 + 3.0 * count)
    panels = np.asarray(figure.subplots(count, 2, squeeze=False))
    for row, (network, designs) in zip(panels, info.networks.items(), strict=True):
        _draw(row[0], designs, by_area=True)
        _draw(row[1], designs, by_area=False)
        row[0].set_title(network, loc="left")
        row[0].set_xlabel("area added to the chip without a block, %")
        row[1].set_xlabel("cells written for blocks")
        row[0].set_ylabel("EDP (latency), base = 1")
    panels[0, 1].legend(frameon=False, loc="upper right")
    return figure


def _draw(axes: Axes, designs: dict[str, tuple[CopiesPoint, ...]], *, by_area: bool) -> None:
    everything = [point for points in designs.values() for point in points]
    for place, (design, points) in enumerate(designs.items()):
        across = [point.area_pct if by_area else float(point.cells) for point in points]
        axes.plot(
            across,
            [point.edp for point in points],
            color=COLOURS[place],
            marker=_MARKERS[design],
            linewidth=1.0,
            label=_NAMES[design],
        )
        said: dict[tuple[float, float, int], list[str]] = {}
        for x, point in zip(across, points, strict=True):
            said.setdefault((x, point.edp, point.blocks), []).append(point.asked)
        for (x, y, blocks), asked in said.items():
            words = ", ".join(word for word in asked if not word.isdigit())
            axes.annotate(
                f"{blocks:,}" + (f" ({words})" if words else ""),
                (x, y),
                xytext=(-6, -3) if place == 0 else (6, -3),
                ha="right" if place == 0 else "left",
                textcoords="offset points",
                fontsize=7,
                color=COLOURS[place],
            )
    axes.set_yscale("log")
    values = [point.edp for point in everything]
    plain_ticks(axes.yaxis, min(values), max(values))
    if not by_area:
        axes.set_xscale("log")
        cells = [point.cells for point in everything]
        plain_ticks(axes.xaxis, min(cells), max(cells))
    axes.margins(x=0.45, y=0.15)
    tidy(axes)


def save_copies(result: CompareResult, path: Path) -> None:
    """Draw and write.

    Args:
        result: of a comparison.
        path: .png, .svg or .pdf.
    """
    check_suffix(path)
    save(draw_copies(collect_copies(result)), path)
