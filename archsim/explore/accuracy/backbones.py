"""Backbones of the studies of a sweep: trained once for all cases that they are alike in."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from archsim.config.study import Study
from archsim.explore.space.identity import identity_hash
from tsb.data import Dataset
from tsb.study.results import backbone_folder, read_result
from tsb.study.units import BackboneUnit, backbone_settings, backbone_units


@dataclass(frozen=True)
class Backbones:
    """Trained backbones in the cache, by all that a training depends on.

    Attributes:
        cache: folder of the accuracies of all sweeps.
    """

    cache: Path

    def place(self, study: Study, unit: BackboneUnit, data: Dataset) -> Path:
        """Return where a backbone is kept.

        Args:
            study: which.
            unit: one of its trainings.
            data: of the study.
        """
        from archsim import __version__

        settings = {**backbone_settings(study, unit), "images": data.content_hashes}
        return self.cache / "backbones" / identity_hash({"archsim": __version__, "of": settings})

    def known(self, study: Study, unit: BackboneUnit, data: Dataset) -> bool:
        """Say whether a backbone has been trained for another case.

        Args:
            study: which.
            unit: one of its trainings.
            data: of the study.
        """
        return read_result(self.place(study, unit, data)) is not None

    def lend(self, study: Study, folder: Path, data: Dataset) -> None:
        """Put backbones that there are into the folder of a run that lacks them.

        Args:
            study: which.
            folder: of its run.
            data: of the study.
        """
        for unit in backbone_units(study):
            there = backbone_folder(folder, unit)
            if read_result(there) is None and self.known(study, unit, data):
                _copied(self.place(study, unit, data), there)

    def keep(self, study: Study, folder: Path, data: Dataset) -> None:
        """Keep the backbones of a run for the runs to come.

        Args:
            study: which.
            folder: of its run.
            data: of the study.
        """
        for unit in backbone_units(study):
            there = backbone_folder(folder, unit)
            if read_result(there) is not None and not self.known(study, unit, data):
                _copied(there, self.place(study, unit, data))


def _copied(source: Path, target: Path) -> None:
    """Copy a folder, whole or not at all: two sweeps may do so at the same time."""
    shutil.rmtree(target, ignore_errors=True)
    part = target.with_name(f".{target.name}-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, part)
    try:
        part.rename(target)
    except OSError:  # the other was faster
        shutil.rmtree(part, ignore_errors=True)
