"""How much work a study is, before it is begun: multiply-adds of what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.config.study import Study
from tsb.data import Dataset
from tsb.study.corrections import corrections_of
from tsb.study.units import BackboneUnit, MethodUnit, train_settings
from tsb.train.objective.registry import objective_named

#: Gradient work of a training step over its forward pass: one product for the outputs' gradient
#: and one for the weights' beside the forward one (Kaplan et al., arXiv 2001.08361, section 2.1).
STEP_OVER_FORWARD = 3
#: Multiply-adds a second of one process on a CPU, for networks of the size of VGG-8: an epoch of
#: 45 000 images takes it half an hour on one core of the machine of RESULTS.md. Smaller networks
#: reach less.
CPU_MACS_PER_S = 4.6e10


def backbone_passes(study: Study, unit: BackboneUnit, data: Dataset) -> int:
    """Return the images that a training sends forward, those of gradients counted three times.

    Args:
        study: which.
        unit: one of its trainings, taken to run to its last epoch.
        data: of the study.
    """
    settings = train_settings(study, unit)
    steps = len(data.train) // settings.batch_size
    passes = objective_named(settings.objective).forward_passes
    step = STEP_OVER_FORWARD * passes * settings.batch_size
    looks = 1 + (settings.validation_instances if unit.sigma else 1)
    return settings.last_epoch * (steps * step + looks * len(data.validation)) + len(data.test)


def method_passes(study: Study, unit: MethodUnit, data: Dataset) -> int:
    """Return the images that a method sends forward on all its chips, as for a training.

    Args:
        study: which.
        unit: one of its methods.
        data: of the study.
    """
    method = next(candidate for candidate in study.methods if candidate.name == unit.method)
    corrections = corrections_of(study, method)
    images = images_read(study, unit, data)
    if any(correction.trained for correction in corrections):
        steps = study.tuning.steps if method.steps is None else method.steps
        images += STEP_OVER_FORWARD * steps * study.tuning.batch_size
    if any(not correction.trained for correction in corrections):
        images += min(study.tuning.calibration_images, len(data.train))
    return study.chips * images


def images_read(study: Study, unit: MethodUnit, data: Dataset) -> int:
    """Return the images that one chip of a method reads once it is corrected.

    Args:
        study: which.
        unit: one of its methods.
        data: of the study.
    """
    method = next(candidate for candidate in study.methods if candidate.name == unit.method)
    written = any(correction.in_cells for correction in corrections_of(study, method))
    again = written or study.read_noise or study.images_per_run
    images = (study.runs if again else 1) * (study.images_per_run or len(data.test))
    return images + min(study.tuning.validation_images, len(data.validation))


def multiply_adds(
    study: Study,
    units: Sequence[BackboneUnit | MethodUnit],
    data: Dataset,
    macs_per_image: int,
) -> int:
    """Return the multiply-adds of units of a study, those of networks alone.

    Args:
        study: which.
        units: trainings and methods.
        data: of the study.
        macs_per_image: of one image through the network.
    """
    passes = (
        backbone_passes(study, unit, data)
        if isinstance(unit, BackboneUnit)
        else method_passes(study, unit, data)
        for unit in units
    )
    return macs_per_image * sum(passes)
