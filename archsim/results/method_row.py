"""One method of a study at one sigma: what its run measured, seeds pooled.

The table of ``archsim.evaluate`` has a column for every field, in their order; dictionaries and
data frames are made here, at the border, and nowhere read by name inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from archsim.results.read_said import BETWEEN, ReadSaid

if TYPE_CHECKING:
    import pandas

#: What a field of a row may hold.
Value = str | bool | int | float | None


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """One method of a study at one sigma; a row without results has its two names alone.

    None is what was not computed. Accuracies, gains, gaps, shares and their intervals are fractions
    of one; intervals are of 95 %, by Student's t. What is called a mean is over seeds.

    Attributes:
        method: name in the study.
        sigma: spread of one pulse, relative to the range of conductance.
        accuracy: mean on the test images, a chip counted once whatever its number of runs.
        ci95_low: lower end of the interval of ``accuracy`` over chips of these backbones (strata).
        ci95_high: its upper end.
        ci95_backbone_low: lower end over all backbones that could have been trained; None for one.
        ci95_backbone_high: its upper end.
        std_chip: standard deviation between the chips of one backbone; None for a single chip.
        std_run: that between the runs of one chip; None with one run per chip.
        std_seed: that of the seeds' means; None for one seed.
        worst: lowest accuracy of any chip and run.
        ideal_accuracy: mean of the network trained and read without noise, weights quantised.
        clean_accuracy: mean of the method's own backbones without noise.
        seeds: backbones, each with its own chips.
        chips: programmed chips of each seed.
        runs: of each chip.
        images: test images of each run.
        weights: of the network.
        extra_weights: on crossbars, that corrections add to it.
        written_weights: that corrections write, those of retrained layers included.
        verified_weights: that are write-verified, of network and corrections.
        verified_share: of them, over ``weights``; beyond 1 where corrections are verified too.
        digital_parameters: numbers in digital logic.
        copied_weights: further copies of weights that stand more than once.
        backbone_seconds: mean wall time of training a backbone, s.
        tune_seconds: mean wall time of training the corrections of one chip, s.
        kept_share: of chips, those that keep what was trained; None where nothing was trained.
        validation_accuracy: mean on the validation images; None unless every seed has one.
        computed_on: where results were made, different places joined by semicolons.
        backend: that evaluated them, likewise.
        backbone_computed_on: where their backbones were trained, likewise.
        diverged: chips on which the training of corrections diverged.
        diverged_backbones: backbones whose training did.
        gap_shrink: gap of the baseline over that of the method; None where nothing is left.
        gap_closed: one minus the method's gap over the baseline's.
        gap_closed_low: lower end of its interval over seeds.
        gap_closed_high: its upper end.
        gain: mean difference to the baseline on the same chips.
        gain_low: lower end of its interval over chips of these backbones.
        gain_high: its upper end.
        gain_backbone_low: lower end over backbones.
        gain_backbone_high: its upper end.
        gap: ``ideal_accuracy`` minus ``accuracy``.
        backbone_macs_share: multiply-adds of training, as far as it went, over those of the whole
            schedule of the baseline's backbone.
        tune_macs_share: those of training the corrections of one chip, over the same.
        macs_share: those of both.
        digital_products: multiplications in digital logic for every image.
        own_images: whether every run has its own test images.
        read_noise: whether every run reads the cells with noise.
        read_after_s: time from writing to reading, s.
        compensation: of that drift; "none" for none.
        beyond_retention: whether that is longer than the device keeps its levels.
        published_accuracy: of this method at this sigma.
        published_source: where it stands.
        published_ideal: published accuracy without noise.
        published_ideal_source: where it stands.
        encoding: how the accuracy takes weights to lie on cells.
        chip_encoding: how the chip of the study stores them.
        stored_noise_ratio: noise of a weight in ``chip_encoding`` over that in ``encoding``.
        read_path: how its chips were read: ``off``, ``approximate`` or ``exact``.
        adc_range: rule of the converters' ranges; None where the read path is off.
        adc_bits: of the converters.
        clip_rate: share of the column sums outside of their range, the worst of layers and slices.
        read_warnings: what converters of single layers do badly, joined by ``|``; None for nothing.
        chosen: whether the study chooses it at its sigma
            (:func:`archsim.results.recommend.with_choice`).
        choice_lacks: why it cannot be compared with others, "" where it can.
    """

    method: str
    sigma: float
    accuracy: float | None = None
    ci95_low: float | None = None
    ci95_high: float | None = None
    ci95_backbone_low: float | None = None
    ci95_backbone_high: float | None = None
    std_chip: float | None = None
    std_run: float | None = None
    std_seed: float | None = None
    worst: float | None = None
    ideal_accuracy: float | None = None
    clean_accuracy: float | None = None
    seeds: int | None = None
    chips: int | None = None
    runs: int | None = None
    images: int | None = None
    weights: int | None = None
    extra_weights: int | None = None
    written_weights: int | None = None
    verified_weights: int | None = None
    verified_share: float | None = None
    digital_parameters: int | None = None
    copied_weights: int | None = None
    backbone_seconds: float | None = None
    tune_seconds: float | None = None
    kept_share: float | None = None
    validation_accuracy: float | None = None
    computed_on: str | None = None
    backend: str | None = None
    backbone_computed_on: str | None = None
    diverged: int | None = None
    diverged_backbones: int | None = None
    gap_shrink: float | None = None
    gap_closed: float | None = None
    gap_closed_low: float | None = None
    gap_closed_high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_backbone_low: float | None = None
    gain_backbone_high: float | None = None
    gap: float | None = None
    backbone_macs_share: float | None = None
    tune_macs_share: float | None = None
    macs_share: float | None = None
    digital_products: int | None = None
    own_images: bool | None = None
    read_noise: bool | None = None
    read_after_s: float | None = None
    compensation: str | None = None
    beyond_retention: bool | None = None
    published_accuracy: float | None = None
    published_source: str | None = None
    published_ideal: float | None = None
    published_ideal_source: str | None = None
    encoding: str | None = None
    chip_encoding: str | None = None
    stored_noise_ratio: float | None = None
    read_path: str | None = None
    adc_range: str | None = None
    adc_bits: int | None = None
    clip_rate: float | None = None
    read_warnings: str | None = None
    chosen: bool = False
    choice_lacks: str = ""

    @property
    def half_width(self) -> float | None:
        """Half of the interval of ``accuracy`` over chips; None for a single one."""
        return half_width(self.ci95_low, self.ci95_high)

    @property
    def backbone_half_width(self) -> float | None:
        """Half of the interval of ``accuracy`` over backbones; None for a single one."""
        return half_width(self.ci95_backbone_low, self.ci95_backbone_high)

    @property
    def read(self) -> ReadSaid:
        """How its chips were read."""
        return ReadSaid(
            mode=self.read_path or "off",
            range=self.adc_range,
            adc_bits=self.adc_bits,
            clip_rate=self.clip_rate,
            warnings=tuple((self.read_warnings or "").split(BETWEEN)) if self.read_warnings else (),
        )

    def record(self) -> dict[str, Value]:
        """Return the row as a dictionary by column, for JSON, CSV and pandas."""
        return {column: getattr(self, column) for column in METHOD_COLUMNS}

    def without_nan(self) -> MethodRow:
        """Return the row in which what is no number is not there: JSON has no NaN."""
        unknown: dict[str, Any] = {
            column: None for column, value in self.record().items() if value != value
        }
        return replace(self, **unknown)


#: Columns of the table of a study, in their order.
METHOD_COLUMNS = tuple(field.name for field in fields(MethodRow))


def finite(value: object) -> float | None:
    """Return a finite number, None for everything else: a missing value, NaN, infinity, text.

    Args:
        value: whatever stands in a row.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def half_width(low: float | None, high: float | None) -> float | None:
    """Return half of an interval; None where an end is missing or not finite.

    Args:
        low: its lower end.
        high: its upper end.
    """
    ends = finite(low), finite(high)
    return None if ends[0] is None or ends[1] is None else (ends[1] - ends[0]) / 2


def frame_of(rows: Iterable[MethodRow]) -> pandas.DataFrame:
    """Return rows as a table of pandas with a column for every field.

    Args:
        rows: of a study.
    """
    import pandas as pd

    return pd.DataFrame([row.record() for row in rows], columns=list(METHOD_COLUMNS))
