"""Reports that do not render their figures into files: for tests of what else is in a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archsim.api.report import write
from archsim.results.mapped import MapResult
from archsim.results.sensitivity import Elasticity
from reports.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: By network, placement and hash of the configuration.
_COMPUTED: dict[tuple[str, str, str], tuple[Elasticity, ...]] = {}


def render_only(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Render only these figures into files; the files of others are empty.

    All are drawn and laid out, once instead of three times, and those of the page are rendered for
    it. The sensitivities of one design are computed once.

    Args:
        patch: undoes it.
        names: of files, without the ending.
    """
    save, sensitivities = style.save, write.sensitivities

    def saved(figure: Figure, path: Path) -> None:
        if path.stem in names:
            save(figure, path)
            return
        if path.suffix == ".svg":
            figure.draw_without_rendering()
        path.touch()

    def computed(mapped: MapResult) -> tuple[Elasticity, ...]:
        key = (mapped.network, mapped.design, mapped.resolved.config_hash)
        if key not in _COMPUTED:
            _COMPUTED[key] = sensitivities(mapped)
        return _COMPUTED[key]

    patch.setattr(style, "save", saved)
    patch.setattr(write, "sensitivities", computed)
