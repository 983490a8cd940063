"""Which method a study chooses: by validation images, never by the test images that it reports."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from archsim.checks import number
from archsim.errors import ConfigError

if TYPE_CHECKING:
    import pandas

Row = dict[Hashable, Any]
#: Name of the column that marks the chosen methods.
CHOSEN = "chosen"


def with_choice(
    frame: pandas.DataFrame, max_verified: int | float | None = None
) -> pandas.DataFrame:
    """Return the table of a study with a column ``chosen``: one method per sigma, or none.

    The highest mean validation accuracy over seeds; of equals the one that verifies less, then the
    first. Methods of which fewer seeds are finished than of others, or whose results are of before
    validation accuracies were recorded, are not compared.

    Args:
        frame: of :func:`tsb.study.summarise`.
        max_verified: most write-verified weights, those of corrections included, as a share of the
            network's weights, 0 to 1; None for no bound.

    Raises:
        ConfigError: a share out of range, less than any method of the run verifies, or of results
            that have no validation accuracy.
    """
    rows = frame.to_dict("records")
    fits = [bool(known) for known in frame["validation_accuracy"].notna()]
    if max_verified is not None:
        share = number("max_verified (--max-verified)", max_verified, 0.0, 1.0)
        _check_possible(rows, fits, share)
        fits = [fit and row["verified_share"] <= share for fit, row in zip(fits, rows, strict=True)]
    chosen = [False] * len(rows)
    for sigma in dict.fromkeys(row["sigma"] for row in rows):
        own = [k for k, row in enumerate(rows) if fits[k] and row["sigma"] == sigma]
        most = max((rows[k]["seeds"] for k in own), default=0)
        own = [k for k in own if rows[k]["seeds"] == most]
        if own:
            # The first of equals: max keeps the order of the table.
            chosen[max(own, key=lambda k: _rank(rows[k]))] = True
    return frame.assign(**{CHOSEN: chosen})


def _rank(row: Row) -> tuple[float, float]:
    return row["validation_accuracy"], -row["verified_share"]


def _check_possible(rows: list[Row], compared: list[bool], share: float) -> None:
    """Say why no method can be chosen within a bound.

    Raises:
        ConfigError: all verify more, or none has a validation accuracy.
    """
    if not any(compared):
        raise ConfigError(
            "max_verified (--max-verified): the results are of before validation accuracies were "
            "recorded, by which to choose; allowed: none, or a new --run"
        )
    least = min(rows, key=lambda row: float(row["verified_share"]))
    if least["verified_share"] > share:
        raise ConfigError(
            f"max_verified (--max-verified) = {share:g}; allowed: no less than what "
            f"'{least['method']}' verifies, about {least['verified_share']:.4g} of the weights"
        )
