"""What a study found: one row per method and sigma, with intervals over seeds, chips and runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archsim import __version__
from archsim.config.study import Study
from archsim.device import CellSpec
from archsim.errors import Code, DataError
from archsim.results.lost import accuracy_lost
from archsim.results.method_row import MethodRow
from archsim.results.read_said import ReadSaid
from archsim.util.files import is_file, read_json
from tsb.monte_carlo.statistics import accuracy_stats, interval95, possible, student_t_quantile
from tsb.study.commands import train_command
from tsb.study.conditions import beyond_retention
from tsb.study.effort import Added, added_of, tune_macs
from tsb.study.programming import cell_spec
from tsb.study.result_form import check_accuracies, check_form
from tsb.study.seed_result import SeedResult, seed_result
from tsb.study.units import (
    IDEAL,
    BackboneUnit,
    MethodUnit,
    backbone_units,
    method_units,
    slug,
)
from tsb.study.work import RESULT

Json = dict[str, Any]


def read_result(folder: Path) -> Json | None:
    """Return the result of a unit, None if it is not there yet.

    Args:
        folder: of the unit.

    Raises:
        DataError: damaged.
    """
    path = folder / RESULT
    if not is_file(path):
        return None
    try:
        result: Json = read_json(path)
        _check_result(result)
    except ValueError as error:
        raise DataError.of(
            Code.DAMAGED_FILE,
            path,
            problem=f"not a result: {error}; delete it to have it made anew",
        ) from error
    return result


def _check_result(result: object) -> None:
    """Refuse what no unit writes.

    Raises:
        ValueError: no JSON object, or a value of another kind.
    """
    if not isinstance(result, dict):
        raise ValueError("no JSON object")
    check_form(result)
    if not isinstance(result.get("accuracy", 0.0), int | float):
        check_accuracies(result["accuracy"])


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
    """Return what has not been computed yet.

    Args:
        study: which.
        run: its folder.
    """
    return (
        [u for u in backbone_units(study) if read_result(backbone_folder(run, u)) is None],
        [u for u in method_units(study) if read_result(method_folder(run, u)) is None],
    )


def seed_results(study: Study, run: Path) -> list[SeedResult]:
    """Return the results of all finished methods, one per seed, with what their backbones took.

    Args:
        study: which.
        run: its folder.

    Raises:
        DataError: damaged, or of another version; with the command that makes them anew.
    """
    results: list[SeedResult] = []
    for unit in method_units(study):
        result = read_result(method_folder(run, unit))
        if result is None:
            continue
        ideal = read_result(backbone_folder(run, BackboneUnit(IDEAL, 0.0, unit.seed))) or {}
        try:
            _check_unit(unit, result, results, method_folder(run, unit) / RESULT)
            training = read_result(run / "backbones" / slug(result["backbone"])) or {}
            results.append(seed_result(result, training, ideal))
        except KeyError as error:
            raise DataError(
                f"{run}: a result.json has no {error}: it is not of this version of archsim "
                f"({__version__}); {train_command(study, run, anew=True)} makes the results anew",
                code=Code.WRONG_FILE,
                field=run,
            ) from error
    return results


def _check_unit(unit: MethodUnit, result: Json, others: Sequence[SeedResult], path: Path) -> None:
    """Refuse the result of another unit, or of other chips than those before it.

    Raises:
        DataError: names the file.
        KeyError: what every result has.
    """
    accuracy = result["accuracy"] if isinstance(result["accuracy"], list) else []
    chips = len(others[0].accuracy) if others else len(accuracy)
    is_of_unit = (result["method"], result["sigma"], result["seed"]) == (
        unit.method,
        unit.sigma,
        unit.seed,
    )
    if not (is_of_unit and accuracy) or len(accuracy) != chips:
        raise DataError.of(
            Code.DAMAGED_FILE,
            path,
            problem=f"not the result of {unit.folder} on {chips} chips; delete it to have it "
            "made anew",
        )


def method_rows(study: Study, run: Path) -> tuple[MethodRow, ...]:
    """Return one row per method and sigma, seeds pooled; what is not finished has none.

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

    Raises:
        DataError: as :func:`seed_results`.
    """
    found = seed_results(study, run)
    extra = {
        method.name: added_of(study, method, [each for each in found if each.method == method.name])
        for method in study.methods
        if any(each.method == method.name for each in found)
    }
    by_point: dict[tuple[str, float], list[SeedResult]] = {}
    for result in found:
        counted = replace(result, tune_macs=tune_macs(study, extra[result.method], result))
        by_point.setdefault((result.method, result.sigma), []).append(counted)
    cells = cell_spec(study, study.sigma[0])
    rows = []
    for sigma in study.sigma:
        baseline = by_point.get((study.baseline_name, sigma), [])
        for method in study.methods:
            results = by_point.get((method.name, sigma))
            if results:
                row = _against(_pooled(results), results, baseline)
                rows.append(_with_study(row, study, extra[method.name], cells))
    return tuple(rows)


def _with_study(row: MethodRow, study: Study, extra: Added, cells: CellSpec) -> MethodRow:
    """Return a row with what the study alone says of it."""
    published = {(p.method, p.sigma): p for p in study.published}
    theirs, ideal = published.get((row.method, row.sigma)), published.get((IDEAL, 0.0))
    return replace(
        row,
        digital_products=extra.digital_products,
        own_images=bool(study.images_per_run),
        read_noise=study.read_noise,
        read_after_s=study.read_after_s,
        compensation=study.compensation,
        beyond_retention=bool(beyond_retention(study)),
        published_accuracy=None if theirs is None else theirs.accuracy,
        published_source=None if theirs is None else theirs.source,
        published_ideal=None if ideal is None else ideal.accuracy,
        published_ideal_source=None if ideal is None else ideal.source,
        encoding=cells.encoding,
        chip_encoding=cells.stored_encoding,
        stored_noise_ratio=cells.stored_noise_ratio,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _pooled(results: Sequence[SeedResult]) -> MethodRow:
    """Return what the seeds of one method and sigma say together."""
    stats = [accuracy_stats(_table(result), images=results[0].images) for result in results]
    chips = _chip_means(results)
    interval = possible(_within(chips)) or (None, None)
    seeds = torch.stack([means.mean() for means in chips])
    backbones = possible(interval95(seeds)) or (None, None)
    first = results[0]
    # The mean over some of the seeds compares with nothing.
    validated = all(result.validation_accuracy is not None for result in results)
    return MethodRow(
        method=first.method,
        sigma=first.sigma,
        accuracy=float(seeds.mean()),
        ci95_low=interval[0],
        ci95_high=interval[1],
        ci95_backbone_low=backbones[0],
        ci95_backbone_high=backbones[1],
        std_chip=_root_mean_square([each.std_chip for each in stats]),
        std_run=_root_mean_square([each.std_run for each in stats]),
        std_seed=float(seeds.std()) if len(results) > 1 else None,
        worst=min(each.worst for each in stats),
        ideal_accuracy=_mean(result.ideal_accuracy for result in results),
        clean_accuracy=_mean(result.clean_accuracy for result in results),
        seeds=len(results),
        chips=stats[0].chips,
        runs=stats[0].runs,
        images=first.images,
        weights=first.weights,
        extra_weights=first.extra_weights,
        written_weights=first.written_weights,
        verified_weights=first.verified_weights,
        verified_share=first.verified_weights / first.weights,
        digital_parameters=first.digital_parameters,
        copied_weights=first.copied_weights,
        backbone_seconds=_mean(result.backbone_seconds for result in results),
        tune_seconds=_mean(result.tune_seconds for result in results),
        kept_share=_kept(results),
        validation_accuracy=(
            _mean(result.validation_accuracy for result in results) if validated else None
        ),
        computed_on=_places(result.computed_on for result in results),
        backend=_places(result.backend for result in results),
        backbone_computed_on=_places(result.backbone_computed_on for result in results),
        diverged=sum(result.diverged for result in results),
        diverged_backbones=sum(result.backbone_stopped == "diverged" for result in results),
        **ReadSaid.pooled(result.read for result in results).columns(),
    )


def _places(names: Iterable[str]) -> str:
    """Return the different names, joined by semicolons."""
    return "; ".join(sorted(set(names)))


def _kept(results: Sequence[SeedResult]) -> float | None:
    """Return the share of chips on which what was trained was kept; None if nothing was trained."""
    kept = [chip for result in results if result.tune_macs for chip in result.kept]
    return sum(kept) / len(kept) if kept else None


def _with_shares(
    row: MethodRow, results: Sequence[SeedResult], baseline: Sequence[SeedResult]
) -> MethodRow:
    """Return a row with multiply-adds over those of the whole schedule of the baseline's backbone.

    Of the backbone as far as it was trained, of tuning one chip, and of both.
    """
    whole = _mean(result.full_schedule_macs for result in baseline)
    backbone = _mean(result.backbone_macs for result in results)
    tune = _mean(result.tune_macs for result in results)
    if not whole or backbone is None or tune is None:
        return row
    return replace(
        row,
        backbone_macs_share=backbone / whole,
        tune_macs_share=tune / whole,
        macs_share=(backbone + tune) / whole,
    )


def _root_mean_square(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.sqrt(sum(v * v for v in known) / len(known)) if known else None


def _against(
    row: MethodRow, results: Sequence[SeedResult], baseline: Sequence[SeedResult]
) -> MethodRow:
    """Return a row with its gap, what of it is closed, and the gain over the baseline's chips."""
    seeds = [result.seed for result in results]
    paired = [result for result in baseline if result.seed in seeds]
    ideal = _mean(result.ideal_accuracy for result in results)
    gap = None if ideal is None else accuracy_lost(ideal, _mean_accuracy(results))
    row = _with_shares(replace(row, gap=gap), results, baseline)
    if gap is None or ideal is None or len(paired) != len(results):
        return row
    whole = accuracy_lost(ideal, _mean_accuracy(paired))
    closed = _closed_by_seed(results, paired)
    pairs = zip(_chip_means(results), _chip_means(paired), strict=True)
    gains: list[Tensor] = [mine - theirs for mine, theirs in pairs]
    gain_by_seed = torch.stack([gain.mean() for gain in gains])
    over_chips = _within(gains) or (None, None)
    over_backbones = interval95(gain_by_seed) or (None, None)
    return replace(
        row,
        gap_shrink=whole / gap if gap > 0 else None,
        gap_closed=1 - gap / whole if whole > 0 else None,
        gap_closed_low=closed[0],
        gap_closed_high=closed[1],
        gain=float(gain_by_seed.mean()),
        gain_low=over_chips[0],
        gain_high=over_chips[1],
        gain_backbone_low=over_backbones[0],
        gain_backbone_high=over_backbones[1],
    )


def _closed_by_seed(
    results: Sequence[SeedResult], baseline: Sequence[SeedResult]
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the closed share over seeds, each against its own baseline."""
    closed = []
    for result, other in zip(results, baseline, strict=True):
        ideal = result.ideal_accuracy
        whole = None if ideal is None else accuracy_lost(ideal, _mean_accuracy([other]))
        if ideal is None or whole is None or whole <= 0:
            return None, None
        closed.append(1 - accuracy_lost(ideal, _mean_accuracy([result])) / whole)
    return interval95(torch.tensor(closed, dtype=torch.float64)) or (None, None)


def _within(chips: list[Tensor]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean over strata, each of several chips.

    The variance of the mean of S strata is ``sum_s var_s / n_s / S^2``, with ``sum_s (n_s - 1)``
    degrees of freedom (strata of equal variance; Cochran, Sampling Techniques, 1977, chapter 5).
    """
    degrees = sum(len(means) - 1 for means in chips)
    if degrees < 1 or any(len(means) < 2 for means in chips):
        return None
    variance = sum(float(means.var()) / len(means) for means in chips) / len(chips) ** 2
    half_width = student_t_quantile(0.975, degrees) * math.sqrt(variance)
    mean = float(torch.stack([means.mean() for means in chips]).mean())
    return mean - half_width, mean + half_width


def _table(result: SeedResult) -> Tensor:
    """Return the accuracies of a seed, chips x runs."""
    return torch.tensor(result.accuracy, dtype=torch.float64)


def _chip_means(results: Sequence[SeedResult]) -> list[Tensor]:
    """Return the mean accuracy of every chip of each seed."""
    return [_table(result).mean(1) for result in results]


def _mean_accuracy(results: Sequence[SeedResult]) -> float:
    return float(torch.stack([means.mean() for means in _chip_means(results)]).mean())
