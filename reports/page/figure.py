"""Figures of the page: drawn once by matplotlib, kept as SVG text."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PageFigure:
    """One figure.

    Attributes:
        title: heading above it.
        svg: its drawing, a whole SVG document.
        alt: what it shows, for who cannot see it.
        caption: one sentence below it, "" for none.
    """

    title: str
    svg: str
    alt: str
    caption: str = ""


def from_figure(figure: Figure, *, title: str, alt: str, caption: str = "") -> PageFigure:
    """Turn a figure of ``reports.figures`` into one of the page.

    Letters become outlines, so that it looks alike whatever fonts there are, and the same figure
    gives the same text.

    Args:
        figure: drawn.
        title: heading above it.
        alt: what it shows, for who cannot see it.
        caption: one sentence below it.
    """
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "archsim"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return PageFigure(title, text.getvalue(), alt, caption)
