"""How long the accuracies of a sweep take: a first guess, and the order of the cases."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from archsim.config.study import Study
from tsb.data import Dataset
from tsb.study.estimate import backbone_passes, method_passes
from tsb.study.network import graph_of, module_of
from tsb.study.results import backbone_folder, method_folder, read_result
from tsb.study.units import backbone_units, method_units

#: Images of the pass that is timed.
_TIMED = 64


class Effort:
    """Adds up what studies take that share folders: what is there, or was counted, is free."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counted: set[Path] = set()

    def add(self, study: Study, folder: Path, data: Dataset | None) -> float:
        """Return the time that a study takes one core after those before it, s.

        The passes of its images through the network, at the rate of one that is measured here;
        a pass with noise or gradients takes somewhat more than was measured.

        Args:
            study: which.
            folder: of its run.
            data: of the study; None where nothing is missing.
        """
        images = 0
        if data is None:
            return 0.0
        for training in backbone_units(study):
            if self._is_new(backbone_folder(folder, training)):
                images += backbone_passes(study, training, data)
        for method in method_units(study):
            if self._is_new(method_folder(folder, method)):
                images += method_passes(study, method, data)
        return images * seconds_per_image(study) if images else 0.0

    def _is_new(self, place: Path) -> bool:
        is_new = place not in self._counted and not read_result(place) is not None
        self._counted.add(place)
        return is_new


_TIMES: dict[str, float] = {}


def seconds_per_image(study: Study) -> float:
    """Return how long one image takes this machine on one core, s: measured, once per network.

    Args:
        study: which.
    """
    key = study.model_dump_json(include={"network", "options"})
    if key not in _TIMES:
        module = module_of(study)
        images = torch.zeros((_TIMED, *graph_of(study).input_shape))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.no_grad():
                for _ in range(2):  # the first time is longer
                    begin = time.perf_counter()
                    module(images)
                    _TIMES[key] = (time.perf_counter() - begin) / _TIMED
        finally:
            torch.set_num_threads(threads)
    return _TIMES[key]
