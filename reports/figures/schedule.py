"""A Gantt picture of one image: when each layer works on its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.results.schedule import BLOCK, UNIT, Schedule
from reports.figures.style import COLOURS, TSB_COLOUR, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Up to this many rows of a layer, each is drawn apart.
_DRAW_ROWS_UP_TO = 64
#: Lanes with a name; more are drawn with every other name left out, and so on.
_NAMED_LANES = 60
_LANE_IN, _WIDTH_IN = 0.22, 9.0
_MICRO = 1e6
#: Rows shorter than the picture's width over this have no edge of their own.
_SEEN_APART = 300


class Lane(NamedTuple):
    """One layer: its hardware, its rows and when they wait for a common block: (start, length)."""

    name: str
    hardware: str
    bars: tuple[tuple[float, float], ...]
    waits: tuple[tuple[float, float], ...] = ()

    @property
    def busy_us(self) -> float:
        """Time that it works."""
        return sum(length for _, length in self.bars)


class ScheduleInfo(NamedTuple):
    """What the picture shows."""

    title: str
    lanes: tuple[Lane, ...]
    latency_us: float


def collect_schedule(title: str, schedule: Schedule) -> ScheduleInfo:
    """Collect a lane for each layer, in order of its first row.

    Args:
        title: says what runs.
        schedule: of one image.
    """
    lanes: dict[tuple[str, str], list[tuple[float, float]]] = {}
    waits: dict[tuple[str, str], list[tuple[float, float]]] = {}
    hardware: dict[tuple[str, str], str] = {}
    for row in schedule.rows:
        if row.end_s <= row.start_s:
            continue
        key = (row.name, UNIT if row.hardware == UNIT else "")
        bars = lanes.setdefault(key, [])
        if row.hardware == BLOCK and row.start_s > row.ready_s:
            wait = (_MICRO * row.ready_s, _MICRO * (row.start_s - row.ready_s))
            waits.setdefault(key, []).append(wait)
        start, length = _MICRO * row.start_s, _MICRO * (row.end_s - row.start_s)
        # Rows of long layers are joined where nothing lies between them.
        joined = row.rows > _DRAW_ROWS_UP_TO and bars
        if joined and start - sum(bars[-1]) <= 1e-9 * start:
            bars[-1] = (bars[-1][0], start + length - bars[-1][0])
        else:
            bars.append((start, length))
        hardware[key] = row.hardware
    return ScheduleInfo(
        title=title,
        lanes=tuple(
            Lane(
                name + (f" ({UNIT})" if unit else ""),
                hardware[name, unit],
                tuple(bars),
                _joined(waits.get((name, unit), [])),
            )
            for (name, unit), bars in lanes.items()
        ),
        latency_us=_MICRO * schedule.latency_s,
    )


def _joined(spans: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Join spans that overlap, by start."""
    whole: list[tuple[float, float]] = []
    for start, length in sorted(spans):
        if whole and start <= sum(whole[-1]):
            first = whole.pop()
            whole.append((first[0], max(sum(first), start + length) - first[0]))
        else:
            whole.append((start, length))
    return tuple(whole)


def draw_schedule(info: ScheduleInfo) -> Figure:
    """Draw the lanes, the first layer on top."""
    height = 1.3 + _LANE_IN * max(len(info.lanes), 4)
    figure = new_figure(_WIDTH_IN, height)
    axes = figure.subplots()
    for place, lane in enumerate(info.lanes):
        if lane.waits:
            axes.broken_barh(lane.waits, (place - 0.1, 0.2), facecolors=COLOURS[1], linewidth=0)
        wide = min(length for _, length in lane.bars) > info.latency_us / _SEEN_APART
        axes.broken_barh(
            lane.bars,
            (place - 0.4, 0.8),
            facecolors=_colour(lane),
            edgecolors="white" if wide else _colour(lane),
            linewidth=0.4,
        )
    _label(axes, info)
    return figure


def _colour(lane: Lane) -> str:
    if lane.hardware == UNIT:
        return COLOURS[2]
    return TSB_COLOUR if lane.hardware == BLOCK or lane.name.startswith("tsb@") else COLOURS[0]


def _label(axes: Axes, info: ScheduleInfo) -> None:
    from matplotlib.patches import Patch

    step = max(1, -(-len(info.lanes) // _NAMED_LANES))
    named = range(0, len(info.lanes), step)
    axes.set_yticks(list(named), [info.lanes[place].name for place in named], fontsize=7)
    axes.set_ylim(len(info.lanes) - 0.4, -0.6)
    axes.set_xlim(0, info.latency_us * 1.01)
    axes.set_xlabel("time on the chip (µs), from the first row of inputs on")
    axes.set_title(info.title, fontsize=9)
    tidy(axes, grid="x")
    colours = {_colour(lane): lane for lane in info.lanes}
    names = {COLOURS[0]: "layer", TSB_COLOUR: "shared block", COLOURS[2]: UNIT}
    kinds = {own: name for own, name in names.items() if own in colours}
    if any(lane.waits for lane in info.lanes):
        kinds[COLOURS[1]] = f"waits for the {BLOCK}"
    if len(kinds) > 1:
        axes.legend(
            handles=[Patch(color=own, label=name) for own, name in kinds.items()],
            fontsize=7,
            loc="lower left",
        )


def save_schedule(title: str, schedule: Schedule, path: Path) -> None:
    """Draw a schedule into a file.

    Args:
        title: says what runs.
        schedule: of one image.
        path: with one of the known endings.
    """
    check_suffix(path)
    save(draw_schedule(collect_schedule(title, schedule)), path)
