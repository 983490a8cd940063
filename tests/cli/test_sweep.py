"""`archsim sweep` and `archsim sweep show`: what they print, where, and how they refuse."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.cli.conftest import Run
from tests.explore.sweeps import run_cli
from tests.refusals import command_refused

SWEEP = """
name: small
network: lenet3
chip: rram-22nm-neurosim
axes:
  design: [none, common]
  chip.crossbar.rows: [64, 128]
  chip.adc.bits: {from: 4, to: 6, step: 1}
  tsb.channels: {values: [16, 4], when: design != none}
objectives: [edp, area]
part_points: 8
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep above: 24 combinations, 18 points."""
    place = tmp_path_factory.mktemp("cli")
    (place / "small.yaml").write_text(SWEEP)
    done = run_cli("sweep", place / "small.yaml", "--out", place / "out", "--jobs", "1")
    assert done.exit_code == 0, done.stderr
    return place / "out"


def ok(done: Result) -> str:
    assert done.exit_code == 0, done.stderr
    return done.stdout


def answer(done: Result) -> Any:
    found = json.loads(ok(done))
    assert found["schema"] == 1
    return found


@pytest.mark.slow
def test_run_says_what_comes_and_what_came(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    done = run("sweep", "small.yaml", "--jobs", "1")
    out = ok(done)
    assert out.splitlines() == [
        "sweeps/small: 18 points, 0 of them infeasible; 2 on the front of edp, area",
        "next: archsim sweep show sweeps/small",
    ]
    lines = done.stderr.splitlines()
    assert lines[0].startswith("18 points of 24 combinations, 4 parts; about ")
    assert " with 1 process, " in lines[0]
    assert [line.split(",")[0] for line in lines[1:]] == [f"parts {n}/4" for n in range(1, 5)]
    again = run("sweep", "small.yaml")
    command_refused(again, "4", "--resume", code="in-the-way")
    assert ok(run("sweep", "small.yaml", "--resume")) == out


def test_run_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    words = ("--axis", "chip.adc.bits=[5]", "--set", "sweep.where=['tsb.channels > 4']")
    found = answer(run("sweep", "run", "small.yaml", *words, "--out", "here", "--format", "json"))
    assert found["folder"] == "here"
    assert (found["rows"], found["combinations"], found["forbidden"]) == (4, 8, {})
    assert (found["infeasible"], found["not_evaluated"], found["sweep"]) == (0, 0, "small")
    assert found["knee"] is not None


def test_what_no_configuration_allows_is_counted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    axes = ("chip.crossbar.cols=[128, 100]", "chip.crossbar.mux_ratio=[8, 4]", "chip.adc.bits=[5]")
    done = run("sweep", "small.yaml", *(word for axis in axes for word in ("--axis", axis)))
    ok(done)
    assert "  left out: 6, chip.crossbar.cols is no multiple of chip.crossbar.mux_ratio" in (
        done.stderr
    )


def test_show_is_the_front(folder: Path) -> None:
    text = ok(run_cli("sweep", "show", folder))
    assert text.startswith("Front of edp_Js, area_m2: 2 of 18 points")
    assert "knee" in text
    found = answer(run_cli("sweep", "show", folder, "--format", "json"))
    assert [own["column"] for own in found["objectives"]] == ["edp_Js", "area_m2"]
    points = found["points"]
    assert len(points) == 2
    assert points[0]["edp_Js"] < points[1]["edp_Js"]
    assert points[0]["area_m2"] > points[1]["area_m2"]
    assert points[0]["tsb.channels"] is None
    rows = list(
        csv.DictReader(io.StringIO(ok(run_cli("sweep", "show", folder, "--format", "csv"))))
    )
    assert [float(row["edp_Js"]) for row in rows] == [row["edp_Js"] for row in points]


def test_other_objectives_and_conditions(folder: Path) -> None:
    words = ("--pareto", "max:edp,tiles", "--where", "design == common", "--format", "json")
    found = answer(run_cli("sweep", "show", folder, *words))
    assert found["objectives"][0] == {"column": "edp_Js", "maximise": True}
    assert found["where"] == ["design == common"]
    assert {row["design"] for row in found["points"]} == {"common"}
    empty = answer(run_cli("sweep", "show", folder, "--where", "area_mm2 < 0", "--format", "json"))
    assert (empty["points"], empty["knee"]) == ([], None)


def test_a_front_of_nothing_says_why(folder: Path) -> None:
    done = run_cli("sweep", "show", folder, "--where", "area_mm2 < 1e-9")
    assert done.exit_code == 1
    out = done.stdout
    assert out == "Front of edp_Js, area_m2: 0 of 0 points; none meets area_mm2 < 1e-9\n"
    done = run_cli("sweep", "show", folder, "--cheapest", "edp", "--where", "area_mm2 < 1e-9")
    assert done.exit_code == 1
    assert "No feasible design with area_mm2 < 1e-9: the least area is 0.7764" in done.stdout
    assert " mm2 at point " in done.stdout


def test_infeasible_designs_say_why(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    done = run("sweep", "small.yaml", "--jobs", "1", "--set", "chip.hierarchy.max_tiles=1")
    assert "18 points, 18 of them infeasible; 0 on the front" in done.stdout
    assert "infeasible: 18, tiles" in done.stdout
    done = run("sweep", "show", "sweeps/small")
    assert done.exit_code == 1
    assert "none is feasible: tiles (18)" in done.stdout


def test_answers_of_a_part_of_the_sweep_say_so(folder: Path, tmp_path: Path) -> None:
    """A part is missing, as after a kill: every answer says that it is not of all points."""
    place = tmp_path / "half"
    shutil.copytree(folder, place)
    parts = sorted((place / "parts").iterdir())
    parts[-1].unlink()
    words = f"{len(parts) - 1} of {len(parts)} parts are done"
    for question in ((), ("--cheapest", "edp"), ("--effects", "edp"), ("--format", "json")):
        done = run_cli("sweep", "show", place, *question)
        assert done.exit_code == 0, done.stderr
        assert words in done.stderr
    assert words in answer(done)["unfinished"]
    assert answer(run_cli("sweep", "show", folder, "--format", "json"))["unfinished"] == ""
    done = run_cli("sweep", "show", place, "--compare", "0,23")
    assert done.exit_code == 2
    assert words in done.stderr
    assert "resume" in run_cli("sweep", "show", place, "--point", "23").stderr
    done = run_cli("sweep", tmp_path / "small.yaml", "--out", place, "--resume", "--jobs", "1")
    assert done.exit_code == 2  # no such file: nothing is announced
    (tmp_path / "small.yaml").write_text(SWEEP)
    done = run_cli("sweep", tmp_path / "small.yaml", "--out", place, "--resume", "--jobs", "1")
    assert done.exit_code == 0, done.stderr
    assert f"{1 / len(parts):.0%} of them left" in done.stderr
    done = run_cli("sweep", tmp_path / "small.yaml", "--out", place, "--resume", "--jobs", "1")
    assert "nothing to do" in done.stderr


def test_cheapest(folder: Path) -> None:
    text = ok(run_cli("sweep", "show", folder, "--cheapest", "area", "--where", "design == common"))
    assert text.startswith("Least area with design == common: ")
    command = next(line for line in text.splitlines() if line.startswith("archsim map "))
    words = shlex.split(command)[1:]
    area = json.loads(ok(run_cli(*words, "--format", "json")))["totals"]["area_mm2"]
    found = answer(
        run_cli(
            *("sweep", "show", folder, "--cheapest", "area_mm2", "--where", "design == common"),
            *("--format", "json"),
        )
    )
    assert found["points"][0]["area_m2"] * 1e6 == pytest.approx(area, rel=1e-12, abs=0)
    none = run_cli("sweep", "show", folder, "--cheapest", "edp", "--where", "area_mm2 < 0")
    assert none.exit_code == 1
    assert none.stdout.startswith("No feasible design with area_mm2 < 0")


def test_effects(folder: Path) -> None:
    found = answer(run_cli("sweep", "show", folder, "--effects", "edp", "--format", "json"))
    assert found["column"] == "edp_Js"
    assert "chip.adc.bits" in [own["parameter"] for own in found["effects"]]
    assert ok(run_cli("sweep", "show", folder, "--effects", "edp")).startswith("What moves EDP")
    rows = list(
        csv.DictReader(
            io.StringIO(ok(run_cli("sweep", "show", folder, "--effects", "edp", "--format", "csv")))
        )
    )
    assert rows


def test_compare_and_point(folder: Path) -> None:
    points = answer(run_cli("sweep", "show", folder, "--format", "json"))["points"]
    one, other = (row["point"] for row in points)
    found = answer(
        run_cli("sweep", "show", folder, "--compare", f"{one},{other}", "--format", "json")
    )
    ratios = {own["column"]: own["ratio"] for own in found["results"]}
    wanted = points[1]["edp_Js"] / points[0]["edp_Js"]
    assert ratios["edp_Js"] == pytest.approx(wanted, rel=1e-12, abs=0)
    assert "What changed" in ok(run_cli("sweep", "show", folder, "--compare", f"{one},{other}"))
    alone = answer(run_cli("sweep", "show", folder, "--point", one, "--format", "json"))
    assert alone["points"] == [points[0]]
    assert alone["command"] in ok(run_cli("sweep", "show", folder, "--point", one))


@pytest.mark.parametrize("figure", ["pareto", "parallel", "chip.crossbar.rows,chip.adc.bits"])
def test_plots(folder: Path, tmp_path: Path, figure: str) -> None:
    file = tmp_path / "front.svg"
    done = run_cli("sweep", "show", folder, "--plot", file, "--figure", figure)
    ok(done)
    assert f"wrote {file}" in done.stderr
    assert file.read_text().startswith("<?xml")


def test_answers_into_a_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "front.json"
    text = ok(run_cli("sweep", "show", folder, "--format", "json", "--out", file))
    assert text == f"wrote {file}\n"
    assert json.loads(file.read_text())["points"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("full-chop",), "unknown-name", ["'full-chop'", "'full-chip'"]),
        (("missing.yaml",), "missing-file", ["'missing.yaml'"]),
        (("full-chip", "--format", "csv"), "unsupported", ["--format"]),
        (("full-chip", "--format", "xml"), None, ["'--format'"]),
        (("full-chip", "--jobs", "0"), None, ["'--jobs'"]),
        (("full-chip", "--axis", "chip.adc.bits=5"), "wrong-type", ["--axis", "chip.adc.bits=5"]),
        (("full-chip", "--axis", "chip.adc.bits"), "wrong-form", ["--set", "path=value"]),
        (
            ("full-chip", "--axis", "chip.adc.bits={from: 3, to: 8, step: 0.5}"),
            "wrong-type",
            ["from = 3", "chip.adc.bits", "0.5"],
        ),
        (
            ("tsb-size-vgg8", "--axis", "design=[none]"),
            "conflict",
            ["tsb.channels"],
        ),
        (("full-chip", "--axis", "chip.adc.bits=[5,5]"), "given-twice", ["5"]),
        (("full-chip", "--axis", "chip.adc.bitz=[5,6]"), "unknown-key", ["'bitz'", "'bits'"]),
        (("full-chip", "--set", "chip.adc.bitz=5"), "unknown-key", ["'bitz'", "'bits'"]),
        (
            ("full-chip", "--set", "sweep.strategy.kind=best"),
            "unknown-name",
            ["sweep.strategy.kind = 'best'"],
        ),
        (
            ("full-chip", "--set", "sweep.settings=[]"),
            "unknown-key",
            ["'settings'", "design,", "axes,"],
        ),
        (("full-chip", "--set", "sweep.nmae=x"), "unknown-key", ["'nmae'", "'name'"]),
        (("full-chip", "--network", "lenet"), "unknown-name", ["'lenet'"]),
        (
            ("full-chip", "--network", "lenet3", "--out", "file"),
            "in-the-way",
            ["file"],
        ),
        (("full-chip", "--set", "sweep.objectives=[nothing]"), "unknown-name", ["'nothing'"]),
        (("full-chip", "--set", "sweep.constraints=['area < 1']"), "missing-key", ["area"]),
        (
            ("full-chip", "--axis", "device.r_on={from: 1, to: 2, points: 9999}"),
            "out-of-range",
            ["3.36e+10", "1e+08", "strategy", "--yes"],
        ),
        (("show", "nowhere"), "missing-file", ["nowhere"]),
        (("show", "file"), "missing-file", ["file"]),
        (("show", "x" * 300), "missing-file", ["xxx"]),
    ],
)
def test_bad_input(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: str | None, words: list[str]
) -> None:
    (tmp_path / "file").touch()
    done = run("sweep", *arguments)
    command_refused(done, *words, code=code)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--pareto", "edpp"), "unknown-name", ["'edpp'", "'edp'"]),
        (("--pareto", "least:edp"), "unknown-name", ["min", "max"]),
        (("--pareto", "edp", "--cheapest", "edp"), "conflict", ["--cheapest", "--pareto"]),
        (("--effects", "edp", "--point", "3"), "conflict", ["--effects", "--point"]),
        (("--cheapest", "device"), "unknown-name", ["'device'"]),
        (("--cheapest", "edp", "--plot", "a.png"), "conflict", ["--plot"]),
        (("--where", "area < 3"), "missing-key", ["area"]),
        (("--where", "area_mm2"), "wrong-form", ["'area_mm2'"]),
        (("--compare", "1"), "wrong-form", ["--compare", "12,345"]),
        (("--compare", "1,b"), "wrong-form", ["--compare", "1,b"]),
        (("--compare", "0,9999"), "unknown-name", ["9999", "18"]),
        (("--point", "1"), "empty", ["lenet3"]),
        (("--point", "9999"), "out-of-range", ["0 to 23", "9999"]),
        (("--point", "-1"), "out-of-range", ["0 to 23", "-1"]),
        (("--top", "0"), None, ["'--top'"]),
        (("--plot", "front.jpeg2"), "wrong-form", ["front.jpeg2"]),
        (("--plot", "nowhere/front.png"), "missing-file", ["nowhere"]),
        (
            ("--plot", "a.png", "--figure", "pie"),
            "unknown-name",
            ["--figure", "pareto", "parallel"],
        ),
        (("--plot", "a.png", "--figure", "rows,pie"), "unknown-name", ["pie"]),
        (("--plot", "a.png", "--pareto", "edp"), "conflict", ["--plot", "--pareto"]),
        (("--plot", "a.png", "--colour", "pie"), "unknown-name", ["pie"]),
        (("--figure", "parallel"), "conflict", ["--figure", "--plot"]),
        (("--colour", "rows"), "conflict", ["--colour", "--plot"]),
        (("--where", "design == shared"), "empty", ["shared'", "design:", "common"]),
        (("--where", "channels > 99"), "empty", ["tsb.channels", "16", "4"]),
        (("--cheapest", "accuracy"), "missing-key", ["'accuracy'"]),
        (("--cheapest", "rows"), "wrong-type", ["'rows'"]),
        (("--compare", "3,3"), "given-twice", ["--compare", "3,3"]),
        (("--plot", "a.png", "--figure", "edp,rows"), "unknown-name", ["'edp'"]),
        (("--where", "accuracy > 0.9"), "missing-key", ["'accuracy'", "fidelity:"]),
        (("--out", "nowhere/x.json"), "missing-file", ["nowhere"]),
    ],
)
def test_bad_questions(
    run: Run, folder: Path, arguments: tuple[str, ...], code: str | None, words: list[str]
) -> None:
    done = run("sweep", "show", folder, *arguments)
    command_refused(done, *words, code=code)
    assert not list(Path.cwd().iterdir())


def test_a_huge_space_asks_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    axes = [f"device.{name}={{from: 1, to: 2, points: 10000}}" for name in ("r_on", "sigma")]
    more = "device.r_off={from: 1000, to: 2000, points: 417}"
    words = [word for axis in (*axes, more) for word in ("--axis", axis)]
    done = run("sweep", "small.yaml", *words)
    command_refused(done, "1e+12", "1e+08;", "optuna}", "--yes", code="out-of-range")
    assert not (tmp_path / "sweeps").exists()


def test_a_damaged_part_is_said(run: Run, folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    next((tmp_path / "copy" / "parts").iterdir()).write_bytes(b"PAR1")
    done = run("sweep", "show", "copy")
    command_refused(done, "copy", code="damaged-file")
