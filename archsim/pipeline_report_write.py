"""The folder of a joint report: page, tables, figures and ``report.json``."""

from __future__ import annotations

import html
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archsim import __version__
from archsim._shadow import check_shadowing

check_shadowing()

from archsim import pipeline, pipeline_study  # noqa: E402
from archsim.errors import DataError  # noqa: E402
from archsim.joint import JointResult  # noqa: E402
from archsim.results import MapResult  # noqa: E402
from archsim.whole_file import write_whole  # noqa: E402
from reports import page  # noqa: E402
from reports.joint_tables import answer  # noqa: E402
from tsb.study.run import open_run  # noqa: E402


@dataclass(frozen=True)
class Report:
    """A joint report that was written.

    Attributes:
        result: all designs.
        folder: where it lies.
        sentences: the answer in words.
    """

    result: JointResult
    folder: Path
    sentences: tuple[str, ...]

    def _repr_html_(self) -> str:
        """Show the answer and the table in a notebook."""
        said = "".join(f"<p>{html.escape(text)}</p>" for text in self.sentences)
        table: str = self.result.frame().to_html(float_format=lambda value: f"{value:.4g}")
        return said + table


def write_report(
    result: JointResult,
    folder: str | Path,
    *,
    runs: Sequence[str | Path],
    commands: Sequence[str] = (),
) -> Report:
    """Write tables, figures and ``report.json`` of a joint result.

    Args:
        result: of :func:`join_runs`.
        folder: made if it is not there.
        runs: that the result comes from.
        commands: that make it.

    Raises:
        DataError: the folder cannot be written.
    """
    place = Path(folder)
    for name in ("tables", "figures"):
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{place}: cannot be made: {error.strerror or error}") from error
    sentences = answer(result)
    _write_tables(result, place / "tables")
    _write_figures(result, runs, place / "figures")
    content = {
        **result.to_dict(),
        "answer": list(sentences),
        "inputs": _inputs(result, runs),
        "commands": list(commands),
    }
    text = json.dumps(content, indent=1, allow_nan=False, default=str) + "\n"
    write_whole(place / "report.json", text.encode())
    for run in runs:
        name = "study.yaml" if len(runs) == 1 else f"study-{Path(run).name}.yaml"
        said = yaml.safe_dump(open_run(run).study.model_dump(mode="json"), sort_keys=False)
        write_whole(place / name, said.encode())
    _write_page(result, place, sentences, runs, commands)
    return Report(result, place, sentences)


def _write_page(
    result: JointResult,
    place: Path,
    sentences: Sequence[str],
    runs: Sequence[str | Path],
    commands: Sequence[str],
) -> None:
    abouts = [_read_json(Path(run) / "run.json") for run in runs]
    studies = [open_run(run).study for run in runs]
    content = page.collect(
        result,
        answer=sentences,
        question=(
            f"How should {result.network} be trained, programmed and repaired on {result.device} "
            "cells, and what does that cost?"
        ),
        commands=commands,
        provenance=[
            ("archsim", __version__),
            ("Python", platform.python_version()),
            *(("PyTorch", str(about.get("torch", "-"))) for about in abouts[:1]),
            *(("commit of the run", str(about.get("commit") or "-")) for about in abouts),
            *(("run", str(run)) for run in runs),
            *(("seeds", ", ".join(map(str, study.seeds))) for study in studies),
            *(("chips per seed", str(study.chips)) for study in studies),
            *(("data", str(about.get("data_note") or "-")) for about in abouts if about),
        ],
        figures=_page_figures(result),
    )
    page.save(content, place / "index.html")


def _page_figures(result: JointResult) -> list[page.PageFigure]:
    """Draw the floorplans, and what moves the cost of the recommended placement."""
    from reports.figures.floorplan import collect_floorplan, draw_floorplan
    from reports.figures.sensitivity import collect_sensitivity, draw_sensitivity

    found = []
    for design, mapped in _placements(result).items():
        found.append(
            page.from_figure(
                draw_floorplan(collect_floorplan(mapped, pipeline.placement(mapped))),
                title=f"Floorplan, shared block: {design}",
                alt=f"Subarrays of {result.network} by layer, shared block {design}",
            )
        )
    first = next(iter(_placements(result).values()), None)
    if first is not None:
        found.append(
            page.from_figure(
                draw_sensitivity(collect_sensitivity(pipeline.sensitivities(first))),
                title="What moves the cost",
                alt="Elasticities of EDP by parameter, largest first",
                caption="Per cent of change per per cent of a parameter, from autograd.",
            )
        )
    return found


def _inputs(result: JointResult, runs: Sequence[str | Path]) -> dict[str, Any]:
    """Everything that the numbers depend on."""
    studies = [open_run(run).study.model_dump(mode="json") for run in runs]
    abouts = [_read_json(Path(run) / "run.json") for run in runs]
    hashes = sorted({own.mapped.resolved.config_hash for own in result.designs if own.mapped})
    return {
        "archsim": __version__,
        "studies": studies,
        "runs": [
            {key: about.get(key) for key in ("archsim", "torch", "commit")} for about in abouts
        ],
        "configurations": hashes,
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write_tables(result: JointResult, folder: Path) -> None:
    import pandas as pd

    designs = result.frame().assign(notes=lambda own: own["notes"].map("; ".join))
    tables = {"designs": designs}
    breakdowns: list[pd.DataFrame] = []
    layers: list[pd.DataFrame] = []
    for own in result.designs:
        if own.mapped is None or not own.mapped.feasible:
            continue
        for parts, table in (
            (breakdowns, own.mapped.breakdown.reset_index(names="component")),
            (layers, own.mapped.layers.reset_index(drop=True)),
        ):
            parts.append(table.assign(method=own.method, sigma=own.sigma, design=own.design))
    if breakdowns:
        tables["breakdown"] = pd.concat(breakdowns, ignore_index=True)
        tables["layers"] = pd.concat(layers, ignore_index=True)
    for name, table in tables.items():
        write_whole(folder / f"{name}.csv", table.to_csv(index=False).encode())
        table.to_parquet(folder / f"{name}.parquet", index=False)


def _write_figures(result: JointResult, runs: Sequence[str | Path], folder: Path) -> None:
    from reports.figures.floorplan import save_floorplan
    from reports.figures.joint import save_joint
    from reports.figures.methods import save_methods

    for suffix in (".png", ".svg", ".pdf"):
        for sigma in dict.fromkeys(own.sigma for own in result.designs):
            if any(own.mapped and own.sigma == sigma for own in result.designs):
                save_joint(result, sigma, folder / f"accuracy-cost-sigma{sigma:g}{suffix}")
        for design, mapped in _placements(result).items():
            place = folder / f"floorplan-{design}{suffix}"
            save_floorplan(mapped, pipeline.placement(mapped), place)
        for run in runs:
            name = "accuracy" if len(runs) == 1 else f"accuracy-{Path(run).name}"
            save_methods(pipeline_study.evaluate(run), folder / f"{name}{suffix}")


def _placements(result: JointResult) -> dict[str, MapResult]:
    """Return one mapped design for each placement of the block."""
    found: dict[str, MapResult] = {}
    for own in result.designs:
        if own.mapped is not None and own.mapped.feasible:
            found.setdefault(own.design, own.mapped)
    return found
