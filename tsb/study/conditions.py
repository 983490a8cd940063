"""When and how the cells of a study's chips are read."""

from __future__ import annotations

from archsim.config.resolve import resolve
from archsim.config.study import Study
from archsim.errors import ConfigError
from tsb.chip_read import Conditions, Drift


def conditions_of(study: Study) -> Conditions:
    """Return when and how the cells of a study's chips are read.

    Args:
        study: which.

    Raises:
        ConfigError: drift or read noise of a device that has none.
    """
    device = resolve(
        device=study.device, overrides=(f"chip.precision.bits_per_cell={study.bits_per_cell}",)
    ).device
    if study.read_noise and not device.of_range(device.read_noise_sigma):
        raise ConfigError(
            f"study.read_noise = true: device '{device.name}' has no read noise (read_noise_sigma "
            "= 0); allowed: false, or a device that has some, such as pcm"
        )
    drift = Drift.of_device(device, study.read_after_s) if study.read_after_s else None
    return Conditions(drift=drift, noisy=study.read_noise)
