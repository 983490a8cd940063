"""What programming one network took, and what it did to its accuracy: the result and its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archsim import __version__
from archsim.config.resolve import Resolved
from archsim.results.lost import accuracy_lost
from archsim.results.mapped import SCHEMA_VERSION
from archsim.results.read_said import READ_COLUMNS, ReadSaid
from archsim.units import from_si


@dataclass(frozen=True, kw_only=True)
class MeasuredAccuracy:
    """Accuracy on test images, fractions.

    Attributes:
        ideal: with quantised weights and no error.
        mean: over programmed chips.
        ci95_low: of the mean; None for a single chip.
        ci95_high: of the mean.
        worst: of all chips.
        chips: Monte Carlo instances.
        images: test images, the same for every chip.
        data: name of the data set.
        read: how chips were read; ``ideal`` is of the read path off.
    """

    ideal: float
    mean: float
    ci95_low: float | None
    ci95_high: float | None
    worst: float
    chips: int
    images: int
    data: str
    read: ReadSaid = field(default_factory=ReadSaid)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, by :data:`ACCURACY_KEYS`."""
        keys = (key for key in ACCURACY_KEYS if key not in READ_COLUMNS)
        return {key: getattr(self, key) for key in keys} | self.read.columns()

    @property
    def loss(self) -> float:
        """Accuracy lost to programming errors: ideal minus mean."""
        return accuracy_lost(self.ideal, self.mean)


#: Keys of a measured accuracy in JSON and, after ``accuracy_``, in CSV.
ACCURACY_KEYS = (
    "ideal", "mean", "loss", "ci95_low", "ci95_high", "worst", "chips", "images", "data",
    *READ_COLUMNS,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ProgramResult:
    """One network programmed once, every layer one time.

    Counts, energy, time and residual are of one sampled chip; ``expected_*`` are closed forms over
    all chips.

    Attributes:
        network: name.
        design: placement of the shared block: none, common or separate.
        policy: which cells are write-verified.
        fraction: asked for by a policy that takes one, else None.
        last_layers: asked for by the policy that takes them, else None.
        granularity: weight, row or subarray.
        encoding: of the weights on cells.
        clip_at_zero: whether cells stop at zero conductance; ``expected_*`` are without it.
        padded_bits: bits of the top cell that are never used.
        checkpoint_hash: SHA-256 of the checkpoint's tensors, 16 hex digits; None without one.
        data: name of the data set; None without one.
        score_images: training images behind scores and expected loss; None without data.
        test_images: test images there for the accuracy; None without data.
        chips: programmed chips whose accuracy is averaged; None without an accuracy.
        network_chips: chips that the network is spread over; each has its own write drivers.
        weights: weights programmed, those of a shared block included.
        verified_weights: of these, write-verified in at least one cell (rows may cut a weight in
            two).
        cells: cells programmed.
        verified_cells: of these, write-verified.
        write_pulses: pulses of all cells.
        verify_reads: reads of verified cells.
        subarrays: that hold weights, each layer once.
        time_s: rows in sequence, subarrays in parallel as the chips allow, s.
        energy_J: pulses and reads, J.
        unconverged_cells: verified cells outside the tolerance at the pulse limit.
        unconverged_stuck_cells: of these, those that no pulse moves.
        stuck_cells: cells that no pulse moves, verified or not.
        residual_sigma: root-mean-square error of all cells, relative to the range g_on - g_off.
        verified_residual_sigma: that of the verified cells; None without any.
        expected_write_pulses: closed form of ``write_pulses``, stuck cells included.
        verify_cycles: expected pulses of verified cells over those of verifying everything.
        normalised_pulses: ``expected_write_pulses``, the one of each cell that is not verified
            included, over those of verifying everything.
        expected_loss_change: second-order estimate of the rise of the training loss by programming,
            stuck cells and read noise; None without second derivatives.
        read_after_s: time from programming to the reads of the accuracy, s; None: at once.
        accuracy: measured; None if not.
        notes: assumptions and warnings, one sentence each.
        resolved: full configuration.
        seed: of all randomness.
    """

    network: str
    design: str
    policy: str
    fraction: float | None
    last_layers: int | None
    granularity: str
    encoding: str
    clip_at_zero: bool
    padded_bits: int
    checkpoint_hash: str | None
    data: str | None
    score_images: int | None
    test_images: int | None
    chips: int | None
    network_chips: int
    weights: int
    verified_weights: int
    cells: int
    verified_cells: int
    write_pulses: int
    verify_reads: int
    subarrays: int
    time_s: float
    energy_J: float
    unconverged_cells: int
    unconverged_stuck_cells: int
    stuck_cells: int
    residual_sigma: float
    verified_residual_sigma: float | None
    expected_write_pulses: float
    verify_cycles: float
    normalised_pulses: float
    expected_loss_change: float | None
    read_after_s: float | None
    accuracy: MeasuredAccuracy | None
    notes: tuple[str, ...]
    resolved: Resolved
    seed: int

    @property
    def trained(self) -> bool:
        """Whether the weights come from a checkpoint."""
        return self.checkpoint_hash is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim program --format json``, in report units."""
        accuracy = self.accuracy
        return {
            "schema": SCHEMA_VERSION,
            "archsim": __version__,
            "network": self.network,
            "chip": self.resolved.chip.name,
            "device": self.resolved.device.name,
            "config_hash": self.resolved.config_hash,
            "design": self.design,
            "policy": self.policy,
            "fraction": self.fraction,
            "last_layers": self.last_layers,
            "granularity": self.granularity,
            "encoding": self.encoding,
            "chip_encoding": self.resolved.chip.precision.encoding,
            "clip_at_zero": self.clip_at_zero,
            "trained": self.trained,
            "checkpoint_hash": self.checkpoint_hash,
            "data": self.data,
            "score_images": self.score_images,
            "test_images": self.test_images,
            "chips": self.chips,
            "network_chips": self.network_chips,
            "weights": self.weights,
            "verified_weights": self.verified_weights,
            "cells": self.cells,
            "verified_cells": self.verified_cells,
            "write_pulses": self.write_pulses,
            "verify_reads": self.verify_reads,
            "subarrays": self.subarrays,
            "time_ms": from_si(self.time_s, "ms"),
            "energy_uJ": from_si(self.energy_J, "uJ"),
            "unconverged_cells": self.unconverged_cells,
            "unconverged_stuck_cells": self.unconverged_stuck_cells,
            "stuck_cells": self.stuck_cells,
            "residual_sigma": self.residual_sigma,
            "verified_residual_sigma": self.verified_residual_sigma,
            "expected_write_pulses": self.expected_write_pulses,
            "verify_cycles": self.verify_cycles,
            "normalised_pulses": self.normalised_pulses,
            "expected_loss_change": self.expected_loss_change,
            "read_after_s": self.read_after_s,
            "accuracy": accuracy and accuracy.to_dict(),
            "notes": list(self.notes),
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        """What was programmed and the numbers that matter."""
        return (
            f"ProgramResult({self.network}, policy={self.policy}, "
            f"{self.verified_weights} of {self.weights} weights verified, "
            f"{self.write_pulses} pulses, {from_si(self.time_s, 'ms'):.4g} ms, "
            f"{from_si(self.energy_J, 'uJ'):.4g} uJ)"
        )
