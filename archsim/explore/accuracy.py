"""Accuracy of the points of a sweep: each distinct case is trained and measured once.

Accuracy depends on few of a sweep's axes: network, bits of weights and cells, device and its sigma,
the shared block, what is write-verified. Points that agree in these share one case; its study runs
in a folder that is named by a hash of all that it depends on, in a cache that sweeps share. What
has not been evaluated stays empty.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archsim.config.study import Method, Study, load_study
from archsim.config.sweep import AccuracyOfPoints, Sweep
from archsim.errors import ConfigError, close_matches
from archsim.explore.cases import Case, all_cases
from archsim.explore.identity import identity_hash
from archsim.explore.points import Space
from archsim.explore.store import Store, write_whole
from tsb.data.load import user_cache
from tsb.study.results import method_rows, summarise
from tsb.study.run import News, open_run, run_study
from tsb.study.units import backbone_settings, backbone_units, method_settings, method_units

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the accuracies, fractions, in order.
COLUMNS = (
    "accuracy_mean",
    "accuracy_ci95_low",
    "accuracy_ci95_high",
    "accuracy_std_chip",
    "accuracy_validation",
    "accuracy_chips",
    "verified_weights",
)
_FILE = "accuracy.parquet"
#: Columns beside key and numbers: what the case is, and the folder of its study's run.
_TEXTS = ("case", "run")


def study_of(case: Case, asked: AccuracyOfPoints) -> Study:
    """Return the study that measures a case: one method of the sweep's study, on its design.

    Args:
        case: which.
        asked: study and methods.

    Raises:
        ConfigError: an unknown study or method, or a method that has no shared block.
    """
    study = load_study(asked.study)
    name = asked.method if case.block else (asked.base or study.baseline_name)
    known = [method.name for method in study.methods]
    _check_method(study, name, known)
    method = _method_of(study.methods[known.index(name)], case)
    first, used = next(iter(study.backbones)), study.backbone_of(method)
    block = {} if case.block is None else {"insertion": case.block[2]}
    changes: dict[str, Any] = {
        "network": case.network,
        "device": case.device,
        "weight_bits": case.weight_bits,
        "bits_per_cell": case.bits_per_cell,
        "sigma": [case.sigma],
        "methods": [method],
        "backbones": {name: study.backbones[name] for name in dict.fromkeys((first, used))},
        "baseline": None,
        "published": [],
        **block,
    }
    if case.network != study.network:
        changes["options"] = {}
    return study.model_copy(update=changes)


def _method_of(method: Method, case: Case) -> Method:
    changes: dict[str, Any] = {"verify": case.policy != "none"}
    if case.policy == "all":
        changes |= {"write": "all", "fraction": None}
    name = f"{method.name}, {case.policy} verified"
    if case.block is not None:
        channels, depth, _ = case.block
        terms = method.corrections.split("+")
        if not any(re.fullmatch(r"tsb(:.*)?", term.strip()) for term in terms):
            raise ConfigError(
                f"sweep.accuracy: method '{method.name}' has no correction tsb, and is for points "
                "with a shared block; allowed: one with tsb"
            )
        changes["corrections"] = "+".join(_sized(term.strip(), channels, depth) for term in terms)
        name += f", {channels} x {channels} x {depth}"
    # A method of another study may have the name and not the content: results lie by name.
    own = method.model_copy(update={**changes, "name": ""})
    name += f", {identity_hash(own.model_dump(mode='json'))[:8]}"
    return own.model_copy(update={"name": name})


def _sized(term: str, channels: int, depth: int) -> str:
    """Give a term ``tsb`` the size of the point's block; what else it says stays."""
    head, _, tail = term.partition(":")
    if head != "tsb":
        return term
    kept = [part for part in tail.split(",") if part and part.split("=")[0] == "insertions"]
    return "tsb:" + ",".join([f"channels={channels}", f"depth={depth}", *kept])


def cache_folder() -> Path:
    """Return where accuracies are kept unless a folder is named: the user's cache."""
    return user_cache() / "accuracy"


def run_folder(study: Study, cache: Path) -> Path:
    """Return the folder of a study in the cache: methods on the same backbones share it.

    Args:
        study: of one case.
        cache: folder of the cache.
    """
    from archsim import __version__

    shared = [backbone_settings(study, unit) for unit in backbone_units(study)]
    method = [method_settings(study, unit) for unit in method_units(study)]
    chip = [{key: value for key, value in own.items() if key != "method"} for own in method]
    return cache / identity_hash({"archsim": __version__, "backbones": shared, "chips": chip})


@dataclass(frozen=True)
class Evaluated:
    """News of the evaluation of cases.

    Attributes:
        done: cases with an accuracy.
        of: all cases.
        case: the last one.
        seconds: since the evaluation began.
    """

    done: int
    of: int
    case: Case
    seconds: float


def evaluate_cases(
    space: Space,
    store: Store,
    *,
    cache: Path | None = None,
    data_root: str | None = None,
    max_minutes: float | None = None,
    jobs: int = 1,
    news: Callable[[Evaluated], None] | None = None,
    steps: News | None = None,
) -> int:
    """Evaluate the cases that the rows of a store name, cheap ones first.

    Args:
        space: of the sweep.
        store: with its rows.
        cache: folder of accuracies; None is the user's.
        data_root: where the data of the study lie.
        max_minutes: no case is begun after so long; None: the sweep's own bound.
        jobs: processes.
        news: told of every case that is done.
        steps: told of every epoch and unit inside.

    Returns:
        Number of cases that have not been evaluated.

    Raises:
        ArchsimError: study, data or network do not fit.
    """
    asked = _asked(space.sweep)
    place = cache_folder() if cache is None else cache
    known = store.table([_KEY, "feasible"])
    known = known.filter(known.column("feasible"))
    named = set(known.column(_KEY).combine_chunks().dictionary_decode().to_pylist())
    cases = [case for key, case in all_cases(space).items() if key in named]
    planned = sorted(((_effort(case, asked), case) for case in cases), key=lambda own: own[0])
    begin, limit = time.perf_counter(), _limit_s(max_minutes, asked)
    rows = _read(store)
    left = done = 0
    for _, case in planned:
        study = study_of(case, asked)
        folder = run_folder(study, place)
        found = _known(study, folder)
        if found is None and time.perf_counter() - begin < limit:
            run = open_run(_made(folder), study)
            run_study(run, data_root=data_root, jobs=jobs, news=steps)
            found = _known(study, folder)
        if found is not None or rows.get(case.key, {}).get(COLUMNS[0]) is None:
            rows[case.key] = {"case": json.dumps(asdict(case)), "run": str(folder), **(found or {})}
        _write(store, rows)
        left += rows[case.key].get(COLUMNS[0]) is None
        done += found is not None
        if news is not None and found is not None:
            news(Evaluated(done, len(cases), case, time.perf_counter() - begin))
    return left


_KEY = "accuracy_key"


def _limit_s(max_minutes: float | None, asked: AccuracyOfPoints) -> float:
    minutes = asked.max_minutes if max_minutes is None else max_minutes
    return math.inf if minutes is None else 60 * minutes


def _asked(sweep: Sweep) -> AccuracyOfPoints:
    if sweep.accuracy is None:
        raise ConfigError("sweep.accuracy is not given; allowed: study and method")
    return sweep.accuracy


def check_accuracy(space: Space) -> int:
    """Check, before anything runs, that every case has a study; return how many there are.

    Args:
        space: of the sweep.

    Raises:
        ConfigError: an unknown study or method, or sizes that do not fit the network.
    """
    asked = _asked(space.sweep)
    study = load_study(asked.study)
    known = [method.name for method in study.methods]
    for name in (asked.method, asked.base or study.baseline_name):
        _check_method(study, name, known)
    cases = all_cases(space)
    for case in cases.values():
        study_of(case, asked)
    return len(cases)


def _check_method(study: Study, name: str, known: list[str]) -> None:
    if name not in known:
        raise ConfigError(
            f"sweep.accuracy: method '{name}'; study '{study.name}' has: {', '.join(known)}."
            + close_matches(name, known)
        )


#: Images of a whole data set, roughly: only the order of the cases depends on it.
_TRAIN_IMAGES, _TEST_IMAGES = 50_000, 10_000


def _effort(case: Case, asked: AccuracyOfPoints) -> float:
    """Multiply-adds of training, tuning and measuring, roughly: what orders the cases."""
    from tsb.study.network import graph_of

    study = study_of(case, asked)
    macs = sum(layer.macs for layer in graph_of(study).layers)
    epochs = sum(own.epochs for own in study.backbones.values()) * len(study.seeds)
    images = study.train_images or _TRAIN_IMAGES
    tuned = 0 if case.block is None else study.tuning.steps * study.tuning.batch_size
    measured = study.runs * (study.test_images or _TEST_IMAGES)
    per_chip = (3 * tuned + measured) * study.chips * len(study.seeds)
    extra = 0 if case.block is None else case.block[0] * case.block[1]
    return float(macs * (3 * images * epochs + per_chip) + extra)


def _made(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _known(study: Study, folder: Path) -> dict[str, Any] | None:
    """Return the accuracy of a study's method from its folder; None if it is not there yet."""
    if not folder.is_dir() or len(method_rows(study, folder)) < len(study.seeds):
        return None
    row = summarise(study, folder).iloc[0]
    low, high = row["ci95_backbone_low"], row["ci95_backbone_high"]
    if low is None or high is None or low != low or high != high:
        low, high = row["ci95_low"], row["ci95_high"]
    values = (
        row["accuracy"],
        low,
        high,
        row["std_chip"],
        row["validation_accuracy"],
        row["chips"] * row["seeds"],
        row["verified_weights"],
    )
    numbers = [None if value is None or value != value else float(value) for value in values]
    return dict(zip(COLUMNS, numbers, strict=True))


def _read(store: Store) -> dict[str, dict[str, Any]]:
    """Return what earlier runs found, by key: it is never replaced by nothing."""
    path = store.folder / _FILE
    if not path.is_file():
        return {}
    rows = pq.read_table(path).to_pylist()
    return {row.pop(_KEY): row for row in rows}


def _write(store: Store, rows: Mapping[str, Mapping[str, Any]]) -> None:
    found = list(rows.values())
    table = pa.table(
        {
            _KEY: pa.array(list(rows), pa.string()),
            **{name: pa.array([row[name] for row in found], pa.string()) for name in _TEXTS},
            **{name: pa.array([row.get(name) for row in found], pa.float64()) for name in COLUMNS},
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_whole(store.folder / _FILE, sink.getvalue().to_pybytes())


def with_accuracy(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """Join accuracies to rows that name them; NaN where they have not been evaluated.

    Args:
        store: of the rows.
        frame: rows with the column ``accuracy_key``, else it comes back as it is.
    """
    import pandas as pd

    if _KEY not in frame.columns:
        return frame
    path = store.folder / _FILE
    if not path.is_file():
        return frame.assign(**dict.fromkeys(COLUMNS, np.nan))
    known = pd.read_parquet(path).set_index(_KEY)[list(COLUMNS)]
    keys = frame[_KEY].astype(object)
    joined = known.reindex(keys.where(keys.notna(), None)).reset_index(drop=True)
    joined.index = frame.index
    return pd.concat([frame, joined], axis=1)
