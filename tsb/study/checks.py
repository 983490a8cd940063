"""Checks that what a run's folder holds was made with the settings and images of now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.config.study import Study
from archsim.errors import Code, ConfigError
from tsb.study.results import backbone_folder, method_folder, read_result
from tsb.study.units import (
    DATA_HASH,
    RECORDED_LATER,
    backbone_settings,
    backbone_units,
    method_settings,
    method_units,
)
from tsb.study.work import RESULT

Json = dict[str, Any]
#: Letters of a value in an error message.
_SHOWN = 60


def check_same_settings(study: Study, run: Path) -> None:
    """Check that results in a folder were made with the settings that a study has now.

    Args:
        study: which.
        run: its folder.

    Raises:
        ConfigError: names the first unit that differs, and how.
    """
    places: list[tuple[Path, Json]] = [
        (backbone_folder(run, unit), backbone_settings(study, unit))
        for unit in backbone_units(study)
    ]
    places += [
        (method_folder(run, unit), method_settings(study, unit)) for unit in method_units(study)
    ]
    for place, wanted in places:
        before = dict((read_result(place) or {}).get("settings", wanted))
        before.pop(DATA_HASH, None)  # compared once the data are read: check_same_data
        # Results of before a setting was recorded do not have it.
        now = {k: v for k, v in wanted.items() if k in before or k not in RECORDED_LATER}
        if before != now:
            raise ConfigError(
                f"{place} was made with other settings ({'; '.join(_differences(before, now))});"
                " give another --run, or another name to what you changed",
                code=Code.CONFLICT,
                field=place,
                value=_differences(before, now),
            )


def check_same_data(run: Path, given: Mapping[str, str]) -> None:
    """Check that all results in a folder come from the same images.

    Results of before the images' hashes were recorded pass.

    Args:
        run: folder of the run.
        given: hashes of the splits by name: see :attr:`tsb.data.Dataset.content_hashes`.

    Raises:
        ConfigError: names the first unit with other images, and which splits differ.
    """
    for path in sorted(run.glob(f"*/*/{RESULT}")):
        settings = (read_result(path.parent) or {}).get("settings", {})
        before = settings.get(DATA_HASH, given)
        if before != given:
            raise ConfigError(
                f"{path.parent} was made with other images "
                f"({'; '.join(_differences({DATA_HASH: before}, {DATA_HASH: dict(given)}))}); "
                "give the --data-root of then, or another --run",
                code=Code.CONFLICT,
                field=path.parent,
                value=_differences({DATA_HASH: before}, {DATA_HASH: dict(given)}),
            )


def _differences(before: Json, now: Json) -> list[str]:
    def short(value: object) -> str:
        text = json.dumps(value)
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."

    there, given = _flat(before), _flat(now)
    return [
        f"{key}: {short(there.get(key))} there, {short(given.get(key))} given"
        for key in sorted(there.keys() | given.keys())
        if there.get(key) != given.get(key)
    ]


def _flat(values: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat
