"""What the numbers of a joint report depend on, and what made them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from typing import Any

from archsim import __version__
from archsim.api.report.join import read_about
from archsim.config.study import Study
from archsim.results.report import JointResult
from archsim.results.size_curves import SizeCurves
from tsb.study import StudyRun
from tsb.study.about import provenance

#: Keys of a study that no number depends on.
_NO_INPUTS = {"description", "published", "published_claims", "published_costs"}


def provenance_of(runs: Sequence[StudyRun]) -> list[tuple[str, str]]:
    """Return versions, seeds and hashes: a name and a value each.

    Args:
        runs: behind the report.
    """
    lines = [
        ("archsim", f"{__version__}, commit {provenance()['commit'] or 'unknown'}"),
        ("Python", platform.python_version()),
    ]
    for run in runs:
        about = read_about(run)
        seeds = ", ".join(map(str, run.study.seeds))
        lines.append((f"run {run.folder}", f"study {run.study.name}, hash {study_hash(run.study)}"))
        if about:
            lines.append(
                (
                    "made by",
                    f"archsim {about.get('archsim')}, commit {about.get('commit') or 'unknown'}, "
                    f"PyTorch {about.get('torch')}, on {about.get('computed_on')}, "
                    f"finished {about.get('finished')}",
                )
            )
        lines.append(
            ("seeds", f"{seeds}; {run.study.chips} chips per seed, {run.study.runs} runs per chip")
        )
        lines.append(("data", " ".join([run.study.data, about.get("data_note") or ""]).strip()))
    return lines


def study_hash(study: Study) -> str:
    """Return sixteen hex digits of SHA-256 over the canonical JSON of a study.

    Args:
        study: which.
    """
    canonical = json.dumps(study.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def inputs_of(
    result: JointResult, runs: Sequence[StudyRun], curves: Sequence[SizeCurves]
) -> dict[str, Any]:
    """Return everything that the numbers depend on.

    Args:
        result: all designs.
        runs: that they come from.
        curves: of sweeps.
    """
    resolved = [design.mapped.resolved for design in result.designs if design.mapped]
    chips = {each.config_hash: each.chip.name for each in resolved}
    return {
        "archsim": __version__,
        "studies": [run.study.model_dump(mode="json", exclude=_NO_INPUTS) for run in runs],
        "runs": [
            {"name": run.study.name}
            | {key: read_about(run).get(key) for key in ("archsim", "torch", "commit")}
            for run in runs
        ],
        "sweeps": [each.sweep for each in curves],
        "chips": sorted(set(chips.values())),
        "configurations": sorted(chips),
        **_settings(result),
    }


def _settings(result: JointResult) -> dict[str, Any]:
    """Return the settings that all priced designs share, and what each has beside them."""
    known: dict[str, dict[str, Any]] = {}
    of: dict[str, dict[str, Any]] = {}
    for design in result.designs:
        if design.mapped is not None:
            resolved = design.mapped.resolved
            key = resolved.config_hash
            if key not in known:
                known[key] = resolved.settings()
            of[design.name] = known[key]
    first = next(iter(known.values()), {})
    shared = {
        path: value
        for path, value in first.items()
        if all(path in other and other[path] == value for other in known.values())
    }
    return {
        "settings": shared,
        "settings_of": {
            name: {path: value for path, value in settings.items() if path not in shared}
            for name, settings in of.items()
        },
    }
