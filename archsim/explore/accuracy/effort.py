"""How long the accuracies of a sweep take: a first guess, and the order of the cases."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from archsim.analysis.row_groups import rows_of_study
from archsim.config.study import Study
from archsim.explore.accuracy.backbones import Backbones
from tsb.data import Dataset
from tsb.monte_carlo.evaluate import one_thread
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.study.conditions import read_settings
from tsb.study.estimate import backbone_passes, images_read, method_passes
from tsb.study.network import graph_of, module_of
from tsb.study.programming import cell_spec
from tsb.study.results import backbone_folder, method_folder, read_result
from tsb.study.units import backbone_units, method_units

#: Images of the pass that is timed, and of the one through a read path.
_TIMED, _READ = 64, 8


class Effort:
    """Adds up what studies take that share folders: what is there, or was counted, is free."""

    def __init__(self, backbones: Backbones) -> None:
        """Begin with nothing.

        Args:
            backbones: that have been trained before.
        """
        self._backbones = backbones
        self._counted: set[Path] = set()

    def add(self, study: Study, folder: Path, data: Dataset | None) -> float:
        """Return the time that a study takes one core after those before it, s.

        The passes of its images through the network, and through its read path where that is exact,
        at rates that are measured here; a pass with noise or gradients takes somewhat more.

        Args:
            study: which.
            folder: of its run.
            data: of the study; None where nothing is missing.
        """
        if data is None:
            return 0.0
        seconds = 0.0
        for training in backbone_units(study):
            kept = self._backbones.place(study, training, data)
            there = read_result(backbone_folder(folder, training)) is not None
            if not there and self._is_new(kept):
                seconds += backbone_passes(study, training, data) * seconds_per_image(study)
        for method in method_units(study):
            if self._is_new(method_folder(folder, method)):
                seconds += method_passes(study, method, data) * seconds_per_image(study)
                if study.read_path != "off":
                    read = study.chips * images_read(study, method, data)
                    seconds += read * seconds_per_read(study, method.sigma)
        return seconds

    def _is_new(self, place: Path) -> bool:
        is_new = place not in self._counted and not read_result(place) is not None
        self._counted.add(place)
        return is_new


_TIMES: dict[str, float] = {}
#: What the time of a read depends on; the range of a converter and its bits hardly matter.
_OF_READS = ("planes", "rows_read", "stored_format", "iv_curve", "wires")


def seconds_per_read(study: Study, sigma: float) -> float:
    """Return how long one image takes to be read exactly, s: measured, once per sort of chip.

    Args:
        study: which.
        sigma: of its cells.
    """
    spec = cell_spec(study, sigma)
    settings = read_settings(study, spec.weight_format)
    names = study.model_dump_json(include={"network", "options"})
    key = f"{names} {[getattr(settings, name) for name in _OF_READS]} {settings.read_noise > 0}"
    if key not in _TIMES:
        groups = {f"{name}.weight": rows for name, rows in rows_of_study(study).items()}
        images = torch.rand((_READ, *graph_of(study).input_shape))
        with one_thread():
            network = ReadNetwork.of_weights(module_of(study).eval(), settings, groups)
            network.calibrate(images)
            _TIMES[key] = _seconds(lambda: network.scores(images, Noise(0))) / _READ
    return _TIMES[key]


def _seconds(work: Callable[[], object]) -> float:
    """Return what a call takes the second time: the first is longer."""
    work()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def seconds_per_image(study: Study) -> float:
    """Return how long one image takes this machine on one core, s: measured, once per network.

    Args:
        study: which.
    """
    key = study.model_dump_json(include={"network", "options"})
    if key not in _TIMES:
        module = module_of(study)
        images = torch.zeros((_TIMED, *graph_of(study).input_shape))
        with one_thread(), torch.no_grad():
            _TIMES[key] = _seconds(lambda: module(images)) / _TIMED
    return _TIMES[key]
