"""A trained network on chips: its metric as trained, rounded, programmed and repaired.

The result of ``archsim evaluate NETWORK``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from archsim import __version__
from archsim.config.resolve import Resolved
from archsim.results.task_metric import MetricFacts

#: Version of the JSON of ``archsim evaluate NETWORK``.
NETWORK_SCHEMA = 1
#: Stages in order, and what they are called for people.
STAGES = {
    "float": "as trained",
    "fixed-point": "weights and inputs rounded",
    "programmed": "on chips",
    "drifted": "on chips, drifted",
    "compensated": "on chips, drift compensated",
    "repaired": "on chips, repaired",
}
#: What the user may choose between once a chip is written.
CHOICES = ("drifted", "compensated", "repaired")


@dataclass(frozen=True, kw_only=True)
class StageValue:
    """The metric at one stage, in its own unit (a fraction where it is shown in per cent).

    Attributes:
        stage: one of :data:`STAGES`.
        mean: over chips; of a stage without chips the value.
        ci95_low: lower end of the 95 % interval of the mean over chips (Student's t); None for
            fewer than two chips.
        ci95_high: its upper end.
        std_chip: standard deviation between chips; None for fewer than two.
        worst: the worst chip's.
        lost: how much worse than as trained; below 0 where it is better.
        chips: how many; 0 for a stage without chips.
        by_chip: of each chip.
    """

    stage: str
    mean: float
    ci95_low: float | None = None
    ci95_high: float | None = None
    std_chip: float | None = None
    worst: float
    lost: float
    chips: int = 0
    by_chip: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerInputs:
    """The codes of a layer's inputs.

    Attributes:
        layer: its name.
        low: smallest number that a code stands for.
        high: largest.
        step: between two codes.
        signed: how negative inputs are read; None where there are none.
    """

    layer: str
    low: float
    high: float
    step: float
    signed: str | None


@dataclass(frozen=True, kw_only=True)
class CompensationPrice:
    """What a compensation of drift takes.

    Attributes:
        reference_energy_nJ: of one reference read of all layers; two are needed, one after
            programming and one for every calibration.
        reference_time_us: of it, layer after layer.
        products: multiplications for every image.
        energy_nJ: of them and of their registers, for every image.
        latency_us: that they add to an image.
        area_mm2: of multipliers and registers.
    """

    reference_energy_nJ: float
    reference_time_us: float
    products: float
    energy_nJ: float
    latency_us: float
    area_mm2: float


@dataclass(frozen=True, kw_only=True)
class NetworkAccuracy:
    """What was measured, and how.

    Attributes:
        network: its name.
        checkpoint_hash: of its weights.
        data: name of the data.
        data_note: what a reader must know of them; "" for nothing.
        metric: facts of the metric.
        items: of the test part.
        calibration: training items behind ranges and repairs.
        stages: in order; those of drift, compensation and repair only where there is one.
        better: stage with the best mean of those that there is a choice of; None for one.
        ranges: rule of the ranges of inputs.
        scaling: what shares a full-scale conductance: ``tensor`` or ``column``.
        repair: what was repaired, "" for nothing.
        read_after_s: time from programming to the reads, s; None: at once.
        read_noise: whether cells are read with noise.
        compensation: of drift, "" for none.
        calibrated_after_s: when its factors and repairs are measured, s; None: as ``read_after_s``.
        price: of the compensation; None without one, or where ``notes`` say why there is none.
        write: policy of write-verify.
        encoding: of weights on cells.
        sigma: spread of one pulse, relative to the range of conductance.
        seed: of the first chip.
        weights: on crossbars.
        layers: codes of inputs.
        notes: what the numbers leave out, whole sentences.
        resolved: the chip.
    """

    network: str
    checkpoint_hash: str
    data: str
    data_note: str
    metric: MetricFacts
    items: int
    calibration: int
    stages: tuple[StageValue, ...]
    better: str | None
    ranges: str
    scaling: str
    repair: str
    read_after_s: float | None = None
    read_noise: bool = False
    compensation: str = ""
    calibrated_after_s: float | None = None
    price: CompensationPrice | None = None
    write: str
    encoding: str
    sigma: float
    seed: int
    weights: int
    layers: tuple[LayerInputs, ...]
    notes: tuple[str, ...]
    resolved: Resolved

    def stage(self, name: str) -> StageValue:
        """Return one stage.

        Args:
            name: one of :data:`STAGES`, measured.
        """
        return next(stage for stage in self.stages if stage.stage == name)

    @property
    def options(self) -> tuple[StageValue, ...]:
        """Stages that there is a choice of: a chip as it is, compensated, repaired."""
        plain = "drifted" if self.read_after_s else "programmed"
        return tuple(stage for stage in self.stages if stage.stage in (plain, *CHOICES))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim evaluate NETWORK``."""
        about = {
            key: getattr(self, key)
            for key in (
                *("network", "checkpoint_hash", "data", "data_note", "items", "calibration"),
                *("ranges", "scaling", "repair", "write", "encoding", "sigma", "seed", "weights"),
                *("read_after_s", "read_noise", "compensation", "calibrated_after_s"),
                *("better", "notes"),
            )
        }
        precision = self.resolved.chip.precision
        return {
            "schema": NETWORK_SCHEMA,
            "archsim": __version__,
            **about,
            "chip": self.resolved.chip.name,
            "device": self.resolved.device.name,
            "config_hash": self.resolved.config_hash,
            "weight_bits": precision.weight_bits,
            "input_bits": precision.input_bits,
            "metric": self.metric.to_dict(),
            "compensation_price": None if self.price is None else asdict(self.price),
            "stages": [asdict(stage) for stage in self.stages],
            "layers": [asdict(layer) for layer in self.layers],
        }
