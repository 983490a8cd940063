"""Which method a study chooses: by validation images, never by the test images that it reports."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from archsim.errors import ConfigError
from archsim.util.checks import number

if TYPE_CHECKING:
    import pandas

Row = dict[Hashable, Any]
#: Name of the column that marks the chosen methods.
CHOSEN = "chosen"
#: Name of the column that says why a method cannot be compared with others, "" where it can.
LACKS = "choice_lacks"


def with_choice(
    frame: pandas.DataFrame, max_verified: int | float | None = None
) -> pandas.DataFrame:
    """Return the table of a study with the columns ``chosen`` and ``choice_lacks``.

    One method per sigma is chosen, or none: that of the highest mean validation accuracy over
    seeds; of equals the one that verifies less, then the first. Where a method within the bound has
    no validation accuracy (results of before they were recorded) or fewer finished seeds than
    another, nothing is chosen at its sigma, and ``choice_lacks`` says what it lacks.

    Args:
        frame: of :func:`tsb.study.summarise`.
        max_verified: most write-verified weights, those of corrections included, as a share of the
            network's weights, 0 to 1; None for no bound.

    Raises:
        ConfigError: a share out of range, or one within which no sigma has a choice.
    """
    rows = frame.to_dict("records")
    share = 1.0
    if max_verified is not None:
        share = number("max_verified (--max-verified)", max_verified, 0.0, 1.0)
    # Without a bound also what is verified more than once: corrections add to the weights.
    fits = [max_verified is None or row["verified_share"] <= share for row in rows]
    chosen, lacks = [False] * len(rows), [""] * len(rows)
    for sigma in dict.fromkeys(row["sigma"] for row in rows):
        own = [k for k, row in enumerate(rows) if fits[k] and row["sigma"] == sigma]
        most = max((rows[k]["seeds"] for k in own), default=0)
        for k in own:
            lacks[k] = _lacks(rows[k], most)
        if own and not any(lacks[k] for k in own):
            # The first of equals: max keeps the order of the table.
            chosen[max(own, key=lambda k: _rank(rows[k]))] = True
    if max_verified is not None and not any(chosen):
        raise _no_choice(rows, lacks, share)
    return frame.assign(**{CHOSEN: chosen}).assign(**{LACKS: lacks})


def _lacks(row: Row, most: int) -> str:
    known = row["validation_accuracy"]
    if known is None or known != known:
        return "no validation accuracy"
    return f"{row['seeds']} of {most} seeds" if row["seeds"] < most else ""


def _rank(row: Row) -> tuple[float, float]:
    return row["validation_accuracy"], -row["verified_share"]


def _no_choice(rows: list[Row], lacks: list[str], share: float) -> ConfigError:
    """Say why no method can be chosen within a bound."""
    given = f"max_verified (--max-verified) = {share:g}"
    least = min(rows, key=lambda row: float(row["verified_share"]))
    if least["verified_share"] > share:
        return ConfigError(
            f"{given}; allowed: no less than what "
            f"'{least['method']}' verifies, about {least['verified_share']:.4g} of the weights"
        )
    why = "; ".join(
        f"'{row['method']}' at sigma {row['sigma']:g} has {own}"
        for row, own in zip(rows, lacks, strict=True)
        if own
    )
    return ConfigError(
        f"{given}: within it there is nothing to choose by ({why}); allowed: none, other methods "
        "(--method), or a --run in which archsim train has finished them. Results of before "
        "validation accuracies were recorded need a new --run"
    )
