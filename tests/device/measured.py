"""A device with measured levels, as a file, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from archsim.config.resolve import Resolved, resolve

#: Means and spreads of four levels that lie at no equal steps.
MEANS, SIGMAS = (0.02, 0.25, 0.6, 0.97), (0.02, 0.05, 0.08, 0.03)


def level_entry(value: object) -> dict[str, object]:
    """Return a number of a level with its unit and source."""
    return {"value": value, "unit": "1", "source": "measured"}


def measured_file(
    folder: Path,
    *,
    means: Sequence[float] = MEANS,
    sigmas: Sequence[float] = SIGMAS,
    quantiles: Sequence[float] | None = None,
    **keys: Any,
) -> str:
    """Write a device like rram with levels of its own, and return its path.

    Args:
        folder: where.
        means: of the levels.
        sigmas: of the levels.
        quantiles: of the errors at every level.
        **keys: other keys of the file.
    """
    levels = [
        {"mean": level_entry(mean), "sigma": level_entry(sigma)}
        for mean, sigma in zip(means, sigmas, strict=True)
    ]
    shapes = None
    if quantiles is not None:
        shapes = [{"quantiles": level_entry([*map(float, quantiles)])} for _ in levels]
    document = {
        "extends": "rram",
        "sources": {"measured": "measured cells of a test"},
        "name": "measured",
        "sigma": None,
        "levels": levels,
        "level_shapes": shapes,
        **keys,
    }
    folder.mkdir(exist_ok=True)
    path = folder / "measured.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def measured_chip(folder: Path, *overrides: str, **keys: Any) -> Resolved:
    """Return the chip of DNN+NeuroSim's defaults with a device of :func:`measured_file`.

    Args:
        folder: where the file is written.
        *overrides: settings.
        **keys: of the file.
    """
    path = measured_file(folder, **keys)
    return resolve(chip="rram-22nm-neurosim", device=path, overrides=list(overrides))
