"""A joint report as it shows in a notebook: answer, table, figures, where the page is."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.tables.report import designs

if TYPE_CHECKING:
    from archsim.results.report import JointResult


def _said(result: JointResult) -> tuple[str, ...]:
    return (*result.reads, *result.gaps, *result.warnings)


def html_of(
    result: JointResult, sentences: Sequence[str], place: str, drawn: Sequence[bytes]
) -> str:
    """Return HTML: the answer, a table of designs for each sigma, and figures; all text escaped.

    Args:
        result: all designs.
        sentences: the answer.
        place: of the page, for who wants more.
        drawn: figures, PNG.
    """
    parts = [f"<h3>{html.escape(f'{result.name}: {result.subject}')}</h3>"]
    parts += [f"<p>{html.escape(text.replace('+-', '±'))}</p>" for text in sentences]
    parts += [f"<p><em>{html.escape(text)}</em></p>" for text in _said(result)]
    for sigma in dict.fromkeys(design.sigma for design in result.designs):
        parts.append(_table(result, sigma))
    parts += [
        f'<img alt="Accuracy against cost" style="max-width: 100%" '
        f'src="data:image/png;base64,{base64.b64encode(content).decode()}">'
        for content in drawn
    ]
    parts.append(f"<p>Everything: <code>{html.escape(place)}</code></p>")
    return "\n".join(parts)


def _table(result: JointResult, sigma: float) -> str:
    table = designs(result, sigma)
    heads = "".join(
        f"<th>{html.escape(column.title)} {html.escape(column.unit)}</th>"
        for column in table.columns
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>"
        for texts in table.texts()
    )
    return (
        f"<table><caption>{html.escape(table.title)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
