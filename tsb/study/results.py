"""What a study found: one row per method and sigma, with intervals over seeds, chips and runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archsim.config.study import Study
from archsim.errors import DataError
from tsb.monte_carlo.statistics import accuracy_stats, interval95, student_t_quantile
from tsb.study.conditions import beyond_retention
from tsb.study.effort import added, tune_macs
from tsb.study.units import (
    IDEAL,
    BackboneUnit,
    MethodUnit,
    backbone_units,
    method_units,
)
from tsb.study.work import RESULT

if TYPE_CHECKING:
    import pandas

Json = dict[str, Any]


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
        _check_result(found)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a result: {error}; delete it to have it made anew") from error
    return found


def _check_result(found: object) -> None:
    """Refuse what no unit writes.

    Raises:
        ValueError: no JSON object, or accuracies that are no table of numbers, chips x runs.
    """
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    accuracy = found.get("accuracy", [[0.0]])
    if isinstance(accuracy, int | float):
        return
    rows = accuracy if isinstance(accuracy, list) and accuracy else [None]
    for row in rows:
        if not isinstance(row, list) or not row:
            raise ValueError("its accuracy is no table of chips and runs")
        if not all(isinstance(value, int | float) for value in row):
            raise ValueError("its accuracy holds what is no number")


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
                "backbone_computed_on": training.get("computed_on"),
                "backbone_stopped": training.get("stopped"),
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

    A chip counts once, whatever its number of runs. There are two intervals of every mean, by
    Student's t: ``ci95_low`` to ``ci95_high`` is that of chips of *these* backbones (strata: the
    variance within backbones), ``ci95_backbone_low`` to ``..._high`` that of all backbones that
    could have been trained (over the means of the seeds; None for one seed). ``std_seed`` is the
    spread of the seeds' means. ``gap_shrink`` is the baseline's gap to the noise-free accuracy over
    the method's, ``gap_closed`` one minus its inverse, with its interval over seeds; both are
    ill-conditioned where the gap nears zero, so look at the points too. ``gain`` is the difference
    to the baseline on the same chips, with both intervals of the pairs. Shares of multiply-adds are
    those of the whole schedule of the baseline's backbone. ``computed_on``, ``backend`` and
    ``backbone_computed_on`` say where results were made, different ones joined by semicolons.

    Args:
        study: which.
        run: its folder.
    """
    import pandas as pd

    rows = method_rows(study, run)
    found: dict[tuple[str, float], list[Json]] = {}
    for row in rows:
        found.setdefault((row["method"], row["sigma"]), []).append(row)
    extra = {method.name: added(study, method) for method in study.methods}
    for row in rows:
        row["tune_macs"] = tune_macs(study, extra[row["method"]], row)
    summary = []
    for sigma in study.sigma:
        for method in study.methods:
            own = found.get((method.name, sigma), [])
            if own:
                baseline = found.get((study.baseline_name, sigma), [])
                summary.append(
                    {
                        **_pooled(own),
                        **_against(own, baseline),
                        "digital_products": extra[method.name].digital_products,
                        "own_images": bool(study.images_per_run),
                        "read_noise": study.read_noise,
                        "read_after_s": study.read_after_s,
                        "beyond_retention": bool(beyond_retention(study)),
                    }
                )
    published = {(p.method, p.sigma): p for p in study.published}
    ideal = published.get((IDEAL, 0.0))
    for row in summary:
        said = published.get((row["method"], row["sigma"]))
        row["published_accuracy"] = said and said.accuracy
        row["published_source"] = said and said.source
        row["published_ideal"] = ideal and ideal.accuracy
        row["published_ideal_source"] = ideal and ideal.source
    return pd.DataFrame(summary)


def _mean(rows: list[Json], key: str) -> float | None:
    values = [row[key] for row in rows if row.get(key) is not None]
    return sum(values) / len(values) if values else None


def _pooled(rows: list[Json]) -> Json:
    tables = [torch.tensor(row["accuracy"], dtype=torch.float64) for row in rows]
    stats = [accuracy_stats(table, images=rows[0]["images"]) for table in tables]
    chips = _chip_means(rows)
    interval = _possible(_within(chips))
    seeds = torch.stack([own.mean() for own in chips])
    backbones = _possible(interval95(seeds))
    first = rows[0]
    # The mean over some of the seeds compares with nothing.
    validated = all(row.get("validation_accuracy") is not None for row in rows)
    return {
        "method": first["method"],
        "sigma": first["sigma"],
        "accuracy": float(seeds.mean()),
        "ci95_low": interval[0],
        "ci95_high": interval[1],
        "ci95_backbone_low": backbones[0],
        "ci95_backbone_high": backbones[1],
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
        "kept_share": _kept(rows),
        "validation_accuracy": _mean(rows, "validation_accuracy") if validated else None,
        **{key: _origins(rows, key) for key in _ORIGINS},
        "diverged": sum(_diverged(row) for row in rows),
        "diverged_backbones": sum(row.get("backbone_stopped") == "diverged" for row in rows),
    }


#: Where results were made; older ones do not say it.
_ORIGINS = ("computed_on", "backend", "backbone_computed_on")
_NOT_RECORDED = "not recorded"


def _origins(rows: list[Json], key: str) -> str:
    """Return the different values of a key, joined by semicolons."""
    return "; ".join(sorted({str(row.get(key) or _NOT_RECORDED) for row in rows}))


def _diverged(row: Json) -> int:
    """Return on how many chips training diverged; older results say it of all of them at once."""
    found = row["diverged"]
    return sum(found) if isinstance(found, list) else bool(found) * len(row["accuracy"])


def _kept(rows: list[Json]) -> float | None:
    """Return the share of chips on which what was trained was kept; None if nothing was trained."""
    kept = [own for row in rows if row["tune_macs"] for own in row.get("kept", ())]
    return sum(kept) / len(kept) if kept else None


def _shares(rows: list[Json], baseline: list[Json]) -> Json:
    """Return multiply-adds over those of the whole schedule of the baseline's backbone.

    Of the backbone as far as it was trained, of tuning one chip, and of both.
    """
    whole = _mean(baseline, "full_schedule_macs")
    backbone, tune = _mean(rows, "backbone_macs"), _mean(rows, "tune_macs")
    if not whole or backbone is None or tune is None:
        return dict.fromkeys(("backbone_macs_share", "tune_macs_share", "macs_share"))
    return {
        "backbone_macs_share": backbone / whole,
        "tune_macs_share": tune / whole,
        "macs_share": (backbone + tune) / whole,
    }


def _root_mean_square(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.sqrt(sum(v * v for v in known) / len(known)) if known else None


def _against(rows: list[Json], baseline: list[Json]) -> Json:
    """Return gap, its share that is closed, and the paired gain over the baseline's chips."""
    seeds = [row["seed"] for row in rows]
    other = [row for row in baseline if row["seed"] in seeds]
    ideal = _mean(rows, "ideal_accuracy")
    gap = None if ideal is None else ideal - _mean_accuracy(rows)
    found: Json = dict.fromkeys(_COMPARED)
    found["gap"] = gap
    found |= _shares(rows, baseline)
    if gap is None or ideal is None or len(other) != len(rows):
        return found
    whole = ideal - _mean_accuracy(other)
    if gap > 0:
        found["gap_shrink"] = whole / gap
    if whole > 0:
        found["gap_closed"] = 1 - gap / whole
    found |= _closed_by_seed(rows, other)
    pairs = zip(_chip_means(rows), _chip_means(other), strict=True)
    gains: list[torch.Tensor] = [mine - theirs for mine, theirs in pairs]
    gain_of = torch.stack([own.mean() for own in gains])
    found["gain"] = float(gain_of.mean())
    found["gain_low"], found["gain_high"] = _within(gains) or (None, None)
    found["gain_backbone_low"], found["gain_backbone_high"] = interval95(gain_of) or (None, None)
    return found


#: Columns that compare a method with the baseline.
_COMPARED = (
    *("gap_shrink", "gap_closed", "gap_closed_low", "gap_closed_high"),
    *("gain", "gain_low", "gain_high", "gain_backbone_low", "gain_backbone_high"),
)


def _closed_by_seed(rows: list[Json], baseline: list[Json]) -> Json:
    """Return the 95 % interval of the closed share over seeds, each against its own baseline."""
    closed = []
    for row, other in zip(rows, baseline, strict=True):
        ideal = row["ideal_accuracy"]
        whole = None if ideal is None else ideal - _mean_accuracy([other])
        if whole is None or whole <= 0:
            return {}
        closed.append(1 - (ideal - _mean_accuracy([row])) / whole)
    ends = interval95(torch.tensor(closed, dtype=torch.float64)) or (None, None)
    return {"gap_closed_low": ends[0], "gap_closed_high": ends[1]}


def _possible(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    """Return the part of an interval that an accuracy can have, 0 to 1."""
    return (None, None) if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def _within(chips: list[torch.Tensor]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean over strata, each of several chips.

    The variance of the mean of S strata is ``sum_s var_s / n_s / S^2``, with ``sum_s (n_s - 1)``
    degrees of freedom (strata of equal variance; Cochran, Sampling Techniques, 1977, chapter 5).
    """
    degrees = sum(len(own) - 1 for own in chips)
    if degrees < 1 or any(len(own) < 2 for own in chips):
        return None
    variance = sum(float(own.var()) / len(own) for own in chips) / len(chips) ** 2
    reach = student_t_quantile(0.975, degrees) * math.sqrt(variance)
    mean = float(torch.stack([own.mean() for own in chips]).mean())
    return mean - reach, mean + reach


def _chip_means(rows: list[Json]) -> list[torch.Tensor]:
    """Return the mean accuracy of every chip of each seed."""
    return [torch.tensor(row["accuracy"], dtype=torch.float64).mean(1) for row in rows]


def _mean_accuracy(rows: list[Json]) -> float:
    return float(torch.stack([own.mean() for own in _chip_means(rows)]).mean())
