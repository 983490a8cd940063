"""Accuracies that are predicted, for cases that are not measured; never among measured ones.

What the reads of a chip do to each output of a layer is measured on few images: gain, shift, and
what scatters (:mod:`tsb.study.read_damage`). A network that loses the same has an accuracy, and
that is the prediction. How far off it may be is said by two noises in all layers: the one with the
same accuracy, by the response of the network, which is measured on the network itself, and the one
that stands for the errors as if all of them scattered. The interval reaches from the smaller to the
larger of these, widened by a factor with which 95 % of the measured cases lie inside, and by the
numbers of images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archsim.analysis.row_groups import rows_of_study
from archsim.config.study import Study
from archsim.errors import ArchsimError
from archsim.explore.accuracy.accuracy import KEY, Work, measured
from archsim.explore.accuracy.backbones import Backbones
from archsim.explore.run.part_file import joined, read_beside
from archsim.explore.run.store import Store
from archsim.explore.space.identity import identity_hash
from tsb.read_path.response import Response
from tsb.study.read_damage import ReadsOfBackbone
from tsb.study.units import backbone_unit, method_settings, method_units
from tsb.study.work import dataset_of

if TYPE_CHECKING:
    import pandas as pd

#: Columns of predictions, fractions, in order.
PREDICTED = ("accuracy_predicted", "accuracy_low", "accuracy_high")
#: Why a case has no prediction.
REFUSED = "prediction_refused"
_FILE = "predictions.parquet"
#: Factors on the noise that intervals are of, and the one where too few cases have been measured
#: to choose: assumed.
FACTORS = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
UNKNOWN_FACTOR = 4.0
#: From so many measured cases on the factor is chosen, so that this share of them is inside.
ENOUGH, COVERED = 8, 0.95
#: Noise that is always taken to be there, relative to the signal of a layer: assumed.
LEAST = 0.003
#: Standard deviations of a 95 % interval of a normal distribution.
_NORMAL = 1.96


@dataclass(frozen=True)
class Prediction:
    """A case by what its reads lose.

    Attributes:
        key: of the case.
        level: noise in all layers that stands for the losses; None where there is none.
        response: of the network; None where there is none.
        images: test images of an accuracy that is measured.
        refused: why there is no prediction, "" where there is.
        summed: noise in all layers that stands for the error of each over its signal, as if all of
            it scattered; intervals reach to it too. None: ``level``.
    """

    key: str
    level: float | None
    response: Response | None
    images: int
    refused: str = ""
    summed: float | None = None

    def interval(self, factor: float) -> tuple[float, float, float] | None:
        """Return prediction, lower and upper end; None where there is none.

        Args:
            factor: on the noise, above 1.
        """
        if self.level is None or self.response is None:
            return None
        at = self.response.at
        ends = []
        known = (self.level, self.level if self.summed is None else self.summed)
        for level, sign in ((max(known) * factor, -1), (min(known) / factor, 1)):
            share = min(max(at(level), 1 / self.images), 1 - 1 / self.images)
            counted = share * (1 - share) * (1 / self.images + 1 / self.response.images)
            ends.append(min(1.0, max(0.0, at(level) + sign * _NORMAL * math.sqrt(counted))))
        return at(self.level), ends[0], ends[1]


def predict(
    works: Sequence[Work], *, cache: Path, data_root: str | None = None
) -> list[Prediction]:
    """Predict the accuracy of cases whose backbone has been trained.

    Args:
        works: cases and their studies.
        cache: folder of the accuracies.
        data_root: where the data of the study lie.

    Raises:
        ArchsimError: the data do not fit.
    """
    backbones, families = Backbones(cache), dict[str, ReadsOfBackbone | str]()
    found = []
    for work in works:
        study, key = work.study, work.case.key
        data = dataset_of(study, data_root)
        family = _family(study)
        if family not in families:
            families[family] = _reads(study, backbones, data_root)
        reads = families[family]
        if isinstance(reads, str):
            found.append(Prediction(key, None, None, len(data.test), reads))
            continue
        try:
            damage = reads.damage(study, rows_of_study)
        except ArchsimError as error:
            found.append(Prediction(key, None, None, len(data.test), str(error)))
            continue
        level = None
        if not damage.refused:
            level = max(LEAST, reads.response.level_of(damage.accuracy))
        summed = reads.response.total(damage.ratios)
        images = len(data.test)
        found.append(Prediction(key, level, reads.response, images, damage.refused, summed))
    return found


def _reads(study: Study, backbones: Backbones, data_root: str | None) -> ReadsOfBackbone | str:
    """Return the chips of a backbone, or why they cannot be had."""
    unit, data = method_units(study)[0], dataset_of(study, data_root)
    training = backbone_unit(study, study.methods[0], unit.sigma, unit.seed)
    if study.read_path == "off":
        return "read_path is off: only what is read can be predicted"
    if not backbones.known(study, training, data):
        return "no case with this backbone has been measured"
    best = backbones.place(study, training, data) / "best.safetensors"
    try:
        return ReadsOfBackbone.of(study, best, data)
    except ArchsimError as error:
        return str(error)


def _family(study: Study) -> str:
    """Name what cases share that differ in what is read alone."""
    settings = method_settings(study, method_units(study)[0])
    return identity_hash({key: value for key, value in settings.items() if key != "read_path"})


def pilots(works: Iterable[Work], share: float = 0.1) -> list[str]:
    """Return the keys of cases to measure first: some of each backbone, evenly over its cases.

    Args:
        works: all cases.
        share: of them.
    """
    families: dict[str, list[str]] = {}
    for work in works:
        families.setdefault(_family(work.study), []).append(work.case.key)
    chosen = []
    for keys in families.values():
        count = min(len(keys), max(2, round(share * len(keys))))
        places = np.linspace(0, len(keys) - 1, count).round().astype(int)
        chosen += [keys[place] for place in dict.fromkeys(places.tolist())]
    return chosen


def factor_of(predictions: Iterable[Prediction], known: Mapping[str, float]) -> float:
    """Return the factor within which enough of the measured cases lie.

    Args:
        predictions: of cases.
        known: measured accuracies, by key.
    """
    compared = [one for one in predictions if one.key in known and one.level is not None]
    if len(compared) < ENOUGH:
        return UNKNOWN_FACTOR
    for factor in FACTORS:
        if coverage(compared, known, factor) >= COVERED:
            return factor
    return FACTORS[-1]


def coverage(predictions: Iterable[Prediction], known: Mapping[str, float], factor: float) -> float:
    """Return the share of measured cases whose accuracy lies in the interval; NaN without any.

    Args:
        predictions: of cases.
        known: measured accuracies, by key.
        factor: of the intervals.
    """
    inside = []
    for one in predictions:
        ends = one.interval(factor)
        if ends is not None and one.key in known:
            inside.append(ends[1] <= known[one.key] <= ends[2])
    return float(np.mean(inside)) if inside else math.nan


def write_predictions(store: Store, predictions: Sequence[Prediction]) -> float:
    """Keep predictions beside the rows of a sweep, and return the factor of their intervals.

    Args:
        store: of the rows.
        predictions: of all cases.
    """
    factor = factor_of(predictions, measured(store))
    values = [one.interval(factor) or (None, None, None) for one in predictions]
    table = pa.table(
        {
            KEY: pa.array([one.key for one in predictions], pa.string()),
            **{
                name: pa.array([value[place] for value in values], pa.float64())
                for place, name in enumerate(PREDICTED)
            },
            REFUSED: pa.array([one.refused or None for one in predictions], pa.string()),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    store.write_file(store.folder / _FILE, sink.getvalue().to_pybytes())
    return factor


def has_predictions(store: Store) -> bool:
    """Say whether a sweep has predictions.

    Args:
        store: of the rows.
    """
    return (store.folder / _FILE).is_file()


def prediction_notes(store: Store) -> tuple[str, ...]:
    """Return what to say of the predictions of a sweep, by those cases that are measured too.

    Args:
        store: of the rows.
    """
    if not has_predictions(store):
        return ()
    known = measured(store)
    rows = read_beside(store.folder / _FILE, (KEY,), PREDICTED).to_pylist()
    said = [row for row in rows if row[PREDICTED[0]] is not None]
    both = [(known[row[KEY]], *(row[name] for name in PREDICTED)) for row in said
            if row[KEY] in known]  # fmt: skip
    text = (
        f"{len(known)} accuracies are measured (accuracy_mean), {len(said)} of {len(rows)} "
        f"predicted ({', '.join(PREDICTED)})"
    )
    if both:
        inside = sum(low <= found <= high for found, _, low, high in both)
        error = sum(abs(found - middle) for found, middle, _, _ in both) / len(both)
        text += (
            f"; {inside} of the {len(both)} that are both lie in their interval, at a mean "
            f"distance of {100 * error:.2g} points"
        )
    return (text,)


def with_prediction(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """Join predictions to rows that name their case; they come back as they are without.

    Args:
        store: of the rows.
        frame: rows with the column ``accuracy_key``.
    """
    if KEY not in frame.columns or not has_predictions(store):
        return frame
    table = read_beside(store.folder / _FILE, (KEY, REFUSED), PREDICTED)
    return joined(frame, table, KEY, (*PREDICTED, REFUSED))
