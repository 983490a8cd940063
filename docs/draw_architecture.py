"""Draw docs/images/architecture.png from the import layers in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
#: What a layer does, in a few words.
WORDS = {
    "archsim.cli": "commands",
    "archsim.api": "one file per verb",
    "archsim.explore": "sweeps",
    "archsim.analysis": "sensitivity, intervals, fronts",
    "mapping": "compiler",
    "tsb": "training, chips,\naccuracy",
    "archsim.cost": "area, energy,\ntime",
    "reports": "tables, figures,\npage",
    "archsim.results": "frozen results, metrics, recommendation",
    "archsim.arch": "designs as tensors, rules",
    "archsim.network": "layer graph, front ends, zoo",
    "archsim.device": "cells, sigma, write-verify",
    "archsim.config": "YAML to one resolved chip",
    "archsim.util": "helpers",
    "archsim.plan": "contract",
    "archsim.units": "SI",
    "archsim.shapes": "axes",
    "archsim.errors": "one family of errors",
}
COLOURS = ("#e8f0fa", "#fdf1dc")


def layers() -> list[list[str]]:
    """Return the layers of the first import contract, top first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    whole = next(contract for contract in contracts["contracts"] if contract["id"] == "layers")
    split = [[name.strip() for name in line.split("|")] for line in whole["layers"]]
    return [names for names in split if names != ["archsim.__main__"]]


def draw(path: Path) -> None:
    """Draw one row of boxes per layer, and the direction of imports."""
    rows = layers()
    figure, axes = plt.subplots(figsize=(8, 0.72 * len(rows)), dpi=110)
    for place, names in enumerate(rows):
        bottom, width = len(rows) - place - 1, 8 / len(names)
        for column, name in enumerate(names):
            left = column * width
            box = mpl.patches.FancyBboxPatch(
                (left + 0.05, bottom + 0.08),
                width - 0.1,
                0.84,
                boxstyle="round,pad=0,rounding_size=0.08",
                facecolor=COLOURS[len(names) > 1],
                edgecolor="#55606e",
                linewidth=0.8,
            )
            axes.add_patch(box)
            short = name.removeprefix("archsim.")
            text = f"{short}\n{WORDS[name]}" if len(names) > 1 else f"{short}: {WORDS[name]}"
            axes.text(left + width / 2, bottom + 0.5, text, ha="center", va="center", fontsize=8.5)
    axes.annotate(
        "", (8.25, 0.1), (8.25, len(rows) - 0.1), arrowprops={"arrowstyle": "->", "lw": 1.4}
    )
    axes.text(8.35, len(rows) / 2, "imports", rotation=270, va="center", fontsize=9)
    axes.set(xlim=(0, 8.7), ylim=(0, len(rows)))
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight")


if __name__ == "__main__":
    draw(ROOT / "docs" / "images" / "architecture.png")
