"""The commands that make or go on with the run of a study, for messages and reports."""

from __future__ import annotations

import shlex
from pathlib import Path

from archsim.config.load import preset_names
from archsim.config.study import Study
from archsim.network.own_code import is_code
from tsb.study.load import load_study


def train_command(study: Study, folder: Path, *, source: str = "", anew: bool = False) -> str:
    """Return the command that computes what a run lacks.

    Args:
        study: of the run.
        folder: of the run.
        source: file that the study is from, where its folder has no copy; "" if unknown.
        anew: into another folder.
    """
    place = "ANOTHER-FOLDER" if anew else shlex.quote(str(folder))
    said = f" --network {shlex.quote(study.network)}" if is_code(study.network) else ""
    return f"archsim train {_study_name(study, folder, source)} --run {place}{said}"


def is_preset(study: Study) -> bool:
    """Whether a study is the one that its name stands for on the command line.

    Args:
        study: which.
    """
    return study.name in preset_names("study") and load_study(study.name) == study


def _study_name(study: Study, folder: Path, source: str) -> str:
    """Return what names a study on the command line: its preset, or the file in its run."""
    if is_preset(study):
        return study.name
    copy = folder / "study.json"
    return shlex.quote(str(copy) if copy.is_file() else source or "STUDY.yaml")
