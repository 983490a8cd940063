"""When and how the cells of a study's chips are read."""

from __future__ import annotations

from archsim.config.schema.device import DeviceFile
from archsim.config.study import Study
from archsim.device import WeightFormat
from archsim.device.read_noise import REFERENCE_S
from archsim.errors import Code, ConfigError
from tsb.program.chip_read import Conditions, Drift
from tsb.program.compensation.registry import compensation_named
from tsb.read_path.settings import ReadSettings


def conditions_of(study: Study) -> Conditions:
    """Return when and how the cells of a study's chips are read.

    Args:
        study: which.

    Raises:
        ConfigError: drift or read noise of a device that has none, or a compensation without
            drift.
    """
    device = _device(study)
    _check_compensation(study)
    if study.read_noise and not device.of_range(device.read_noise_sigma):
        raise ConfigError(
            f"study.read_noise = true: device '{device.name}' has no read noise (read_noise_sigma "
            "= 0); allowed: false, or a device that has some, such as pcm",
            code=Code.CONFLICT,
            field="study.read_noise",
            value=True,
            allowed="false",
        )
    drift = None
    if study.read_after_s:
        drift = Drift.of_device(
            device,
            study.read_after_s,
            compensation=compensation_named(study.compensation, field="study.compensation"),
            measured_s=study.compensated_after_s,
        )
    time_s = study.read_after_s or REFERENCE_S
    return Conditions(drift=drift, noisy=study.read_noise, time_s=time_s)


def _check_compensation(study: Study) -> None:
    """Refuse a compensation of nothing, or of what is read exactly.

    Raises:
        ConfigError: names the setting.
    """
    if study.compensation == "none":
        if study.compensated_after_s is not None:
            raise ConfigError.of(
                Code.CONFLICT,
                "study.compensated_after_s",
                study.compensated_after_s,
                problem="nothing is compensated",
                allowed="null, or a study with a compensation",
                form="g",
            )
        return
    problems = {
        "nothing has drifted (read_after_s = 0)": not study.read_after_s,
        "the read path computes what cells let through, without factors behind the converters": (
            study.read_path != "off"
        ),
    }
    for problem, is_so in problems.items():
        if is_so:
            raise ConfigError.of(
                Code.CONFLICT,
                "study.compensation",
                study.compensation,
                problem=problem,
                allowed="none, or a study with read_after_s above 0 and read_path off",
            )
    if (study.compensated_after_s or 0.0) > study.read_after_s:
        raise ConfigError.of(
            Code.OUT_OF_RANGE,
            "study.compensated_after_s",
            study.compensated_after_s,
            problem=f"cells are read after {study.read_after_s:g} s",
            allowed=f"0 to {study.read_after_s:g}",
            form="g",
        )


def read_settings(study: Study, form: WeightFormat) -> ReadSettings:
    """Return how the chips of a study are read, by their own noise at the time of the read.

    Args:
        study: which.
        form: how weights lie on cells.

    Raises:
        ConfigError: settings that the read path does not do, by name.
    """
    time_s = study.read_after_s or REFERENCE_S
    return ReadSettings.of_chip(study.resolve(), form, noisy=study.read_noise, time_s=time_s)


def retention_s(study: Study) -> float | None:
    """Return how long the device of a study keeps its levels, s; None if its file does not say.

    Args:
        study: which.
    """
    kept = _device(study).retention_time
    return None if kept is None else float(kept.si)


def beyond_retention(study: Study) -> str:
    """Return what to say of cells that are read after the device has lost its levels, "" if not.

    Args:
        study: which.
    """
    kept = retention_s(study)
    if kept is None or study.read_after_s <= kept:
        return ""
    return (
        f"study.read_after_s = {study.read_after_s:g} is beyond the retention time of device "
        f"'{study.device}', {kept:g} s, after which levels are lost: not modelled"
    )


def _device(study: Study) -> DeviceFile:
    return study.resolve().device
