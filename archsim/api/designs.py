"""Totals of many designs at once: columns of settings in, a frame out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.config.overrides import Overrides, as_texts
from archsim.config.resolve import DEFAULT_CHIP
from archsim.config.sweep import Scalar, Sweep
from archsim.errors import Code, ConfigError
from archsim.explore.run.rows import FEASIBLE, FLAT_POINTS, POINT, REASON, box_rows
from archsim.explore.space.legal import legal_points
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Flat
from archsim.util.consent import saying

if TYPE_CHECKING:
    import pandas

#: Spaces that a process remembers: settings and values that were asked for before.
_REMEMBERED = 16


def evaluate_designs(
    network: str,
    settings: Mapping[str, Sequence[Scalar]],
    *,
    design: str = "none",
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Overrides = (),
    input_shape: Sequence[int] | None = None,
) -> pandas.DataFrame:
    """Price many designs of one network; row *i* is what :func:`map_network` gives for design *i*.

    All designs are one batch of the cost engine, so that each costs a small part of a call of
    :func:`map_network`. What settings resolve to is remembered: a call with the same values again,
    in any combination, takes the time of the engine alone.

    Args:
        network: as a sweep names it: built in, ``timm:NAME``, a file, ``package.module:function``.
        settings: values of each design by path of the setting (``chip.adc.bits``), or ``design``,
            ``chip``, ``technology`` and ``device``; all of one length. A data frame will do.
        design: placement of the shared block where no column says it.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: shared-block preset or YAML path; by default the paper's for this network.
        overrides: settings of all designs.
        input_shape: (channels, height, width) where the network does not say.

    Returns:
        One row per design, in order: the settings, the columns of a sweep's results, and whether
        the design is feasible, with the reason where it is not. A combination that no configuration
        may have is a row without results, whose reason names the rule.

    Raises:
        ArchsimError: columns of different lengths, or a value that its setting may not have.
    """
    columns = _columns(settings)
    asked = {
        "name": "designs", "network": network, "chip": chip, "technology": technology,
        "device": device, "tsb": tsb, "design": design, "set": as_texts(overrides),
        "input_shape": None if input_shape is None else list(input_shape),
        "axes": {
            path: {"values": sorted(set(values), key=_by_kind)} for path, values in columns.items()
        },
    }  # fmt: skip
    with saying([network]):
        return _frame(_space(json.dumps(asked)), columns)


def _columns(settings: Mapping[str, Sequence[Scalar]]) -> dict[str, list[Scalar]]:
    """Return the values of every setting as plain Python values, all of one length."""
    columns = {str(path): _listed(str(path), settings[path]) for path in settings}
    lengths = {path: len(values) for path, values in columns.items()}
    if not lengths or not min(lengths.values()):
        raise ConfigError.of(
            Code.EMPTY, "settings", lengths, allowed="one setting or more, with one value or more"
        )
    if len(set(lengths.values())) > 1:
        raise ConfigError.of(
            Code.SHAPE_MISMATCH, "settings", lengths, allowed="as many values of every setting"
        )
    return columns


def _listed(path: str, values: Any) -> list[Scalar]:
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise ConfigError.of(Code.WRONG_TYPE, path, values, allowed="a list, one value per design")
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _by_kind(value: Scalar) -> tuple[str, str]:
    return type(value).__name__, str(value)


@lru_cache(maxsize=_REMEMBERED)
def _space(asked: str) -> Space:
    return Space(Sweep.model_validate(json.loads(asked)))


def _frame(space: Space, columns: Mapping[str, list[Scalar]]) -> pandas.DataFrame:
    import pandas as pd

    digits = np.asarray(
        [_places(axis.values, columns[axis.path]) for axis in space.grid.axes], dtype=np.int64
    )
    pieces = []
    for rows in _pieces(space, digits):
        box = Flat(digits[:, rows])
        kept = space.grid.kept(box, space.grid.tables(box))
        legal = legal_points(space, box, kept)
        found = box_rows(space, box)
        piece = found.table.drop_columns([POINT, *_settings(space)]).to_pandas()
        whole = piece.set_index(rows[legal.kept]).reindex(rows)
        missing = ~legal.kept
        whole[FEASIBLE] = whole[FEASIBLE].eq(True)
        whole[REASON] = whole[REASON].astype(object).where(whole[REASON].notna(), None)
        if missing.any():
            whole.loc[missing, REASON] = f"no configuration: {', '.join(sorted(found.forbidden))}"
        pieces.append(whole)
    results = pd.concat(pieces).sort_index()
    whole_frame: pd.DataFrame = pd.concat([pd.DataFrame(dict(columns)), results], axis=1)
    return whole_frame


def _settings(space: Space) -> list[str]:
    return list(dict.fromkeys(space.columns.values()))


def _places(values: Sequence[Scalar], asked: Sequence[Scalar]) -> list[int]:
    place = {_by_kind(value): number for number, value in enumerate(values)}
    return [place[_by_kind(value)] for value in asked]


def _pieces(space: Space, digits: np.ndarray) -> Iterator[np.ndarray]:
    """Cut rows into batches with one value of every outer axis."""
    outer = [place for place, axis in enumerate(space.grid.axes) if axis.is_outer]
    _, group = np.unique(digits[outer], axis=1, return_inverse=True)
    group = np.broadcast_to(group.reshape(-1), digits.shape[1:]) if outer else digits[0] * 0
    for number in range(int(group.max()) + 1):
        rows = np.flatnonzero(group == number)
        for start in range(0, len(rows), FLAT_POINTS):
            yield rows[start : start + FLAT_POINTS]
