"""The write-verify curve: accuracy against what is verified, per policy and device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.errors import Code, DataError
from reports.figures.style import COLOURS, check_suffix, new_figure, save, save_table, tidy

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Line styles and markers, so that policies differ without colour too.
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: Column of the effort and the label of its axis.
_EFFORTS = (
    ("verified_fraction", "weights verified, %"),
    ("verify_cycles", "write cycles of verified weights, % of all verified"),
    ("normalised_pulses", "all pulses, % of all verified"),
)
_COLUMNS = ("device", "policy", "accuracy", "ci95_low", "ci95_high", *(e for e, _ in _EFFORTS))


class PolicyCurve(NamedTuple):
    """Accuracy in per cent against measures of effort in per cent, with its 95 % interval."""

    policy: str
    efforts: dict[str, tuple[float, ...]]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class WriteVerifyInfo(NamedTuple):
    """Curves by device, the best accuracy of each device (everything verified), instances, what."""

    curves: dict[str, tuple[PolicyCurve, ...]]
    goals: dict[str, float]
    instances: int
    about: str


def collect_write_verify(summary: pandas.DataFrame, about: str = "") -> WriteVerifyInfo:
    """Collect the curves of a table of means.

    Args:
        summary: a row per device, policy and point, with the columns of
            ``tsb.write_verify.curve.summarise_curve``.
        about: network, data set and images, for the title.

    Raises:
        DataError: a missing column, or no row.
    """
    missing = [name for name in _COLUMNS if name not in summary.columns]
    if missing or summary.empty:
        raise DataError(
            f"curve: {len(summary)} rows, missing columns: {', '.join(missing) or 'none'}; "
            f"expected rows with {', '.join(_COLUMNS)}",
            code=Code.MISSING_KEY if missing else Code.EMPTY,
            field="curve",
            value=missing,
        )
    curves: dict[str, tuple[PolicyCurve, ...]] = {}
    goals: dict[str, float] = {}
    for device, device_rows in summary.groupby("device", sort=False):
        policy_curves = []
        for policy, rows in device_rows.groupby("policy", sort=False):
            ordered = rows.sort_values("verified_fraction")
            efforts = {name: _per_cent(ordered[name]) for name, _ in _EFFORTS}
            columns = (_per_cent(ordered[name]) for name in ("accuracy", "ci95_low", "ci95_high"))
            policy_curves.append(PolicyCurve(str(policy), efforts, *columns))
        curves[str(device)] = tuple(policy_curves)
        goals[str(device)] = max(curve.accuracy[-1] for curve in policy_curves)
    instances = int(summary["instances"].min()) if "instances" in summary.columns else 0
    return WriteVerifyInfo(curves, goals, instances, about)


def _per_cent(column: pandas.Series[float]) -> tuple[float, ...]:
    return tuple(100 * float(value) for value in column)


def draw_write_verify(info: WriteVerifyInfo) -> Figure:
    """Draw a row of panels per device: over weights, cycles of verified ones, and all pulses."""
    figure = new_figure(14.0, 0.7 + 3.3 * len(info.curves))
    panels = figure.subplots(len(info.curves), len(_EFFORTS), squeeze=False, sharey="row")
    for row, (device, curves) in zip(panels, info.curves.items(), strict=True):
        for axes, (effort, label) in zip(row, _EFFORTS, strict=True):
            _draw_panel(axes, curves, effort, info.goals[device])
            axes.set_xlabel(label)
        row[0].set_ylabel("accuracy, %")
        row[0].set_title(device, fontsize=10, loc="left")
    handles, labels = panels[0][0].get_legend_handles_labels()
    # Beside the panels: wherever it stood inside, it would cover a curve.
    figure.legend(handles, labels, loc="outside right upper", fontsize=9, frameon=False)
    figure.suptitle(
        f"Selective write-verify{f' of {info.about}' if info.about else ''}: mean accuracy and "
        f"95 % interval of {info.instances} chips",
        fontsize=11,
    )
    return figure


def _draw_panel(axes: Axes, curves: tuple[PolicyCurve, ...], effort: str, goal: float) -> None:
    for index, curve in enumerate(curves):
        place, colour = curve.efforts[effort], COLOURS[index % len(COLOURS)]
        axes.fill_between(place, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            place,
            curve.accuracy,
            color=colour,
            linestyle=_DASHES[index % len(_DASHES)],
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=3.5,
            linewidth=1.4,
            label=curve.policy,
        )
    axes.axhline(goal, color="#444444", linewidth=0.8, linestyle=":", label="all verified")
    tidy(axes)


def save_write_verify(summary: pandas.DataFrame, path: Path, about: str = "") -> None:
    """Collect, draw and write the figure, and beside it the table as CSV.

    Args:
        summary: see :func:`collect_write_verify`.
        path: of the figure.
        about: network, data set and images, for the title.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: a table without the columns of a curve.
    """
    check_suffix(path)
    save(draw_write_verify(collect_write_verify(summary, about)), path)
    save_table(summary, path.with_suffix(".csv"))
