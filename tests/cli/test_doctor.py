"""``archsim doctor`` and ``archsim demo``."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from typer.testing import CliRunner

from archsim.api import doctor as doctor_module
from archsim.api.doctor import EXTRAS
from archsim.cli import demo_command
from archsim.cli.app import app
from tests.house.helpers import ROOT


def test_a_whole_installation_is_found_whole() -> None:
    done = CliRunner().invoke(app, ["doctor", "--format", "json"])
    assert done.exit_code == 0, done.output
    health = json.loads(done.stdout)
    checks = {(check["group"], check["name"]): check for check in health["checks"]}
    assert health["ok"]
    assert "lenet3" in checks["self-test", "map a network"]["found"]
    assert checks["data", "mnist-part"]["found"].endswith("mnist-part")


def test_what_is_broken_is_named_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("no kernel for this processor")

    monkeypatch.setattr(doctor_module, "_map", broken)
    monkeypatch.setattr(doctor_module, "_program", lambda: "nothing")
    monkeypatch.setattr(doctor_module, "_compile", lambda: "nothing")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "BROKEN: map a network: RuntimeError: no kernel for this processor" in done.stdout
    assert "Something is broken." in done.stdout


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - {"dev", "docs"}
    assert {extra.extra for extra in EXTRAS} == extras


def test_demo_is_the_main_job(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(demo_command, "make_command", lambda **options: asked.update(options))
    done = CliRunner().invoke(app, ["demo", "--quick", "--folder", "here"])
    assert done.exit_code == 0, done.output
    assert (asked["targets"], str(asked["run"])) == (["tsb-lenet3"], "here")
    assert "study.chips=2" in asked["overrides"]
