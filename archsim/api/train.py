"""Train, program, repair and measure what a study compares.

study -> backbones -> chips -> corrections -> accuracy; one by one: :mod:`archsim.api.chips`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from archsim.analysis.row_groups import rows_of_study
from archsim.api.map import map_network
from archsim.config.load import override_path, parse_override
from archsim.config.overrides import Overrides, as_names, as_texts
from archsim.config.study import Study
from archsim.errors import Code, ConfigError, close_matches
from archsim.network.own_code import check_is, check_said
from archsim.results.metrics import check_published
from archsim.util.consent import saying
from archsim.util.lock import locked
from tsb.compute_device import compute_device
from tsb.study import StudyRun, begin_run
from tsb.study.load import checked_study, load_study
from tsb.study.network import graph_of
from tsb.study.results import missing
from tsb.study.run import News
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.none import NoWeights

#: Study of ``archsim train`` when none is named: runs on the data that come with archsim.
DEFAULT_STUDY = "tsb-lenet3"
_CODE = ("study.network", "study.data")


def select_methods(study: Study, names: Sequence[str]) -> Study:
    """Return a study with only some of its methods; the baseline stays, for the gaps.

    Args:
        study: which.
        names: of its methods; none keeps all.

    Raises:
        ConfigError: an unknown name.
    """
    known = [method.name for method in study.methods]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--method '{name}'; study '{study.name}' has: {', '.join(known)}."
                + close_matches(name, known),
                code=Code.UNKNOWN_NAME,
                field="--method",
                value=name,
                allowed=tuple(known),
            )
    if not names:
        return study
    kept = {*names, study.baseline_name}
    methods = [method for method in study.methods if method.name in kept]
    used = {study.backbone_of(method) for method in methods}
    first = next(iter(study.backbones))
    backbones = {n: b for n, b in study.backbones.items() if n in used or n == first}
    return study.model_copy(update={"methods": methods, "backbones": backbones})


def train(
    study: str | Study = DEFAULT_STUDY,
    *,
    out: str | Path | None = None,
    methods: str | Sequence[str] = (),
    overrides: Overrides = (),
    data_root: str | Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
    priced_on: str | None = None,
    network: str | None = None,
    data: str | None = None,
    news: News | None = None,
) -> StudyRun:
    """Train, program, repair and evaluate everything in a study that its folder lacks.

    Args:
        study: preset name, YAML path, or the study itself.
        out: folder of the run; None is ``runs/NAME`` in the working directory.
        methods: restrict the study to these (and its baseline).
        overrides: ``path=value`` settings, e.g. ``study.chips=4``.
        data_root: where the data lie; None looks in the usual places and then downloads.
        jobs: processes; 1 on a GPU.
        device: where to compute: ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU if there is
            one. Not the device of the cells, which the study names.
        priced_on: chip whose cost will stand beside the accuracies; None: the study's. One that
            cannot hold the network is warned of before anything is trained.
        network: of the study; must be said where it is ``package.module:function`` and only a file
            names it: code is not run because a file names it. A setting ``study.network=`` says it
            too.
        data: of the study; likewise.
        news: told of every epoch and unit.

    Raises:
        ArchsimError: whatever is wrong with study, data or folder.
    """
    compute_device(device, jobs=jobs)
    settings = as_texts(overrides)
    loaded = study if isinstance(study, Study) else load_study(study, settings)
    check_published(loaded)
    chosen = select_methods(loaded, as_names(methods))
    folder = run_place(chosen, out)
    with locked(folder, option="--run"), saying(said_code(study, settings, network, data)):
        check_is(network, loaded.network, f"study '{loaded.name}'")
        check_is(data, loaded.data, f"study '{loaded.name}'", "data")
        check_said(loaded.network)
        _warn_without_price(StudyRun(checked_study(chosen), folder), priced_on or chosen.chip)
        return begin_run(
            folder,
            chosen,
            data_root=None if data_root is None else str(data_root),
            jobs=jobs,
            device=device,
            rows_of=rows_of_study,
            news=news,
        )


def run_place(study: Study, out: str | Path | None) -> Path:
    """Return the folder of a study's run.

    Args:
        study: which.
        out: the folder that was asked for; None for ``runs/NAME`` in the working directory.
    """
    return Path("runs") / study.name if out is None else Path(out)


def said_code(
    study: object, overrides: Iterable[str], network: str | None, data: str | None
) -> tuple[object, ...]:
    """Return the names of networks and data that a caller says with a study.

    Args:
        study: itself, whose names the caller says; of a name or a file it is the file that does.
        overrides: settings of the study.
        network: what is said beside it.
        data: likewise.
    """
    own = (study.network, study.data) if isinstance(study, Study) else ()
    parsed = [parse_override(text) for text in overrides if override_path(text) in _CODE]
    return *own, network, data, *(value for _, value in parsed)


def _warn_without_price(run: StudyRun, chip: str) -> None:
    """Say that a chip cannot hold a study's network, where there is still something to compute.

    All designs of a study contain its network, so none of them has a cost then. Accuracies do not
    depend on it.

    Args:
        run: study and folder.
        chip: preset or YAML file that the designs will be priced on.

    Raises:
        ArchsimError: a network or a chip that no command could use.
    """
    if not any(missing(run.study, run.folder)):
        return
    study = run.study.model_copy(update={"chip": chip})
    mapped = map_network(
        graph_of(study),
        chip=chip,
        device=study.device,
        overrides=[*study.settings(), *Choice(policy=NoWeights()).price()],
    )
    if not mapped.feasible:
        warnings.warn(
            f"chip '{chip}' cannot hold network '{study.network}': "
            f"{'; '.join(mapped.infeasible_because)}. The accuracies of study '{study.name}' are "
            "measured all the same, without a cost beside them",
            stacklevel=3,
        )
