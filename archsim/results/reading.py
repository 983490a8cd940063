"""What reading a network from crossbars does to it: column sums, converters, what limits accuracy.

The result of ``archsim read``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from archsim import __version__
from archsim.config.resolve import Resolved

#: Version of the JSON of ``archsim read``.
READING_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class SliceReading:
    """The column sums of one slice of a layer over calibration images, without errors of cells.

    Sums, ranges and steps are in levels: the conductance of one level of a cell, times the digit of
    an input. What is about the converter is None where the chip has none.

    Attributes:
        index: of the slice, the least significant is 0.
        low: lower end of the range.
        high: upper end.
        step: distance of neighbouring codes; the largest where they are not even.
        codes: that a converter has.
        codes_used: of these, those that occur.
        clip_rate: share of the sums that are outside of the range.
        effective_bits: half the base-2 logarithm of the variance of the sums over the mean squared
            error of their conversion; None where nothing is lost.
        sums: how many.
        edges: of the bins of the histogram, ``bin + 1``.
        counts: sums in each bin, ``bin``.
    """

    index: int
    low: float | None
    high: float | None
    step: float | None
    codes: int | None
    codes_used: int | None
    clip_rate: float
    effective_bits: float | None
    sums: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class WireReading:
    """Current that wires take, relative to ideal wires, over the place of a cell in its crossbar.

    Attributes:
        mean: of all current.
        worst: of the places.
        places: mean over the crossbars of the layer, ``row column``, the row farthest from the
            converters first; neighbours are taken together beyond 32. None where no cell lies.
    """

    mean: float
    worst: float
    places: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class LayerReading:
    """One layer.

    Attributes:
        layer: name of the weight.
        rows: of its matrix.
        outputs: of it.
        matrices: one per group of channels.
        groups: of rows that are read together, per matrix.
        group_rows: rows of the smallest and of the largest of them.
        signed_inputs: how negative inputs are read; None where there are none.
        slices: the least significant first.
        wires: what wires take; None where they are ideal.
        warning: what its converters do badly and what to change, "" for nothing.
    """

    layer: str
    rows: int
    outputs: int
    matrices: int
    groups: int
    group_rows: tuple[int, int]
    signed_inputs: str | None
    slices: tuple[SliceReading, ...]
    wires: WireReading | None
    warning: str


@dataclass(frozen=True, kw_only=True)
class EffectOff:
    """Accuracy with one effect switched off, all others on.

    Attributes:
        key: of :data:`EFFECTS`.
        accuracy: fraction, on the same chips and images.
        gain: over that with everything on; negative where the effect helps.
        gain_error: standard error of the gain over images.
    """

    key: str
    accuracy: float
    gain: float
    gain_error: float

    @property
    def is_clear(self) -> bool:
        """Whether the gain is more than chance: two standard errors from 0."""
        return abs(self.gain) > 2 * self.gain_error and abs(self.gain) > 0


#: What can be switched off: key, what a table calls it off, what a sentence calls it, what to
#: change.
EFFECTS: dict[str, tuple[str, str, str]] = {
    "converter": ("no converter", "the converter", "chip.adc.bits or chip.adc.range"),
    "range": (
        "converter: a range that fits",
        "the range of the converter",
        "chip.adc.range (calibrated), or a higher chip.adc.percentile",
    ),
    "bits": (
        "converter: fine steps",
        "the steps of the converter (its bits)",
        "more chip.adc.bits, or fewer rows at once (chip.read.rows_at_once)",
    ),
    "cells": (
        "no errors of cells",
        "the noise of cells",
        "write-verify (archsim list policies) or a correction (archsim list corrections)",
    ),
    "wires": (
        "ideal wires",
        "the wires",
        "fewer chip.crossbar.rows or chip.crossbar.cols, or cells of a higher device.r_on",
    ),
    "noise": (
        "no noise of reads and converters",
        "the noise of reads and converters",
        "chip.adc.noise_lsb, chip.adc.offset_lsb or device.read_noise_sigma",
    ),
    "off-current": (
        "no current at level 0",
        "the current of cells at level 0",
        "a higher device.r_off, or chip.read.offset_subtraction (analog)",
    ),
    "iv-curve": (
        "linear cells",
        "the non-linear cells",
        "chip.read.dac_bits = 1, where rows are on or off",
    ),
}
#: Those of which one is named as the limit; a converter limits by its range or its steps.
_LIMITS = tuple(key for key in EFFECTS if key != "converter")


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """A network read from crossbars; accuracies are fractions of the same images.

    Attributes:
        network: name.
        checkpoint_hash: SHA-256 of the checkpoint's tensors, 16 hex digits.
        data: name of the data set.
        images: test images.
        chips: programmed chips.
        seed: of the first chip.
        encoding: of the weights on cells.
        sigma: spread of one pulse, relative to the range of conductance.
        exact: mean over chips, read exactly.
        exact_by_chip: of each chip.
        off: mean over the same chips with the read path off.
        off_by_chip: of each.
        ideal: rounded weights without errors, read path off.
        codes_alone: the same behind input codes: read exactly, with nothing else that loses.
        lost: ``ideal`` minus ``exact``.
        lost_error: standard error of it over images.
        effects: each switched off in turn, where it acts.
        layers: in order of the network.
        resolved: the chip.
    """

    network: str
    checkpoint_hash: str
    data: str
    images: int
    chips: int
    seed: int
    encoding: str
    sigma: float
    exact: float
    exact_by_chip: tuple[float, ...]
    off: float
    off_by_chip: tuple[float, ...]
    ideal: float
    codes_alone: float
    lost: float
    lost_error: float
    effects: tuple[EffectOff, ...]
    layers: tuple[LayerReading, ...]
    resolved: Resolved

    @property
    def clip_rate(self) -> float:
        """The worst of all slices."""
        return max(one.clip_rate for layer in self.layers for one in layer.slices)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What converters of single layers do badly."""
        return tuple(layer.warning for layer in self.layers if layer.warning)

    @property
    def limit(self) -> EffectOff | None:
        """The effect that costs most, None where none is clear.

        Steps are wide because ranges are: where a range that fits gives back as much as fine steps
        do, within chance, it is the range.
        """
        clear = {
            one.key: one
            for one in self.effects
            if one.key in _LIMITS and one.is_clear and one.gain > 0
        }
        most = max(clear.values(), key=lambda one: one.gain, default=None)
        fitting = clear.get("range")
        if most is None or fitting is None or most.key != "bits":
            return most
        return fitting if fitting.gain >= most.gain - 2 * most.gain_error else most

    @property
    def explanation(self) -> tuple[str, ...]:
        """What limits accuracy, from the numbers: a few sentences."""
        lost = f"{_points(self.lost)} points ({_per_cent(self.ideal)} to {_per_cent(self.exact)})"
        first, limit = self.limit, []
        if self.lost <= 2 * self.lost_error:
            limit.append(
                f"Nothing limits accuracy beyond chance: reading loses {_points(self.lost)} +- "
                f"{_points(2 * self.lost_error)} points of {_per_cent(self.ideal)}."
            )
        elif first is None:
            limit.append(
                f"No single effect limits accuracy: reading loses {lost}, and none of them gives "
                "back more than chance when it alone is off."
            )
        else:
            _, words, change = EFFECTS[first.key]
            share = "most of the" if 2 * first.gain >= self.lost else "part of the"
            limit.append(
                f"Accuracy is limited by {words}: switched off, {_gain(first)}, {share} {lost} "
                f"that are lost. What to change: {change}."
            )
            others = [
                f"{EFFECTS[one.key][1]} {_gain(one)}"
                for one in sorted(self.effects, key=lambda one: -one.gain)
                if one.key in _LIMITS and one is not first
            ]
            if others:
                limit.append(f"The others, each alone: {'; '.join(others)}.")
        helps = [one for one in self.effects if one.is_clear and one.gain < 0]
        limit += [
            f"{EFFECTS[one.key][1].capitalize()} rounds errors away: switched off, accuracy is "
            f"{_per_cent(one.accuracy)} ({_gain(one)})."
            for one in helps
            if one.key in ("converter", "bits")
        ]
        return tuple(limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim read --format json``."""
        limit, adc = self.limit, self.resolved.chip.adc
        return {
            "schema": READING_SCHEMA,
            "archsim": __version__,
            "network": self.network,
            "checkpoint_hash": self.checkpoint_hash,
            "chip": self.resolved.chip.name,
            "device": self.resolved.device.name,
            "config_hash": self.resolved.config_hash,
            "data": self.data,
            "images": self.images,
            "chips": self.chips,
            "seed": self.seed,
            "encoding": self.encoding,
            "sigma": self.sigma,
            "read_path": {
                "mode": "exact",
                "range": adc.range,
                "adc_bits": adc.bits,
                "clip_rate": self.clip_rate,
            },
            "accuracy": {
                "exact": self.exact,
                "exact_by_chip": list(self.exact_by_chip),
                "off": self.off,
                "off_by_chip": list(self.off_by_chip),
                "ideal": self.ideal,
                "codes_alone": self.codes_alone,
                "lost": self.lost,
                "lost_error": self.lost_error,
            },
            "effects_off": [
                {"effect": one.key, **{k: v for k, v in asdict(one).items() if k != "key"}}
                for one in self.effects
            ],
            "limited_by": None if limit is None or self.lost <= 2 * self.lost_error else limit.key,
            "explanation": list(self.explanation),
            "warnings": list(self.warnings),
            "layers": [asdict(layer) for layer in self.layers],
        }

    def __repr__(self) -> str:
        """The network and the numbers that matter."""
        return (
            f"ReadResult({self.network}, exact={self.exact:.4f}, off={self.off:.4f}, "
            f"chips={self.chips}, images={self.images})"
        )


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _gain(one: EffectOff) -> str:
    return f"{100 * one.gain:+.1f} +- {_points(2 * one.gain_error)} points"
