"""What a study found: one row per method and sigma, with intervals over seeds, chips and runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archsim.config.study import Study
from archsim.errors import ConfigError, DataError
from tsb.monte_carlo.statistics import accuracy_stats, interval95
from tsb.study.units import (
    IDEAL,
    BackboneUnit,
    MethodUnit,
    backbone_settings,
    backbone_units,
    method_settings,
    method_units,
)
from tsb.study.work import RESULT, digital_products

if TYPE_CHECKING:
    import pandas

Json = dict[str, Any]
#: Letters of a value in an error message.
_SHOWN = 60


def read_result(folder: Path) -> Json | None:
    """Return the result of a unit, None if it is not there yet.

    Args:
        folder: of the unit.

    Raises:
        DataError: damaged.
    """
    path = folder / RESULT
    if not path.is_file():
        return None
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a result: {error}; delete it to have it made anew") from error
    return found


def backbone_folder(run: Path, unit: BackboneUnit) -> Path:
    """Return where a backbone lies.

    Args:
        run: folder of the run.
        unit: which.
    """
    return run / "backbones" / unit.folder


def method_folder(run: Path, unit: MethodUnit) -> Path:
    """Return where a method's result lies.

    Args:
        run: folder of the run.
        unit: which.
    """
    return run / "methods" / unit.folder


def missing(study: Study, run: Path) -> tuple[list[BackboneUnit], list[MethodUnit]]:
    """Return what has not been worked out yet.

    Args:
        study: which.
        run: its folder.
    """
    return (
        [u for u in backbone_units(study) if read_result(backbone_folder(run, u)) is None],
        [u for u in method_units(study) if read_result(method_folder(run, u)) is None],
    )


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
        before = (read_result(place) or {}).get("settings", wanted)
        if before != wanted:
            raise ConfigError(
                f"{place} was made with other settings ({'; '.join(_differences(before, wanted))});"
                " give another --out, or another name to what you changed"
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
    found: Json = {}
    for key, value in values.items():
        found |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


def method_rows(study: Study, run: Path) -> list[Json]:
    """Return the results of all finished methods, with what their backbones took.

    Args:
        study: which.
        run: its folder.
    """
    rows = []
    for unit in method_units(study):
        found = read_result(method_folder(run, unit))
        if found is None:
            continue
        training = read_result(run / "backbones" / found["backbone"]) or {}
        ideal = read_result(backbone_folder(run, BackboneUnit(IDEAL, 0.0, unit.seed))) or {}
        rows.append(
            found
            | {
                "ideal_accuracy": ideal.get("clean_accuracy"),
                "clean_accuracy": training.get("clean_accuracy"),
                "backbone_seconds": training.get("seconds"),
                "backbone_macs": training.get("training_macs"),
                "full_schedule_macs": _full_schedule(training),
            }
        )
    return rows


def _full_schedule(training: Json) -> float | None:
    """Return the multiply-adds of the backbone's whole schedule: an early stop is a share of it."""
    if not training.get("epochs"):
        return None
    share: float = training["of_epochs"] / training["epochs"]
    return training["training_macs"] * share  # type: ignore[no-any-return]


def summarise(study: Study, run: Path) -> pandas.DataFrame:
    """Return one row per method and sigma, seeds pooled; accuracies are fractions.

    The interval is Student's t over the chips' means (a chip counts once, whatever its number of
    runs) within seeds; ``std_seed`` is the spread of the seeds' means. ``gap_shrink`` is the
    baseline's gap to the noise-free accuracy over the method's, ``gap_closed`` one minus its
    inverse; both are ill-conditioned where the gap nears zero, so look at the points too. ``gain``
    is the difference to the baseline on the same chips, with the 95 % interval of the pairs.

    Args:
        study: which.
        run: its folder.
    """
    import pandas as pd

    rows = method_rows(study, run)
    found: dict[tuple[str, float], list[Json]] = {}
    for row in rows:
        found.setdefault((row["method"], row["sigma"]), []).append(row)
    summary = []
    for sigma in study.sigma:
        for method in study.methods:
            own = found.get((method.name, sigma), [])
            if own:
                baseline = found.get((study.baseline_name, sigma), [])
                products = digital_products(study, method)
                summary.append(
                    {**_pooled(own), **_against(own, baseline), "digital_products": products}
                )
    for row in summary:
        published = [
            p.accuracy
            for p in study.published
            if (p.method, p.sigma) == (row["method"], row["sigma"])
        ]
        row["published_accuracy"] = published[0] if published else None
    return pd.DataFrame(summary)


def _mean(rows: list[Json], key: str) -> float | None:
    values = [row[key] for row in rows if row.get(key) is not None]
    return sum(values) / len(values) if values else None


def _pooled(rows: list[Json]) -> Json:
    tables = [torch.tensor(row["accuracy"], dtype=torch.float64) for row in rows]
    stats = [accuracy_stats(table, images=rows[0]["images"]) for table in tables]
    chips = _chip_means(rows)
    interval = interval95(chips) or (None, None)
    first = rows[0]
    seeds = torch.tensor([own.mean for own in stats], dtype=torch.float64)
    return {
        "method": first["method"],
        "sigma": first["sigma"],
        "accuracy": float(chips.mean()),
        "ci95_low": interval[0],
        "ci95_high": interval[1],
        "std_chip": _root_mean_square([own.std_chip for own in stats]),
        "std_run": _root_mean_square([own.std_run for own in stats]),
        "std_seed": float(seeds.std()) if len(rows) > 1 else None,
        "worst": min(own.worst for own in stats),
        "ideal_accuracy": _mean(rows, "ideal_accuracy"),
        "clean_accuracy": _mean(rows, "clean_accuracy"),
        "seeds": len(rows),
        "chips": stats[0].chips,
        "runs": stats[0].runs,
        "images": first["images"],
        "weights": first["weights"],
        "extra_weights": first["extra_weights"],
        "written_weights": first["written_weights"],
        "verified_weights": first["verified_weights"],
        "verified_share": first["verified_weights"] / first["weights"],
        "digital_parameters": first["digital_parameters"],
        "copied_weights": first["copied_weights"],
        "backbone_seconds": _mean(rows, "backbone_seconds"),
        "tune_seconds": _mean(rows, "tune_seconds"),
        "tune_macs_share": _macs_share(rows),
        "diverged": sum(bool(row["diverged"]) for row in rows),
    }


def _macs_share(rows: list[Json]) -> float | None:
    """Return the multiply-adds of tuning one chip over those of the backbone's whole schedule."""
    whole = _mean(rows, "full_schedule_macs")
    spent = _mean(rows, "tune_macs")
    return spent / whole if whole and spent is not None else None


def _root_mean_square(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.sqrt(sum(v * v for v in known) / len(known)) if known else None


def _against(rows: list[Json], baseline: list[Json]) -> Json:
    """Return gap, its share that is closed, and the paired gain over the baseline's chips."""
    seeds = [row["seed"] for row in rows]
    other = [row for row in baseline if row["seed"] in seeds]
    ideal = _mean(rows, "ideal_accuracy")
    gap = None if ideal is None else ideal - _mean_accuracy(rows)
    found: Json = dict.fromkeys(("gap_shrink", "gap_closed", "gain", "gain_low", "gain_high"))
    found["gap"] = gap
    if gap is None or ideal is None or len(other) != len(rows):
        return found
    whole = ideal - _mean_accuracy(other)
    if gap > 0:
        found["gap_shrink"] = whole / gap
    if whole > 0:
        found["gap_closed"] = 1 - gap / whole
    gains = _chip_means(rows) - _chip_means(other)
    found["gain"] = float(gains.mean())
    found["gain_low"], found["gain_high"] = interval95(gains) or (None, None)
    return found


def _chip_means(rows: list[Json]) -> torch.Tensor:
    """Return the mean accuracy of every chip, seed by seed."""
    return torch.cat([torch.tensor(row["accuracy"], dtype=torch.float64).mean(1) for row in rows])


def _mean_accuracy(rows: list[Json]) -> float:
    return float(_chip_means(rows).mean())
