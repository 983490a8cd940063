"""Accuracies on a Dask cluster: those of this machine, and what a worker refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import yaml
from distributed import LocalCluster

from archsim.api.sweep import sweep as run_sweep
from archsim.config.study import load_study
from archsim.config.sweep import Sweep
from archsim.errors import ConfigError, DataError
from archsim.explore.accuracy import on_cluster
from archsim.explore.accuracy.accuracy import plan_cases
from archsim.explore.space.points import Space
from tests.refusals import refused

#: As little as a study can be: its accuracies are bad, but they are numbers.
SMALL: dict[str, Any] = {
    "chips": 1,
    "runs": 1,
    "seeds": [0],
    "train_images": 200,
    "validation_images": 20,
    "test_images": 20,
    "backbones": {"noise": {"epochs": 1}},
    "methods": [{"name": "plain"}],
    "baseline": None,
    "published": [],
    "published_claims": [],
    "published_costs": [],
}


def asked(folder: Path) -> Sweep:
    content = {**load_study("tsb-lenet3").model_dump(mode="json"), **SMALL}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return Sweep.model_validate(
        {
            "name": "small",
            "network": "lenet3",
            "chip": "rram-22nm-neurosim",
            "axes": {"device.sigma": [0.05, 0.1]},
            "objectives": ["area", "accuracy"],
            "fidelity": "accuracy",
            "accuracy": {"study": str(path), "method": "plain", "read_path": "off"},
        }
    )


def accuracies(folder: Path, sweep: Sweep, **where: Any) -> dict[float, float]:
    done = run_sweep(sweep, out=folder / "out", accuracy_cache=folder / "cache", jobs=1, **where)
    frame = done.frame()
    return dict(zip(frame["device.sigma"], frame["accuracy_mean"], strict=True))


def test_accuracies_of_a_cluster_are_those_of_this_machine(tmp_path: Path) -> None:
    sweep = asked(tmp_path)
    here = accuracies(tmp_path / "here", sweep)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as made:
        there = accuracies(tmp_path / "there", sweep, scheduler=made.scheduler_address)
    assert there == here
    assert len(here) == 2
    names = [
        {
            path.relative_to(tmp_path / place)
            for path in (tmp_path / place / "cache").rglob("result.json")
        }
        for place in ("here", "there")
    ]
    assert names[0] == names[1]
    # All that was made is kept here: no more of it is sent, and nobody has to be there.
    assert accuracies(tmp_path / "there", sweep, resume=True) == here


class Nobody:
    """A client of no cluster."""

    def close(self) -> None:
        """Do nothing."""


def test_a_worker_that_is_not_alike_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def calls_only(_: Any, __: Any, calls: Any) -> Any:
        sent.extend(description for description, _, _ in calls)
        return iter(())

    monkeypatch.setattr(on_cluster.executors, "connect", lambda _: Nobody())
    monkeypatch.setattr(on_cluster.executors, "on_cluster", calls_only)
    works = plan_cases(Space(asked(tmp_path)), cache=tmp_path / "cache", max_minutes=0.0)
    cases = [(work.study, work.folder) for work in works]
    none = on_cluster.train_on_cluster("nobody", cases, data_root=None, may_begin=lambda: True)
    assert list(none) == []
    assert len(sent) == 2
    for key in ("torch", "run", "images"):
        other = json.dumps({**json.loads(sent[0]), key: "another"})
        with refused(ConfigError, code="conflict", field=key, value=ANY, allowed="another"):
            on_cluster.run_case(other, 0, {})
    sent.clear()
    late = on_cluster.train_on_cluster("nobody", cases, data_root=None, may_begin=lambda: False)
    assert list(late) == sent == []  # nothing is begun once the time is over


def test_what_comes_back_stays_in_its_folder(tmp_path: Path) -> None:
    with refused(DataError, code="wrong-form", field="../away"):
        on_cluster._write(tmp_path / "run", {"../away": b""})
    assert not (tmp_path / "away").exists()
