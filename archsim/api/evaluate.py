"""The accuracies and learning curves of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.errors import ConfigError, DataError, close_matches
from tsb.study import open_run, summarise, with_choice
from tsb.study.units import backbone_units

if TYPE_CHECKING:
    import pandas


def evaluate(
    run: str | Path, *, methods: Sequence[str] = (), max_verified: int | float | None = None
) -> pandas.DataFrame:
    """Return the table of a run: one row per method and sigma; accuracies are fractions.

    The column ``chosen`` marks, for each sigma, the method of the highest validation accuracy.

    Args:
        run: its folder.
        methods: only these; none for all.
        max_verified: choose among methods that write-verify at most this share of the network's
            weights, 0 to 1; None for no bound.

    Raises:
        ConfigError: a method that the run has not, or a share that no method keeps to.
        DataError: not a run, damaged, or nothing in it is finished.
    """
    opened = open_run(run)
    frame = summarise(opened.study, opened.folder)
    if frame.empty:
        raise DataError(f"{run}: no method is finished yet; archsim train goes on with it")
    known = list(dict.fromkeys(frame["method"]))
    for name in methods:
        if name not in known:
            raise ConfigError(
                f"--method '{name}'; the run has: {', '.join(known)}." + close_matches(name, known)
            )
    if methods:
        frame = frame[frame["method"].isin(methods)]
    return with_choice(frame, max_verified)


def learning_curves(run: str | Path) -> pandas.DataFrame:
    """Return all epochs of all backbones of a run: ``backbone, sigma, seed`` and the curve.

    Args:
        run: its folder.

    Raises:
        DataError: not a run.
    """
    import pandas as pd

    opened = open_run(run)
    rows = []
    for unit in backbone_units(opened.study):
        path = opened.folder / "backbones" / unit.folder / "curve.jsonl"
        if path.is_file():
            about = {"backbone": unit.backbone, "sigma": unit.sigma, "seed": unit.seed}
            lines = path.read_text(encoding="utf-8").splitlines()
            rows += [{**about, **json.loads(line)} for line in lines]
    return pd.DataFrame(rows)
