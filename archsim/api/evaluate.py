"""The accuracies and learning curves of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.errors import Code, ConfigError, DataError, close_matches
from archsim.network.own_code import check_is
from archsim.results.method_row import MethodRow, frame_of
from archsim.results.recommend import with_choice
from archsim.util.consent import saying
from archsim.util.files import is_file, parse_json, read_regular
from tsb.study import method_rows, open_run
from tsb.study.units import backbone_units
from tsb.train.settings import EpochRecord

if TYPE_CHECKING:
    import pandas


def evaluate(
    run: str | Path,
    *,
    methods: Sequence[str] = (),
    max_verified: int | float | None = None,
    network: str | None = None,
) -> pandas.DataFrame:
    """Return the table of a run: one row per method and sigma; accuracies are fractions.

    The column ``chosen`` marks, for each sigma, the method of the highest validation accuracy.

    Args:
        run: its folder.
        methods: only these; none for all.
        max_verified: choose among methods that write-verify at most this share of the network's
            weights, 0 to 1; None for no bound.
        network: of the run; must be said where it is ``package.module:function`` and the results
            are older than what they say of it.

    Raises:
        ConfigError: a method that the run has not, or a share that no method keeps to.
        DataError: not a run, damaged, or nothing in it is finished.
    """
    frame = frame_of(_decided(run, methods, max_verified, network))
    return frame[frame["method"].isin(methods)] if methods else frame


def evaluated_rows(
    run: str | Path,
    *,
    methods: Sequence[str] = (),
    max_verified: int | float | None = None,
    network: str | None = None,
) -> tuple[MethodRow, ...]:
    """Return the rows of the table of :func:`evaluate`, typed.

    Args:
        run: its folder.
        methods: only these; none for all.
        max_verified: as of :func:`evaluate`.
        network: as of :func:`evaluate`.

    Raises:
        ConfigError: as :func:`evaluate`.
        DataError: as :func:`evaluate`.
    """
    rows = _decided(run, methods, max_verified, network)
    return tuple(row for row in rows if not methods or row.method in methods)


def _decided(
    run: str | Path,
    methods: Sequence[str],
    max_verified: int | float | None,
    network: str | None,
) -> tuple[MethodRow, ...]:
    """Return all rows of a run, with what is chosen among some of its methods."""
    opened = open_run(run)
    check_is(network, opened.study.network, run)
    with saying([network]):
        rows = method_rows(opened.study, opened.folder)
    if not rows:
        raise DataError(
            f"{run}: no method is finished yet; archsim train goes on with it",
            code=Code.EMPTY,
            field=run,
        )
    known = list(dict.fromkeys(row.method for row in rows))
    for name in methods:
        if name not in known:
            raise ConfigError(
                f"--method '{name}'; the run has: {', '.join(known)}." + close_matches(name, known),
                code=Code.UNKNOWN_NAME,
                field="--method",
                value=name,
                allowed=tuple(known),
            )
    asked = [row for row in rows if row.method in (methods or known)]
    decided = {(row.method, row.sigma): row for row in with_choice(asked, max_verified)}
    return tuple(decided.get((row.method, row.sigma), row) for row in rows)


def learning_curves(run: str | Path) -> pandas.DataFrame:
    """Return all epochs of all backbones of a run: ``backbone, sigma, seed`` and the curve.

    Args:
        run: its folder.

    Raises:
        DataError: not a run, or a curve is damaged.
    """
    import pandas as pd

    opened = open_run(run)
    rows = []
    for unit in backbone_units(opened.study):
        path = opened.folder / "backbones" / unit.folder / "curve.jsonl"
        if is_file(path):
            about = {"backbone": unit.backbone, "sigma": unit.sigma, "seed": unit.seed}
            try:
                lines = read_regular(path).decode("utf-8").splitlines()
                rows += [{**about, **_epoch(parse_json(line))} for line in lines]
            except (ValueError, TypeError) as error:
                raise DataError.of(
                    Code.DAMAGED_FILE, path, problem=f"not a learning curve: {error}"
                ) from error
    return pd.DataFrame(rows)


def _epoch(line: Any) -> dict[str, Any]:
    """Return one line of a learning curve; a ValueError or TypeError for anything else."""
    record = asdict(EpochRecord(**line))
    for name, value in record.items():
        if not isinstance(value, int | float) or (name != "loss" and not math.isfinite(value)):
            raise ValueError(f"{name} = {value!r}")
    if not isinstance(record["epoch"], int):
        raise ValueError(f"epoch = {record['epoch']!r}")
    return record
