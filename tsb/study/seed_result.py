"""What was measured of one method on the chips of one seed: its ``result.json``, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archsim.results.read_said import ReadSaid

Json = dict[str, Any]
_NOT_RECORDED = "not recorded"
#: Keys that every result of a method has.
_REQUIRED = (
    *("method", "sigma", "seed", "accuracy", "images", "weights", "extra_weights"),
    *("written_weights", "verified_weights", "digital_parameters", "copied_weights", "tune_macs"),
)


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One method at one sigma on the chips of one seed, and what its backbone took.

    None is what was not recorded or not computed; accuracies are fractions.

    Attributes:
        method: name in the study.
        sigma: spread of one pulse, relative to the range of conductance.
        seed: of backbone and chips.
        accuracy: on the test images, chips x runs.
        images: test images of each run.
        weights: of the network.
        extra_weights: on crossbars, that corrections add.
        written_weights: that corrections write.
        verified_weights: that are write-verified.
        digital_parameters: numbers in digital logic.
        copied_weights: further copies of weights that stand more than once.
        tune_macs: multiply-adds of training the corrections of one chip.
        correction_macs: of the corrections, for one image; None in older results, whose
            ``tune_macs`` are those of the network alone.
        digital_products: multiplications in digital logic that corrections add to every image; None
            in older results.
        tune_seconds: wall time of that training, s.
        kept: of each chip whether what was trained is kept.
        diverged: chips on which training diverged.
        validation_accuracy: mean on the validation images.
        validation_by_chip: of each chip.
        validation_right: how many chips classify each validation image correctly.
        computed_on: where the result was made.
        backend: that evaluated it.
        ideal_accuracy: of the network of this seed, trained and read without noise.
        clean_accuracy: of the backbone without noise.
        backbone_seconds: wall time of training the backbone, s.
        backbone_computed_on: where that was.
        backbone_stopped: why its training ended before its schedule did.
        backbone_macs: multiply-adds of its training, as far as it went.
        full_schedule_macs: those of its whole schedule.
        read: how the chips were read; off in results of before it was recorded.
    """

    method: str
    sigma: float
    seed: int
    accuracy: tuple[tuple[float, ...], ...]
    images: int
    weights: int
    extra_weights: int
    written_weights: int
    verified_weights: int
    digital_parameters: int
    copied_weights: int
    tune_macs: int | float
    correction_macs: int | float | None = None
    digital_products: int | None = None
    tune_seconds: float | None = None
    kept: tuple[bool, ...] = ()
    diverged: int = 0
    validation_accuracy: float | None = None
    validation_by_chip: tuple[float, ...] | None = None
    validation_right: tuple[int, ...] | None = None
    computed_on: str = _NOT_RECORDED
    backend: str = _NOT_RECORDED
    ideal_accuracy: float | None = None
    clean_accuracy: float | None = None
    backbone_seconds: float | None = None
    backbone_computed_on: str = _NOT_RECORDED
    backbone_stopped: str | None = None
    backbone_macs: int | float | None = None
    full_schedule_macs: int | float | None = None
    read: ReadSaid = field(default_factory=ReadSaid)


def seed_result(result: Json, training: Json, ideal: Json) -> SeedResult:
    """Return the result of a unit from what its files say.

    Args:
        result: ``result.json`` of the method.
        training: that of its backbone, empty where there is none.
        ideal: that of the backbone without noise, empty where there is none.

    Raises:
        KeyError: what every result of this version has; with its name.
    """
    for key in _REQUIRED:
        if result[key] is None:
            raise KeyError(key)
    accuracy = tuple(tuple(runs) for runs in result["accuracy"])
    return SeedResult(
        method=result["method"],
        sigma=float(result["sigma"]),
        seed=result["seed"],
        accuracy=accuracy,
        images=result["images"],
        weights=result["weights"],
        extra_weights=result["extra_weights"],
        written_weights=result["written_weights"],
        verified_weights=result["verified_weights"],
        digital_parameters=result["digital_parameters"],
        copied_weights=result["copied_weights"],
        tune_macs=result["tune_macs"],
        correction_macs=result.get("correction_macs"),
        digital_products=result.get("digital_products"),
        tune_seconds=result.get("tune_seconds"),
        kept=tuple(result.get("kept") or ()),
        diverged=_diverged(result["diverged"], len(accuracy)),
        validation_accuracy=result.get("validation_accuracy"),
        validation_by_chip=_tuple(result.get("validation_by_chip")),
        validation_right=_tuple(result.get("validation_right")),
        computed_on=str(result.get("computed_on") or _NOT_RECORDED),
        backend=str(result.get("backend") or _NOT_RECORDED),
        ideal_accuracy=ideal.get("clean_accuracy"),
        clean_accuracy=training.get("clean_accuracy"),
        backbone_seconds=training.get("seconds"),
        backbone_computed_on=str(training.get("computed_on") or _NOT_RECORDED),
        backbone_stopped=training.get("stopped"),
        backbone_macs=training.get("training_macs"),
        full_schedule_macs=_full_schedule(training),
        read=ReadSaid.of_json(result.get("read_path")),
    )


def _tuple(values: list[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _diverged(recorded: list[bool] | bool, chips: int) -> int:
    """Return on how many chips training diverged; older results say it of all of them at once."""
    return sum(recorded) if isinstance(recorded, list) else bool(recorded) * chips


def _full_schedule(training: Json) -> float | None:
    """Return the multiply-adds of the backbone's whole schedule: an early stop is a share of it."""
    if not training.get("epochs"):
        return None
    whole, macs = training["of_epochs"], training["training_macs"]
    if whole is None or macs is None:
        return None
    share: float = whole / training["epochs"]
    return macs * share  # type: ignore[no-any-return]
