"""What a method of a study takes: weights, numbers, time, multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archsim.config.study import Method, Study
from tsb.correction import CorrectedChip, make_carrier
from tsb.correction.corrected import attach_all
from tsb.correction.tune import TuneResult
from tsb.study.corrections import corrections_of
from tsb.study.estimate import STEP_OVER_FORWARD
from tsb.study.network import graph_of, module_of, network_macs
from tsb.study.seed_result import SeedResult


@dataclass(frozen=True, kw_only=True)
class Added:
    """What the corrections of a method add to every image.

    Attributes:
        digital_products: multiplications in digital logic.
        macs: multiply-adds, on crossbars and in digital logic.
    """

    digital_products: int
    macs: int


def added(study: Study, method: Method) -> Added:
    """Return what a method's corrections add to every image.

    Args:
        study: which.
        method: one of its methods.
    """
    corrections = corrections_of(study, method)
    if not corrections:
        return Added(digital_products=0, macs=0)
    carrier = make_carrier(module_of(study), graph_of(study), rule=study.insertion)
    attach_all(corrections, carrier)
    return Added(
        digital_products=sum(correction.digital_products(carrier) for correction in corrections),
        macs=sum(correction.macs(carrier) for correction in corrections),
    )


def added_of(study: Study, method: Method, results: Sequence[SeedResult]) -> Added:
    """Return what a method's corrections add to every image, as its results say it.

    Args:
        study: which.
        method: one of its methods.
        results: of it; older ones do not say it, and the network is asked.

    Raises:
        NetworkError: the network is needed, and is code that was not said in this call.
    """
    for result in results:
        if result.digital_products is not None and result.correction_macs is not None:
            return Added(digital_products=result.digital_products, macs=int(result.correction_macs))
    return added(study, method)


def effort(
    study: Study, method: Method, corrected: CorrectedChip, tuned: TuneResult
) -> dict[str, Any]:
    """Return what a method takes: weights written and verified, numbers, time, multiply-adds.

    Multiply-adds of tuning are those of network and corrections, forward and backward, on every
    image of every step; calibration and the two looks at the validation images are not in it.

    Args:
        study: which.
        method: one of its methods.
        corrected: one of its chips.
        tuned: of all chips.
    """
    chip = corrected.chip
    replaced = {name for each in corrected.corrections for name in each.replaced()}
    extra = corrected.written_weights - sum(chip.wanted[name].numel() for name in replaced)
    extra_per_image = added(study, method)
    correction_macs = extra_per_image.macs
    return {
        "weights": chip.weights,
        "extra_weights": extra,
        "written_weights": corrected.written_weights,
        "verified_weights": chip.verified_weights
        + (corrected.written_weights if corrected.verify else 0),
        "digital_parameters": corrected.digital_parameters,
        "copied_weights": sum(
            (copies - 1) * chip.wanted[name].numel() for name, copies in chip.storage.copies.items()
        ),
        "tune_seconds": tuned.seconds,
        "correction_macs": correction_macs,
        "digital_products": extra_per_image.digital_products,
        "tune_macs": STEP_OVER_FORWARD * tuned.images * (network_macs(study) + correction_macs),
        "kept": list(tuned.kept),
        "diverged": list(tuned.diverged),
    }


def tune_macs(study: Study, extra: Added, result: SeedResult) -> float:
    """Return the multiply-adds of tuning one chip, also of a result that left corrections out.

    Args:
        study: which.
        extra: of the result's method.
        result: of one of the study's methods.
    """
    if result.correction_macs is not None:
        return float(result.tune_macs)
    return float(result.tune_macs) * (1 + extra.macs / network_macs(study))
